package wechattest

// refundNotifyURL is where the shop is notified of refunds.
const refundNotifyURL = shopOrigin + "/api/notify/refund"

// refundRequest is a good refund without its sign; fee is in fen.
func (w *world) refundRequest(no, outRefundNo, fee string) []pair {
	return []pair{
		{"appid", w.cfg.AppID}, {"mch_id", w.cfg.MchID}, {"nonce_str", "n0nce"}, {"sign_type", signHMAC}, {"out_trade_no", no},
		{"out_refund_no", outRefundNo}, {"total_fee", "880"}, {"refund_fee", fee}, {"notify_url", refundNotifyURL},
	}
}

// plain accepts refunds without a certificate.
func plain(c *Config) { c.PlainRefunds = true }

// refunded makes a refund of a paid order, which is PROCESSING.
func (w *world) refunded(no, outRefundNo, fee string) {
	w.t.Helper()
	if got := w.pay(pathRefund, w.refundRequest(no, outRefundNo, fee)); valueOf(got, "result_code") != "SUCCESS" {
		w.t.Fatalf("refund: %v", got)
	}
}
