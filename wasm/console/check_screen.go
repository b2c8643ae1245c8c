package main

import (
	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/cause"
	"h5pay/internal/v1"
)

var (
	textCheckWell = text{"店铺正常", "The shop is well"}
	textCheckBad  = text{"店铺有问题", "The shop is not well"}
	textGood      = text{"正常", "Good"}
	textBad       = text{"有问题", "Bad"}
	textNote      = text{"提示", "Note"}
	textSkipped   = text{"跳过", "Skipped"}

	textCheckQuick   = text{"重新检查", "Check again"}
	textCheckNetwork = text{"连微信一起检查", "Check with WeChat"}
	textCheckHint    = text{"“连微信一起检查”会调用微信、本店的公网地址和 webhook 端点，不产生支付；十秒内只能运行一次。", "“Check with WeChat” calls WeChat, the shop's public address and the webhook endpoints. It makes no payment, and runs once in ten seconds."}
)

// checkScreen shows every check of the shop.
type checkScreen struct {
	app.Compo
	base

	checks  v1.Checks
	network bool // whether the checks that make calls run too
}

func newCheckScreen(c *console) *checkScreen {
	return &checkScreen{base: base{c: c, path: "/console/check", title: textCheck}}
}

func (p *checkScreen) OnMount(ctx app.Context) {
	p.read = func(ctx app.Context) {
		p.run(ctx, func() (func(), error) {
			var checks v1.Checks
			path := "/v1/checks"
			if p.network {
				path += "?network=true"
			}
			err := p.get(path, &checks)
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
	return p.frame(
		elem("p").Class("actions").Body(p.badge(summary, kind, "summary"), p.mini(textCheckQuick, p.quick), p.mini(textCheckNetwork, p.whole)),
		elem("p").Class("small").Text(p.tr(textCheckHint)),
		elem("ul").Class("list plainer").Body(app.Range(p.checks.Checks).Slice(func(i int) app.UI { return p.entry(p.checks.Checks[i]) })))
}

// quick runs the checks that make no call, and whole all of them.
func (p *checkScreen) quick(ctx app.Context) { p.network = false; p.again(ctx) }

func (p *checkScreen) whole(ctx app.Context) { p.network = true; p.again(ctx) }

func (p *checkScreen) entry(c v1.CheckResult) app.UI {
	state, kind := textGood, "good"
	switch c.Status {
	case v1.CheckFail:
		state, kind = textBad, "bad"
	case v1.CheckWarn:
		state, kind = textNote, "wait"
	case v1.CheckSkipped:
		state, kind = textSkipped, "wait"
	}
	what := []app.UI{elem("strong").Text(p.tr(checkName(c.ID)))}
	if row, ok := cause.Explain(cause.ID(c.Cause), c.Setting); ok {
		of := func(zh, en string) string { return p.tr(text{zh, en}) }
		what = append(what, elem("span").Text(of(row.ZH.Problem, row.EN.Problem)),
			elem("span").Class("small").Text(of(row.ZH.Effect, row.EN.Effect)),
			elem("span").Class("small").Text(p.tr(textRepair)+": "+of(row.ZH.Repair, row.EN.Repair)))
		if row.ZH.Menu != "" {
			what = append(what, elem("span").Class("small").Text(of(row.ZH.Menu, row.EN.Menu)))
		}
	}
	if c.Detail != "" {
		what = append(what, elem("span").Class("small").Lang("en").Text(c.Detail))
	}
	var repair app.UI
	if href := repairs[c.ID]; href != "" && c.Cause != "" {
		repair = elem("a").Class("weui-btn weui-btn_mini weui-btn_default").Attr("href", href).Text(p.tr(textRepair))
	}
	return elem("li").DataSet("check", c.ID).Body(
		elem("span").Class("what").Body(what...),
		elem("span").Class("much").Body(p.badge(state, kind, kind), repair))
}
