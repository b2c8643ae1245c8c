package e2e

import (
	"fmt"
	"testing"
	"time"

	"h5pay/internal/cst"
)

// Long work shows its progress on a phone and can be stopped: the comparison of a large bill that the
// timer has begun, an export and the sending of many events again.
func TestConsoleStopsLongWork(t *testing.T) {
	tb := consoleTab(t, everyScope...)
	day := func(ago int) string { return cst.In(time.Now()).AddDate(0, 0, -ago).Format(time.DateOnly) }
	t.Cleanup(func() {
		execSQL(t, `DELETE FROM bill_differences WHERE run = 'long'`)
		execSQL(t, `DELETE FROM bill_checks WHERE result = 'long'`)
	})
	const insert = `INSERT INTO bill_checks (date, status, payments, refunds, checked_at, result, run, leased_until, next_at, compared, rows_of_bill)
		VALUES (?1, 'differs', 12000, 1, ?2, 'long', ?3, ?4, 0, ?5, ?6)`
	now := time.Now()
	execSQL(t, insert, day(3), now.UnixMilli(), "timer", now.Add(10*time.Minute).UnixMilli(), 4000, 12_001)
	execSQL(t, insert, day(4), now.UnixMilli(), "long", 0, 0, 0)
	execSQL(t, `WITH RECURSIVE d(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM d WHERE i < 699)
		INSERT INTO bill_differences (date, run, n, kind, out_trade_no, out_refund_no, ours, theirs) SELECT ?1, 'long', i, 'amount', 'n' || i, '', '1.00', '2.00' FROM d`, day(4))
	compare := `document.querySelector("main .actions button")`

	tb.open(world.sim.PhoneURL + "/console/bills")
	tb.tap(fmt.Sprintf(`document.querySelector('[data-day=%q]')`, day(3)))
	tb.until("the progress of the comparison", fmt.Sprintf(`document.querySelector('[data-comparing=%q]')?.innerText.includes("4000 / 12001 行")`, day(3)))
	tb.looks("bill-comparing")
	tb.eval(`document.querySelector("[data-comparing]").scrollIntoView({block: "center"})`)
	tb.screenshot("console-comparing")
	tb.tap(button("停止"))
	tb.until("that the comparison is stopped", `document.querySelector(".said")?.innerText === "已停止" && `+compare)
	tb.screenshot("console-comparing-stopped")

	// The second part of a table, and every part of a range, waits.
	tb.eval(`(plain => { window.fetch = async (path, init) => {
		while (/cursor=[^&]|events\/replay/.test(path) && !init?.signal?.aborted) await new Promise(r => setTimeout(r, 20));
		return plain(path, init);
	} })(window.fetch)`)
	tb.tap(button("导出对账"))
	tb.until("the progress of the export", `document.querySelector('[data-exporting="bills"]')?.innerText.includes("500 ")`)
	tb.eval(`document.querySelector("[data-exporting]").scrollIntoView({block: "center"})`)
	tb.accessible("an export")
	tb.screenshot("console-exporting")
	tb.tap(button("停止"))
	tb.until("that the export is stopped", `document.querySelector(".said")?.innerText === "已停止" && !document.querySelector("[data-exporting]")`)

	tb.goTo("/console/more", "更多")
	tb.goTo("/console/events", "推送")
	for _, id := range []string{"from", "to"} {
		tb.enter(id, day(0))
	}
	tb.tap(`document.querySelector('form.filter button[type="submit"]:not([disabled])')`)
	tb.tap(`document.querySelector("dialog[open] .yes")`)
	tb.until("the progress of the range", `document.querySelector("[data-resending]")`)
	tb.eval(`document.querySelector("[data-resending]").scrollIntoView({block: "center"})`)
	tb.accessible("sending a range again")
	tb.screenshot("console-resending")
	tb.tap(button("停止"))
	tb.until("that the range is stopped", `document.querySelector(".said")?.innerText.startsWith("已停止") && !document.querySelector("[data-resending]")`)
}
