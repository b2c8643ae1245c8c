package main

import (
	"strconv"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// ordersPage lists the user's orders and offers to sign out.
type ordersPage struct {
	app.Compo
	base

	orders    []api.Order // nil while loading
	signedOut bool
}

func newOrdersPage(b browser) *ordersPage { return &ordersPage{base: newBase(b, textOrders)} }

func (p *ordersPage) OnMount(ctx app.Context) {
	p.begin(ctx, func(ctx app.Context, _ returnKind) {
		if !p.signedOut {
			p.load(ctx)
		}
	})
	p.load(ctx)
}

func (p *ordersPage) load(ctx app.Context) {
	look := p.asUser(ctx, func() (func(), error) {
		var list api.OrderList
		if err := call(p.ctx, p.b, "GET", api.PathOrders, nil, &list); err != nil {
			return nil, err
		}
		var s api.Session
		if err := call(p.ctx, p.b, "GET", api.PathSession, nil, &s); err != nil {
			return nil, err
		}
		return func() { p.orders, p.user = append([]api.Order{}, list.Orders...), &s.User }, nil
	})
	p.run(ctx, func() (func(), error) {
		show, err := look()
		if code(err) == codeNoSession { // a browser without a session has no orders
			return func() { p.orders, p.user = []api.Order{}, nil }, nil
		}
		return show, err
	})
}

// signOut ends the session after the user has confirmed. Only this browser knows a guest's orders.
func (p *ordersPage) signOut(ctx app.Context, _ app.Event) {
	hint := textSignOutHint
	if p.user.Guest {
		hint = textGuestSignOutHint
	}
	p.confirm(ctx, confirmation{textSignOut, hint, textSignOut, func(ctx app.Context) {
		p.run(ctx, func() (func(), error) {
			if err := call(p.ctx, p.b, "DELETE", api.PathSession, nil, nil); err != nil {
				return nil, err
			}
			p.b.ClearPersonal() // the next user of this device is another person
			return func() { p.signedOut, p.orders, p.user = true, nil, nil }, nil
		})
	}})
}

func (p *ordersPage) Render() app.UI {
	switch {
	case p.err != nil:
		return p.screen("", p.failure(p.load))
	case p.signedOut:
		actions := []app.UI{p.shopLink("weui-btn_primary")}
		if p.place.signsIn() {
			actions = []app.UI{p.primary(textSignIn, func(ctx app.Context, _ app.Event) { p.signedOut = false; p.load(ctx) }), p.shopLink("weui-btn_default")}
		}
		return p.screen("", p.message("weui-icon-success", textSignedOut, textSignedOutHint, "", actions...))
	case p.orders == nil:
		return p.screen("mine", p.heading(), p.skeletonOrders()).Aria("busy", "true")
	case len(p.orders) == 0:
		return p.screen("mine", p.heading(),
			p.message("weui-icon-info", textNoOrders, textNoOrdersHint, "", p.shopLink("weui-btn_primary")), p.footer(), p.confirmDialog())
	}
	return p.screen("mine", p.heading(),
		elem("ul").Class("cards").Body(app.Range(p.orders).Slice(func(i int) app.UI { return p.card(p.orders[i]) })),
		elem("div").Class("weui-btn-area").Body(p.shopLink("weui-btn_default")),
		p.footer(), p.confirmDialog())
}

// heading shows whose orders these are.
func (p *ordersPage) heading() app.UI {
	who := ""
	switch {
	case p.user == nil:
	case p.user.Guest:
		who = p.tr(textGuest)
	case p.user.Nickname != "":
		who = p.user.Nickname
	default:
		who = p.tr(textUser) + " " + p.user.OpenID
	}
	return elem("header").Class("who").Body(p.avatar(),
		elem("div").Body(elem("h1").Body(p.bilingual(textOrders)), elem("p").Text(who)),
		app.If(p.user != nil, elem("button").Class("plain").Attr("type", "button").DataSet("action", "sign-out").
			Text(p.tr(textSignOut)).OnClick(p.signOut)))
}

func (p *ordersPage) card(o api.Order) app.UI {
	first, count := "", 0
	for i, item := range o.Items {
		if i == 0 {
			first = item.Name
		}
		count += item.Quantity
	}
	return elem("li").DataSet("order", o.ID).DataSet("status", string(o.Status)).Body(
		elem("a").Class("card order").Attr("href", detailPath(o.ID)).Body(
			elem("span").Class("row").Body(
				elem("time").Text(beijingTime(o.CreatedAt)),
				elem("span").Class("status "+string(o.Status)).Text(p.tr(statuses[o.Status]))),
			elem("span").Class("row").Body(
				elem("span").Class("what").Text(first+" "), elem("span").Class("count").Text("×"+strconv.Itoa(count)), p.price(o.Total, "")),
			app.If(o.Refunded > 0, elem("span").Class("row back").Body(app.Text(p.tr(textRefunded)+" "), p.price(o.Refunded, "")))))
}

func (p *ordersPage) skeletonOrders() app.UI {
	return elem("ul").Class("cards").Aria("label", p.tr(textLoading)).Body(
		app.Range(make([]struct{}, 4)).Slice(func(int) app.UI {
			return elem("li").Class("card order skeleton").Aria("hidden", "true").Body(
				elem("div").Class("line short"), elem("div").Class("line"))
		}))
}
