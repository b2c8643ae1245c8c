package main

import (
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"
)

// moreScreen has the links for which a phone's bar is too narrow, and the session.
type moreScreen struct {
	app.Compo
	base
}

func newMoreScreen(c *console) *moreScreen {
	return &moreScreen{base: base{c: c, path: "/console/more", title: textMore}}
}

func (p *moreScreen) OnMount(ctx app.Context) { p.begin(ctx, false) }

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
		section(p.tr(textSignedInAs), elem("dl").Class("facts").Body(
			p.rowText(textSignedInAs, p.c.session.Name+" ("+p.c.session.KeyID+")"),
			p.rowText(textScopes, strings.Join(scopes, ", ")),
			p.rowText(textUntil, beijingTime(p.c.session.ExpiresAt)))),
		elem("p").Class("actions").Body(
			p.mini(textSignOut, func(ctx app.Context) { p.signOut(ctx, false) }),
			p.mini(textSignOutAll, func(ctx app.Context) { p.signOut(ctx, true) }),
			p.languageButton()))
}
