package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/wechat/wechattest"
)

// report is the result of a campaign.
type report struct {
	options
	numbers
	elapsed  time.Duration
	crons    int
	paid     int
	twice    int // orders that were paid again
	refunds  int // that WeChat accepted
	webhooks int // deliveries
	closed   int // orders that the operator closed at the end
	unplaced int // purchases whose buyer never got a response
	flooded  int // orders of strangers
	mostOpen int // the most open orders of guests at one address
	bounds   store.Bounds
	waiting  int            // the most events about money that one run of the timer left
	faults   map[string]int // by description
	kills    map[string]int // by call
	findings []paytest.Finding
	lines    []string // of the log, about the first finding
}

// report fills in the counts. left are the faults that never occurred.
func (c *campaign) report(left []wechattest.Fault) *report {
	ledger := c.wechat.Ledger()
	r := &report{
		options: c.options, elapsed: c.elapsed, numbers: c.numbers(), crons: c.crons, closed: c.closed,
		paid: len(ledger.Trades), refunds: len(ledger.Refunds), webhooks: c.backend.received, faults: map[string]int{}, kills: map[string]int{}, findings: c.findings,
	}
	r.flooded, r.mostOpen, r.bounds, r.waiting, r.twice = len(c.floods.confirmed), c.mostOpen, c.bounds, c.mostWaiting, c.duplicates
	for _, p := range c.checkouts {
		if p.orderID() == "" {
			r.unplaced++
		}
	}
	for _, round := range c.plan.rounds {
		for _, v := range round.visits {
			for _, s := range v.steps {
				for _, f := range s.faults {
					r.faults["WeChat: "+f.Kind]++
				}
			}
		}
	}
	for _, f := range left {
		r.faults["WeChat: "+f.Kind] -= f.Count
	}
	for what, n := range c.counted {
		r.faults[what] += n
	}
	for what, n := range c.failures.seen {
		if where, ok := strings.CutPrefix(what, string(kill)+" "); ok {
			r.kills[r.program+" killed "+where] += n
			continue
		}
		if where, ok := strings.CutPrefix(what, string(restart)+" "); ok {
			r.kills[r.database+" killed "+where] += n
			continue
		}
		if where, ok := strings.CutPrefix(what, string(freeze)+" "); ok {
			r.kills[r.program+" stopped "+where] += n
			continue
		}
		kind, rest, _ := strings.Cut(what, " ")
		when, where, _ := strings.Cut(rest, " ")
		r.faults[fmt.Sprintf("wire to %s: %s %s", siteOf(where), kind, when)] += n
	}
	if len(r.findings) > 0 && r.findings[0].Order != "" {
		r.lines = c.log.Lines(r.findings[0].Order)
	}
	return r
}

// count returns the number of findings of a verdict.
func (r *report) count(v paytest.Verdict) int {
	n := 0
	for _, f := range r.findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}

// maxFindings is the number of findings to print.
const maxFindings = 20

// print writes the report.
func (r *report) print(w io.Writer) {
	sum := 0
	for _, kind := range slices.Sorted(maps.Keys(r.faults)) {
		if r.faults[kind] > 0 {
			fmt.Fprintf(w, "%8d  %s\n", r.faults[kind], kind)
			sum += r.faults[kind]
		}
	}
	for _, where := range slices.Sorted(maps.Keys(r.kills)) {
		fmt.Fprintf(w, "%8d  %s\n", r.kills[where], where)
	}
	fmt.Fprintf(w, "\nseed %d, API %s, %d buyers in parallel: %d orders (%d without a response), %d paid, %d of them twice, %d refunds, %d webhooks; %d requests (%d without a response)\n",
		r.seed, r.api, r.atOnce, r.orders, r.unplaced, r.paid-r.twice, r.twice, r.refunds, r.webhooks, r.requests, r.hung)
	fmt.Fprintf(w, "%d faults, %s killed %d times and stopped %d times, %s killed %d times; %d open orders closed by the operator; idle after %d minutes of cron\n",
		sum, r.program, r.deaths, r.freezes, r.database, r.restarts, r.closed, r.crons)
	fmt.Fprintf(w, "%d orders of strangers, at most %d open at one address (limit %d); at most %d events about money waited for the next timer\n",
		r.flooded, r.mostOpen, r.bounds.NetworkGuests, r.waiting)
	fmt.Fprintf(w, "%.1f orders/s in %s\n", float64(r.orders)/r.elapsed.Seconds(), r.elapsed.Round(time.Second))
	fmt.Fprintf(w, "lost %d, doubled %d, wrong %d\n", r.count(lost), r.count(doubled), r.count(wrong))
	if len(r.findings) == 0 {
		return
	}
	fmt.Fprintln(w)
	for i, f := range r.findings {
		if i == maxFindings {
			fmt.Fprintf(w, "and %d more\n", len(r.findings)-i)
			break
		}
		fmt.Fprintf(w, "%s: %s %s\n", f.Verdict, f.Text, f.Order)
	}
	for _, line := range r.lines {
		fmt.Fprintf(w, "log: %s\n", line)
	}
	fmt.Fprintf(w, "repeat with: make chaos SEED=%d ORDERS=%d BUYERS=%d API=%s ON=%s\n", r.seed, r.orders, r.atOnce, r.api, r.on)
}
