package campaign

import (
	"math/rand/v2"
	"slices"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/wechat/wechattest"
)

// Plan is everything that a seed decides: who orders what, what they do, when they return, and
// which failures occur. It contains no results.
type Plan struct {
	seed   uint64
	Orders []purchase // by number
	Rounds []round
}

// purchase is what a buyer wants to buy.
type purchase struct {
	person int // the buyer; a guest from number people on
	payer  int // whose phone pays, except for JSAPI
	items  []api.OrderItem
	key    string // client_key

	// tradeTypes are those of the places where the buyer pays: one, or two in which the buyer may
	// pay the order twice.
	tradeTypes []api.TradeType
}

// round is a time in which buyers act in parallel, followed by a pause.
type round struct {
	visits []visit
	leap   time.Duration
}

// visit is one visit of a buyer to one order, or a run of the cron trigger.
type visit struct {
	order int
	steps []step
}

// step is one action with its failures. A failure occurs at the first matching call, which may
// belong to another buyer.
type step struct {
	do       action
	forge    string // of doForge and doForgeRefund
	other    int    // of doReadOther: another buyer's order; of doReplay: which of the newest events; of doAPI: the number of the order
	refund   refund // of doRefund and doByHand
	flood    flood
	move     int // of doMove: which of the moves
	together []step
	pass     time.Duration // of doPass
	faults   []wechattest.Fault
	failures []Failure
}

// refund is a refund by the operator.
type refund struct {
	key     string // refund_key
	percent int    // of the order
}

// amount is the part of an order to refund.
func (r refund) amount(total fen.Fen) fen.Fen { return max(1, total*fen.Fen(r.percent)/100) }

// action is the kind of a step.
type action string

// The actions.
const (
	doOrder       action = "order"        // POST the basket, again if there is no response, and request what pays the order
	doDouble      action = "double"       // do both twice at once: a double tap
	doCreate      action = "create"       // POST the basket alone: the page dies before it requests what pays the order
	doRenew       action = "renew"        // request new payment parameters
	doOpen        action = "open"         // open the payment sheet with the page's parameters, however old: by the bridge, a scan, or WeChat's payment page
	doConfirm     action = "confirm"      // pay on the open sheet
	doElsewhere   action = "elsewhere"    // go to the other place, request what pays the order there and open it
	doConfirmAll  action = "confirm all"  // pay on every open sheet: the order is paid twice
	doDismiss     action = "dismiss"      // close the sheet
	doClose       action = "close"        // cancel the order
	doPoll        action = "poll"         // read the order
	doList        action = "list"         // read all orders of the buyer
	doReadOther   action = "read other"   // read another buyer's order and try to pay it
	doForge       action = "forge"        // a stranger posts a forged notification
	doRenotify    action = "notify again" // WeChat sends the notification of the payment again
	doRefund      action = "refund"       // the operator refunds, twice at once
	doByHand      action = "by hand"      // the operator refunds on WeChat's merchant platform
	doForgeRefund action = "forge refund" // a stranger posts a forged refund notification
	doWake        action = "wake"         // a queue message starts a delivery of events
	doAPI         action = "api"          // a back end makes an order by API, in several ways, and its customer pays
	doReplay      action = "replay"       // the operator replays an event
	doCron        action = "cron"         // the cron trigger that queries WeChat
	doFlood       action = "flood"        // a stranger orders as a guest many times
	doFill        action = "fill"         // the database becomes full
	doDrain       action = "drain"        // the database has free space again
	doDeliver     action = "deliver"      // the cron trigger that delivers events
	doEarlier     action = "open earlier" // open the payment sheet with earlier parameters of the page
	doTogether    action = "together"     // several steps at once
	doPass        action = "pass"         // time passes; only in this process, where no other step is under way
	doMove        action = "move"         // the merchant, or WeChat, changes the API version or a key
)

// Options define the size of a campaign.
type Options struct {
	Seed   uint64
	Orders int
	AtOnce int    // number of parallel visits; with 1 all steps run in sequence
	On     string // OnWorkerd, ...
	API    string // of WeChat: "v2", "v3", or "move" for v2 and then all moves
	Calm   bool   // no failures and no leaps in time: to measure
	Moves  []Move // with "move"

	Progress func(format string, args ...any) // reports a stage of the campaign; may be nil
}

// What the signer runs on.
const (
	OnWorkerd  = "workerd"  // one workerd and D1
	OnPostgres = "postgres" // three nodes and PostgreSQL
	OnSQLite   = "sqlite"   // one node and its file
	OnShop     = "shop"     // a signer in this process
	OnNodes    = "nodes"    // several signers in this process and PostgreSQL
)

// perRound is the largest number of new orders per round. A campaign in this process is short: it has
// more rounds, so that the time leaps more often.
const perRound, perShortRound = 60, 3

// inProcess reports whether the campaign runs in this process.
func (o Options) inProcess() bool { return o.On == OnShop || o.On == OnNodes }

// Move is a change of the API version or of a key, by the merchant or by WeChat, while orders and
// refunds are open.
type Move struct {
	Name  string
	After time.Duration // how long the round before it lasts at least
}

// MinMoveOrders returns the least number of orders of a campaign with moves: 8 per round.
func MinMoveOrders(moves int) int { return 8 * (moves + 1) }

// roundSize returns the number of new orders per round. A campaign with moves has a round for each.
func (o Options) roundSize() int {
	if o.inProcess() {
		return perShortRound
	}
	if o.API != "move" {
		return perRound
	}
	return min(perRound, o.Orders/(len(o.Moves)+1))
}

// leaps are the times between rounds. They are within WeChat's query window and within its retries.
// Others exceed the five minutes before an order can be closed, the life of a prepay_id, and the
// life of an order.
var leaps = []time.Duration{4 * time.Second, time.Minute, 7 * time.Minute, 45 * time.Minute, 2 * time.Hour, 25 * time.Hour}

// NewPlan draws the plan of a seed.
func NewPlan(o Options) Plan {
	d := drawer{Rand: rand.New(rand.NewPCG(o.Seed, 0)), Options: o}
	p := Plan{seed: o.Seed}
	for n := range o.Orders {
		p.Orders = append(p.Orders, d.purchase(n))
	}
	d.purchases = p.Orders
	for size, first := o.roundSize(), 0; first < o.Orders; first += size {
		p.Rounds = append(p.Rounds, d.round(first, min(size, o.Orders-first)))
	}
	if o.API == "move" {
		placeMoves(p.Rounds, o.Moves)
	}
	d.placeKills(p.Rounds)
	return p
}

// placeMoves distributes the moves evenly over the rounds, each in the middle of a round.
func placeMoves(rounds []round, moves []Move) {
	for i, m := range moves {
		n := (i + 1) * len(rounds) / (len(moves) + 1)
		r := &rounds[n]
		r.visits = slices.Insert(r.visits, len(r.visits)/2, visit{order: -1, steps: []step{{do: doMove, move: i}}})
		rounds[n-1].leap = max(rounds[n-1].leap, m.After)
	}
}
