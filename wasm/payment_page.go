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

func newPayPage(b browser) *payPage { return &payPage{base: newBase(b, textPayTitle)} }

func (p *payPage) OnMount(ctx app.Context) {
	p.begin(ctx, p.returned)
	p.load(ctx)
}

// returned mends a page that was come back to: its order may be paid by now. A
// sheet that Back has taken away calls back no more.
func (p *payPage) returned(ctx app.Context, from returned) {
	if from == fromHistory {
		if p.giveUp != nil {
			p.giveUp()
		}
		p.paying = false
	}
	p.load(ctx)
}

func (p *payPage) load(ctx app.Context) {
	if p.id = orderParam(p.b.Query()); p.id == "" {
		p.err = &api.Error{Code: codeNoOrder}
		return
	}
	if !p.place.pays() {
		return
	}
	p.run(ctx, p.asUser(ctx, func() (func(), error) {
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
				p.said = p.say(textCancelled)
			case got == payFailed && reason != "":
				p.said = p.say(textPayFailed) + " (" + reason + ")"
			case got == payFailed:
				p.said = p.say(textPayFailed)
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
		return elem("main").Class("screen").Body(p.failure(p.load))
	case p.order == nil && !p.place.pays():
		return elem("main").Class("screen").Body(p.elsewhere())
	case p.order == nil:
		return elem("main").Class("screen").Aria("busy", "true").Body(
			elem("div").Class("amount skeleton").Body(elem("div").Class("line short"), elem("div").Class("line tall")),
			elem("div").Class("sheet skeleton").Body(elem("div").Class("line"), elem("div").Class("line")))
	}
	label := p.say(textPay)
	if p.paying {
		label = p.say(textPaying)
	}
	return elem("main").Class("screen paying").Body(
		elem("div").Class("amount").Body(elem("h1").Text(p.say(textAmount)), p.price(p.order.Total, "huge")),
		p.lines(*p.order),
		elem("p").Class("said").Role("status").Text(p.said),
		elem("div").Class("weui-btn-area").Body(
			elem("button").Class("weui-btn weui-btn_primary").Attr("type", "button").DataSet("action", "pay").
				Attr("disabled", p.paying).Text(label).OnClick(p.pay),
			p.toShop("default")),
	)
}

// lines lists what was ordered.
func (s *base) lines(o api.Order) app.UI {
	return elem("ul").Class("sheet").Body(app.Range(o.Items).Slice(func(i int) app.UI {
		item := o.Items[i]
		return elem("li").Body(
			elem("span").Class("what").Text(item.Name),
			elem("span").Class("count").Text("×"+strconv.Itoa(item.Quantity)),
			s.price(item.Price*api.Fen(item.Quantity), ""))
	}))
}
