package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
)

// customerPage shows the order whose token is in its address, in whatever state it is, and pays it.
// It needs no session, except to pay inside WeChat.
type customerPage struct {
	app.Compo
	base

	token      string
	order      *api.CustomerOrder // nil while loading
	trade      api.TradeType      // that pays the order in this place, "" for none
	signingIn  bool               // the page is leaving for WeChat
	paying     bool               // the sheet or WeChat's page is being opened, or is open
	offerRetry bool               // the sheet has not called back for a while
	noH5       bool               // WeChat declines MWEB: the merchant may lack the permission
	failed     bool               // the last attempt failed, so the next one needs new parameters
	lastResult string             // the message about the last attempt
	confirming bool               // the client reports a payment, and the page polls the order
	still      bool               // the poll ended without a result
	returned   bool               // back from WeChat's payment page
	paidHere   bool               // this page saw the payment
	code       string             // the image of the QR code
	cancel     context.CancelFunc // ends the current attempt
}

// returnPause is how long the page shows a payment before it returns to the merchant.
const returnPause = 3 * time.Second

func newCustomerPage(b browser) *customerPage {
	return &customerPage{base: newBase(b, customerTitle(app.Getenv(envShopName)))}
}

// customerTitle is the title of a link preview in a chat. It has no amount, because everybody in
// the chat sees the preview.
func customerTitle(shop string) text {
	if shop == "" {
		return textCustomerTitle
	}
	return text{shop + " - " + textCustomerTitle.ZH, shop + " - " + textCustomerTitle.EN}
}

func (p *customerPage) OnMount(ctx app.Context) {
	p.begin(ctx, p.onReturn)
	p.returned = strings.Contains("&"+p.b.Query()+"&", "&result=1&")
	p.load(ctx)
}

// onReturn queries the order after the user returns: it may be paid. A sheet that Back closed does
// not call back.
func (p *customerPage) onReturn(ctx app.Context, from returnKind) {
	if from == fromHistory && p.paying {
		p.returned = p.trade == api.TradeMWEB
		p.stopAttempt()
	}
	if !p.paying && !p.confirming && p.code == "" && p.err == nil {
		p.load(ctx)
	}
}

func (p *customerPage) stopAttempt() {
	if p.cancel != nil {
		p.cancel()
	}
	p.paying, p.confirming, p.offerRetry, p.code, p.cancel = false, false, false, "", nil
}

// tokenOf returns the token in the path of the customer's page, "" if there is none.
func tokenOf(path string) string { return tokenAfter(path, api.PathCustomer) }

// tokenAfter returns the token in a path after a prefix, "" if there is none.
func tokenAfter(path, prefix string) string {
	token, found := strings.CutPrefix(path, prefix)
	if !found || !alphabet.Lower32.Valid(token, 1, 64) {
		return ""
	}
	return token
}

// load fetches the order. Inside WeChat it also signs the user in, silently, if the order waits for
// payment.
func (p *customerPage) load(ctx app.Context) {
	if p.token = tokenOf(p.b.Path()); p.token == "" {
		p.err = &api.Error{Code: codeNoLink}
		return
	}
	if !p.place.canPay() {
		return
	}
	p.run(ctx, p.asUser(ctx, func() (func(), error) {
		o, err := p.look(p.ctx)
		if err != nil {
			return nil, err
		}
		if waits(o) && p.tradeFor(o) == api.TradeJSAPI && !o.SignedIn {
			ctx.Dispatch(func(ctx app.Context) { p.show(ctx, o); p.signingIn = true })
			return nil, &api.Error{Code: api.CodeUnauthenticated, Message: "JSAPI needs a sign-in"}
		}
		return func() {
			p.show(ctx, o)
			switch {
			case !waits(o) || p.cancel != nil:
			case p.trade == api.TradeNative:
				p.showCodes(ctx)
			case p.returned:
				p.confirmWhileAsking(ctx)
			}
		}, nil
	}))
}

// look returns the order as the signer has it now.
func (p *customerPage) look(ctx context.Context) (o api.CustomerOrder, err error) {
	err = call(ctx, p.b, "GET", api.CustomerOrderPath(p.token), nil, &o)
	switch {
	case code(err) == api.CodeNotFound:
		return o, &api.Error{Code: codeNoLink, Message: err.Error()}
	case err == nil && o.ID == "":
		return o, errBadResponse()
	}
	return o, err
}

// checkout fetches the parameters that pay the order. It returns neither parameters nor an error
// for an order that is no longer payable: look then returns its status.
func (p *customerPage) checkout(ctx context.Context, renew bool) (c api.Checkout, payable bool, err error) {
	err = call(ctx, p.b, "POST", api.CustomerPayPath(p.token), api.PayRequest{TradeTypes: []api.TradeType{p.trade}, Renew: renew}, &c)
	if code(err) == api.CodeOrderPaid {
		return c, false, nil
	}
	if code(err) == api.CodeOrderNotPayable {
		if o, lookErr := p.look(ctx); lookErr == nil && !waits(o) {
			return c, false, nil
		}
	}
	return c, err == nil, err
}

// waits reports whether an order can be paid.
func waits(o api.CustomerOrder) bool { return payable(o.Status) && !o.Expired }

// tradeFor returns the trade type that pays an order in this place, "" for none.
func (p *customerPage) tradeFor(o api.CustomerOrder) api.TradeType {
	types := p.place.tradeTypes()
	if i := slices.IndexFunc(types, func(t api.TradeType) bool {
		return slices.Contains(o.TradeTypes, t) && !(p.noH5 && t == api.TradeMWEB)
	}); i >= 0 {
		return types[i]
	}
	return ""
}

// show shows the order. After a payment here it returns to the merchant in a moment.
func (p *customerPage) show(ctx app.Context, o api.CustomerOrder) {
	p.order, p.trade, p.signingIn, p.err = &o, p.tradeFor(o), false, nil
	if title := customerTitle(o.ShopName); title != p.title {
		p.title = title
		p.applyLang(ctx)
	}
	if waits(o) {
		return
	}
	p.stopAttempt()
	p.still = false
	if paid(o.Status) && (p.paidHere || p.returned) && o.PaidBy != api.PaidByOther && o.ReturnURL != "" {
		p.paidHere = true
		ctx.Async(func() {
			if p.b.Sleep(p.ctx, returnPause) == nil {
				p.b.Replace(o.ReturnURL)
			}
		})
	}
}

// pay opens the payment sheet or WeChat's payment page. A second tap does nothing while the first
// attempt runs.
func (p *customerPage) pay(ctx app.Context, _ app.Event) {
	if p.paying || p.signingIn {
		return
	}
	p.paying, p.still, p.lastResult = true, false, ""
	attempt, cancel := context.WithCancel(p.ctx)
	p.cancel = cancel
	renew := p.failed
	open, answered := context.WithCancel(attempt) // until the sheet closes
	ctx.Async(func() {
		defer answered()
		var got outcome
		var reason string
		c, payable, err := p.checkout(attempt, renew)
		switch {
		case err == nil && !payable:
			p.confirm(ctx, attempt)
			return
		case err == nil:
			ctx.Async(func() { p.pollWhileSheetOpen(ctx, open) })
			got, reason, err = pay(attempt, p.b, c)
		}
		if attempt.Err() != nil || err == nil && got == payRedirected {
			return // the page is leaving, or the attempt was stopped
		}
		answered()
		if err == nil && (got == payOK || got == payUnknown) {
			ctx.Dispatch(func(app.Context) { p.paidHere, p.confirming = p.paidHere || got == payOK, true })
			p.confirm(ctx, attempt)
			return
		}
		ctx.Dispatch(func(ctx app.Context) {
			p.paying, p.offerRetry, p.cancel = false, false, nil
			if c := code(err); p.trade == api.TradeMWEB && (c == api.CodeWeChatDeclined || c == api.CodeAddressUnknown) {
				p.noH5 = true
				p.load(ctx)
				return
			}
			p.failed, p.err = got == payFailed, err
			switch {
			case err != nil:
			case got == payCancelled:
				p.lastResult = p.tr(textCancelled)
			case reason != "":
				p.lastResult = p.tr(textPayFailed) + " (" + reason + ")"
			default:
				p.lastResult = p.tr(textPayFailed)
			}
		})
		// Some clients report cancel or fail although the payment succeeded (docs/wechat.md 5.3).
		if o, lookErr := p.look(attempt); err == nil && lookErr == nil && !waits(o) {
			ctx.Dispatch(func(ctx app.Context) { p.paidHere = true; p.show(ctx, o) })
		}
		cancel()
	})
}

// payAgain stops waiting for a sheet that does not call back and opens another one.
func (p *customerPage) payAgain(ctx app.Context, e app.Event) {
	p.stopAttempt()
	p.pay(ctx, e)
}

// pollWhileSheetOpen queries the order while the sheet is open, because the sheet may never call
// back. After a while it offers another attempt.
func (p *customerPage) pollWhileSheetOpen(ctx app.Context, attempt context.Context) {
	for n := 0; p.b.Sleep(attempt, sheetPollInterval) == nil; n++ {
		if n == 1 {
			ctx.Dispatch(func(app.Context) { p.offerRetry = attempt.Err() == nil })
		}
		if o, err := p.look(attempt); err == nil && !waits(o) {
			ctx.Dispatch(func(ctx app.Context) { p.paidHere = true; p.show(ctx, o) })
			return
		}
	}
}

// confirm polls the order until it is decided.
func (p *customerPage) confirm(ctx app.Context, attempt context.Context) {
	if p.poll(ctx, attempt) {
		return
	}
	ctx.Dispatch(func(app.Context) {
		if attempt.Err() == nil {
			p.stopAttempt()
			p.still = true
		}
	})
}

// poll queries the order until it is decided, about 90 s. It returns false if it is not.
func (p *customerPage) poll(ctx app.Context, attempt context.Context) (decided bool) {
	for _, pause := range pollPauses {
		if o, err := p.look(attempt); err == nil && !waits(o) {
			ctx.Dispatch(func(ctx app.Context) { p.show(ctx, o) })
			return true
		}
		if p.b.Sleep(attempt, pause) != nil {
			return false
		}
	}
	return false
}

// confirmWhileAsking polls the order while the page asks whether it was paid: the payment may become
// known without an answer.
func (p *customerPage) confirmWhileAsking(ctx app.Context) {
	attempt, cancel := context.WithCancel(p.ctx)
	p.cancel = cancel
	ctx.Async(func() {
		if p.b.Sleep(attempt, pollPauses[0]) != nil || p.poll(ctx, attempt) {
			return
		}
		ctx.Dispatch(func(app.Context) {
			if attempt.Err() == nil {
				p.stopAttempt()
			}
		})
	})
}

// checkAgain polls the order because the user claims to have paid.
func (p *customerPage) checkAgain(ctx app.Context, _ app.Event) {
	p.stopAttempt()
	attempt, cancel := context.WithCancel(p.ctx)
	p.cancel, p.confirming, p.still, p.paidHere, p.returned = cancel, true, false, true, false
	ctx.Async(func() { p.confirm(ctx, attempt) })
}

// showCodes shows one QR code at a time until the order is decided. It fetches the next one shortly
// before expiry, because a new code invalidates the last one.
func (p *customerPage) showCodes(ctx app.Context) {
	attempt, cancel := context.WithCancel(p.ctx)
	p.cancel = cancel
	ctx.Async(func() {
		err := p.keepCode(ctx, attempt)
		if attempt.Err() != nil {
			return
		}
		cancel()
		ctx.Dispatch(func(app.Context) { p.err, p.cancel = err, nil })
	})
}

func (p *customerPage) keepCode(ctx app.Context, attempt context.Context) error {
	for renew := false; ; renew = true {
		c, payable, err := p.checkout(attempt, renew)
		if err != nil {
			return err
		}
		image := ""
		if payable {
			if image, err = qrImage(c.CodeURL); err != nil {
				return err
			}
		}
		ctx.Dispatch(func(app.Context) { p.code = image })
		for waited := time.Duration(0); ; waited += codePollInterval {
			o, err := p.look(attempt)
			switch {
			case err == nil && !waits(o):
				ctx.Dispatch(func(ctx app.Context) { p.paidHere = payable; p.show(ctx, o) })
				return nil
			case err != nil && !isTemporary(code(err)):
				return err
			}
			now := p.b.Now()
			ending := !now.IsZero() && now.UnixMilli() > c.PayUntil-codeMargin.Milliseconds()
			if now.IsZero() {
				ending = waited >= codeLifetime
			}
			if ending && waited >= codeMargin && c.PayUntil < c.Order.ExpiresAt {
				break
			}
			if err := p.b.Sleep(attempt, codePollInterval); err != nil {
				return err
			}
		}
	}
}

func (p *customerPage) Render() app.UI {
	switch {
	case p.err != nil:
		return p.screen("", p.failure(p.load))
	case !p.place.canPay():
		return p.screen("", p.openInWeChat(p.outsideHint()))
	case p.order == nil:
		return p.screen("paying", p.skeletonSheet()).Aria("busy", "true")
	}
	state, body := p.content()
	return p.screen("paying", body...).DataSet("state", state)
}

// content returns the state and the content of the screen.
func (p *customerPage) content() (state string, body []app.UI) {
	o := *p.order
	switch {
	case paid(o.Status):
		return p.paidContent()
	case o.Expired:
		return "expired", p.stateContent("weui-icon-info", textExpired, textAskMerchant)
	case o.Status == api.StatusClosed:
		return "closed", p.stateContent("weui-icon-info", textClosed, textAskMerchant)
	case o.Status == api.StatusClosing:
		return "closing", p.stateContent("weui-icon-waiting", textClosing, textClosingHint)
	case p.confirming:
		return "confirming", p.stateContent("weui-icon-waiting", textConfirming, textConfirmHint)
	case p.returned:
		return "unconfirmed", p.stateContent("weui-icon-waiting", textHaveYouPaid, textHaveYouPaidHint,
			p.primary(textHavePaid, p.checkAgain), p.secondary(textBackToPay, p.backToPay))
	case p.still:
		return "still", p.stateContent("weui-icon-waiting", textStillConfirming, textStillConfirmingHint,
			p.primary(textCheckAgain, p.checkAgain), p.secondary(textBackToPay, p.backToPay))
	case p.trade == "":
		return "outside", p.stateContent("weui-icon-info", textOutside, textOutsideHint, p.primary(textCopy, p.copyAddress),
			app.If(p.notice != text{}, elem("p").Class("note").Role("status").Text(p.tr(p.notice))))
	}
	body = []app.UI{
		elem("div").Class("amount").Body(elem("h1").Text(p.tr(textPayTo)+" "+o.ShopName), p.price(o.Total, "huge")),
	}
	if p.trade == api.TradeNative {
		body = append(body, p.codeSheet(p.code, textCopyHint, p.copyAddress))
	}
	body = append(body, p.itemList(o.Order), elem("dl").Class("sheet").Body(
		app.If(o.Description != "", elem("div").Body(elem("dt").Text(p.tr(textRemark)), elem("dd").Text(o.Description))),
		elem("div").Body(elem("dt").Text(p.tr(textPayBefore)), elem("dd").Text(beijingTime(o.ExpiresAt)))))
	if p.trade == api.TradeNative {
		return "code", body
	}
	label := textPay
	if p.paying {
		label = textPaying
	}
	return "open", append(body, elem("p").Class("said").Role("status").Text(p.lastResult),
		elem("div").Class("weui-btn-area").Body(
			elem("button").Class("weui-btn weui-btn_primary").Attr("type", "button").DataSet("action", "pay").
				Attr("disabled", p.paying || p.signingIn).Text(p.tr(label)).OnClick(p.withPageContext(p.pay), "pay"),
			app.If(p.offerRetry, elem("p").Class("note").Role("status").Text(p.tr(textSlow)),
				p.secondary(textPayAgain, p.payAgain), p.secondary(textCheckResult, p.checkAgain))))
}

// stateContent shows what became of the order, above what it is for.
func (p *customerPage) stateContent(icon string, title, hint text, actions ...app.UI) []app.UI {
	return []app.UI{
		elem("div").Class("amount").Role("status").Body(
			elem("i").Class(icon+" weui-icon_msg").Aria("hidden", "true"),
			elem("h1").Text(p.tr(title)),
			p.price(p.order.Total, "huge"),
			elem("p").Class("note").Text(p.tr(hint))),
		p.itemList(p.order.Order),
		elem("div").Class("weui-btn-area").Body(actions...),
	}
}

// backToPay shows the payment again after the user says that they have not paid.
func (p *customerPage) backToPay(ctx app.Context, _ app.Event) {
	p.stopAttempt()
	p.returned, p.still = false, false
	p.load(ctx)
}

// paidContent shows a paid order: to the payer as a result, to others as a fact.
func (p *customerPage) paidContent() (state string, body []app.UI) {
	o := *p.order
	state, title, icon, hint := "paid", textAlreadyPaid, "weui-icon-success", text{}
	switch {
	case o.PaidBy == api.PaidByOther:
		state, title, icon, hint = "paid-by-other", textPaidByOther, "weui-icon-info", textPaidByOtherHint
	case p.paidHere, o.PaidBy == api.PaidByYou:
		title = textPaid
	}
	body = []app.UI{
		elem("div").Class("amount").Role("status").Body(
			elem("i").Class(icon+" weui-icon_msg").Aria("hidden", "true"),
			elem("h1").Text(p.tr(title)),
			p.price(o.Total, "huge"),
			app.If(hint != text{}, elem("p").Class("note").Text(p.tr(hint))),
			app.If(o.Status != api.StatusPaid || o.Refunded > 0, p.refundedNote(o.Order))),
	}
	if o.PaidBy != api.PaidByOther {
		body = append(body, p.paidTwiceNote(o.Order))
	}
	body = append(body, p.itemList(o.Order), p.receipt(o.Order))
	if o.ReturnURL != "" {
		body = append(body, elem("div").Class("weui-btn-area").Body(
			elem("a").Class("weui-btn weui-btn_primary").Attr("href", o.ReturnURL).DataSet("load", "page").DataSet("action", "return").Text(p.tr(textReturn))))
	}
	return state, body
}
