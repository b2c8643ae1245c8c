package main

import (
	"net/http"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cst"
)

// bills advances the time past the last days and compares every day's bill with the orders. The bill must reveal
// refunds made past the shop whose notifications were lost. After that it must agree.
func (c *campaign) bills() {
	ledger := c.wechat.Ledger()
	if len(ledger.Trades) == 0 {
		return
	}
	first, last := ledger.Trades[0].Paid, c.wechat.Now()
	unreported := c.unreportedRefunds(ledger)
	c.wechat.Advance(36 * time.Hour) // past ten in the morning of the next day
	for day := cst.In(first); day.Format(time.DateOnly) <= cst.In(last).Format(time.DateOnly); day = day.AddDate(0, 0, 1) {
		date := day.Format(time.DateOnly)
		var check api.BillCheck
		for range 2 + len(unreported) { // one check corrects a few at most
			check = api.BillCheck{}
			if _, ok := c.operator.mustCall(http.MethodPost, api.PathAdminBills, api.BillRequest{Date: date}, &check); !ok || check.Status == "agrees" {
				break
			}
			for _, d := range check.Differences {
				if !unreported[d.OutRefundNo] {
					c.note(wrong, d.OutTradeNo, "the bill of %s differs: %+v", date, d)
				}
			}
		}
		if check.Status != "agrees" {
			c.note(wrong, "", "the bill of %s has status %s", date, check.Status)
		}
		c.payments += check.Payments
	}
	if c.payments != len(ledger.Trades) {
		c.note(wrong, "", "the bills have %d payments, WeChat has %d", c.payments, len(ledger.Trades))
	}
}
