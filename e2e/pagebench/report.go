package main

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

const ms = time.Millisecond

// results are the visits of each round.
type results struct {
	visits  map[series]*[2][]visit // [0] the first, [1] the second
	signIns map[bool][]visit       // to the shop in WeChat, by whether the page uses its service worker
}

// series identifies visits under the same conditions.
type series struct {
	name    string // of the contender
	workers bool   // whether the page uses its service worker
}

func (r results) add(name string, workers bool, first, second visit) {
	of := series{name, workers}
	if r.visits[of] == nil {
		r.visits[of] = new([2][]visit)
	}
	r.visits[of][0] = append(r.visits[of][0], first)
	r.visits[of][1] = append(r.visits[of][1], second)
}

// median of what f returns for the visits.
func median[T cmp.Ordered](visits []visit, f func(visit) T) T {
	var all []T
	for _, v := range visits {
		all = append(all, f(v))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func tap(v visit) time.Duration     { return v.tap }
func ready(v visit) time.Duration   { return v.ready }
func paint(v visit) time.Duration   { return v.paint }
func blocked(v visit) time.Duration { return v.blocked }
func shift(v visit) float64         { return v.shift }
func sent(v visit) int              { return v.bytes }
func requestCount(v visit) int      { return v.requests }

// The contenders.
const (
	nameOurs   = "h5pay"
	nameHello  = "hello world"
	nameByHand = "JavaScript"
)

var names = []string{nameOurs, nameHello, nameByHand}

var kinds = [2]string{"first", "second"}

// markdown returns the report.
func (r results) markdown(rounds int, audits map[string][]audit, load string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Page speed")
	line("")
	line("Written by `make bench-page`. Do not edit.")
	line("")
	line("This page compares the shop's start page with go-app's hello world, and with the same start page in JavaScript by")
	line("hand. The run builds hello world with a plain `go build`, and go-app generates its site. One server serves all")
	line("over HTTP/2 and TLS 1.3, compressed with brotli %d as Cloudflare does, and with its headers. The shop's program is", 4)
	line("compressed by the build (brotli 11). The server simulates a link of %d Mbit/s down and %v of round trip. That", bandwidth*8/1_000_000, roundTrip)
	line("includes the opening of connections and the requests of service workers. The browser is Chromium at 390x844 on a processor that is")
	line("%d times slower. The start page and the shop's calls use that link to the real signer, which runs natively on SQLite.", cpu)
	line("The page in JavaScript gets the catalogue with the page too. It has no sign-in, one language and no service worker.")
	line("")
	line("A first visit has an empty browser profile. The second visit has the same profile, after the browser was")
	line("closed and started again. Medians of %d alternating rounds, %s, %d processors. Compare ratios.", rounds, runtime.Version(), runtime.NumCPU())
	if load != "" {
		line("The load average of the machine at the end was %s. Above the number of processors the figures are not comparable.", load)
	}
	line("")
	line("- **Tap**: the products are painted, and a tap on \"+\" counts. In the shop the page keeps it for the program, which")
	line("  puts the product into the basket.")
	line("- **Ready**: the program has drawn what the page is for. In the shop that is the catalogue with buttons that work,")
	line("  at the signer's prices. In hello world it is the heading, without the loader.")
	line("- **Paint**: the first contentful paint. In the shop it has the products and their prices.")
	line("- **Blocked**: what tasks of the page took beyond 50 ms each, after the paint.")
	line("- **Shift**: Chromium's cumulative layout shift.")
	line("- **Bytes**: all that the server sent until it was quiet, bodies as compressed.")
	line("")
	line("## Without a service worker")
	line("")
	line("Many web views have none.")
	line("")
	r.table(line, false)
	r.aims(line, false, []aim{
		{"first visit: ready, to hello world", nameHello, 0, ready, 0.60},
		{"first visit: ready, to JavaScript", nameByHand, 0, ready, 1.80},
		{"first visit: paint, to hello world", nameHello, 0, paint, 1},
		{"first visit: blocked, to hello world", nameHello, 0, blocked, 0.50},
		{"second visit: ready, to hello world", nameHello, 1, ready, 0.50},
		{"second visit: paint, to hello world", nameHello, 1, paint, 0.50},
	})
	line("")
	line("## With a service worker")
	line("")
	line("go-app's worker answers a second visit from its cache and does not ask whether the site has changed. The shop's")
	line("worker answers from its cache too. The prices come from the signer before anything can be bought.")
	line("")
	r.table(line, true)
	r.aims(line, true, []aim{
		{"second visit: ready, to hello world", nameHello, 1, ready, 1},
		{"second visit: paint, to hello world", nameHello, 1, paint, 1},
	})
	line("")
	line("## Sign-in inside WeChat")
	line("")
	line("A first visit in WeChat has two page loads: the page goes to WeChat's authorize page and comes again with a code.")
	line("Ready counts from the first navigation until the catalogue has buttons that work and the user is signed in.")
	line("")
	line("| service worker | sign-in, ready ms | first visit, ready ms | ratio | aim, at most |")
	line("|---|--:|--:|--:|--:|")
	for _, workers := range []bool{false, true} {
		with, without := median(r.signIns[workers], ready), median(r.visits[series{nameOurs, workers}][0], ready)
		line("| %s | %d | %d | %.2f | %.2f |", map[bool]string{false: "no", true: "yes"}[workers], with/ms, without/ms, float64(with)/float64(without), 1.3)
	}
	if len(audits) == 0 {
		return b.String()
	}
	line("")
	line("## Lighthouse")
	line("")
	line("Lighthouse %s, on the mobile phone that it simulates. Medians of %d runs. The aims are 95 for performance, 100 for", lighthouseVersion, len(audits[nameOurs]))
	line("the others.")
	line("")
	line("| page | performance | accessibility | best practices | SEO | first paint ms | largest paint ms | blocked ms | shift |")
	line("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, name := range names {
		a := audits[name]
		line("| %s | %d | %d | %d | %d | %.0f | %.0f | %.0f | %.3f |", name,
			middle(a, func(a audit) int { return a.performance }), middle(a, func(a audit) int { return a.accessibility }),
			middle(a, func(a audit) int { return a.practices }), middle(a, func(a audit) int { return a.seo }),
			middle(a, func(a audit) float64 { return a.paint }), middle(a, func(a audit) float64 { return a.content }),
			middle(a, func(a audit) float64 { return a.blocked }), middle(a, func(a audit) float64 { return a.shift }))
	}
	return b.String()
}

// table compares the contenders.
func (r results) table(line func(format string, args ...any), workers bool) {
	line("| visit | page | tap ms | ready ms | paint ms | blocked ms | shift | bytes | requests |")
	line("|---|---|--:|--:|--:|--:|--:|--:|--:|")
	for i, kind := range kinds {
		for _, name := range names {
			v := r.visits[series{name, workers}][i]
			tapped := "-"
			if at := median(v, tap); at > 0 {
				tapped = strconv.Itoa(int(at / ms))
			}
			line("| %s | %s | %s | %d | %d | %d | %.3f | %d | %d |", kind, name, tapped,
				median(v, ready)/ms, median(v, paint)/ms, median(v, blocked)/ms, median(v, shift), median(v, sent), median(v, requestCount))
		}
	}
	line("")
}

// aim is a ratio of the shop's page to another one.
type aim struct {
	what  string
	to    string // name of a contender
	visit int    // 0 the first, 1 the second
	of    func(visit) time.Duration
	most  float64
}

// aims prints the measured ratios.
func (r results) aims(line func(format string, args ...any), workers bool, aims []aim) {
	line("| ratio | aim, at most | measured |")
	line("|---|--:|--:|")
	for _, a := range aims {
		ours, other := median(r.visits[series{nameOurs, workers}][a.visit], a.of), median(r.visits[series{a.to, workers}][a.visit], a.of)
		measured := "-"
		if other > 0 {
			measured = fmt.Sprintf("%.2f", float64(ours)/float64(other))
		}
		line("| %s | %.2f | %s |", a.what, a.most, measured)
	}
	own := r.visits[series{nameOurs, workers}]
	most := max(median(own[0], shift), median(own[1], shift))
	line("| layout shift of the shop | %.2f | %.3f |", 0.02, most)
}
