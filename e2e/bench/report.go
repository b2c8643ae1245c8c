package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// results are all measurements.
type results struct {
	loads  map[key][]load
	cold   map[coldKey][]coldStart
	memory map[string]int64 // peak in bytes, by Worker
}

type coldKey struct{ worker, flow string }

type key struct {
	worker, flow string
	setting      setting
}

func newResults() *results {
	return &results{loads: map[key][]load{}, cold: map[coldKey][]coldStart{}, memory: map[string]int64{}}
}

func (r *results) add(worker, flow string, s setting, l load) {
	k := key{worker, flow, s}
	r.loads[k] = append(r.loads[k], l)
}

// figures are the results of one Worker under one load, over all rounds.
type figures struct {
	p50, p99, cpu float64 // ms; cpu per request
	rate          float64 // requests per second
}

func (r *results) figures(k key) figures {
	var latencies []time.Duration
	var elapsed, cpu time.Duration
	for _, l := range r.loads[k] {
		latencies = append(latencies, l.latencies...)
		elapsed += l.elapsed
		cpu += l.cpu
	}
	n := float64(len(latencies))
	return figures{
		p50: ms(percentile(latencies, 0.5)), p99: ms(percentile(latencies, 0.99)),
		cpu: ms(cpu) / n, rate: n / elapsed.Seconds(),
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

var flows = []string{orderFlow, notificationFlow, backEndFlow}

const (
	orderFlow        = "order and payment" // two requests: an order, and its payment parameters
	notificationFlow = "notification"
	backEndFlow      = "order of a back end"
)

// has reports whether a Worker has a flow. The JavaScript has no API for back ends.
func has(worker, flow string) bool { return flow != backEndFlow || worker != "javascript" }

// settings returns the measured settings of a flow, in order.
func (r *results) settings(flow string) []setting {
	var all []setting
	for k := range r.loads {
		if k.flow == flow && k.worker == names[0] {
			all = append(all, k.setting)
		}
	}
	slices.SortFunc(all, func(a, b setting) int {
		return (a.conns - b.conns) + 1000*int((a.delay-b.delay)/time.Millisecond)
	})
	return all
}

// coldFigures returns the medians of the cold starts of a Worker.
func (r *results) coldFigures(worker, flow string) coldStart {
	all := r.cold[coldKey{worker, flow}]
	if len(all) == 0 {
		return coldStart{}
	}
	median := func(of func(coldStart) time.Duration) time.Duration {
		values := make([]time.Duration, len(all))
		for i, c := range all {
			values[i] = of(c)
		}
		return percentile(values, 0.5)
	}
	return coldStart{
		start:   median(func(c coldStart) time.Duration { return c.start }),
		cpu:     median(func(c coldStart) time.Duration { return c.cpu }),
		latency: median(func(c coldStart) time.Duration { return c.latency }),
	}
}

// markdown returns the report.
func (r *results) markdown(p plan) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Benchmarks")
	line("")
	line("Written by `make bench`. Do not edit.")
	line("")
	line("Four Workers do the same work on workerd:")
	line("")
	line("- **signer** is this project's, with APIv2;")
	line("- **%s** is the same with APIv3 and WeChat Pay's public key;", signerV3)
	line("- **stock** has the same handlers behind the entry, driver and fetch of github.com/syumai/workers;")
	line("- **javascript** is the measured handlers alone, written by hand ([source](../e2e/bench/js/worker.mjs)).")
	line("")
	line("On the way to success the JavaScript does what the signer does: tests compare the stored rows, the responses, the log lines")
	line("and the order that WeChat is sent. It has no other calls, and no handling of failures. So its figures are a lower bound of")
	line("what these requests cost in JavaScript, and the ratio to it is an upper bound of what Go costs.")
	line("")
	line("An order costs two requests, measured as one: `POST /api/orders` prices and stores it, `POST /api/orders/{id}/pay` sends it to")
	line("WeChat and signs. A buyer makes both, so both count. A notification is one request. So is an order of a back end,")
	line("`POST /v1/orders`, which the JavaScript does not have.")
	line("")
	line("Each Worker has its own workerd. D1 and the upstream are other processes, as they are other machines at Cloudflare.")
	line("The rounds alternate. The first of %d only warms up. Each round has %d requests (%d for stock).", p.rounds, p.requests, max(p.requests/5, 1))
	line("CPU is the time that the kernel charged to workerd, all threads, for one request.")
	line("Measured with %s on %d processors. Compare ratios, not milliseconds.", runtime.Version(), runtime.NumCPU())
	line("")
	line("A column \"signer to this\" is the signer's figure divided by that of the row: below 1 the signer is better.")
	line("")
	line("![CPU and latency of each request](benchmarks.svg)")
	for _, flow := range flows {
		line("")
		line("## %s", flow)
		line("")
		line("| connections | upstream | Worker | p50 ms | p99 ms | requests/s | CPU ms | CPU, signer to this | p50, signer to this |")
		line("|--:|--:|---|--:|--:|--:|--:|--:|--:|")
		for _, s := range r.settings(flow) {
			ours := r.figures(key{names[0], flow, s})
			for _, name := range names {
				if !has(name, flow) {
					continue
				}
				f := r.figures(key{name, flow, s})
				line("| %d | %s | %s | %.2f | %.2f | %.0f | %.2f | %.2f | %.2f |",
					s.conns, s.delay, name, f.p50, f.p99, f.rate, f.cpu, ours.cpu/f.cpu, ours.p50/f.p50)
			}
		}
	}
	line("")
	line("## First request of a cold isolate, and memory")
	line("")
	line("workerd has evaluated the Worker's modules, and then gets one request. Cloudflare evaluates them while the connection is")
	line("made, and charges the request with its own CPU only. CPU is that of workerd's main thread, which runs the Worker.")
	line("Medians of %d. Peak is the most memory that workerd held in the whole run. The memory of V8 is included.", p.colds)
	line("")
	line("| first request | Worker | ms | ms, signer to this | CPU ms | CPU, signer to this | CPU ms before it |")
	line("|---|---|--:|--:|--:|--:|--:|")
	for _, flow := range coldFlows {
		ours := r.coldFigures(names[0], flow)
		for _, name := range names {
			c := r.coldFigures(name, flow)
			line("| %s | %s | %.1f | %.2f | %.1f | %.2f | %.0f |", flow, name, ms(c.latency), float64(ours.latency)/float64(c.latency),
				ms(c.cpu), float64(ours.cpu)/float64(c.cpu), ms(c.start))
		}
	}
	line("")
	line("| Worker | peak MiB |")
	line("|---|--:|")
	for _, name := range names {
		line("| %s | %d |", name, r.memory[name]>>20)
	}
	line("")
	line("## Aims")
	line("")
	line("| aim | measured | |")
	line("|---|--:|---|")
	aim := func(what string, got, most float64) {
		verdict := "met"
		if got > most {
			verdict = "missed"
		}
		line("| %s at most %.3g | %.2f | %s |", what, most, got, verdict)
	}
	for _, flow := range flows {
		for _, s := range r.settings(flow) {
			if s.delay != 0 || !has("javascript", flow) {
				continue
			}
			ours, js, stock := r.figures(key{"signer", flow, s}), r.figures(key{"javascript", flow, s}), r.figures(key{"stock", flow, s})
			load := fmt.Sprintf("%s, %d connections: ", flow, s.conns)
			aim(load+"CPU, signer to JavaScript,", ours.cpu/js.cpu, 1.4)
			aim(load+fmt.Sprintf("CPU, signer to stock (JavaScript to stock is %.2f),", js.cpu/stock.cpu), ours.cpu/stock.cpu, 0.125)
			aim(load+"p50, signer to JavaScript,", ours.p50/js.p50, 1.5)
			aim(load+"CPU, APIv3 to APIv2,", r.figures(key{signerV3, flow, s}).cpu/ours.cpu, 1.5)
		}
	}
	for _, flow := range coldFlows {
		v2, v3 := r.coldFigures("signer", flow), r.coldFigures(signerV3, flow)
		aim("first request, "+flow+": CPU with the start, APIv3 to APIv2,", float64(v3.start+v3.cpu)/float64(v2.start+v2.cpu), 1.1)
	}
	for _, flow := range coldFlows {
		ours, js := r.coldFigures("signer", flow), r.coldFigures("javascript", flow)
		aim("first request, "+flow+": signer to JavaScript,", float64(ours.latency)/float64(js.latency), 2.5)
	}
	for _, flow := range coldFlows {
		aim("first request, "+flow+": CPU in ms,", ms(r.coldFigures("signer", flow).cpu), 10)
	}
	return b.String()
}
