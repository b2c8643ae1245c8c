package e2e

import (
	"fmt"
	"testing"
	"time"

	"h5pay/internal/cst"
)

// The operator sees what each day brought in: the sums of the days, and one day by both bills, whose
// settlements differ.
func TestConsoleSettlement(t *testing.T) {
	tb := consoleTab(t, everyScope...)
	day := func(ago int) string { return cst.In(time.Now()).AddDate(0, 0, -ago).Format(time.DateOnly) }
	t.Cleanup(func() { execSQL(t, `DELETE FROM bill_checks WHERE run = 'settlement'`) })
	for ago, m := range map[int]struct{ income, refunded, fees, theirs int }{
		1: {12_345_600, 260_000, 72_514, 12_345_600},
		2: {880_000, 0, 5_280, 873_200}, // a payment just before midnight is on the next day
	} {
		execSQL(t, `INSERT INTO bill_checks (date, status, payments, refunds, checked_at, result, run, leased_until, next_at, income, refunded, fees, settlement,
				funds, funds_income, funds_refunded, funds_fees, funds_settlement, funds_other, funds_balance)
			VALUES (?1, 'agrees', 12, 3, ?2, 'settlement', 'settlement', 0, 0, ?3, ?4, ?5, ?3 - ?4 - ?5, 'read', ?6, ?4, ?5, ?6 - ?4 - ?5, -500000, 3200000)`,
			day(ago), time.Now().UnixMilli(), m.income, m.refunded, m.fees, m.theirs)
	}
	tb.open(world.sim.PhoneURL + "/console/bills")
	sum := `document.querySelector('[data-settlement="sum"]')?.innerText.split(/\s+/).join(" ")`
	tb.until("the sums", sum)
	if got := tb.eval(sum); got != "合计 132256.00 2600.00 777.94 128878.06" {
		t.Errorf("the sums are %s", got)
	}
	if hidden := tb.eval(`(e => e.scrollWidth > e.clientWidth ? e.scrollWidth : "")(document.querySelector(".money"))`); hidden != "" {
		t.Errorf("the table is %s wide, and a phone does not show the settlement", hidden)
	}
	if gaps := tb.eval(`(days => {
		const first = days[0].getBoundingClientRect(), right = days[1].getBoundingClientRect();
		const below = days.map(d => d.getBoundingClientRect()).find(r => r.left === first.left && r.top > first.top);
		return Math.round(right.left - first.right) + " " + Math.round(below.top - first.bottom);
	})([...document.querySelectorAll("[data-day]")])`); gaps != "6 6" {
		t.Errorf("the gaps between the days of the calendar are %s px", gaps)
	}
	tb.looks("bills-settled")
	tb.tap(fmt.Sprintf(`document.querySelector('[data-day=%q]')`, day(2)))
	tb.until("the day by both bills", fmt.Sprintf(`document.querySelector('[data-money=%q]')`, day(2)))
	tb.sees("相差 -68.00 元")
	tb.sees("-¥5000.00")
	tb.eval(fmt.Sprintf(`document.querySelector('[data-money=%q]').scrollIntoView()`, day(2)))
	tb.screenshot("console-bill-day")
	tb.looks("bill-day")
}
