package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

const ms = time.Millisecond

// results are the visits of each round: [0] the first, [1] the second.
type results map[series]*[2][]visit

// series identifies visits under the same conditions.
type series struct {
	name    string // of the contender
	workers bool   // whether the page uses its service worker
}

func (r results) add(name string, workers bool, first, second visit) {
	of := series{name, workers}
	if r[of] == nil {
		r[of] = new([2][]visit)
	}
	r[of][0] = append(r[of][0], first)
	r[of][1] = append(r[of][1], second)
}

// median of what f returns for the visits.
func median[T int | time.Duration](visits []visit, f func(visit) T) T {
	var all []T
	for _, v := range visits {
		all = append(all, f(v))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func ready(v visit) time.Duration { return v.ready }
func paint(v visit) time.Duration { return v.paint }
func sent(v visit) int            { return v.bytes }
func requestCount(v visit) int    { return v.requests }

var kinds = [2]string{"first", "second"}

// markdown returns the report.
func (r results) markdown(rounds int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Page speed")
	line("")
	line("Written by `make bench-page`. Do not edit.")
	line("")
	line("The shop's start page beside go-app's hello world, which this run built, with a plain `go build`, and")
	line("whose site go-app generated. One server serves both, files compressed in brotli %d, with the headers", 4)
	line("that Cloudflare gives them; it plays a link of %d Mbit/s down and %v of round trip, the opening of", bandwidth*8/1_000_000, roundTrip)
	line("connections and the service workers' own requests included. The browser is Chromium at 390x844 with a")
	line("processor %d times slower. The shop's calls go over that link to the real signer, run natively on SQLite.", cpu)
	line("A first visit is by a browser with an empty profile; the second by the same profile after the browser")
	line("was ended and started. %d rounds, alternating; medians. %s, %d processors. Compare ratios.", rounds, runtime.Version(), runtime.NumCPU())
	line("")
	line("**Ready** is when the program has drawn what the page is for: in the shop the catalogue with its buttons,")
	line("after the answers of the signer; in hello world its heading, with the loader gone. **Paint** is the first")
	line("contentful paint. **Bytes** are all that the server sent until it was quiet, bodies as compressed.")
	line("")
	r.table(line, false)
	line("")
	line("The aims are for browsers without service workers, so that both sites open as a web view opens them that")
	line("knows none. Where there are some, go-app's answers a second visit from its cache, without asking whether")
	line("the site has changed; the shop's has no page to answer with, lest one be out of date, and lets the network:")
	line("")
	r.table(line, true)
	return b.String()
}

// table compares the contenders.
func (r results) table(line func(format string, args ...any), workers bool) {
	shop, hello := r[series{"h5pay", workers}], r[series{"hello world", workers}]
	line("| visit | page | ready ms | paint ms | bytes | requests |")
	line("|---|---|--:|--:|--:|--:|")
	for i, kind := range kinds {
		for _, of := range []struct {
			name   string
			visits []visit
		}{{"h5pay", shop[i]}, {"hello world", hello[i]}} {
			v := of.visits
			line("| %s | %s | %d | %d | %d | %d |", kind, of.name,
				median(v, ready)/ms, median(v, paint)/ms, median(v, sent), median(v, requestCount))
		}
	}
	line("")
	line("| to hello world | aim, at most | measured |")
	line("|---|--:|--:|")
	for _, aim := range []struct {
		what  string
		visit int
		of    func(visit) time.Duration
		most  float64
	}{
		{"first visit: ready", 0, ready, 0.75},
		{"second visit: ready", 1, ready, 1},
		{"first visit: paint", 0, paint, 1},
		{"second visit: paint", 1, paint, 1},
	} {
		ratio := float64(median(shop[aim.visit], aim.of)) / float64(median(hello[aim.visit], aim.of))
		line("| %s | %.2f | %.2f |", aim.what, aim.most, ratio)
	}
}
