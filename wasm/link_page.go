package main

import (
	"context"
	"strconv"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/fen"
)

// linkPage makes an order of the payment link whose token is in its address, and leads to the
// customer's page, which pays it.
type linkPage struct {
	app.Compo
	base

	token    string
	link     *api.PaymentLink // nil while loading
	amount   entry            // that the payer names
	ordering bool
}

func newLinkPage(b browser) *linkPage {
	return &linkPage{base: newBase(b, customerTitle(app.Getenv(envShopName)))}
}

func (p *linkPage) OnMount(ctx app.Context) {
	p.begin(ctx, func(ctx app.Context, from returnKind) {
		if from == fromHistory {
			p.ordering = false
		}
		if !p.ordering && p.err == nil {
			p.load(ctx)
		}
	})
	stop := p.b.OnKey(func(key string) {
		ctx.Dispatch(func(ctx app.Context) {
			switch {
			case key == "Enter" && p.open():
				p.order(ctx, app.Event{})
			case key != "Enter" && p.named():
				p.amount = p.amount.press(key)
			}
		})
	})
	context.AfterFunc(p.ctx, stop)
	p.load(ctx)
}

// load fetches the link. Inside WeChat it first signs the user in, silently: afterwards the entered
// amount would be lost.
func (p *linkPage) load(ctx app.Context) {
	if p.token = tokenAfter(p.b.Path(), api.PathLink); p.token == "" {
		p.err = &api.Error{Code: codeNoLink}
		return
	}
	if !p.place.canPay() {
		return
	}
	p.run(ctx, func() (func(), error) {
		if p.place.signsIn() {
			if done, err := p.signIn(ctx); err != nil || !done {
				return nil, err
			}
		}
		l, err := p.look(p.ctx)
		if err != nil {
			return nil, err
		}
		return func() { p.show(ctx, l) }, nil
	})
}

// look returns the link as it is now.
func (p *linkPage) look(ctx context.Context) (l api.PaymentLink, err error) {
	err = call(ctx, p.b, "GET", api.LinkPath(p.token), nil, &l)
	switch {
	case code(err) == api.CodeNotFound:
		return l, &api.Error{Code: codeNoLink, Message: err.Error()}
	case err == nil && (l.State == "" || l.Amount == 0 && l.Bounds == nil):
		return l, errBadResponse()
	}
	return l, err
}

func (p *linkPage) show(ctx app.Context, l api.PaymentLink) {
	p.link = &l
	if title := customerTitle(l.ShopName); title != p.title {
		p.title = title
		p.applyLang(ctx)
	}
}

// open reports whether the link can be used here.
func (p *linkPage) open() bool {
	return p.link != nil && p.link.State == api.LinkOpen && p.place.canPayWith(p.link.TradeTypes)
}

// named reports whether the payer names the amount.
func (p *linkPage) named() bool { return p.open() && p.link.Bounds != nil }

// total returns the amount of the order, 0 if it is not within the bounds.
func (p *linkPage) total() fen.Fen {
	if p.link.Bounds == nil {
		return p.link.Amount
	}
	n := p.amount.fen()
	if n < p.link.Bounds.Min || n > p.link.Bounds.Max {
		return 0
	}
	return n
}

// order creates the order and loads the customer's page. Repeated taps with the same amount give the
// same order, until it is paid or has ended.
func (p *linkPage) order(ctx app.Context, _ app.Event) {
	if p.ordering || !p.open() || p.total() == 0 {
		return
	}
	p.ordering = true
	total := p.total()
	d := draft{p.b, "." + p.token + "." + strconv.FormatInt(int64(total), 10)}
	place := p.asBuyer(ctx, func() (func(), error) {
		path, err := p.placeOrder(d, total)
		if err == nil {
			p.b.Assign(path)
		}
		return nil, err
	})
	ctx.Async(func() {
		_, err := place()
		if code(err) == api.CodeLinkEnded {
			if l, lookErr := p.look(p.ctx); lookErr == nil {
				ctx.Dispatch(func(ctx app.Context) { p.ordering = false; p.show(ctx, l) })
				return
			}
		}
		if err != nil && p.ctx.Err() == nil {
			ctx.Dispatch(func(app.Context) { p.ordering, p.err = false, err })
		}
	})
}

// placeOrder creates the order of a draft, or finds the one created before, and returns the path of
// its page. If that order can no longer be paid, it creates a new one, once.
func (p *linkPage) placeOrder(d draft, total fen.Fen) (path string, err error) {
	for range 2 {
		req := api.LinkOrderRequest{ClientKey: d.key()}
		if p.link.Bounds != nil {
			req.Amount = total
		}
		var o api.LinkOrder
		err = call(p.ctx, p.b, "POST", api.LinkOrdersPath(p.token), req, &o)
		switch {
		case err == nil && payable(o.Status) && tokenAfter(o.Path, api.PathCustomer) != "":
			return o.Path, nil
		case err == nil && o.Path == "":
			return "", errBadResponse()
		case err != nil && code(err) != api.CodeConflict:
			return "", err
		}
		d.forget()
		err = &api.Error{Code: api.CodeOrderNotPayable, Message: "the order has ended"}
	}
	return "", err
}

func (p *linkPage) Render() app.UI {
	switch {
	case p.err != nil:
		return p.screen("", p.failure(p.load))
	case !p.place.canPay():
		return p.screen("", p.openInWeChat(p.outsideHint()))
	case p.link == nil:
		return p.screen("paying", p.skeletonSheet()).Aria("busy", "true")
	case p.link.State != api.LinkOpen:
		return p.screen("", p.ended()).DataSet("state", string(p.link.State))
	case !p.open():
		return p.screen("", p.openInWeChat(textOutsideHint)).DataSet("state", "outside")
	case p.named():
		return p.till().DataSet("state", "open")
	}
	return p.fixed().DataSet("state", "open")
}

// ended shows why the link takes no order.
func (p *linkPage) ended() app.UI {
	title, hint := textLinkWithdrawn, textLinkHint
	switch p.link.State {
	case api.LinkExpired:
		title = textLinkExpired
	case api.LinkSoldOut:
		title, hint = textLinkSoldOut, textLinkSoldOutHint
	}
	return p.message("weui-icon-info", title, hint, p.link.ShopName+" · "+p.link.Title, p.secondary(textRetry, func(ctx app.Context, _ app.Event) { p.load(ctx) }))
}

// fixed is the screen of a link with a fixed amount.
func (p *linkPage) fixed() app.HTMLElem {
	label := textPayNow
	if p.ordering {
		label = textOrdering
	}
	return p.screen("paying",
		elem("div").Class("amount").Body(elem("h1").Text(p.tr(textPayTo)+" "+p.link.ShopName), p.price(p.link.Amount, "huge")),
		elem("dl").Class("sheet").Body(
			elem("div").Body(elem("dt").Text(p.tr(textLinkTitle)), elem("dd").Text(p.link.Title)),
			app.If(p.link.Description != "", elem("div").Body(elem("dt").Text(p.tr(textRemark)), elem("dd").Text(p.link.Description)))),
		elem("div").Class("weui-btn-area").Body(
			elem("button").Class("weui-btn weui-btn_primary").Attr("type", "button").DataSet("action", "checkout").
				Attr("disabled", p.ordering).Text(p.tr(label)).OnClick(p.withPageContext(p.order), "order")))
}

// till is the screen of a link whose amount the payer names.
func (p *linkPage) till() app.HTMLElem {
	wrong := p.amount != "" && p.total() == 0
	return p.screen("till",
		elem("header").Class("payee").Body(
			elem("div").Body(elem("h1").Text(p.link.Title), elem("p").Text(p.link.ShopName),
				app.If(p.link.Description != "", elem("p").Text(p.link.Description)))),
		p.amountSheet(p.amount, *p.link.Bounds, wrong),
		p.keypad(&p.amount, p.ordering, p.total() > 0, p.order))
}
