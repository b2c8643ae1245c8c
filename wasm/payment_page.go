package main

import (
	"context"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// payPage shows one order and pays it with the best trade type of the place. The same order may be paid
// elsewhere with another one.
type payPage struct {
	app.Compo
	base

	id         string
	order      *api.Order   // nil while loading
	offer      api.Checkout // the latest payment parameters from the signer
	paying     bool
	checking   bool               // the client's reply is unknown and the page is querying the signer
	cancel     context.CancelFunc // ends the current attempt
	failed     bool               // the last attempt failed; a cancellation by the user is no failure
	lastResult string             // the message about the last attempt
	offerRetry bool               // the sheet has not called back for a while
	code       string             // the image of the QR code
	renewing   bool               // a new QR code is being fetched
}

func newPayPage(b browser) *payPage { return &payPage{base: newBase(b, textPayTitle)} }

func (p *payPage) OnMount(ctx app.Context) {
	p.begin(ctx, p.onReturn)
	p.load(ctx)
}

// onReturn queries the order after the user returns: it may be paid. A sheet that Back closed does
// not call back.
func (p *payPage) onReturn(ctx app.Context, from returnKind) {
	if from == fromHistory {
		if p.paying && p.order.TradeType == api.TradeMWEB {
			p.stopAttempt()
			p.goToResult() // the result page queries the order
			return
		}
		p.stopAttempt()
	}
	if p.order == nil || p.err != nil {
		p.load(ctx)
		return
	}
	p.run(ctx, p.asUser(ctx, func() (func(), error) {
		o, err := getOrder(p.ctx, p.b, p.id)
		if err != nil || p.redirectIfDecided(o) {
			return nil, err
		}
		return func() {
			if p.order.TradeType == api.TradeNative && p.cancel == nil {
				p.load(ctx) // the code may be old
			}
		}, nil
	}))
}

// stopAttempt stops waiting for the sheet.
func (p *payPage) stopAttempt() {
	if p.cancel != nil {
		p.cancel()
	}
	p.paying, p.checking, p.offerRetry, p.cancel = false, false, false, nil
}

// load fetches the order with what pays it, in one call. The signer sends the order to WeChat for
// that call, once.
func (p *payPage) load(ctx app.Context) {
	if p.id = orderParam(p.b.Query()); p.id == "" {
		p.err = &api.Error{Code: codeNoOrder}
		return
	}
	if !p.place.canPay() {
		return
	}
	p.run(ctx, p.asUser(ctx, func() (func(), error) {
		c, err := checkout(p.ctx, p.b, p.id, p.place.tradeTypes(), false)
		if ended, err := p.redirectIfEnded(c, err); ended || err != nil {
			return nil, err
		}
		return func() {
			p.order, p.offer = &c.Order, c
			if c.Order.TradeType == api.TradeNative && p.cancel == nil {
				p.showQRCode(ctx, c)
			}
		}, nil
	}))
}

// redirectIfEnded loads the result page if a response of checkout means that the order has ended,
// and reports whether it did. An open order may be too old to be paid: then the error remains.
func (p *payPage) redirectIfEnded(c api.Checkout, err error) (bool, error) {
	switch code(err) {
	case "":
		return p.redirectIfDecided(c.Order), nil
	case api.CodeOrderPaid:
		p.goToResult()
		return true, nil
	case api.CodeOrderNotPayable:
		if o, getErr := getOrder(p.ctx, p.b, p.id); getErr == nil && p.redirectIfDecided(o) {
			return true, nil
		}
	}
	return false, err
}

// redirectIfDecided loads the result page if the order no longer waits for payment, and reports
// whether it did.
func (p *payPage) redirectIfDecided(o api.Order) bool {
	if payable(o.Status) {
		return false
	}
	p.goToResult()
	return true
}

func (p *payPage) goToResult() { p.b.Replace(resultPath(p.id)) }

// renewBefore is how long before its end the page renews what pays an order. The signer ends it
// some minutes before WeChat does, so that the sheet can be used.
const renewBefore = 15 * time.Second

// mustRenew reports whether a tap needs a call to the signer: the client failed with what the page
// has, or it is about to expire.
func (p *payPage) mustRenew() bool {
	now := p.b.Now()
	return p.failed || now.IsZero() || now.Add(renewBefore).UnixMilli() > p.offer.PayUntil
}

// pay opens the payment sheet or WeChat's payment page at once, with what the page has. A second tap
// does nothing while the first attempt runs.
func (p *payPage) pay(ctx app.Context, _ app.Event) {
	if p.paying {
		return
	}
	p.paying, p.lastResult = true, ""
	attempt, cancel := context.WithCancel(p.ctx)
	p.cancel = cancel
	c, renew := p.offer, p.mustRenew()
	open, answered := context.WithCancel(attempt) // until the sheet closes
	ctx.Async(func() {
		var got outcome
		var reason string
		var err error
		ended := false
		if renew {
			c, err = checkout(attempt, p.b, p.id, []api.TradeType{p.order.TradeType}, true)
			if ended, err = p.redirectIfEnded(c, err); err == nil && !ended {
				renewed := c
				ctx.Dispatch(func(app.Context) { p.offer = renewed })
			}
		}
		if err == nil && !ended {
			got, reason, err = pay(attempt, p.b, c)
		}
		answered()
		if ended {
			return // the button stays disabled until the next page loads
		}
		if attempt.Err() != nil || err == nil && got == payRedirected {
			return // the page is leaving, or the attempt was stopped
		}
		defer cancel()
		if err == nil && got == payOK {
			p.goToResult() // the button stays disabled until the next page loads
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
		// Some clients report cancel or fail although the payment succeeded, so query the signer
		// (docs/wechat.md 5.3).
		if err == nil && got != payUnknown {
			if o, err := getOrder(attempt, p.b, p.id); err == nil {
				p.redirectIfDecided(o)
			}
		}
	})
	ctx.Async(func() { p.pollWhileSheetOpen(ctx, open) })
}

// pollWhileSheetOpen queries the order while the sheet is open, because the sheet may never call
// back. After a while it offers another attempt.
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

// payAgain stops waiting for a sheet that does not call back and opens another one.
func (p *payPage) payAgain(ctx app.Context, e app.Event) {
	p.stopAttempt()
	p.pay(ctx, e)
}

// cancelOrder cancels the order after the user has confirmed.
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
	case !p.place.canPay():
		return p.screen("", p.outsideMessage())
	case p.order == nil:
		return p.screen("paying", p.skeletonSheet()).Aria("busy", "true")
	}
	amount := elem("div").Class("amount").Body(elem("h1").Text(p.tr(textAmount)), p.price(p.order.Total, "huge"))
	cancel := elem("div").Class("quiet").Body(
		elem("a").Class("plain").Attr("href", "/").Text(p.tr(textShop)),
		elem("button").Class("plain").Attr("type", "button").DataSet("action", "cancel").Text(p.tr(textCancelOrder)).OnClick(p.cancelOrder))
	if p.order.TradeType == api.TradeNative {
		code := p.code
		if p.renewing {
			code = ""
		}
		return p.screen("paying", amount, p.codeSheet(code, textPhoneHint, p.copyShop), p.itemList(*p.order), cancel, p.confirmDialog())
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
