package e2e

import (
	"fmt"
	"testing"

	"h5pay/internal/cause"
	"h5pay/wechat/wechattest"
)

// A bot challenge blocks WeChat's notifications. The operator sees on Today that one did not arrive,
// and the checks name the cause and the repair. After the repair the checks are good again.
func TestConsoleBlockedNotification(t *testing.T) {
	o := createOrder(t, ticket())
	p := customerTab(t, 0, wechattest.Android, o.URL)
	fault(t, wechattest.Fault{Kind: wechattest.FaultEdgeChallenge, Count: 1000})
	p.seesPayButton()
	p.openSheet()
	p.tap(sheet(".pay"))
	p.seesState("paid")
	// Two minutes pass, and the notifications of earlier payments are old.
	execSQL(t, `UPDATE payments SET settled_at = settled_at - 120000, paid_at = paid_at - 120000 WHERE order_id = ?1`, o.ID)
	execSQL(t, `UPDATE notifications SET at = at - 86400000`)

	tb := consoleTab(t, everyScope...)
	missing := `document.querySelector('[data-check="notifications"]')`
	tb.until("the payment without a notification", missing)
	tb.looks("today-unnotified")
	tb.open(world.sim.PhoneURL + "/console/notifications")
	tb.until("the payment without a notification", missing)
	tb.looks("notifications-unnotified")
	tb.tap(button("查明原因"))
	if onV2() { // only APIv3 has a test callback
		tb.until("the cause", `document.querySelector('.checks [data-check="notifications"]')`)
		return
	}
	tb.until("the end of the checks", `document.querySelector('[data-check="echo"]')`)
	row, ok := cause.Explain(cause.EchoNotReceived, "")
	if !ok {
		t.Fatal("no such cause")
	}
	for _, text := range []string{row.ZH.Problem, row.ZH.Repair, row.ZH.Menu} {
		tb.sees(text)
	}
	tb.until("what is wrong to come first", `document.querySelector('.checks li:nth-child(-n+2)[data-check="echo"]')`)
	tb.looks("check-blocked")

	world.sim.ClearFaults()
	arrived := `document.querySelector('[data-check="echo"] [data-status="good"]')`
	// Until the page shows that the checks run, it shows how the earlier ones ended.
	tb.eval(`(plain => { window.checks = 0; window.fetch = (path, init) => plain(path, init).finally(() => {
		if (/network=true/.test(path)) window.checks++;
	}) })(window.fetch)`)
	for n := range 5 { // on a busy machine the checks may not end in time
		execSQL(t, `UPDATE timers SET at = 0 WHERE name = 'checks'`) // ten seconds pass
		tb.tap(button("连微信一起检查"))
		tb.until("the end of the checks", fmt.Sprintf(`window.checks > %d && document.querySelector(".said").innerText !== "正在检查，最多十秒"`, n))
		if tb.eval("Boolean("+arrived+")") == "true" {
			break
		}
	}
	tb.until("the callback to arrive", arrived)
	tb.tap(button("重新检查"))
	tb.until("the notifications to be good", `document.querySelector('[data-check="notifications"] [data-status="good"]') && !document.querySelector('[data-check="echo"]')`)
}
