// Package campaign is the fault campaign: it sends orders through a shop while faults occur, and
// judges the shop.
//
// A seed decides a plan: who orders what, who returns when, which step has which fault. Buyers,
// strangers, the back end and the operator make its steps, and the judge compares every response
// and at the end every row with WeChat's ledger. A finding is lost, doubled or wrong.
//
// A Host runs the signer. InProcess is one in this process, for tests of internal/server: a request is
// a function call, so the whole database can be checked after each step. e2e/chaos has those on
// machines: workerd with D1, nodes with PostgreSQL or with a file of SQLite. Each has what only it can
// do:
//
//   - Processes that are killed or stopped, connections that break, and a database of a fixed size that
//     becomes full are of the machines. So are the moves of settings: a deployment kills a process.
//   - Between the steps of a visit the time leaps only in this process, because elsewhere other steps
//     and the real time-outs of calls are under way. On machines it leaps between the rounds.
//   - Several signers in this process die at a statement. Their test makes those failures, because only
//     it sees the statements.
package campaign

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/job"
	"h5pay/wechat/wechattest"
)

// Campaign runs a plan in a world.
type Campaign struct {
	*World
	Options
	plan      Plan
	checkouts []*checkout
	elapsed   time.Duration // of the rounds, without the end
	crons     int           // runs until nothing was left to do
	payments  int           // in the bills
	closed    int           // orders that the operator closed

	duplicates int // payments of orders that another payment pays

	integration integration

	mu          sync.Mutex
	mostWaiting int // the most events about money that one run of the timer left
	mostOpen    int // the most open orders of the guests of one address
}

// New returns the campaign of a plan in a world.
func New(w *World, o Options, p Plan) *Campaign {
	return &Campaign{World: w, Options: o, plan: p}
}

// Run runs the campaign and returns its report. It returns an error if the campaign could not run.
func (c *Campaign) Run(ctx context.Context) (*Report, error) {
	if err := c.prepare(); err != nil {
		return nil, err
	}
	began := time.Now()
	for i, r := range c.plan.Rounds {
		c.changeEndpoints(i)
		if err := c.round(ctx, r); err != nil {
			return nil, err
		}
		c.progress("round %d of %d is over", i+1, len(c.plan.Rounds))
	}
	c.elapsed = time.Since(began)
	left := c.WeChat.Faults()
	c.openEndpoints(ctx)
	if err := c.finish(ctx); err != nil {
		return nil, err
	}
	c.compare()
	c.checkEndpoints()
	c.checkOperator()
	if err := c.eraseBuyers(ctx); err != nil {
		return nil, err
	}
	c.checkLog()
	return c.report(left), nil
}

// progress reports a stage of the campaign.
func (c *Campaign) progress(format string, args ...any) {
	if c.Progress != nil {
		c.Progress(format, args...)
	}
}

// prepare signs in all buyers and prices their purchases.
func (c *Campaign) prepare() error {
	var catalogue api.ProductList
	price := map[string]fen.Fen{}
	c.buyers[0].mustCall(http.MethodGet, api.PathProducts, nil, &catalogue)
	for _, p := range catalogue.Products {
		price[p.ID] = p.Price
	}
	for _, b := range c.buyers {
		if !b.signIn() {
			c.Note(Wrong, "", "a buyer cannot sign in")
		}
	}
	if err := c.makeEndpoints(); err != nil {
		return err
	}
	for _, p := range c.plan.Orders {
		w := &checkout{buyer: c.buyers[p.person], purchase: p, payer: c.buyers[p.payer].user}
		for _, item := range p.items {
			if item.Amount == 0 {
				item.Amount = price[item.ProductID]
			}
			w.total += item.Amount * fen.Fen(item.Quantity)
		}
		c.checkouts = append(c.checkouts, w)
	}
	return nil
}

// round runs the visits of a round and then advances the time.
func (c *Campaign) round(ctx context.Context, r round) error {
	each(c.AtOnce, r.visits, func(v visit) {
		for _, s := range v.steps {
			c.step(ctx, v.order, s)
		}
	})
	c.drain(ctx) // with several buyers at once, the planned drain may have come before fill
	c.retryPostponed()
	c.WeChat.Advance(r.leap)
	c.Leapt()
	return ctx.Err()
}

// step runs one step.
func (c *Campaign) step(ctx context.Context, n int, s step) {
	if ctx.Err() != nil {
		return
	}
	c.injectFaults(s)
	if s.do != doFill && s.do != doDrain {
		c.fullness.steps.RLock()
		defer c.fullness.steps.RUnlock()
	}
	c.perform(ctx, n, s)
	if c.AtOnce == 1 {
		c.WeChat.Advance(0) // delivers the notifications of this step
	}
	c.Stepped()
}

// injectFaults makes the faults and failures of a step possible.
func (c *Campaign) injectFaults(s step) {
	for _, f := range s.faults {
		f = faultOf(f, c.OnV3.Load())
		if err := c.WeChat.AddFault(f); err != nil {
			c.Note(Wrong, "", "%v", err)
		}
	}
	c.Failures.arm(s.failures...)
}

// perform makes the action of a step.
func (c *Campaign) perform(ctx context.Context, n int, s step) {
	switch s.do {
	case doTogether:
		var all sync.WaitGroup
		for _, one := range s.together {
			c.injectFaults(one)
			all.Go(func() { c.perform(ctx, n, one) })
		}
		all.Wait()
	case doPass:
		c.WeChat.Advance(s.pass)
	case doCron:
		c.checkEvent(c.Tick(ctx, job.Reconcile))
	case doDeliver:
		c.checkEvent(c.deliver(ctx))
	case doWake:
		c.checkEvent(c.Wake(ctx))
	case doFlood:
		c.flood(s.flood)
	case doFill:
		c.fill(ctx)
	case doDrain:
		c.drain(ctx)
	case doAPI:
		c.orderByAPI(s.other)
	case doReplay:
		c.replay(s.other)
	case doMove:
		c.makeMove(ctx, s.move)
	default:
		c.act(c.checkouts[n], s)
	}
}

// act runs one step of a buyer or a stranger.
func (c *Campaign) act(p *checkout, s step) {
	switch s.do {
	case doOrder:
		p.order()
	case doDouble:
		var taps sync.WaitGroup
		taps.Go(p.order)
		taps.Go(p.order)
		taps.Wait()
	case doCreate:
		if p.create() {
			c.count("order created, its payment not requested")
		}
	case doRenew:
		p.renew()
	case doOpen:
		p.open(-1)
	case doEarlier:
		p.open(s.other)
	case doConfirm:
		p.answerSheet(c.WeChat.PaySheet)
	case doElsewhere:
		p.goElsewhere()
	case doConfirmAll:
		p.answerSheets(c.WeChat.PaySheet)
	case doDismiss:
		p.answerSheet(c.WeChat.CancelSheet)
	case doClose:
		p.cancel()
	case doPoll:
		p.poll()
	case doList:
		p.list()
	case doReadOther:
		p.readOther(c.checkouts[s.other])
	case doForge:
		c.forge(p, s.forge)
	case doRenotify:
		c.forge(p, "")
	case doRefund:
		c.refund(p, s.refund)
	case doByHand:
		c.refundByHand(p, s.refund)
	case doForgeRefund:
		c.forgeRefund(p, s.forge)
	}
}

// forge sends a notification of each payment in addition to WeChat's own. It is forged in some way.
// With forge "" it is the genuine one again.
func (c *Campaign) forge(p *checkout, forge string) {
	for _, number := range c.numbersOf(p.orderID()) {
		attempt, err := c.WeChat.Notify(number, forge)
		if err != nil {
			continue // there is no payment to report, or WeChat does not know the order
		}
		c.count("notification: " + cmp.Or(forge, "repeated"))
		if attempt.OK && forge != "" && forge != wechattest.ForgeReplay {
			c.Note(Wrong, number, "a forged notification (%s) was acknowledged", forge)
		}
	}
}

// makeMove makes a move while buyers act.
func (c *Campaign) makeMove(ctx context.Context, i int) {
	m := c.Moves[i]
	c.progress("move: %s", m.Name)
	if m.After > 0 { // the timer of these hours
		c.checkEvent(c.Tick(ctx, job.CheckBills))
	}
	if err := c.Move(ctx, i); err != nil {
		c.Note(Wrong, "", "move: %s: %v", m.Name, err)
	}
	c.count("move: " + m.Name)
}

// checkEvent records an event that failed without a cause.
func (c *Campaign) checkEvent(_ bool, err error) {
	if err != nil {
		c.Note(Wrong, "", "%v", err)
	}
}
