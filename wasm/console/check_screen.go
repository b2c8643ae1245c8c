package main

import (
	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/v1"
)

var (
	textCheckWell = text{"店铺正常", "The shop is well"}
	textCheckBad  = text{"店铺有问题", "The shop is not well"}
	textGood      = text{"正常", "Good"}
	textBad       = text{"有问题", "Bad"}
	textNote      = text{"提示", "Note"}
)

// checkScreen shows every check of the shop.
type checkScreen struct {
	app.Compo
	base

	checks v1.Checks
}

func newCheckScreen(c *console) *checkScreen {
	return &checkScreen{base: base{c: c, path: "/console/check", title: textCheck}}
}

func (p *checkScreen) OnMount(ctx app.Context) {
	p.read = func(ctx app.Context) {
		p.run(ctx, func() (func(), error) {
			var checks v1.Checks
			err := p.get("/v1/checks", &checks)
			return func() { p.checks = checks }, err
		})
	}
	p.begin(ctx, true)
}

func (p *checkScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	summary, kind := textCheckWell, "good"
	if !p.checks.OK {
		summary, kind = textCheckBad, "bad"
	}
	findings := findingsOf(p.checks)
	return p.frame(elem("p").Class("actions").Body(p.badge(summary, kind, "summary"), p.mini(textRetry, p.again)),
		elem("ul").Class("list plainer").Body(app.Range(findings).Slice(func(i int) app.UI { return p.entry(findings[i]) })))
}

var findingKinds = map[string]text{"good": textGood, "wait": textNote, "bad": textBad}

func (p *checkScreen) entry(f finding) app.UI {
	var repair app.UI
	if f.href != "" {
		repair = elem("a").Class("weui-btn weui-btn_mini weui-btn_default").Attr("href", f.href).Text(p.tr(textRepair))
	}
	return elem("li").DataSet("check", f.id).Body(
		elem("span").Class("what").Body(elem("strong").Text(p.tr(f.name)), elem("span").Class("small").Text(f.detail)),
		elem("span").Class("much").Body(p.badge(findingKinds[f.kind], f.kind, f.kind), repair))
}
