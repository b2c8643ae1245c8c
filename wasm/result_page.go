package main

import (
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// resultPage says what became of an order. It believes the signer alone.
type resultPage struct {
	app.Compo
	base

	id       string
	order    *api.Order // nil until the signer has answered
	watching bool
}

func newResultPage(b browser) *resultPage { return &resultPage{base: newBase(b, textResultTitle)} }

func (p *resultPage) OnMount(ctx app.Context) {
	p.begin(ctx, nil)
	p.load(ctx)
}

func (p *resultPage) load(ctx app.Context) {
	if p.id = orderParam(p.b.Query()); p.id == "" {
		p.err = &api.Error{Code: codeNoOrder}
		return
	}
	if p.watching || !p.place.pays() {
		return
	}
	p.watching = true
	look := p.asUser(ctx, func() (func(), error) {
		o, err := watch(p.ctx, p.b, p.id, func(o api.Order) {
			ctx.Dispatch(func(app.Context) { p.order = &o })
		})
		if err != nil {
			return nil, err
		}
		if final(o.Status) {
			letGo(p.b, o)
		}
		return func() { p.order, p.watching = &o, false }, nil
	})
	p.run(ctx, func() (func(), error) {
		show, err := look()
		if err != nil {
			ctx.Dispatch(func(app.Context) { p.watching = false })
		}
		return show, err
	})
}

func (p *resultPage) Render() app.UI {
	screen := elem("main").Class("screen result")
	switch {
	case p.err != nil:
		return screen.Body(p.failure(p.load))
	case !p.place.pays():
		return screen.Body(p.elsewhere())
	case p.order == nil || p.watching && !final(p.order.Status):
		return screen.DataSet("status", "confirming").Body(p.message("weui-icon-waiting", textConfirming, textConfirmHint, ""))
	case p.order.Status == api.StatusPaid:
		return screen.DataSet("status", "paid").Body(
			elem("div").Class("amount").Role("status").Body(
				elem("i").Class("weui-icon-success weui-icon_msg").Aria("hidden", "true"),
				elem("h1").Text(p.say(textPaid)),
				p.price(p.order.Total, "huge")),
			p.lines(*p.order), p.receipt(*p.order),
			elem("div").Class("weui-btn-area").Body(p.toShop("default")))
	case p.order.Status == api.StatusFailed:
		return screen.DataSet("status", "failed").Body(p.message("weui-icon-warn", textFailed, textFailedHint, "", p.toShop("primary")))
	case p.order.Status == api.StatusClosed:
		return screen.DataSet("status", "closed").Body(p.message("weui-icon-info", textClosed, textClosedHint, "", p.toShop("primary")))
	}
	return screen.DataSet("status", "still").Body(p.message("weui-icon-waiting", textStill, textStillHint, "",
		p.primary(textAskAgain, func(ctx app.Context, _ app.Event) { p.load(ctx) }),
		p.secondary(textBackToPay, func(app.Context, app.Event) { p.b.Replace("/pay?order=" + p.id) })))
}

// receipt lists what a buyer may be asked for.
func (s *base) receipt(o api.Order) app.UI {
	row := func(name text, value string) app.UI {
		return elem("div").Body(elem("dt").Text(s.say(name)), elem("dd").Text(value))
	}
	return elem("dl").Class("sheet").Body(
		app.If(o.PaidAt != 0, row(textPaidAt, beijingTime(o.PaidAt))),
		app.If(o.PaymentNo != "", row(textPaymentNo, o.PaymentNo)),
		row(textOrderNo, o.ID))
}

// beijingTime prints Unix milliseconds. WebAssembly has no time zone data, and
// WeChat's own bills are in Beijing time wherever the phone is.
func beijingTime(ms int64) string {
	return time.UnixMilli(ms).In(time.FixedZone("CST", 8*60*60)).Format("2006-01-02 15:04:05")
}
