package main

import (
	"context"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// resultPage shows the payment result. Only the signer's response counts.
type resultPage struct {
	app.Compo
	base

	id       string
	order    *api.Order // nil before the first response
	watching bool
	timedOut bool               // the wait was long enough to offer other actions
	cancel   context.CancelFunc // stops the watch
	claimed  bool               // the user claims to have paid on WeChat's payment page
}

func newResultPage(b browser) *resultPage { return &resultPage{base: newBase(b, textResultTitle)} }

func (p *resultPage) OnMount(ctx app.Context) {
	p.begin(ctx, func(ctx app.Context, _ returnKind) {
		if p.order == nil {
			return
		}
		if p.asks() {
			p.stopWatch() // its next query may be 25 s away
		}
		p.load(ctx) // a paid order may have been paid again, or refunded
	})
	p.load(ctx)
}

// load polls the order until it is decided. Users return from WeChat's payment page whether they
// have paid or not, so there the page asks meanwhile.
func (p *resultPage) load(ctx app.Context) {
	if p.id = orderParam(p.b.Query()); p.id == "" {
		p.err = &api.Error{Code: codeNoOrder}
		return
	}
	if p.watching || !p.place.canPay() {
		return
	}
	watching, cancel := context.WithCancel(p.ctx)
	p.watching, p.timedOut, p.cancel = true, false, cancel
	last := p.order
	look := p.asUser(ctx, func() (func(), error) {
		o, err := watch(watching, p.b, p.id, func(o api.Order) {
			last = &o
			ctx.Dispatch(func(app.Context) {
				if watching.Err() == nil {
					p.order = &o
				}
			})
		}, func() {
			ctx.Dispatch(func(app.Context) { p.timedOut = p.timedOut || watching.Err() == nil })
		})
		switch {
		case err == nil:
			last = &o
			clearDrafts(p.b, o)
		case last == nil || !isTemporary(code(err)):
			return nil, err
		}
		return func() { p.order, p.watching = last, false }, nil
	})
	p.run(ctx, func() (func(), error) {
		show, err := look()
		if watching.Err() != nil {
			return nil, context.Canceled // another watch has begun
		}
		cancel()
		if err != nil {
			ctx.Dispatch(func(app.Context) { p.watching = false })
		}
		return show, err
	})
}

// again stops the current watch and starts a new one.
func (p *resultPage) again(ctx app.Context, _ app.Event) {
	p.claimed = true
	p.stopWatch()
	p.load(ctx)
}

func (p *resultPage) stopWatch() {
	if p.cancel != nil {
		p.cancel()
	}
	p.watching = false
}

// asks reports whether the page asks the user about a payment on WeChat's payment page.
func (p *resultPage) asks() bool {
	return p.order != nil && payable(p.order.Status) && p.order.TradeType == api.TradeMWEB && !p.claimed
}

func (p *resultPage) Render() app.UI {
	if p.err != nil {
		return p.screen("result", p.failure(p.load))
	}
	if !p.place.canPay() {
		return p.screen("result", p.outsideMessage())
	}
	status, body := p.outcome()
	return p.screen("result", body...).DataSet("status", status)
}

// outcome returns the status and the content of the screen.
func (p *resultPage) outcome() (status string, body []app.UI) {
	one := func(status string, m app.UI) (string, []app.UI) { return status, []app.UI{m} }
	switch {
	case p.asks():
		return one("unconfirmed", p.message("weui-icon-waiting", textHaveYouPaid, textHaveYouPaidHint, "",
			p.primary(textHavePaid, p.again), p.payAgainButton(textPayAgain)))
	case !p.timedOut && (p.order == nil || p.watching && payable(p.order.Status)):
		return one("confirming", p.message("weui-icon-waiting", textConfirming, textConfirmHint, ""))
	case p.order == nil:
		return one("still", p.message("weui-icon-waiting", textStillConfirming, textStillConfirmingHint, "",
			p.primary(textCheckAgain, p.again), p.payAgainButton(textBackToPay)))
	case paid(p.order.Status):
		return "paid", []app.UI{
			elem("div").Class("amount").Role("status").Body(
				elem("i").Class("weui-icon-success weui-icon_msg").Aria("hidden", "true"),
				elem("h1").Text(p.tr(textPaid)),
				p.price(p.order.Total, "huge"),
				app.If(p.order.Status != api.StatusPaid || p.order.Refunded > 0, p.refundedNote(*p.order))),
			p.paidTwiceNote(*p.order),
			p.itemList(*p.order), p.receipt(*p.order),
			elem("div").Class("weui-btn-area").Body(p.shopLink("weui-btn_primary"), p.orderLink(p.id)),
		}
	case p.order.Status == api.StatusClosed:
		return one("closed", p.message("weui-icon-info", textClosed, textClosedHint, "", p.shopLink("weui-btn_primary"), p.orderLink(p.id)))
	case p.order.Status == api.StatusClosing:
		return one("closing", p.message("weui-icon-waiting", textClosing, textClosingHint, "", p.shopLink("weui-btn_primary"), p.orderLink(p.id)))
	}
	return one("still", p.message("weui-icon-waiting", textStillConfirming, textStillConfirmingHint, "",
		p.primary(textCheckAgain, p.again), p.payAgainButton(textBackToPay)))
}

// payAgainButton loads the pay page, which this page replaced in the history.
func (p *resultPage) payAgainButton(label text) app.UI {
	return p.secondary(label, func(app.Context, app.Event) { p.b.Replace(payPath(p.id)) })
}
