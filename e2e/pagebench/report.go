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
	line("This page compares the shop's start page with go-app's hello world. The run builds hello world with a plain")
	line("`go build`, and go-app generates its site. One server serves both, compressed with brotli %d as Cloudflare does, and", 4)
	line("with its headers. The shop's program is compressed by the build (brotli 11). The server simulates a link of %d Mbit/s down and %v of round trip. That includes the opening of", bandwidth*8/1_000_000, roundTrip)
	line("connections and the requests of service workers. The browser is Chromium at 390x844 on a processor that is")
	line("%d times slower. The shop's calls use that link to the real signer, which runs natively on SQLite.", cpu)
	line("")
	line("A first visit has an empty browser profile. The second visit has the same profile, after the browser was")
	line("closed and started again. Medians of %d alternating rounds, %s, %d processors. Compare ratios.", rounds, runtime.Version(), runtime.NumCPU())
	line("")
	line("- **Ready**: the program has drawn what the page is for. In the shop that is the catalogue with its buttons,")
	line("  after the signer's responses. In hello world it is the heading, without the loader.")
	line("- **Paint**: the first contentful paint.")
	line("- **Bytes**: all that the server sent until it was quiet, bodies as compressed.")
	line("")
	r.table(line, false)
	line("")
	line("The aims are for browsers without service workers, as many web views have none. With service workers, go-app's")
	line("worker answers a second visit from its cache and does not ask whether the site has changed. The shop's worker has no")
	line("page in its cache, because the page could be out of date. It lets the network answer:")
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
