package e2e

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// An operator makes an endpoint at the console, enters its secret in a back end and tests it. Then
// the operator changes the secret, sees the deliveries, stops the endpoint and deletes it.
func TestConsoleEndpoint(t *testing.T) {
	drain(t)
	// secret is what the back end verifies with. It is entered as an operator does.
	var secret, tested, paid atomic.Value
	secret.Store(webhook.NewSecret())
	tested.Store("")
	paid.Store("")
	var broken atomic.Bool
	calls := make(chan struct{}, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls <- struct{}{}
		e, err := webhook.Receiver{Secrets: []string{secret.Load().(string)}, Simulated: true}.Receive(r, time.Now())
		switch {
		case err != nil:
			w.WriteHeader(http.StatusUnauthorized)
			return
		case broken.Load():
			w.WriteHeader(http.StatusBadGateway)
			return
		case e.Type == "endpoint.test":
			tested.Store(e.ID)
		default:
			paid.Store(e.Data.Order.ID)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()

	tb := consoleTab(t, everyScope...)
	tb.open(world.sim.PhoneURL + "/console/endpoints")
	tb.until("the endpoint of the settings", `document.querySelector('[data-endpoint="settings"]')`)
	tb.fill("url", "ftp://example.com")
	tb.tap(`document.querySelector("#endpoint [type=submit]")`)
	tb.sees("want https")
	tb.looks("endpoint-wrong")
	tb.fill("url", receiver.URL)
	tb.fill("note", "仓库系统")
	tb.tap(`document.getElementById("type-order-paid")`)
	tb.tap(`document.querySelector("#endpoint [type=submit]")`)
	tb.sees("只显示这一次")
	t.Cleanup(func() { execSQL(t, `UPDATE endpoints SET state = 'disabled' WHERE url = ?1`, receiver.URL) })
	first := tb.eval(`document.getElementById("secret").innerText`)
	tb.looks("endpoint-made")
	own := `[...document.querySelectorAll("[data-endpoint]")].find(e => e.innerText.includes("仓库系统"))`
	// The list is read again after each action, and its buttons move. A key reaches the button
	// that has the focus.
	press := func(label string) {
		t.Helper()
		b := `[...` + own + `.querySelectorAll("button")].find(e => e.innerText === "` + label + `")`
		tb.until("the end of the call before", b+`?.disabled === false`)
		tb.eval(b + `.focus()`)
		tb.run(chromedp.KeyEvent("\r"))
	}
	yes := func() {
		t.Helper()
		tb.tap(`document.querySelector("dialog[open] .yes")`)
	}

	// When the event arrives at the endpoint, the page shows no earlier result.
	sendTest := func(what, result string) {
		t.Helper()
		press("发送测试事件")
		select {
		case <-calls:
		case <-time.After(waitTimeout):
			t.Fatalf("%s: no test event arrived", what)
		}
		tb.until(what, own+`.querySelector('[data-test]')?.innerText.includes("`+result+`")`)
	}

	sendTest("the test with another secret", "HTTP 401")
	secret.Store(first)
	sendTest("the test", "HTTP 204")
	if tested.Load() == "" {
		t.Error("the test event did not arrive")
	}

	press("更换密钥")
	yes()
	tb.until("another secret", `(e => e && e.innerText !== "`+first+`")(document.getElementById("secret"))`)
	sendTest("the test, which the old secret signs too", "HTTP 204")
	press("密钥已泄露")
	yes()
	tb.sees("密钥已更换")
	sendTest("the test after the end of the old secret", "HTTP 401")
	secret.Store(tb.eval(`document.getElementById("secret").innerText`))

	o := createOrder(t, ticket())
	p := customerTab(t, 0, wechattest.Android, o.URL)
	p.seesPayButton()
	p.openSheet()
	p.tap(sheet(".pay"))
	p.seesState("paid")
	broken.Store(true)
	drain(t)
	press("最近的推送")
	tb.until("the try that failed", own+`.querySelector('[data-try="evt_paid_`+o.ID+`"]')?.innerText.includes("HTTP 502")`)
	tb.looks("endpoint-tries")
	broken.Store(false)
	execSQL(t, `UPDATE deliveries SET next_at = 1 WHERE status = 'pending'`)
	drain(t)
	if paid.Load() != o.ID {
		t.Errorf("the endpoint got the order %v, want %s", paid.Load(), o.ID)
	}
	press("最近的推送")
	tb.until("the delivery", own+`.querySelector('[data-try="evt_paid_`+o.ID+`"] [data-status="delivered"]')`)
	tb.open(world.sim.PhoneURL + "/console/order?id=" + o.ID)
	tb.until("each delivery of the order", `document.querySelectorAll("[data-event] [data-delivery]").length === 2`)

	tb.open(world.sim.PhoneURL + "/console/endpoints")
	tb.until("the endpoint", own)
	press("停用")
	yes()
	tb.until("the endpoint to be disabled", own+`.querySelector('[data-status="disabled"]')`)
	press("启用")
	tb.until("the endpoint to be enabled", own+`.querySelector('[data-status="enabled"]')`)
	press("删除")
	yes()
	tb.until("the endpoint to be deleted", "!"+own)
	tb.open(world.sim.PhoneURL + "/console/audit")
	tb.until("the changes in the audit list", `["createEndpoint", "rotateSecret", "testEndpoint", "changeEndpoint", "deleteEndpoint"].every(a => document.querySelector('[data-audit="' + a + '"]'))`)
	if tb.eval(`document.body.innerText.includes("whsec_")`) == "true" {
		t.Error("the audit list has a secret")
	}
}
