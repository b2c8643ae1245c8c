package main

import (
	"context"
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/v1"
)

var (
	textSelling        = text{"收款开关", "Selling"}
	textSells          = text{"正常收款", "The shop sells"}
	textSellsNot       = text{"已暂停收款", "The shop does not sell"}
	textStopSelling    = text{"暂停收款", "Stop selling"}
	textStopTitle      = text{"暂停收款？", "Stop selling?"}
	textStopHint       = text{"不再接受新订单和新付款。进行中的付款和退款不受影响", "No new order and no new payment is accepted. Payments and refunds in progress continue"}
	textStoppedSelling = text{"已暂停收款", "The shop has stopped selling"}
	textResume         = text{"恢复收款", "Sell again"}
	textResumed        = text{"已恢复收款", "The shop sells again"}
)

// moreScreen has the links for which a phone's bar is too narrow, and the session.
type moreScreen struct {
	app.Compo
	base

	selling v1.Selling
}

func newMoreScreen(c *console) *moreScreen {
	return &moreScreen{base: base{c: c, path: "/console/more", title: textMore}}
}

func (p *moreScreen) OnMount(ctx app.Context) {
	p.read = func(ctx app.Context) {
		p.run(ctx, func() (func(), error) {
			var selling v1.Selling
			err := p.get(pathSelling, &selling)
			return func() { p.selling = selling }, err
		})
	}
	p.begin(ctx, false)
}

const pathSelling = "/v1/selling"

// sellingSection says whether the shop sells, and switches it.
func (p *moreScreen) sellingSection() app.UI {
	state, button := p.badge(textSells, "good", "selling"), p.mini(textStopSelling, func(ctx app.Context) {
		p.confirm(ctx, confirmation{textStopTitle, p.tr(textStopHint), textStopSelling, func(ctx app.Context) { p.sell(ctx, false, textStoppedSelling) }})
	})
	if !p.selling.Selling {
		state, button = p.badge(textSellsNot, "bad", "stopped"), p.mini(textResume, func(ctx app.Context) { p.sell(ctx, true, textResumed) })
	}
	return section(p.tr(textSelling), elem("p").Class("actions").Body(state, app.If(p.may(v1.ScopeWrite), button)))
}

func (p *moreScreen) sell(ctx app.Context, on bool, done text) {
	p.act(ctx, done, func(ctx context.Context) (func(), error) {
		var selling v1.Selling
		err := call(ctx, p.c.b, "PUT", pathSelling, v1.PutSelling{Selling: &on}, &selling, "")
		return func() { p.selling = selling }, err
	})
}

func (p *moreScreen) Render() app.UI {
	if !p.loaded || p.c.session == nil {
		return p.frame()
	}
	var links []app.UI
	for _, place := range places {
		if !place.main && p.may(place.scope) {
			links = append(links, elem("li").Body(elem("a").Attr("href", place.path).Body(elem("span").Text(p.tr(place.name)), elem("span").Aria("hidden", "true").Text("›"))))
		}
	}
	var scopes []string
	for _, scope := range p.c.session.Scopes {
		scopes = append(scopes, string(scope))
	}
	return p.frame(
		elem("ul").Class("list links").Body(links...),
		p.sellingSection(),
		section(p.tr(textAccount), elem("dl").Class("facts").Body(
			p.rowText(textSignedInAs, p.c.session.Name+" ("+p.c.session.KeyID+")"),
			p.rowText(textScopes, strings.Join(scopes, ", ")),
			p.rowText(textUntil, beijingTime(p.c.session.ExpiresAt)))),
		elem("p").Class("actions").Body(
			p.mini(textSignOut, func(ctx app.Context) { p.signOut(ctx, false) }),
			p.mini(textSignOutAll, func(ctx app.Context) { p.signOut(ctx, true) }),
			p.languageButton()))
}
