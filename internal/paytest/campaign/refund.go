package campaign

import (
	"net/http"
	"sync"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// refund refunds with two equal calls at once.
func (c *Campaign) refund(p *checkout, r refund) {
	id := p.orderID()
	if id == "" {
		return
	}
	req := v1.CreateRefund{Amount: r.amount(p.total), Reason: "缺货"}
	var mu sync.Mutex
	ids := map[string]bool{}
	var taps sync.WaitGroup
	for range 2 {
		taps.Go(func() {
			var done v1.Refund
			// A later refund may have an earlier one's key. WeChat declines a refund of money that
			// was refunded by hand.
			if !c.operate(http.MethodPost, "/v1/orders/"+id+"/refunds", r.key, req, &done,
				api.CodeOrderNotPaid, api.CodeRefundTooMuch, v1.CodeIdempotency, api.CodeWeChatDeclined) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[done.ID] = true
			if done.Amount != req.Amount {
				c.Note(Wrong, "", "a refund of %d fen of order %s became %d fen", req.Amount, id, done.Amount)
			}
		})
	}
	taps.Wait()
	if len(ids) > 1 {
		c.Note(Doubled, "", "one Idempotency-Key created %d refunds of order %s", len(ids), id)
	}
}

// refundDuplicates refunds second payments that the shop could not send back: WeChat closed the
// refund. The operator does so when the health page fails.
func (c *Campaign) refundDuplicates() {
	rows, err := read[struct {
		ID, Number string
		Total      fen.Fen
	}](c.World, `SELECT order_id AS id, out_trade_no AS number, total FROM payments WHERE duplicate = 1 AND refunded < total
		AND NOT EXISTS (SELECT 1 FROM refunds WHERE refunds.out_trade_no = payments.out_trade_no AND refunds.status IN ('created', 'processing', 'abnormal', 'succeeded'))`)
	if err != nil {
		c.Note(Wrong, "", "%v", err)
	}
	for _, p := range rows {
		req := v1.CreateRefund{OutTradeNo: p.Number, Amount: p.Total, Reason: "重复支付"}
		if c.operate(http.MethodPost, "/v1/orders/"+p.ID+"/refunds", "again-"+p.Number, req, &v1.Refund{}) {
			c.count("operator: refund of a second payment again")
		}
	}
}

// forgeRefund sends a forged refund notification for an order.
func (c *Campaign) forgeRefund(p *checkout, forge string) {
	var refunds []wechattest.Refund
	for _, number := range c.numbersOf(p.orderID()) {
		refunds = append(refunds, c.WeChat.RefundsOf(number)...)
	}
	for _, r := range refunds {
		attempt, err := c.WeChat.NotifyRefund(r.OutRefundNo, forge)
		if err != nil {
			continue // there is no notification to replay
		}
		c.count("refund notification: " + forge)
		// A premature success report may be true later. One of APIv2 is read, because refunds by hand
		// are reported so, and it may be true.
		mayBeTrue := forge == wechattest.ForgeTooEarly || forge == wechattest.ForgeOtherVersion
		// A shop without a key of APIv2 cannot read such a message. It acknowledges it and changes
		// nothing: WeChat would repeat one of a refund by hand for a day, and the bill has that refund.
		unread := c.API == "v3" && forge == wechattest.ForgeOtherVersion
		if attempt.OK && !unread && forge != wechattest.ForgeReplay && (!mayBeTrue || r.Status != wechattest.RefundSuccess && !c.back(r)) {
			c.Note(Wrong, r.OutTradeNo, "a forged notification of a refund (%s) was acknowledged", forge)
		}
	}
}

// back reports whether a refund has succeeded by now.
func (c *Campaign) back(r wechattest.Refund) bool {
	for _, now := range c.WeChat.RefundsOf(r.OutTradeNo) {
		if now.OutRefundNo == r.OutRefundNo {
			return now.Status == wechattest.RefundSuccess
		}
	}
	return false
}
