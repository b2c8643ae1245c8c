package main

import (
	"context"
	"net/url"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/v1"
)

var textLinkMade = text{"收款链接已创建", "The payment link is made"}

// newLinkScreen makes a payment link.
type newLinkScreen struct {
	app.Compo
	base

	form linkForm
}

func openNewLinkScreen(c *console) *newLinkScreen {
	return &newLinkScreen{base: base{c: c, path: "/console/links", title: textNewLink}}
}

func (p *newLinkScreen) OnMount(ctx app.Context) { p.begin(ctx, false) }

func (p *newLinkScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	back := elem("p").Class("up").Body(elem("a").Attr("href", "/console/links").Text("‹ " + p.tr(textBack)))
	if !p.may(v1.ScopeWrite) {
		return p.frame(back, elem("p").Class("none").Text(p.tr(textNoScopeHint)))
	}
	return p.frame(back, elem("form").Class("form").ID("link").OnSubmit(p.submitting(p.create)).Body(append(p.linkFields(&p.form, false), p.submit(textMake, true))...))
}

// create makes the link, after the form was read. Whatever happens to the call, the same form makes
// one link.
func (p *newLinkScreen) create() {
	req, input, wrong := p.form.read(false, time.Now())
	if input != "" {
		p.sayWrong(wrong)
		p.c.b.Focus(input)
		return
	}
	key := p.form.keyOf(req)
	p.act(p.page, textLinkMade, func(ctx context.Context) (func(), error) {
		var made v1.Link
		err := call(ctx, p.c.b, "POST", "/v1/links", req, &made, key)
		return func() { p.page.Navigate("/console/link?id=" + url.QueryEscape(made.ID)) }, err
	})
}
