package main

import (
	"context"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// payPage shows one order and pays it, in the way that the order was made for.
type payPage struct {
	app.Compo
	base

	id       string
	order    *api.Order // nil while loading
	paying   bool
	checking bool               // the client's answer is unknown, and the signer is asked
	giveUp   context.CancelFunc // the try under way
	failed   bool               // the last try did, other than by the user
	said     string             // what became of the last try
	slow     bool               // the sheet has not called back for a while
	code     string             // the QR code, as an image
	late     bool               // the code is being renewed
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
		if p.paying && p.order.TradeType == api.TradeMWEB {
			p.endTry()
			p.toResult() // which asks what became of it
			return
		}
		p.endTry()
	}
	p.load(ctx)
}

// endTry stops waiting for the sheet.
func (p *payPage) endTry() {
	if p.giveUp != nil {
		p.giveUp()
	}
	p.paying, p.checking, p.slow, p.giveUp = false, false, false, nil
}

func (p *payPage) load(ctx app.Context) {
	if p.id = orderParam(p.b.Query()); p.id == "" {
		p.err = &api.Error{Code: codeNoOrder}
		return
	}
	if !p.place.shows() {
		return
	}
	p.run(ctx, p.asUser(ctx, func() (func(), error) {
		o, err := getOrder(p.ctx, p.b, p.id)
		if err != nil {
			return nil, err
		}
		if p.left(o) {
			return nil, nil
		}
		return func() {
			p.order = &o
			if o.TradeType == api.TradeNative && p.giveUp == nil {
				p.follow(ctx)
			}
		}, nil
	}))
}

// left goes on to the result of an order that waits for its payment no more,
// and reports whether it did.
func (p *payPage) left(o api.Order) bool {
	if payable(o.Status) {
		return false
	}
	p.toResult()
	return true
}

func (p *payPage) toResult() { p.b.Replace(resultPath(p.id)) }

// pay opens the payment sheet, or WeChat's page for browsers, once at a time.
func (p *payPage) pay(ctx app.Context, _ app.Event) {
	if p.paying {
		return
	}
	p.paying, p.said = true, ""
	try, giveUp := context.WithCancel(p.ctx)
	p.giveUp = giveUp
	renew := p.failed
	open, answered := context.WithCancel(try) // the sheet
	ctx.Async(func() {
		got, reason, err := pay(try, p.b, p.id, renew)
		answered()
		if try.Err() != nil || err == nil && got == payElsewhere {
			return // the page is going, or the try is over
		}
		defer giveUp()
		if code(err) == api.CodeOrderPaid || err == nil && got == payOK {
			p.toResult() // and stay busy until the page is gone
			return
		}
		if err == nil && got == payUnknown {
			ctx.Dispatch(func(app.Context) { p.checking, p.slow = true, false })
			settled, err := doubt(try, p.b, p.id)
			switch {
			case err != nil:
				return
			case settled:
				p.toResult()
				return
			}
		}
		ctx.Dispatch(func(ctx app.Context) {
			p.paying, p.checking, p.slow, p.giveUp = false, false, false, nil
			p.failed = got == payFailed || got == payUnknown
			switch {
			case err != nil:
				p.err = err
			case got == payCancelled:
				p.said = p.say(textCancelled)
			case got == payFailed && reason != "":
				p.said = p.say(textPayFailed) + " (" + reason + ")"
			case got == payFailed:
				p.said = p.say(textPayFailed)
			case reason != "":
				p.said = p.say(textPayUnknown) + " (" + reason + ")"
			default:
				p.said = p.say(textPayUnknown)
			}
		})
		// Clients have been seen to say cancel or fail of a payment that was
		// made, so the signer is asked all the same (docs/wechat.md 5.3).
		if err == nil && got != payUnknown {
			if o, err := getOrder(try, p.b, p.id); err == nil {
				p.left(o)
			}
		}
	})
	ctx.Async(func() { p.attend(ctx, open) })
}

// attend asks the signer about the order while the sheet is open, for the sheet
// may never call back, and offers another try after a while.
func (p *payPage) attend(ctx app.Context, try context.Context) {
	for n := 0; p.b.Sleep(try, attendPause) == nil; n++ {
		if n == 1 {
			ctx.Dispatch(func(app.Context) { p.slow = try.Err() == nil })
		}
		if o, err := getOrder(try, p.b, p.id); err == nil && !payable(o.Status) && try.Err() == nil {
			p.toResult()
			return
		}
	}
}

// payAgain gives the sheet up that does not call back and opens another one.
func (p *payPage) payAgain(ctx app.Context, e app.Event) {
	p.endTry()
	p.pay(ctx, e)
}

// cancelOrder gives the order up, once the user has said so twice.
func (p *payPage) cancelOrder(ctx app.Context, _ app.Event) {
	p.ask(ctx, question{textCancelTitle, textCancelHint, textCancelYes, func(ctx app.Context) {
		p.endTry()
		p.run(ctx, func() (func(), error) {
			o, err := closeOrder(p.ctx, p.b, p.id)
			if err != nil && code(err) != api.CodeOrderPaid {
				return nil, err
			}
			if err == nil {
				letGo(p.b, o)
			}
			p.toResult()
			return nil, nil
		})
	}})
}

func (p *payPage) Render() app.UI {
	switch {
	case p.err != nil:
		return p.screen("", p.failure(p.load))
	case !p.place.shows() || p.order != nil && !p.place.opens(p.order.TradeType):
		return p.screen("", p.elsewhere())
	case p.order == nil:
		return p.screen("paying", p.skeletonSheet()).Aria("busy", "true")
	}
	amount := elem("div").Class("amount").Body(elem("h1").Text(p.say(textAmount)), p.price(p.order.Total, "huge"))
	cancel := elem("div").Class("quiet").Body(
		elem("a").Class("plain").Attr("href", "/").Text(p.say(textShop)),
		elem("button").Class("plain").Attr("type", "button").DataSet("action", "cancel").Text(p.say(textCancelOrder)).OnClick(p.cancelOrder))
	if p.order.TradeType == api.TradeNative {
		return p.screen("paying", amount, p.codeSheet(), p.lines(*p.order), cancel, p.asking())
	}
	label := textPay
	switch {
	case p.checking:
		label = textConfirming
	case p.paying:
		label = textPaying
	}
	return p.screen("paying", amount, p.lines(*p.order),
		elem("p").Class("said").Role("status").Text(p.said),
		elem("div").Class("weui-btn-area").Body(
			elem("button").Class("weui-btn weui-btn_primary").Attr("type", "button").DataSet("action", "pay").
				Attr("disabled", p.paying).Text(p.say(label)).OnClick(p.pay),
			app.If(p.slow, elem("p").Class("note").Role("status").Text(p.say(textSlow)),
				p.secondary(textPayAgain, p.payAgain),
				elem("a").Class("weui-btn weui-btn_default").Attr("href", resultPath(p.id)).Text(p.say(textAskResult)))),
		cancel, p.asking())
}
