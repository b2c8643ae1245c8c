package main

import (
	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// orderPage shows the details of one order.
type orderPage struct {
	app.Compo
	base

	id    string
	order *api.Order // nil while loading
}

func newOrderPage(b browser) *orderPage { return &orderPage{base: newBase(b, textDetail)} }

func (p *orderPage) OnMount(ctx app.Context) {
	p.begin(ctx, func(ctx app.Context, _ returnKind) { p.load(ctx) })
	p.load(ctx)
}

func (p *orderPage) load(ctx app.Context) {
	if p.id = orderParam(p.b.Query()); p.id == "" {
		p.err = &api.Error{Code: codeNoOrder}
		return
	}
	p.run(ctx, p.asUser(ctx, func() (func(), error) {
		o, err := getOrder(p.ctx, p.b, p.id)
		if err != nil {
			return nil, err
		}
		clearDrafts(p.b, o)
		return func() { p.order = &o }, nil
	}))
}

// cancelOrder cancels the order after the user has confirmed. The order may turn out to be paid.
func (p *orderPage) cancelOrder(ctx app.Context, _ app.Event) {
	p.confirm(ctx, confirmation{textCancelTitle, textCancelHint, textCancelYes, func(ctx app.Context) {
		p.run(ctx, func() (func(), error) {
			if _, err := closeOrder(p.ctx, p.b, p.id); err != nil && code(err) != api.CodeOrderPaid {
				return nil, err
			}
			o, err := getOrder(p.ctx, p.b, p.id)
			if err != nil {
				return nil, err
			}
			clearDrafts(p.b, o)
			return func() { p.order = &o }, nil
		})
	}})
}

func (p *orderPage) Render() app.UI {
	switch {
	case p.err != nil:
		return p.screen("", p.failure(p.load))
	case p.order == nil:
		return p.screen("detail", p.skeletonSheet()).Aria("busy", "true")
	}
	o := *p.order
	waits := payable(o.Status)
	return p.screen("detail",
		elem("div").Class("amount").Role("status").Body(
			elem("h1").Text(p.tr(statuses[o.Status])),
			p.price(o.Total, "huge"),
			app.If(o.Refunded > 0, p.refundedNote(o)),
			app.If(o.Status == api.StatusClosing, elem("p").Class("note").Text(p.tr(textClosingHint)))),
		p.paidTwiceNote(o),
		app.If(waits, elem("div").Class("weui-btn-area").Body(
			p.payLink(textPayNow, o.ID),
			elem("button").Class("weui-btn weui-btn_default").Attr("type", "button").DataSet("action", "cancel").
				Text(p.tr(textCancelOrder)).OnClick(p.cancelOrder))),
		p.itemList(o),
		app.If(len(o.Refunds) > 0, elem("h2").Class("part").Text(p.tr(textRefunds)), p.refundList(o)),
		app.If(len(o.Timeline) > 0, elem("h2").Class("part").Text(p.tr(textTimeline)), p.timeline(o)),
		elem("h2").Class("part").Text(p.tr(textNumbers)),
		p.receipt(o),
		elem("div").Class("weui-btn-area").Body(
			elem("a").Class("weui-btn weui-btn_default").Attr("href", "/orders").Text(p.tr(textOrders)),
			p.shopLink("weui-btn_default")),
		p.confirmDialog()).DataSet("status", string(o.Status))
}
