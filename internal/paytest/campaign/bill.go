package campaign

import (
	"net/http"
	"time"

	"h5pay/internal/cst"
	"h5pay/internal/v1"
)

// bills advances the time past the last days and compares every day's bill with the orders. The bill must reveal
// refunds made past the shop whose notifications were lost. After that it must agree.
func (c *Campaign) bills() {
	ledger := c.WeChat.Ledger()
	if len(ledger.Trades) == 0 {
		return
	}
	first, last := ledger.Trades[0].Paid, c.WeChat.Now()
	unreported := c.unreportedRefunds(ledger)
	c.WeChat.Advance(36 * time.Hour) // past ten in the morning of the next day
	for day := cst.In(first); day.Format(time.DateOnly) <= cst.In(last).Format(time.DateOnly); day = day.AddDate(0, 0, 1) {
		date := day.Format(time.DateOnly)
		var check v1.Bill
		for range 2 + len(unreported) { // one check corrects a few at most
			check = v1.Bill{}
			if ok := c.operate(http.MethodPost, "/v1/bills/"+date+"/check", "", nil, &check); !ok || check.Status == v1.BillAgrees {
				break
			}
			for _, d := range check.Differences {
				if !unreported[d.OutRefundNo] {
					c.Note(Wrong, d.OutTradeNo, "the bill of %s differs: %+v", date, d)
				}
			}
		}
		if check.Status != v1.BillAgrees {
			c.Note(Wrong, "", "the bill of %s has status %s", date, check.Status)
		}
		c.payments += check.Payments
	}
	if c.payments != len(ledger.Trades) {
		c.Note(Wrong, "", "the bills have %d payments, WeChat has %d", c.payments, len(ledger.Trades))
	}
}
