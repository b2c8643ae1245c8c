package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// refundConfirm is the amount in yuan from which on a refund needs a second person, in every journey.
const refundConfirm = "500.00"

// operatorTab opens the console for an operator with a name.
func operatorTab(t *testing.T, name string) *tab {
	t.Helper()
	var k v1.Key
	callV1(t, "/v1/keys", v1.CreateKey{Name: name, Scopes: everyScope}, &k)
	tb := newTab(t)
	tb.open(world.sim.PhoneURL + "/console")
	tb.sees("登录")
	tb.fill("key", k.Key)
	tb.tap(button("登录"))
	tb.sees("今日收款")
	return tb
}

// A refund above the limit needs two persons. The operator who requests it cannot confirm it, not
// even by a call made by hand. Another operator confirms it, and both are in the audit list.
func TestConsoleRefundByTwo(t *testing.T) {
	o := createOrder(t, v1.CreateOrder{Amount: 66000, Description: "年会套餐"})
	p := customerTab(t, 0, wechattest.Android, o.URL)
	p.seesPayButton()
	p.openSheet()
	p.tap(sheet(".pay"))
	p.seesState("paid")

	asker, other := operatorTab(t, "韩梅梅"), operatorTab(t, "王主管")
	asker.open(world.sim.PhoneURL + "/console/order?id=" + o.ID)
	asker.fill("amount", "660.00")
	asker.fill("reason", "活动取消")
	asker.tap(`document.querySelector("#refund [type=submit]")`)
	asker.until("the question", `document.querySelector("dialog[open]")?.innerText.includes("660.00")`)
	asker.tap(`document.querySelector("dialog .yes")`)
	asker.sees("等待另一位同事确认")
	asker.until("the request", `document.querySelector("[data-request]")`)
	asker.looks("refund-asked")
	if text := asker.eval(`document.querySelector("[data-request]").innerText`); strings.Contains(text, "确认退款") || !strings.Contains(text, "撤回") {
		t.Errorf("the asker sees %s", text)
	}
	id := asker.eval(`document.querySelector("[data-request]").dataset.request`)
	if got := asker.await(`fetch("/v1/refund-requests/` + id + `/confirm", {method: "POST", headers: {"H5pay-Console": "1", "Idempotency-Key": "x"}}).then(r => r.json()).then(e => e.code)`); got != "second_person" {
		t.Errorf("the asker's own confirmation: %s", got)
	}
	if got := asker.await(`fetch("/v1/orders/` + o.ID + `/refunds", {method: "POST", headers: {"H5pay-Console": "1", "Idempotency-Key": "y", "Content-Type": "application/json"}, body: '{"amount":66000}'}).then(r => r.json()).then(e => e.code)`); got != "second_person" {
		t.Errorf("a refund without a second person: %s", got)
	}

	other.goTo("/console", "今日")
	other.run(chromedp.Reload())
	waiting := `document.querySelector('a[href="/console/order?id=` + o.ID + `"]')`
	other.until("the request on Today", waiting+`?.innerText.includes("韩梅梅")`)
	other.looks("today-refund-waits")
	other.tap(waiting)
	other.until("the request", `document.querySelector("[data-request]")`)
	other.looks("refund-to-confirm")
	other.tap(button("确认退款"))
	other.tap(`document.querySelector("dialog[open] .yes")`)
	other.until("the refund", `document.querySelector("[data-refund]") && !document.querySelector("[data-request]")`)
	for range 20 {
		if err := world.shop.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		other.open(world.sim.PhoneURL + "/console/order?id=" + o.ID)
		other.sees("活动取消")
		if other.eval(`Boolean(document.querySelector('[data-refund] [data-status="succeeded"]'))`) == "true" {
			break
		}
		other.run(chromedp.Sleep(time.Second))
	}
	other.sees("已退 ¥660.00")

	other.open(world.sim.PhoneURL + "/console/audit")
	for action, name := range map[string]string{"createRefundRequest": "韩梅梅", "confirmRefund": "王主管"} {
		other.until(action+" by "+name, `[...document.querySelectorAll('[data-audit="`+action+`"]')].some(e => e.innerText.includes("`+name+`"))`)
	}
	if other.eval(`[...document.querySelectorAll('[data-audit="confirmRefund"]')].some(e => e.innerText.includes("韩梅梅"))`) == "true" {
		t.Error("the audit list says that the asker confirmed it")
	}
	other.looks("audit-refund")
}
