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

	id         string
	order      *api.Order // nil while loading
	paying     bool
	checking   bool               // the client's answer is unknown, and the signer is asked
	cancel     context.CancelFunc // the try under way
	failed     bool               // the last try did, other than by the user
	lastResult string             // what became of the last try
	offerRetry bool               // the sheet has not called back for a while
	code       string             // the QR code, as an image
	renewing   bool               // the code is being renewed
}

func newPayPage(b browser) *payPage { return &payPage{base: newBase(b, textPayTitle)} }

func (p *payPage) OnMount(ctx app.Context) {
	p.begin(ctx, p.onReturn)
	p.load(ctx)
}

// onReturn mends a page that was come back to: its order may be paid by now. A
// sheet that Back has taken away calls back no more.
func (p *payPage) onReturn(ctx app.Context, from returnKind) {
	if from == fromHistory {
		if p.paying && p.order.TradeType == api.TradeMWEB {
			p.stopAttempt()
			p.goToResult() // which asks what became of it
			return
		}
		p.stopAttempt()
	}
	p.load(ctx)
}

// stopAttempt stops waiting for the sheet.
func (p *payPage) stopAttempt() {
	if p.cancel != nil {
		p.cancel()
	}
	p.paying, p.checking, p.offerRetry, p.cancel = false, false, false, nil
}

func (p *payPage) load(ctx app.Context) {
	if p.id = orderParam(p.b.Query()); p.id == "" {
		p.err = &api.Error{Code: codeNoOrder}
		return
	}
	if !p.place.canPay() {
		return
	}
	p.run(ctx, p.asUser(ctx, func() (func(), error) {
		o, err := getOrder(p.ctx, p.b, p.id)
		if err != nil {
			return nil, err
		}
		if p.redirectIfDecided(o) {
			return nil, nil
		}
		return func() {
			p.order = &o
			if o.TradeType == api.TradeNative && p.cancel == nil {
				p.showQRCode(ctx)
			}
		}, nil
	}))
}

// redirectIfDecided goes on to the result of an order that waits for its payment no more,
// and reports whether it did.
func (p *payPage) redirectIfDecided(o api.Order) bool {
	if payable(o.Status) {
		return false
	}
	p.goToResult()
	return true
}

func (p *payPage) goToResult() { p.b.Replace(resultPath(p.id)) }

// pay opens the payment sheet, or WeChat's page for browsers, once at a time.
func (p *payPage) pay(ctx app.Context, _ app.Event) {
	if p.paying {
		return
	}
	p.paying, p.lastResult = true, ""
	attempt, cancel := context.WithCancel(p.ctx)
	p.cancel = cancel
	renew := p.failed
	open, answered := context.WithCancel(attempt) // the sheet
	ctx.Async(func() {
		got, reason, err := pay(attempt, p.b, p.id, renew)
		answered()
		if attempt.Err() != nil || err == nil && got == payRedirected {
			return // the page is going, or the try is over
		}
		defer cancel()
		if code(err) == api.CodeOrderPaid || err == nil && got == payOK {
			p.goToResult() // and stay busy until the page is gone
			return
		}
		if err == nil && got == payUnknown {
			ctx.Dispatch(func(app.Context) { p.checking, p.offerRetry = true, false })
			settled, err := resolveUnknown(attempt, p.b, p.id)
			switch {
			case err != nil:
				return
			case settled:
				p.goToResult()
				return
			}
		}
		ctx.Dispatch(func(ctx app.Context) {
			p.paying, p.checking, p.offerRetry, p.cancel = false, false, false, nil
			p.failed = got == payFailed || got == payUnknown
			switch {
			case err != nil:
				p.err = err
			case got == payCancelled:
				p.lastResult = p.tr(textCancelled)
			case got == payFailed && reason != "":
				p.lastResult = p.tr(textPayFailed) + " (" + reason + ")"
			case got == payFailed:
				p.lastResult = p.tr(textPayFailed)
			case reason != "":
				p.lastResult = p.tr(textPayUnknown) + " (" + reason + ")"
			default:
				p.lastResult = p.tr(textPayUnknown)
			}
		})
		// Clients have been seen to say cancel or fail of a payment that was
		// made, so the signer is asked all the same (docs/wechat.md 5.3).
		if err == nil && got != payUnknown {
			if o, err := getOrder(attempt, p.b, p.id); err == nil {
				p.redirectIfDecided(o)
			}
		}
	})
	ctx.Async(func() { p.pollWhileSheetOpen(ctx, open) })
}

// pollWhileSheetOpen asks the signer about the order while the sheet is open, for the sheet
// may never call back, and offers another try after a while.
func (p *payPage) pollWhileSheetOpen(ctx app.Context, attempt context.Context) {
	for n := 0; p.b.Sleep(attempt, sheetPollInterval) == nil; n++ {
		if n == 1 {
			ctx.Dispatch(func(app.Context) { p.offerRetry = attempt.Err() == nil })
		}
		if o, err := getOrder(attempt, p.b, p.id); err == nil && !payable(o.Status) && attempt.Err() == nil {
			p.goToResult()
			return
		}
	}
}

// payAgain gives the sheet up that does not call back and opens another one.
func (p *payPage) payAgain(ctx app.Context, e app.Event) {
	p.stopAttempt()
	p.pay(ctx, e)
}

// cancelOrder gives the order up, once the user has said so twice.
func (p *payPage) cancelOrder(ctx app.Context, _ app.Event) {
	p.confirm(ctx, confirmation{textCancelTitle, textCancelHint, textCancelYes, func(ctx app.Context) {
		p.stopAttempt()
		p.run(ctx, func() (func(), error) {
			o, err := closeOrder(p.ctx, p.b, p.id)
			if err != nil && code(err) != api.CodeOrderPaid {
				return nil, err
			}
			if err == nil {
				clearDrafts(p.b, o)
			}
			p.goToResult()
			return nil, nil
		})
	}})
}

func (p *payPage) Render() app.UI {
	switch {
	case p.err != nil:
		return p.screen("", p.failure(p.load))
	case !p.place.canPay() || p.order != nil && !p.place.canPayWith(p.order.TradeType):
		return p.screen("", p.outsideMessage())
	case p.order == nil:
		return p.screen("paying", p.skeletonSheet()).Aria("busy", "true")
	}
	amount := elem("div").Class("amount").Body(elem("h1").Text(p.tr(textAmount)), p.price(p.order.Total, "huge"))
	cancel := elem("div").Class("quiet").Body(
		elem("a").Class("plain").Attr("href", "/").Text(p.tr(textShop)),
		elem("button").Class("plain").Attr("type", "button").DataSet("action", "cancel").Text(p.tr(textCancelOrder)).OnClick(p.cancelOrder))
	if p.order.TradeType == api.TradeNative {
		return p.screen("paying", amount, p.codeSheet(), p.itemList(*p.order), cancel, p.confirmDialog())
	}
	label := textPay
	switch {
	case p.checking:
		label = textConfirming
	case p.paying:
		label = textPaying
	}
	return p.screen("paying", amount, p.itemList(*p.order),
		elem("p").Class("said").Role("status").Text(p.lastResult),
		elem("div").Class("weui-btn-area").Body(
			elem("button").Class("weui-btn weui-btn_primary").Attr("type", "button").DataSet("action", "pay").
				Attr("disabled", p.paying).Text(p.tr(label)).OnClick(p.pay),
			app.If(p.offerRetry, elem("p").Class("note").Role("status").Text(p.tr(textSlow)),
				p.secondary(textPayAgain, p.payAgain),
				elem("a").Class("weui-btn weui-btn_default").Attr("href", resultPath(p.id)).Text(p.tr(textCheckResult)))),
		cancel, p.confirmDialog())
}
