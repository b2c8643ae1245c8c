package e2e

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

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
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	press := func(label string) {
		t.Helper()
		tb.tap(`[...` + own + `.querySelectorAll("button")].find(e => e.innerText === "` + label + `")`)
	}
	yes := func() {
		t.Helper()
		tb.tap(`document.querySelector("dialog[open] .yes")`)
	}

	press("发送测试事件") // with another secret
	tb.until("the failure", own+`.querySelector('[data-test="failed"]')?.innerText.includes("HTTP 401")`)
	secret.Store(first)
	press("发送测试事件")
	tb.until("the test", own+`.querySelector('[data-test="ok"]')?.innerText.includes("HTTP 204")`)
	if tested.Load() == "" {
		t.Error("the test event did not arrive")
	}

	press("更换密钥")
	yes()
	tb.until("another secret", `(e => e && e.innerText !== "`+first+`")(document.getElementById("secret"))`)
	press("发送测试事件") // the old one signs too
	tb.until("the test with the old secret", own+`.querySelector('[data-test="ok"]')`)
	press("密钥已泄露")
	yes()
	tb.sees("密钥已更换")
	press("发送测试事件")
	tb.until("the end of the old secret", own+`.querySelector('[data-test="failed"]')`)
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
