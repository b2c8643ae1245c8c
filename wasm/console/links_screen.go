package main

import (
	"context"
	"net/url"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/v1"
)

var (
	textLinks       = text{"收款链接", "Payment links"}
	textNewLink     = text{"新建收款链接", "New payment link"}
	textNoLinks     = text{"没有收款链接", "No payment links"}
	textNoLinksHint = text{"一个网址或一张二维码，谁打开都能付款，不需要商品", "One URL or QR code that everybody can pay by, without a product"}
	textLinkOpen    = text{"收款中", "Open"}
	textLinkStopped = text{"已停用", "Withdrawn"}
	textLinkExpired = text{"已到期", "Expired"}
	textLinkSoldOut = text{"已售完", "Sold out"}
	textLinkPaid    = text{"单已付款", "orders paid"}
	textLinkLimit   = text{"上限", "at most"}
)

var linkStates = map[v1.LinkState]statusText{
	api.LinkOpen: {textLinkOpen, "good"}, api.LinkWithdrawn: {textLinkStopped, "off"}, api.LinkExpired: {textLinkExpired, "off"}, api.LinkSoldOut: {textLinkSoldOut, "wait"},
}

// linksScreen lists the payment links, newest first.
type linksScreen struct {
	app.Compo
	base

	links []v1.Link
	next  string // cursor of the next part
	grown bool   // more than the first part is shown: it is not read again by itself
}

func newLinksScreen(c *console) *linksScreen {
	return &linksScreen{base: base{c: c, path: "/console/links", title: textLinks}}
}

func (p *linksScreen) OnMount(ctx app.Context) {
	p.read = p.load
	p.begin(ctx, true)
}

func (p *linksScreen) load(ctx app.Context) {
	if p.grown {
		return
	}
	p.run(ctx, func() (func(), error) {
		var list v1.Links
		err := p.get("/v1/links?limit=50", &list)
		return func() { p.links, p.next = list.Links, list.Next }, err
	})
}

func (p *linksScreen) loadMore(ctx app.Context) {
	p.grown = true
	p.act(ctx, text{}, func(ctx context.Context) (func(), error) {
		var list v1.Links
		err := call(ctx, p.c.b, "GET", address("/v1/links", "limit", "50", "cursor", p.next), nil, &list, "")
		return func() { p.links, p.next = append(p.links, list.Links...), list.Next }, err
	})
}

func (p *linksScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	list := p.nothing(textNoLinks, textNoLinksHint)
	if len(p.links) > 0 {
		list = elem("ul").Class("list").Body(app.Range(p.links).Slice(func(i int) app.UI { return p.entry(p.links[i]) }))
	}
	return p.frame(
		app.If(p.may(v1.ScopeWrite), elem("p").Class("actions").Body(
			elem("a").Class("weui-btn weui-btn_mini weui-btn_primary").Attr("href", "/console/links/new").Text(p.tr(textNewLink)))),
		list, app.If(p.next != "", elem("p").Class("further").Body(p.mini(textMoreRows, p.loadMore))))
}

func (p *linksScreen) entry(l v1.Link) app.UI {
	state := linkStates[l.State]
	return elem("li").DataSet("link", l.ID).Body(
		elem("a").Attr("href", "/console/link?id="+url.QueryEscape(l.ID)).Body(
			elem("span").Class("what").Body(
				elem("strong").Text(l.Title), elem("span").Class("small").Text(l.Description),
				elem("span").Class("small").Text(p.taken(l))),
			elem("span").Class("much").Body(p.linkAmount(l), p.badge(state.name, state.kind, string(l.State)))))
}

// taken says how many orders of a link were paid, and how many it may have.
func (s *base) taken(l v1.Link) string {
	line := count(l.Paid) + " " + s.tr(textLinkPaid)
	if l.MaxOrders > 0 {
		line += ", " + s.tr(textLinkLimit) + " " + count(l.MaxOrders)
	}
	return line
}

// linkAmount shows the amount of a link, or its bounds.
func (s *base) linkAmount(l v1.Link) app.UI {
	if l.Amount > 0 {
		return s.money(l.Amount)
	}
	return elem("span").Class("price").Body(elem("small").Aria("hidden", "true").Text("¥"), app.Text(bounds(l.MinAmount, l.MaxAmount)))
}

func bounds(least, most fen.Fen) string { return least.String() + " – " + most.String() }
