package main

import (
	"cmp"
	"context"
	"log"
	"net/http"
	"sync"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/job"
	"h5pay/wechat/wechattest"
)

// campaign runs a plan in a world.
type campaign struct {
	*world
	options
	plan      plan
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

// newCampaign returns the campaign of a plan in a world.
func newCampaign(w *world, o options, p plan) *campaign {
	return &campaign{world: w, options: o, plan: p}
}

// run runs the campaign and returns its report. It returns an error if the campaign could not run.
func (c *campaign) run(ctx context.Context) (*report, error) {
	if err := c.prepare(); err != nil {
		return nil, err
	}
	began := time.Now()
	for i, r := range c.plan.rounds {
		c.changeEndpoints(i)
		if err := c.round(ctx, r); err != nil {
			return nil, err
		}
		log.Printf("round %d of %d is over", i+1, len(c.plan.rounds))
	}
	c.elapsed = time.Since(began)
	left := c.wechat.Faults()
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

// prepare signs in all buyers and prices their purchases.
func (c *campaign) prepare() error {
	var catalogue api.ProductList
	price := map[string]fen.Fen{}
	c.buyers[0].mustCall(http.MethodGet, api.PathProducts, nil, &catalogue)
	for _, p := range catalogue.Products {
		price[p.ID] = p.Price
	}
	for _, b := range c.buyers {
		if !b.signIn() {
			c.note(wrong, "", "a buyer cannot sign in")
		}
	}
	if err := c.makeEndpoints(); err != nil {
		return err
	}
	for _, p := range c.plan.orders {
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
func (c *campaign) round(ctx context.Context, r round) error {
	each(c.atOnce, r.visits, func(v visit) {
		for _, s := range v.steps {
			c.step(ctx, v.order, s)
		}
	})
	c.drain(ctx) // with several buyers at once, the planned drain may have come before fill
	c.retryPostponed()
	c.wechat.Advance(r.leap)
	c.leapt()
	return ctx.Err()
}

// step runs one step.
func (c *campaign) step(ctx context.Context, n int, s step) {
	if ctx.Err() != nil {
		return
	}
	for _, f := range s.faults {
		f = faultOf(f, c.onV3.Load())
		if err := c.wechat.AddFault(f); err != nil {
			c.note(wrong, "", "%v", err)
		}
	}
	c.failures.arm(s.failures...)
	if s.do != doFill && s.do != doDrain {
		c.fullness.steps.RLock()
		defer c.fullness.steps.RUnlock()
	}
	switch s.do {
	case doCron:
		c.checkEvent(c.tick(ctx, job.Reconcile))
	case doDeliver:
		c.checkEvent(c.deliver(ctx))
	case doWake:
		c.checkEvent(c.wake(ctx))
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
	if c.atOnce == 1 {
		c.wechat.Advance(0) // delivers the notifications of this step
	}
	c.stepped()
}

// act runs one step of a buyer or a stranger.
func (c *campaign) act(p *checkout, s step) {
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
		p.open()
	case doConfirm:
		p.answerSheet(c.wechat.PaySheet)
	case doElsewhere:
		p.goElsewhere()
	case doConfirmAll:
		p.answerSheets(c.wechat.PaySheet)
	case doDismiss:
		p.answerSheet(c.wechat.CancelSheet)
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
func (c *campaign) forge(p *checkout, forge string) {
	for _, number := range c.numbersOf(p.orderID()) {
		attempt, err := c.wechat.Notify(number, forge)
		if err != nil {
			continue // there is no payment to report, or WeChat does not know the order
		}
		c.count("notification: " + cmp.Or(forge, "repeated"))
		if attempt.OK && forge != "" && forge != wechattest.ForgeReplay {
			c.note(wrong, number, "a forged notification (%s) was acknowledged", forge)
		}
	}
}

// makeMove makes a move while buyers act.
func (c *campaign) makeMove(ctx context.Context, i int) {
	m := c.moves[i]
	log.Print("move: ", m.name)
	if m.after > 0 { // the timer of these hours
		c.checkEvent(c.tick(ctx, job.CheckBills))
	}
	if err := c.move(ctx, i); err != nil {
		c.note(wrong, "", "move: %s: %v", m.name, err)
	}
	c.count("move: " + m.name)
}

// checkEvent records an event that failed without a cause.
func (c *campaign) checkEvent(_ bool, err error) {
	if err != nil {
		c.note(wrong, "", "%v", err)
	}
}
