package main

import (
	"strconv"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// payPage shows one order and pays it.
type payPage struct {
	app.Compo
	base

	id     string
	order  *api.Order // nil while loading
	paying bool
	said   string // what became of the last try
}

func newPayPage(b browser) *payPage { return &payPage{base: newBase(b)} }

func (p *payPage) OnMount(ctx app.Context) {
	p.begin()
	p.b.OnReturn(func() {
		ctx.Dispatch(func(ctx app.Context) {
			p.paying = false
			p.load(ctx) // it may be paid by now
		})
	})
	p.load(ctx)
}

func (p *payPage) OnDismount() { p.end() }

func (p *payPage) load(ctx app.Context) {
	if p.id = orderParam(p.b.Query()); p.id == "" {
		p.err = &api.Error{Code: codeNoOrder}
		return
	}
	if p.place != inWeChat {
		return
	}
	p.run(ctx, p.signedIn(func() (func(), error) {
		var o api.Order
		if err := call(p.ctx, p.b, "GET", api.OrderPath(p.id), nil, &o); err != nil {
			return nil, err
		}
		if final(o.Status) {
			p.toResult()
			return nil, nil
		}
		return func() { p.order = &o }, nil
	}))
}

func (p *payPage) toResult() { p.b.Replace("/result?order=" + p.id) }

// pay opens the payment sheet, once at a time.
func (p *payPage) pay(ctx app.Context, _ app.Event) {
	if p.paying {
		return
	}
	p.paying, p.said = true, ""
	ctx.Async(func() {
		got, err := pay(p.ctx, p.b, p.id)
		if code(err) == api.CodeOrderPaid || err == nil && (got == payOK || got == payUnknown) {
			p.toResult()
			return
		}
		ctx.Dispatch(func(app.Context) {
			p.paying = false
			switch {
			case err != nil:
				p.err = err
			case got == payCancelled:
				p.said = textCancelled
			case got == payFailed:
				p.said = textPayFailed
			}
		})
	})
}

func (p *payPage) Render() app.UI {
	switch {
	case p.err != nil:
		return app.Main().Class("screen").Body(p.failure(p.load))
	case p.order == nil && p.place != inWeChat:
		return app.Main().Class("screen").Body(p.elsewhere())
	case p.order == nil:
		return app.Main().Class("screen").Aria("busy", "true").Body(
			app.Div().Class("amount skeleton").Body(app.Div().Class("line short"), app.Div().Class("line tall")),
			app.Div().Class("sheet skeleton").Body(app.Div().Class("line"), app.Div().Class("line")))
	}
	label := textPay
	if p.paying {
		label = textPaying
	}
	return app.Main().Class("screen paying").Body(
		app.Div().Class("amount").Body(app.H1().Text(textAmount), price(p.order.Total, "huge")),
		lines(*p.order),
		app.P().Class("said").Role("status").Text(p.said),
		app.Div().Class("weui-btn-area").Body(
			app.Button().Class("weui-btn weui-btn_primary").Type("button").DataSet("action", "pay").
				Disabled(p.paying).Text(label).OnClick(p.pay),
			secondary(textShop, func(app.Context, app.Event) { p.b.Replace("/") })),
	)
}

// lines lists what was ordered.
func lines(o api.Order) app.UI {
	return app.Ul().Class("sheet").Body(app.Range(o.Items).Slice(func(i int) app.UI {
		item := o.Items[i]
		return app.Li().Body(
			app.Span().Class("what").Text(item.Name),
			app.Span().Class("count").Text("×"+strconv.Itoa(item.Quantity)),
			price(item.Price*api.Fen(item.Quantity), ""))
	}))
}
