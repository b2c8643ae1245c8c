package campaign

import (
	"time"

	"h5pay/wechat/wechattest"
)

// byHand returns when a payment was first refunded past the shop, the zero time if it was not.
// After that, orderquery guarantees neither payer nor time.
func byHand(refunds []wechattest.Refund) (first time.Time) {
	for _, r := range refunds {
		if r.Source != "API" && (first.IsZero() || r.Created.Before(first)) {
			first = r.Created
		}
	}
	return first
}

// refundByHand refunds on WeChat's merchant platform, past the shop. The operator leaves orders
// alone that may be paid twice: the shop refunds all of one payment, and WeChat would decline it.
func (c *Campaign) refundByHand(p *checkout, r refund) {
	if len(p.tradeTypes) > 1 {
		return
	}
	for _, number := range c.numbersOf(p.orderID()) {
		if _, err := c.WeChat.Refund(number, int64(r.amount(p.total))); err == nil {
			c.count("refund by hand")
			return
		} // otherwise it is not paid, or too little is refundable
	}
}

// unreportedRefunds returns refunds that were made past the shop and whose notifications were lost.
// Only the daily bill contains them.
func (c *Campaign) unreportedRefunds(ledger wechattest.Ledger) map[string]bool {
	all := map[string]bool{}
	for _, r := range ledger.Refunds {
		if r.Source != "API" {
			all[r.OutRefundNo] = true
		}
	}
	for _, n := range ledger.Notifications {
		if n.State == wechattest.NotifyAcknowledged {
			delete(all, n.OutRefundNo)
		}
	}
	return all
}
