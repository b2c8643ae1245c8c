package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

const ms = time.Millisecond

// results are the visits by contender: [0] the first, [1] the second of each
// round.
type results map[string]*[2][]visit

func (r results) add(name string, first, second visit) {
	if r[name] == nil {
		r[name] = new([2][]visit)
	}
	r[name][0] = append(r[name][0], first)
	r[name][1] = append(r[name][1], second)
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
func asked(v visit) int           { return v.requests }

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
	line("| visit | page | ready ms | paint ms | bytes | requests |")
	line("|---|---|--:|--:|--:|--:|")
	for i, kind := range kinds {
		for _, name := range []string{"h5pay", "hello world"} {
			v := r[name][i]
			line("| %s | %s | %d | %d | %d | %d |", kind, name,
				median(v, ready)/ms, median(v, paint)/ms, median(v, sent), median(v, asked))
		}
	}
	line("")
	line("| aim, to hello world | measured | |")
	line("|---|--:|---|")
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
		ratio := float64(median(r["h5pay"][aim.visit], aim.of)) / float64(median(r["hello world"][aim.visit], aim.of))
		verdict := "met"
		if ratio > aim.most {
			verdict = "missed"
		}
		line("| %s at most %.2f | %.2f | %s |", aim.what, aim.most, ratio, verdict)
	}
	return b.String()
}
