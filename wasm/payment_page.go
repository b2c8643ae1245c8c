package main

import (
	"context"
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
	giveUp context.CancelFunc // the try under way
	failed bool               // the last try did, other than by the user
	said   string             // what became of the last try
}

func newPayPage(b browser) *payPage { return &payPage{base: newBase(b)} }

func (p *payPage) OnPreRender(ctx app.Context) { ctx.Page().SetTitle(textPayTitle) }

func (p *payPage) OnMount(ctx app.Context) {
	ctx.Page().SetTitle(textPayTitle)
	p.begin()
	p.b.OnReturn(func() { ctx.Dispatch(p.returned) })
	p.load(ctx)
}

// returned mends a page that Back or Forward has brought back: its sheet has
// gone, whether or not a callback came, and the order may be paid by now.
func (p *payPage) returned(ctx app.Context) {
	if p.giveUp != nil {
		p.giveUp()
	}
	p.paying = false
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
	p.run(ctx, p.asUser(func() (func(), error) {
		o, err := getOrder(p.ctx, p.b, p.id)
		if err != nil {
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
	try, giveUp := context.WithCancel(p.ctx)
	p.giveUp = giveUp
	renew := p.failed
	ctx.Async(func() {
		defer giveUp()
		got, reason, err := pay(try, p.b, p.id, renew)
		if try.Err() != nil {
			return
		}
		if code(err) == api.CodeOrderPaid || err == nil && (got == payOK || got == payUnknown) {
			p.toResult() // and stay busy until the page is gone
			return
		}
		ctx.Dispatch(func(ctx app.Context) {
			p.paying, p.failed = false, got == payFailed
			switch {
			case err != nil:
				p.err = err
			case got == payCancelled:
				p.said = textCancelled
			case got == payFailed && reason != "":
				p.said = textPayFailed + "（" + reason + "）"
			case got == payFailed:
				p.said = textPayFailed
			}
		})
		// Clients have been seen to say cancel or fail of a payment that was
		// made, so the signer is asked all the same (4.3 err_msg).
		if err == nil {
			if o, err := getOrder(try, p.b, p.id); err == nil && final(o.Status) {
				p.toResult()
			}
		}
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
