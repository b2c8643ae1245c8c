package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/wechat/wechattest"
)

// plan is all that a seed decides: who orders what, what they do, when they
// come back, and what goes wrong meanwhile. It holds nothing of how it ends.
type plan struct {
	seed   uint64
	orders []purchase // by number
	rounds []round
}

// purchase is what a buyer wants.
type purchase struct {
	person    int // who orders; from people on a guest
	instead   int // the purchase of the same person that it takes the place of, -1 for none
	payer     int // whose phone pays what is not JSAPI
	items     []api.OrderItem
	tradeType api.TradeType
	key       string // client_key
}

// round is a time in which people are at work side by side, and one after it in
// which nobody is.
type round struct {
	visits []visit
	leap   time.Duration
}

// visit is one sitting of a buyer before one order, or of nobody: the time of
// the cron trigger.
type visit struct {
	order int
	steps []step
}

// step is one thing that is done, with what goes wrong from then on: faults meet
// the first that they fit, which may be somebody else.
type step struct {
	do      action
	forge   string // of forge and of forge back
	other   int    // of peep: somebody else's order
	refund  refund // of refund and hand back
	faults  []wechattest.Fault
	mishaps []mishap
}

// refund is what the operator pays back.
type refund struct {
	key     string // refund_key
	percent int    // of the order
}

// action is what a step does.
type action string

// The actions.
const (
	doOrder   action = "order"   // POST the basket, again if there is no answer
	doDouble  action = "double"  // POST it twice at once: a double tap
	doRenew   action = "renew"   // ask for new pay parameters
	doOpen    action = "open"    // open the payment sheet with what the page has, however old: by the bridge, a scan, or WeChat's page
	doConfirm action = "confirm" // pay on the open sheet
	doDismiss action = "dismiss" // close the sheet
	doClose   action = "close"   // give the order up
	doPoll    action = "poll"    // ask for the order
	doList    action = "list"    // ask for all orders
	doPeep    action = "peep"    // ask for somebody else's order, and try to pay it
	doForge   action = "forge"   // a stranger posts a forged notification
	doTell    action = "tell"    // WeChat tells of the payment once more
	doRefund  action = "refund"  // the operator pays back, twice at once
	doByHand  action = "by hand" // the operator pays back on WeChat's merchant platform
	doFake    action = "fake"    // a stranger posts a forged notification of a refund
	doCron    action = "cron"    // the cron trigger that asks WeChat fires
	doDeliver action = "deliver" // the one that delivers events fires
)

// options say how large a campaign is.
type options struct {
	seed   uint64
	orders int
	atOnce int  // how many buyers are at work at once; with 1 everything is one after the other
	calm   bool // without anything that goes wrong, and without leaps: to measure
}

// perRound is how many orders are begun in one round.
const perRound = 60

// leaps are the times between rounds: within a window of queries, within
// WeChat's retries, past the five minutes before which no order is closed, past
// the life of a prepay_id, past that of an order.
var leaps = []time.Duration{4 * time.Second, time.Minute, 7 * time.Minute, 45 * time.Minute, 2 * time.Hour, 25 * time.Hour}

// newPlan draws the plan of a seed.
func newPlan(o options) plan {
	d := drawer{Rand: rand.New(rand.NewPCG(o.seed, 0)), options: o}
	p := plan{seed: o.seed}
	for n := range o.orders {
		p.orders = append(p.orders, d.purchase(n))
		if d.chance(0.2) {
			p.orders[n].instead = earlier(p.orders)
		}
	}
	for first := 0; first < o.orders; first += perRound {
		p.rounds = append(p.rounds, d.round(first, min(perRound, o.orders-first)))
	}
	d.placeKills(p.rounds)
	return p
}

// drawer draws the parts of a plan.
type drawer struct {
	*rand.Rand
	options
}

// chance is true with a probability.
func (d drawer) chance(p float64) bool { return d.Float64() < p }

// one picks one of several.
func one[T any](d drawer, all ...T) T { return all[d.IntN(len(all))] }

// products are those of the demo catalogue; whoever takes a tip names its amount.
var products = []string{"tea", "coffee", "cake", "bun", "juice", "test", "tip"}

func (d drawer) purchase(n int) purchase {
	p := purchase{person: d.IntN(people), payer: d.IntN(people), tradeType: api.TradeJSAPI, key: fmt.Sprintf("chaos-%d-%08d", d.seed, n), instead: -1}
	if d.chance(0.45) {
		p.tradeType = one(d, api.TradeNative, api.TradeMWEB)
		if d.chance(0.7) {
			p.person = people + d.IntN(guests)
		}
	}
	for _, i := range d.Perm(len(products))[:1+d.IntN(3)] {
		item := api.OrderItem{ProductID: products[i], Quantity: 1 + d.IntN(3)}
		if item.ProductID == "tip" {
			item.Quantity, item.Amount = 1, api.Fen(1+d.IntN(500_000))
		}
		p.items = append(p.items, item)
	}
	return p
}

// earlier returns the number of the last purchase of the person whose purchase
// is the last of all, -1 if there is none.
func earlier(all []purchase) int {
	last := len(all) - 1
	for n := last - 1; n >= 0; n-- {
		if all[n].person == all[last].person {
			return n
		}
	}
	return -1
}

// round draws the visits of one round: new orders, returns to older ones, and
// the cron trigger among them.
func (d drawer) round(first, n int) round {
	var r round
	for i := range n {
		r.visits = append(r.visits, visit{order: first + i, steps: d.firstVisit(first + i)})
	}
	if d.calm {
		return r
	}
	for _, i := range d.Perm(first)[:min(first, n/2)] {
		r.visits = append(r.visits, visit{order: i, steps: d.laterVisit(i)})
	}
	for range 1 + n/10 {
		r.visits = append(r.visits, visit{order: -1, steps: []step{d.step(doCron)}}, visit{order: -1, steps: []step{d.step(doDeliver)}})
	}
	d.Shuffle(len(r.visits), func(i, j int) { r.visits[i], r.visits[j] = r.visits[j], r.visits[i] })
	r.leap = one(d, leaps...)
	return r
}

// firstVisit is a buyer who orders, and mostly pays.
func (d drawer) firstVisit(n int) []step {
	if d.calm {
		return []step{{do: doOrder}, {do: doOpen}, {do: doConfirm}, {do: doPoll}}
	}
	steps := []step{d.step(doOrder)}
	if d.chance(0.15) {
		steps[0] = d.step(doDouble)
	}
	steps = append(steps, d.trouble(n)...)
	if d.chance(0.85) {
		steps = append(steps, d.step(doOpen))
		switch {
		case d.chance(0.7):
			steps = append(steps, d.step(doConfirm))
		case d.chance(0.4):
			steps = append(steps, d.step(doDismiss))
		}
	}
	if d.chance(0.1) {
		steps = append(steps, d.step(doClose))
	}
	return append(steps, d.looks(n)...)
}

// laterVisit is a buyer who comes back to an order, whatever became of it.
func (d drawer) laterVisit(n int) []step {
	steps := d.looks(n)
	if d.chance(0.4) {
		steps = append(steps, d.step(one(d, doOrder, doDouble, doRenew, doRenew)))
	}
	if d.chance(0.5) {
		steps = append(steps, d.step(doOpen))
	}
	if d.chance(0.2) {
		steps = append(steps, d.step(doClose))
	}
	if d.chance(0.6) {
		steps = append(steps, d.step(doConfirm))
	}
	return append(steps, d.looks(n)...)
}

// looks is what does not mean to change anything.
func (d drawer) looks(n int) []step {
	var steps []step
	for range d.IntN(3) {
		steps = append(steps, d.step(doPoll))
	}
	if d.chance(0.1) {
		steps = append(steps, d.step(doRenew))
	}
	if d.chance(0.1) {
		steps = append(steps, d.step(doList))
	}
	return append(steps, d.trouble(n)...)
}

// trouble is what strangers do meanwhile, and WeChat's doubts.
func (d drawer) trouble(n int) []step {
	var steps []step
	if d.chance(0.25) {
		s := d.step(doForge)
		s.forge = one(d, wechattest.Forges()...)
		steps = append(steps, s)
	}
	if d.chance(0.1) {
		steps = append(steps, d.step(doTell))
	}
	if d.chance(0.2) {
		steps = append(steps, d.refund(n)...)
	}
	if n > 0 && d.chance(0.05) {
		s := d.step(doPeep)
		s.other = d.IntN(n)
		steps = append(steps, s)
	}
	return steps
}

// refund is money that goes back, if there is any; mostly by a key of its own.
func (d drawer) refund(n int) []step {
	s := d.step(doRefund)
	if d.chance(0.15) {
		s = d.step(doByHand)
	}
	s.refund = refund{key: fmt.Sprintf("chaos-%d-%08d-%d", d.seed, n, d.IntN(20)), percent: one(d, 100, 100, 1+d.IntN(100))}
	steps := []step{s}
	if d.chance(0.4) {
		s := d.step(doFake)
		s.forge = one(d, wechattest.RefundForges()...)
		steps = append(steps, s)
	}
	return steps
}

// step draws what goes wrong with an action.
func (d drawer) step(do action) step {
	s := step{do: do}
	if d.chance(0.3) {
		if f, ok := d.fault(do); ok {
			s.faults = append(s.faults, f)
		}
	}
	if do != doOpen && do != doDismiss && d.chance(0.08) {
		s.mishaps = append(s.mishaps, d.mishap(one(d, cut, cut, fail, slow, slow, slow)))
	}
	return s
}

// fault draws one that an action may meet.
func (d drawer) fault(do action) (wechattest.Fault, bool) {
	delay := func(of ...time.Duration) int64 { return one(d, of...).Milliseconds() }
	call := func(paths ...string) wechattest.Fault {
		f := wechattest.Fault{Path: one(d, paths...), Kind: one(d, wechattest.FaultSystemError, wechattest.FaultSystemError, wechattest.FaultBadGateway,
			wechattest.FaultBadReplySign, wechattest.FaultNoReplySign)}
		if d.chance(0.05) { // each holds somebody up for seconds
			f.Kind = one(d, wechattest.FaultTimeoutBefore, wechattest.FaultTimeoutAfter)
		}
		return f
	}
	switch do {
	case doOrder, doDouble, doRenew:
		return call("/pay/unifiedorder"), true
	case doPoll:
		if d.chance(0.3) {
			return wechattest.Fault{Kind: wechattest.FaultQueryLate, DelayMS: delay(3*time.Second, 30*time.Second)}, true
		}
		if d.chance(0.2) {
			return wechattest.Fault{Kind: wechattest.FaultForgedReply}, true
		}
		return call("/pay/orderquery"), true
	case doClose:
		return call("/pay/orderquery", "/pay/closeorder"), true
	case doCron:
		return call("/pay/orderquery", "/pay/closeorder", "/pay/refundquery"), true
	case doRefund, doByHand:
		switch kind := one(d, "", "", wechattest.FaultNotEnough, wechattest.FaultRefundClosed, wechattest.FaultRefundChange, wechattest.FaultRefundSlow); kind {
		case "":
			return call("/secapi/pay/refund", "/pay/refundquery"), true
		case wechattest.FaultRefundSlow:
			return wechattest.Fault{Kind: kind, DelayMS: delay(time.Minute, 5*time.Hour)}, true
		default:
			return wechattest.Fault{Kind: kind}, true
		}
	case doConfirm:
		switch kind := one(d, wechattest.FaultNotifyLost, wechattest.FaultNotifyLost, wechattest.FaultNotifyDropped, wechattest.FaultNotifyDoubled,
			wechattest.FaultNotifyDelayed, wechattest.FaultNotifyReordered, wechattest.FaultNotifyMD5, wechattest.FaultSheetFail,
			wechattest.FaultPaidAsCancel); kind {
		case wechattest.FaultNotifyDelayed:
			return wechattest.Fault{Kind: kind, DelayMS: delay(2*time.Second, 10*time.Minute, 26*time.Hour)}, true
		default:
			return wechattest.Fault{Kind: kind}, true
		}
	}
	return wechattest.Fault{}, false
}

// mishap draws where one of a kind happens: at one of the next calls that the
// Worker makes.
func (d drawer) mishap(kind mishapKind) mishap {
	m := mishap{kind: kind, site: one(d, atD1, atD1, atD1, atWeChat, atWeChat, atBackend), nth: 1 + d.IntN(6), done: d.chance(0.5)}
	if kind == slow {
		m.wait = time.Duration(20+d.IntN(400)) * time.Millisecond
	}
	if kind == fail {
		m.site = one(d, atD1, atBackend) // WeChat has faults of its own
	}
	return m
}

// placeKills spreads the deaths of workerd over the steps that make it work.
func (d drawer) placeKills(rounds []round) {
	if d.calm {
		return
	}
	var busy []*step
	for _, r := range rounds {
		for _, v := range r.visits {
			for i := range v.steps {
				switch v.steps[i].do {
				case doOrder, doDouble, doRenew, doConfirm, doClose, doPoll, doTell, doRefund, doCron, doDeliver:
					busy = append(busy, &v.steps[i])
				}
			}
		}
	}
	d.Shuffle(len(busy), func(i, j int) { busy[i], busy[j] = busy[j], busy[i] })
	for i, s := range busy[:min(len(busy), 5+d.orders/50)] {
		m := d.mishap(kill)
		if i%2 == 0 {
			m.call = moments[i/2%len(moments)]
			m.site, m.nth = siteOf(m.call), 1+d.IntN(2)
		}
		s.mishaps = append(s.mishaps, m)
	}
}

// moments are the calls at which a death hurts most: half of them wait for one
// of these, the others for any.
var moments = []string{"UPDATE orders to paid", "/pay/unifiedorder", "UPDATE orders to pending", "UPDATE orders to closed", "/pay/orderquery", "UPDATE orders to closing",
	"INSERT orders", "UPDATE events", "/secapi/pay/refund", "INSERT refunds", "/pay/closeorder", "/webhook", "UPDATE refunds to processing",
	"UPDATE refunds to succeeded"}
