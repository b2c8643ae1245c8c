package campaign

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

// Report is the result of a campaign.
type Report struct {
	Options
	Numbers
	elapsed  time.Duration
	crons    int
	Paid     int
	Twice    int // orders that were paid again
	refunds  int // that WeChat accepted
	webhooks int // deliveries
	closed   int // orders that the operator closed at the end
	unplaced int // purchases whose buyer never got a response
	flooded  int // orders of strangers
	mostOpen int // the most open orders of guests at one address
	bounds   store.Bounds
	waiting  int            // the most events about money that one run of the timer left
	Faults   map[string]int // by description
	kills    map[string]int // by call
	Findings []paytest.Finding
	lines    []string // of the log, about the first finding
}

// report fills in the counts. left are the faults that never occurred.
func (c *Campaign) report(left []wechattest.Fault) *Report {
	ledger := c.WeChat.Ledger()
	r := &Report{
		Options: c.Options, elapsed: c.elapsed, Numbers: c.Numbers(), crons: c.crons, closed: c.closed,
		Paid: len(ledger.Trades), refunds: len(ledger.Refunds), webhooks: c.Backend.received, Faults: map[string]int{}, kills: map[string]int{}, Findings: c.findings,
	}
	r.flooded, r.mostOpen, r.bounds, r.waiting, r.Twice = len(c.floods.confirmed), c.mostOpen, c.Bounds, c.mostWaiting, c.duplicates
	for _, p := range c.checkouts {
		if p.orderID() == "" {
			r.unplaced++
		}
	}
	for _, round := range c.plan.Rounds {
		for _, v := range round.visits {
			for _, s := range v.steps {
				for _, one := range append([]step{s}, s.together...) {
					for _, f := range one.faults {
						r.Faults["WeChat: "+f.Kind]++
					}
				}
			}
		}
	}
	for _, f := range left {
		r.Faults["WeChat: "+f.Kind] -= f.Count
	}
	for what, n := range c.counted {
		r.Faults[what] += n
	}
	for what, n := range c.Failures.seen {
		if where, ok := strings.CutPrefix(what, string(Kill)+" "); ok {
			r.kills[r.Program+" killed "+where] += n
			continue
		}
		if where, ok := strings.CutPrefix(what, string(Restart)+" "); ok {
			r.kills[r.Database+" killed "+where] += n
			continue
		}
		if where, ok := strings.CutPrefix(what, string(Freeze)+" "); ok {
			r.kills[r.Program+" stopped "+where] += n
			continue
		}
		kind, rest, _ := strings.Cut(what, " ")
		when, where, _ := strings.Cut(rest, " ")
		r.Faults[fmt.Sprintf("wire to %s: %s %s", siteOf(where), kind, when)] += n
	}
	if len(r.Findings) > 0 && r.Findings[0].Order != "" {
		r.lines = c.Log.Lines(r.Findings[0].Order)
	}
	return r
}

// count returns the number of findings of a verdict.
func (r *Report) count(v paytest.Verdict) int {
	n := 0
	for _, f := range r.Findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}

// maxFindings is the number of findings to print.
const maxFindings = 20

// Print writes the report.
func (r *Report) Print(w io.Writer) {
	sum := 0
	for _, kind := range slices.Sorted(maps.Keys(r.Faults)) {
		if r.Faults[kind] > 0 {
			fmt.Fprintf(w, "%8d  %s\n", r.Faults[kind], kind)
			sum += r.Faults[kind]
		}
	}
	for _, where := range slices.Sorted(maps.Keys(r.kills)) {
		fmt.Fprintf(w, "%8d  %s\n", r.kills[where], where)
	}
	fmt.Fprintf(w, "\nseed %d, API %s, %d buyers in parallel: %d orders (%d without a response), %d paid, %d of them twice, %d refunds, %d webhooks; %d requests (%d without a response)\n",
		r.Seed, r.API, r.AtOnce, r.Orders, r.unplaced, r.Paid-r.Twice, r.Twice, r.refunds, r.webhooks, r.Requests, r.Hung)
	fmt.Fprintf(w, "%d faults, %s killed %d times and stopped %d times, %s killed %d times; %d open orders closed by the operator; idle after %d minutes of cron\n",
		sum, r.Program, r.Deaths, r.Freezes, r.Database, r.Restarts, r.closed, r.crons)
	fmt.Fprintf(w, "%d orders of strangers, at most %d open at one address (limit %d); at most %d events about money waited for the next timer\n",
		r.flooded, r.mostOpen, r.bounds.NetworkGuests, r.waiting)
	fmt.Fprintf(w, "%.1f orders/s in %s\n", float64(r.Orders)/r.elapsed.Seconds(), r.elapsed.Round(time.Second))
	fmt.Fprintf(w, "lost %d, doubled %d, wrong %d\n", r.count(Lost), r.count(Doubled), r.count(Wrong))
	if len(r.Findings) == 0 {
		return
	}
	fmt.Fprintln(w)
	for i, f := range r.Findings {
		if i == maxFindings {
			fmt.Fprintf(w, "and %d more\n", len(r.Findings)-i)
			break
		}
		fmt.Fprintf(w, "%s: %s %s\n", f.Verdict, f.Text, f.Order)
	}
	for _, line := range r.lines {
		fmt.Fprintf(w, "log: %s\n", line)
	}
	fmt.Fprintf(w, "repeat with: make chaos SEED=%d ORDERS=%d BUYERS=%d API=%s ON=%s\n", r.Seed, r.Orders, r.AtOnce, r.API, r.On)
}
