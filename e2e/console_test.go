package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"h5pay/internal/v1"
)

// consoleTab opens the console in a browser of its own and signs an operator in with a new key.
func consoleTab(t *testing.T, scopes ...v1.Scope) *tab {
	t.Helper()
	var k v1.Key
	callV1(t, "/v1/keys", v1.CreateKey{Name: "Li Lei", Scopes: scopes}, &k)
	tb := newTab(t)
	tb.open(world.sim.PhoneURL + "/console")
	tb.sees("登录")
	tb.fill("key", k.Key)
	tb.tap(button("登录"))
	tb.sees("今日收款")
	return tb
}

var everyScope = []v1.Scope{v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund, v1.ScopeAdmin}

// fill types into the field with the ID as a person does.
func (tb *tab) fill(id, value string) {
	tb.t.Helper()
	tb.until(id, fmt.Sprintf("document.getElementById(%q)", id))
	tb.run(chromedp.Focus("#"+id, chromedp.ByQuery))
	tb.eval(fmt.Sprintf("document.getElementById(%q).select?.()", id))
	tb.run(chromedp.KeyEvent(value))
}

// goTo follows a link of the console.
func (tb *tab) goTo(path, title string) {
	tb.t.Helper()
	tb.tap(fmt.Sprintf(`document.querySelector('a[href=%q]')`, path))
	tb.until("the screen "+path, fmt.Sprintf(`document.querySelector("main h1")?.innerText === %q && !document.querySelector("main[aria-busy]")`, title))
}

// looks saves the console on a phone and on a desktop in both themes, and checks it with axe.
func (tb *tab) looks(name string) {
	tb.t.Helper()
	for _, theme := range []string{"dark", "light"} {
		tb.theme(theme)
		for _, s := range screens {
			tb.run(emulation.SetDeviceMetricsOverride(s.width, s.height, 1, s.mobile))
			tb.eval(`document.documentElement.style.setProperty("-webkit-text-size-adjust", "` + s.text + `")`)
			tb.eval(`scrollTo(0, 0)`)
			tb.screenshot(strings.Join([]string{"console", name, s.name, theme}, "-"))
			if wide := tb.eval(`document.documentElement.scrollWidth > innerWidth ? document.documentElement.scrollWidth : ""`); wide != "" {
				tb.t.Errorf("%s on %s is %s wide", name, s.name, wide)
			}
			tb.accessible(name + ", " + theme + ", " + s.name)
		}
		tb.eval(`document.documentElement.style.removeProperty("-webkit-text-size-adjust")`)
	}
	tb.run(emulation.SetDeviceMetricsOverride(390, 844, 2, true))
}

// Every screen of the console stands on a phone and on a desktop, in both themes and languages,
// without a violation of axe's rules.
func TestConsoleScreens(t *testing.T) {
	tb := newTab(t)
	tb.open(world.sim.PhoneURL + "/console")
	tb.sees("没有密钥")
	tb.looks("signin")
	tb = consoleTab(t, everyScope...)
	var o v1.Order
	callV1(t, "/v1/orders", ticket(), &o)
	for _, language := range []string{"zh", "en"} {
		for _, screen := range []struct{ path, zh, en string }{
			{"/console", "今日", "Today"}, {"/console/orders", "订单", "Orders"}, {"/console/order?id=" + o.ID, "订单详情", "Order"},
			{"/console/products", "商品", "Products"}, {"/console/product?id=tea", "商品", "Product"}, {"/console/product", "新商品", "New product"},
			{"/console/events", "推送", "Deliveries"}, {"/console/notifications", "微信通知", "Notifications"}, {"/console/bills", "对账", "Bills"},
			{"/console/check", "检查", "Check"}, {"/console/keys", "密钥", "Keys"}, {"/console/audit", "操作记录", "Audit"}, {"/console/more", "更多", "More"},
		} {
			title := screen.zh
			if language == "en" {
				title = screen.en
			}
			tb.open(world.sim.PhoneURL + screen.path)
			tb.until("the screen "+screen.path, fmt.Sprintf(`document.querySelector("main h1")?.innerText === %q && !document.querySelector("main[aria-busy]")`, title))
			tb.until("no error", `!document.querySelector("[data-error]")`)
			name := strings.NewReplacer("/console/", "", "/console", "today", "?id="+o.ID, "", "?id=tea", "-edit").Replace(screen.path)
			if language == "zh" {
				tb.looks(name)
			} else {
				tb.accessible(name + ", en")
			}
		}
		if language == "zh" {
			tb.tap(`document.querySelector("[data-action=language]")`)
			tb.sees("Sign out")
		}
	}
}
