package main

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/cause"
	"h5pay/internal/v1"
)

var (
	textCheckWell = text{"店铺正常", "The shop works"}
	textCheckBad  = text{"店铺有问题", "The shop has problems"}
	textGood      = text{"正常", "Good"}
	textBad       = text{"有问题", "Bad"}
	textNote      = text{"提示", "Note"}
	textSkipped   = text{"跳过", "Skipped"}

	textChecking     = text{"正在检查，最多十秒", "Checking, for ten seconds at most"}
	textChecked      = text{"检查完毕", "The checks have run"}
	textMenuPath     = text{"位置", "Menu"}
	textCheckQuick   = text{"重新检查", "Check again"}
	textCheckNetwork = text{"连微信一起检查", "Check with WeChat"}
	textCheckHint    = text{"“连微信一起检查”会调用微信和 webhook 端点，使用 APIv3 时还让微信发一次测试回调；不产生支付，十秒内只能运行一次。在自己的服务器上，店铺还会访问自己的公网地址；Worker 不能访问自己，请在另一台机器上运行 h5pay doctor -shop。",
		"“Check with WeChat” calls WeChat and the webhook endpoints. With APIv3, WeChat also sends a test callback. It makes no payment. It can run once in ten seconds. On a server of your own, the shop also calls its public address. A Worker cannot call itself: run h5pay doctor -shop on another machine."}
)

// checkScreen shows every check of the shop.
type checkScreen struct {
	app.Compo
	base

	checks  v1.Checks
	network bool // the checks that make calls ran too: their results stay until they run again
}

func newCheckScreen(c *console) *checkScreen {
	return &checkScreen{base: base{c: c, path: "/console/check", title: textCheck}}
}

func (p *checkScreen) OnMount(ctx app.Context) {
	whole := param(p.c.b.Query(), "network") == "true"
	p.read = func(ctx app.Context) {
		switch {
		case whole:
			whole = false
			p.loaded = true
			p.whole(ctx)
		case !p.network:
			p.quick(ctx)
		}
	}
	p.begin(ctx, true)
}

// quick runs the checks that make no call.
func (p *checkScreen) quick(ctx app.Context) {
	p.network = false
	p.run(ctx, func() (func(), error) {
		var checks v1.Checks
		err := p.get("/v1/checks", &checks)
		return func() {
			if !p.network {
				p.checks = checks
			}
		}, err
	})
}

// whole runs all checks. It takes up to ten seconds.
func (p *checkScreen) whole(ctx app.Context) {
	p.network = true
	p.act(ctx, textChecked, func(ctx context.Context) (func(), error) {
		var checks v1.Checks
		err := call(ctx, p.c.b, "GET", "/v1/checks?network=true", nil, &checks, "")
		if err != nil { // the others are better than nothing
			p.page.Dispatch(p.quick)
		}
		return func() { p.checks = checks }, err
	})
	p.say(textChecking)
}

func (p *checkScreen) Render() app.UI {
	if !p.loaded {
		return p.frame()
	}
	var summary, list app.UI
	if len(p.checks.Checks) > 0 {
		summary = p.badge(textCheckWell, "good", "summary")
		if !p.checks.OK {
			summary = p.badge(textCheckBad, "bad", "summary")
		}
		checks := slices.Clone(p.checks.Checks)
		slices.SortStableFunc(checks, func(a, b v1.CheckResult) int { return cmp.Compare(urgency[a.Status], urgency[b.Status]) })
		list = elem("ul").Class("list plainer checks").Body(app.Range(checks).Slice(func(i int) app.UI { return p.entry(checks[i]) }))
	} else {
		list = p.skeleton()
	}
	return p.frame(
		elem("p").Class("actions").Body(summary, p.mini(textCheckQuick, p.quick), p.mini(textCheckNetwork, p.whole)),
		elem("p").Class("hint").Text(p.tr(textCheckHint)), list)
}

// urgency is the order in which the results are shown.
var urgency = map[v1.CheckStatus]int{v1.CheckFail: 0, v1.CheckWarn: 1, v1.CheckOK: 2, v1.CheckSkipped: 3}

func (p *checkScreen) entry(c v1.CheckResult) app.UI {
	state, kind := textGood, "good"
	switch c.Status {
	case v1.CheckFail:
		state, kind = textBad, "bad"
	case v1.CheckWarn:
		state, kind = textNote, "wait"
	case v1.CheckSkipped:
		state, kind = textSkipped, "off"
	}
	what := []app.UI{elem("strong").Text(p.tr(checkName(c.ID)))}
	if row, ok := cause.Explain(cause.ID(c.Cause), c.Setting); ok {
		of := func(zh, en string) string { return p.tr(text{zh, en}) }
		what = append(what, elem("span").Class(choose(kind == "bad", "failing", "problem")).Text(of(row.ZH.Problem, row.EN.Problem)),
			elem("span").Class("small").Text(of(row.ZH.Effect, row.EN.Effect)),
			elem("span").Class("small").Text(p.tr(textAdvice)+": "+of(row.ZH.Repair, row.EN.Repair)))
		if row.ZH.Menu != "" {
			what = append(what, elem("span").Class("small").Text(p.tr(textMenuPath)+": "+of(row.ZH.Menu, row.EN.Menu)))
		}
	}
	if c.Detail != "" {
		what = append(what, elem("span").Class("small").Lang("en").Text(c.Detail))
	}
	var repair app.UI
	if href := p.repairOf(c); href != "" && !strings.HasPrefix(href, "/console/check") {
		repair = elem("a").Class("weui-btn weui-btn_mini weui-btn_default").Attr("href", href).Text(p.tr(textRepair))
	}
	return elem("li").DataSet("check", c.ID).Body(
		elem("span").Class("what").Body(what...),
		elem("span").Class("much").Body(p.badge(state, kind, kind), repair))
}
