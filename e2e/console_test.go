package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"h5pay/internal/v1"
)

// consoleTab opens the console in a browser of its own and signs an operator in with a new key.
func consoleTab(t *testing.T, scopes ...v1.Scope) *tab {
	t.Helper()
	var k v1.Key
	callV1(t, "/v1/keys", v1.CreateKey{Name: "Li Lei", Scopes: scopes}, &k)
	takePhone(t, 0) // a change of the user signs out every program of the phone, the console too
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

// closePlaces is an expression for the places in the bar of a phone that are hard to read: neighbours with less
// than an em between their names, and a name that the screen cuts off.
const closePlaces = `[...document.querySelectorAll(".places a")].filter(a => a.offsetWidth).map(a => {
	const range = document.createRange();
	range.selectNodeContents(a);
	const box = range.getBoundingClientRect();
	return { name: a.innerText, box, cut: box.left < 0 || box.right > document.documentElement.clientWidth, em: parseFloat(getComputedStyle(a).fontSize) };
}).flatMap((one, i, all) => {
	const before = all[i - 1];
	const gap = before && before.box.top === one.box.top ? one.box.left - before.box.right : Infinity;
	return [gap < one.em ? before.name + " and " + one.name + " are " + gap.toFixed(1) + " px apart" : "", one.cut ? one.name + " is cut off" : ""].filter(Boolean);
}).join(", ")`

// spilling is an expression for the texts of the console that are wider than their box, if a day brings
// thousands of yuan.
const spilling = `(() => {
	const amounts = [...document.querySelectorAll(".figure .price")].map(e => e.lastChild);
	const texts = amounts.map(e => e.textContent);
	amounts.forEach(e => (e.textContent = "12345.67"));
	const wide = [...document.querySelectorAll("main *:not(svg *)")].filter(e => e.clientWidth && e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX === "visible");
	const found = wide.map(e => e.innerText || e.tagName).join(", ");
	amounts.forEach((e, i) => (e.textContent = texts[i]));
	return found;
})()`

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
			if wide := tb.eval(tooWide); wide != "" {
				tb.t.Errorf("%s on %s is %s wide", name, s.name, wide)
			}
			if texts := tb.eval(spilling); texts != "" {
				tb.t.Errorf("%s on %s: wider than their box: %s", name, s.name, texts)
			}
			if s.mobile {
				if close := tb.eval(closePlaces); close != "" {
					tb.t.Errorf("%s on %s: the bar is hard to read: %s", name, s.name, close)
				}
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
	l := createLink(t, v1.CreateLink{Title: "一号桌", Amount: 6800})
	for _, language := range []string{"zh", "en"} {
		for _, screen := range []struct{ path, zh, en string }{
			{"/console", "今日", "Today"}, {"/console/orders", "订单", "Orders"}, {"/console/order?id=" + o.ID, "订单详情", "Order"},
			{"/console/products", "商品", "Products"}, {"/console/product?id=tea", "商品", "Product"}, {"/console/product", "新商品", "New product"},
			{"/console/events", "推送", "Deliveries"}, {"/console/notifications", "微信通知", "Notifications"}, {"/console/bills", "对账", "Bills"}, {"/console/links", "收款链接", "Payment links"}, {"/console/links/new", "新建收款链接", "New payment link"},
			{"/console/endpoints", "Webhook 端点", "Endpoints"}, {"/console/link?id=" + l.ID, "收款链接", "Payment link"},
			{"/console/check", "检查", "Check"}, {"/console/keys", "密钥", "Keys"}, {"/console/audit", "操作记录", "Audit"}, {"/console/more", "更多", "More"},
		} {
			title := screen.zh
			if language == "en" {
				title = screen.en
			}
			tb.open(world.sim.PhoneURL + screen.path)
			tb.until("the screen "+screen.path, fmt.Sprintf(`document.querySelector("main h1")?.innerText === %q && !document.querySelector("main[aria-busy]")`, title))
			tb.until("no error", `!document.querySelector("[data-error]")`)
			name := strings.NewReplacer("/console/", "", "/console", "today", "?id="+o.ID, "", "?id="+l.ID, "", "/new", "-new", "?id=tea", "-edit").Replace(screen.path)
			switch {
			case language == "zh":
				tb.looks(name)
			case screen.path == "/console":
				tb.looks(name + "-en") // the names of the places are longer
			default:
				tb.accessible(name + ", en")
			}
		}
		if language == "zh" {
			tb.tap(`document.querySelector("[data-action=language]")`)
			tb.sees("Sign out")
		}
	}
}

// An operator adds a product with a photo, and a buyer pays for it. The operator finds the order by
// the number on the payer's receipt and refunds half of it. Then the operator sees the delivery of
// the event and sends it again.
func TestConsoleFromProductToRefund(t *testing.T) {
	drain(t) // of earlier tests
	tb := consoleTab(t, everyScope...)
	tb.goTo("/console/products", "商品")
	tb.tap(button("新商品"))
	tb.sees("照片")
	photo, err := filepath.Abs("../docs/desk.png")
	if err != nil {
		t.Fatal(err)
	}
	tb.run(chromedp.SetUploadFiles("#photo", []string{photo}, chromedp.ByQuery))
	tb.sees("照片已上传")
	tb.fill("name", "手作月饼")
	tb.fill("detail", "两只装")
	tb.fill("price", "88.00")
	tb.looks("product-photo")
	tb.tap(button("保存"))
	tb.until("the catalogue", `location.pathname === "/console/products" && !document.querySelector("main[aria-busy]")`)
	tb.sees("手作月饼")
	id := tb.eval(`[...document.querySelectorAll("[data-product]")].find(e => e.innerText.includes("手作月饼")).dataset.product`)
	t.Cleanup(func() {
		tb.open(world.sim.PhoneURL + "/console/product?id=" + id)
		tb.tap(button("删除商品"))
		tb.tap(`document.querySelector("dialog .yes")`)
		tb.until("the catalogue", `location.pathname === "/console/products" && !document.querySelector('[data-product="`+id+`"]')`)
	})

	p := newPhone(t, 0)
	p.sees("手作月饼")
	p.until("the photo in the shop", `(e => e && e.complete && e.naturalWidth > 100)([...document.images].find(e => e.src.includes("/photos/")))`)
	p.choose(id)
	order := p.order()
	p.pay()
	p.seesPaid()
	_, receipt := stored(t, order)

	tb.goTo("/console/orders", "订单")
	tb.fill("number", receipt)
	tb.run(chromedp.KeyEvent("\r")) // the Enter key
	tb.until("one order", `document.querySelectorAll("[data-order]").length === 1`)
	tb.tap(`document.querySelector('[data-order="` + order + `"] a')`)
	tb.sees(receipt)
	tb.fill("amount", "44.00")
	tb.fill("reason", "少了一只")
	tb.tap(`document.querySelector("#refund [type=submit]")`)
	tb.until("the question", `document.querySelector("dialog[open]")?.innerText.includes("44.00")`)
	tb.accessible("the question")
	tb.screenshot("console-question-390x844-light")
	tb.tap(`document.querySelector("dialog .yes")`)
	tb.sees("退款已提交")
	tb.until("the result in view, beside the form", `(r => r.top >= 0 && r.bottom <= innerHeight)(document.querySelector(".said").getBoundingClientRect())`)
	for range 20 {
		if err := world.shop.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		tb.open(world.sim.PhoneURL + "/console/order?id=" + order)
		tb.sees("少了一只")
		if tb.eval(`Boolean(document.querySelector('[data-refund] [data-status="succeeded"]'))`) == "true" {
			break
		}
		tb.run(chromedp.Sleep(time.Second))
	}
	tb.sees("已退 ¥44.00")
	tb.looks("order-refunded")

	drain(t)
	before := len(world.backEnd.EventsOf(order))
	tb.open(world.sim.PhoneURL + "/console/order?id=" + order)
	resend := `document.querySelector('[data-event="evt_paid_` + order + `"] button')`
	tb.until("the delivery", `document.querySelector('[data-event="evt_paid_`+order+`"] [data-status="delivered"]')`)
	tb.tap(resend)
	tb.sees("将在一分钟内重新推送")
	drain(t)
	if after := len(world.backEnd.EventsOf(order)); after != before+1 || before < 2 {
		t.Errorf("%d deliveries, then %d", before, after)
	}
	tb.goTo("/console", "今日")
	tb.until("the chart", `document.querySelector("#chart-hours [data-bar=paid]")`)
	tb.looks("today-taken")
	tb.open(world.sim.PhoneURL + "/console/notifications")
	tb.until("the notification", `document.querySelector('[data-verdict="accepted"]')`)
	tb.looks("notifications-some")
	tb.goTo("/console/events", "推送")
	tb.until("the deliveries", `document.querySelector("[data-event]")`)
	tb.looks("events-some")
	tb.open(world.sim.PhoneURL + "/console/audit")
	tb.until("the refund in the list", `document.querySelector('[data-audit="createRefund"]') && document.querySelector('[data-audit="createPhoto"]')`)
	tb.tap(button("校验记录"))
	tb.sees("没有被改动")
}

// With the keyboard alone an operator signs in, finds an order, opens it and closes it. The focus is
// always visible.
func TestConsoleByKeyboard(t *testing.T) {
	var k v1.Key
	callV1(t, "/v1/keys", v1.CreateKey{Name: "Han Meimei", Scopes: everyScope}, &k)
	var o v1.Order
	req := ticket()
	req.Reference = "K-" + k.ID
	callV1(t, "/v1/orders", req, &o)
	tb := newTab(t)
	tb.open(world.sim.PhoneURL + "/console")
	tb.sees("登录")
	// tabTo presses Tab until an element has the focus.
	tabTo := func(what, js string) {
		t.Helper()
		for range 60 {
			tb.run(chromedp.KeyEvent("\t"))
			if tb.eval("Boolean((e => e && ("+js+"))(document.activeElement))") == "true" {
				if tb.eval(`getComputedStyle(document.activeElement).outlineStyle`) == "none" {
					t.Errorf("the focus on %s is not visible", what)
				}
				return
			}
		}
		t.Fatalf("Tab does not reach %s: %s", what, tb.text())
	}
	tabTo("the key", `e.id === "key"`)
	tb.run(chromedp.KeyEvent(k.Key), chromedp.KeyEvent("\r"))
	tb.sees("今日收款")
	tabTo("the orders", `e.getAttribute("href") === "/console/orders"`)
	tb.run(chromedp.KeyEvent("\r"))
	tb.until("the focus on the title", `document.activeElement.id === "screen-title" && document.activeElement.innerText === "订单"`)
	tabTo("the number", `e.id === "number"`)
	tb.run(chromedp.KeyEvent(req.Reference), chromedp.KeyEvent("\r"))
	tb.until("one order", `document.querySelectorAll("[data-order]").length === 1`)
	tabTo("the order", `e.getAttribute("href") === "/console/order?id=`+o.ID+`"`)
	tb.run(chromedp.KeyEvent("\r"))
	tb.until("the order", `location.pathname === "/console/order" && document.body.innerText.includes("`+req.Reference+`")`)
	tabTo("closing", `e.innerText === "关闭订单"`)
	tb.run(chromedp.KeyEvent("\r"))
	tb.until("the question", `document.querySelector("dialog[open]")`)
	tabTo("the answer", `e.matches("dialog .yes")`)
	tb.run(chromedp.KeyEvent("\r"))
	tb.until("the order to be closed", `document.querySelector('.amount-line [data-status="closed"]')`)
}

// A key with only the scope read sees no action, and calls made by hand are rejected. Without a
// network the screen says so, and works again when the network is back.
func TestConsoleWithoutPermissionAndNetwork(t *testing.T) {
	var o v1.Order
	callV1(t, "/v1/orders", ticket(), &o)
	tb := consoleTab(t, v1.ScopeRead)
	tb.open(world.sim.PhoneURL + "/console/order?id=" + o.ID)
	tb.sees("向微信查询")
	for _, action := range []string{"关闭订单", "重新推送", "退款金额"} {
		if strings.Contains(tb.text(), action) {
			t.Errorf("a key that may only read sees %s", action)
		}
	}
	if tb.eval(`Boolean(document.querySelector('a[href="/console/keys"], a[href="/console/audit"]'))`) == "true" {
		t.Error("a key that may only read is led to the keys")
	}
	for path, method := range map[string]string{"/v1/orders/" + o.ID + "/close": "POST", "/v1/orders/" + o.ID + "/refunds": "POST", "/v1/products/tea": "DELETE", "/v1/keys": "GET", "/v1/audit": "GET"} {
		status := tb.await(fmt.Sprintf(`fetch(%q, {method: %q, headers: {"H5pay-Console": "1", "Idempotency-Key": "x"}}).then(r => String(r.status))`, path, method))
		if status != "403" {
			t.Errorf("%s %s by hand: %s", method, path, status)
		}
	}
	tb.open(world.sim.PhoneURL + "/console/keys")
	tb.sees("没有权限")
	tb.looks("no-permission")

	tb.open(world.sim.PhoneURL + "/console/orders")
	tb.until("the orders", `document.querySelector("[data-order]")`)
	tb.run(network.Enable(), network.EmulateNetworkConditions(true, 0, -1, -1))
	tb.fill("number", "nothing")
	tb.run(chromedp.KeyEvent("\r"))
	tb.sees("网络不稳定")
	tb.looks("offline")
	tb.run(network.EmulateNetworkConditions(false, 0, -1, -1))
	tb.tap(button("重试"))
	tb.sees("没有这个单号的订单")
}
