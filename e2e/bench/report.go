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
	cold   map[string][]time.Duration // first requests, by Worker
	memory map[string]int64           // peak in bytes, by Worker
}

type key struct {
	worker, flow string
	setting      setting
}

func newResults() *results {
	return &results{loads: map[key][]load{}, cold: map[string][]time.Duration{}, memory: map[string]int64{}}
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

var flows = []string{"create-order", "notification"}

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

// markdown returns the report.
func (r *results) markdown(p plan) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Benchmarks")
	line("")
	line("Written by `make bench`. Do not edit.")
	line("")
	line("Three Workers do the same work on workerd: **signer** is this project's, **stock** has the same")
	line("handlers behind the entry, driver and fetch of github.com/syumai/workers, **javascript** is written")
	line("by hand ([source](../e2e/bench/js/worker.mjs)). Each has a workerd of its own; D1 and upstream are")
	line("other processes, as they are other machines at Cloudflare. The rounds alternate, the first of %d only", p.rounds)
	line("warms up, and each has %d requests (%d to the stock entry). CPU is what the kernel charged to workerd,", p.requests, max(p.requests/5, 1))
	line("all threads, for each request. %s, %d processors. Compare ratios, not milliseconds.", runtime.Version(), runtime.NumCPU())
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
				f := r.figures(key{name, flow, s})
				line("| %d | %s | %s | %.2f | %.2f | %.0f | %.2f | %.2f | %.2f |",
					s.conns, s.delay, name, f.p50, f.p99, f.rate, f.cpu, ours.cpu/f.cpu, ours.p50/f.p50)
			}
		}
	}
	line("")
	line("## First request of a cold isolate, and memory")
	line("")
	line("The first create-order after workerd has started, median of %d; the most memory that workerd held in", p.colds)
	line("the whole run, V8's own included.")
	line("")
	line("| Worker | first request ms | signer to this | peak MiB |")
	line("|---|--:|--:|--:|")
	for _, name := range names {
		first, ours := percentile(r.cold[name], 0.5), percentile(r.cold[names[0]], 0.5)
		line("| %s | %.0f | %.2f | %d |", name, ms(first), float64(ours)/float64(first), r.memory[name]>>20)
	}
	line("")
	line("## Against the aims")
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
			if s.delay != 0 {
				continue
			}
			ours, js, stock := r.figures(key{"signer", flow, s}), r.figures(key{"javascript", flow, s}), r.figures(key{"stock", flow, s})
			load := fmt.Sprintf("%s, %d connections: ", flow, s.conns)
			aim(load+"CPU to JavaScript", ours.cpu/js.cpu, 2)
			aim(load+fmt.Sprintf("CPU to stock (JavaScript's is %.2f)", js.cpu/stock.cpu), ours.cpu/stock.cpu, 0.125)
			aim(load+"p50 to JavaScript", ours.p50/js.p50, 1.5)
		}
	}
	aim("first request to stock", float64(percentile(r.cold["signer"], 0.5))/float64(percentile(r.cold["stock"], 0.5)), 1.3)
	return b.String()
}
