package main

import (
	"math/rand/v2"
	"time"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
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
	replaces  int // the purchase of the same person that it takes the place of, -1 for none
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
	do       action
	forge    string // of forge and of forge back
	other    int    // of peep: somebody else's order; of replay: which of the newest events
	refund   refund // of refund and hand back
	flood    flood
	faults   []wechattest.Fault
	failures []failure
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
	doOrder       action = "order"        // POST the basket, again if there is no answer
	doDouble      action = "double"       // POST it twice at once: a double tap
	doRenew       action = "renew"        // ask for new pay parameters
	doOpen        action = "open"         // open the payment sheet with what the page has, however old: by the bridge, a scan, or WeChat's page
	doConfirm     action = "confirm"      // pay on the open sheet
	doDismiss     action = "dismiss"      // close the sheet
	doClose       action = "close"        // give the order up
	doPoll        action = "poll"         // ask for the order
	doList        action = "list"         // ask for all orders
	doReadOther   action = "read other"   // ask for somebody else's order, and try to pay it
	doForge       action = "forge"        // a stranger posts a forged notification
	doRenotify    action = "notify again" // WeChat tells of the payment once more
	doRefund      action = "refund"       // the operator pays back, twice at once
	doByHand      action = "by hand"      // the operator pays back on WeChat's merchant platform
	doForgeRefund action = "forge refund" // a stranger posts a forged notification of a refund
	doWake        action = "wake"         // a queue says that there are events
	doReplay      action = "replay"       // the operator sends an event to the back end once more
	doCron        action = "cron"         // the cron trigger that asks WeChat fires
	doFlood       action = "flood"        // a stranger orders as a guest without end
	doFill        action = "fill"         // the database becomes full
	doDrain       action = "drain"        // it has room again
	doDeliver     action = "deliver"      // the one that delivers events fires
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
		if !o.calm && d.chance(0.2) {
			p.orders[n].replaces = earlier(p.orders)
		}
	}
	for first := 0; first < o.orders; first += perRound {
		p.rounds = append(p.rounds, d.round(first, min(perRound, o.orders-first)))
	}
	d.placeKills(p.rounds)
	return p
}
