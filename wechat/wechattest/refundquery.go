package wechattest

import "strconv"

// Refunds in one response (docs/wechat.md 10.3), and how many an order may have
// for which WeChat still advises to query by its number (10.1).
const (
	refundPage     = 10
	refundsByOrder = 20
)

// refundQuery serves POST /pay/refundquery.
func (w *WeChat) refundQuery(p *payRequest) {
	table := commonFields(
		field{"refund_id", 32, false, nil}, field{"out_refund_no", refundNumber, false, nil},
		field{"transaction_id", 32, false, nil}, field{"out_trade_no", 32, false, nil},
		field{"offset", 10, false, func(v string) bool { _, err := strconv.ParseUint(v, 10, 31); return err == nil }},
		field{"device_info", 32, false, plainText},
	)
	if code, text := checkFields(p, table); code != "" {
		p.decline(code, text)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	refunds, byOrder, named := w.findRefunds(p)
	switch {
	case !named:
		p.decline("LACK_PARAMS", "缺少参数out_trade_no")
		return
	case len(refunds) == 0 || w.hiddenFromVersion(p.exchange, refunds[0].order, VersionV2):
		p.decline("REFUNDNOTEXIST", "退款单不存在")
		return
	}
	total, offset := len(refunds), 0
	if v := p.get("offset"); v != "" && byOrder {
		n, err := strconv.Atoi(v)
		if err != nil || n >= total {
			p.note("offset is behind the last of %d refunds", total)
			p.decline("PARAM_ERROR", "offset参数有误")
			return
		}
		offset = n
	}
	if byOrder && total > refundsByOrder {
		p.note("an order has more than %d refunds: query them by out_refund_no", refundsByOrder)
	}
	page := refunds[offset:min(offset+refundPage, total)]
	o := page[0].order
	reply := []pair{
		{"transaction_id", o.trade.TransactionID}, {"out_trade_no", o.OutTradeNo},
		{"total_fee", itoa(o.TotalFee)}, {"settlement_total_fee", itoa(o.TotalFee - noCash(o.trade.Coupons))}, {"fee_type", "CNY"},
		{"cash_fee", itoa(o.trade.CashFee)}, {"refund_count", itoa(int64(len(page)))},
	}
	if byOrder && (p.get("offset") != "" || total > refundPage) {
		reply = append(reply, pair{"total_refund_count", itoa(int64(total))})
	}
	for i, r := range page {
		reply = append(reply, r.indexed("_"+strconv.Itoa(i))...)
	}
	p.succeed(reply...)
}

// findRefunds finds the refunds that the highest of the four numbers names, oldest
// first. It reports whether it names an order, and whether there was a number at all.
// The caller holds w.mu.
func (w *WeChat) findRefunds(p *payRequest) (refunds []*refund, byOrder, named bool) {
	switch {
	case p.get("refund_id") != "":
		for _, r := range w.refunds {
			if r.RefundID == p.get("refund_id") {
				refunds = append(refunds, r)
			}
		}
		return refunds, false, true
	case p.get("out_refund_no") != "":
		if r := w.findRefund(p.get("out_refund_no")); r != nil {
			refunds = append(refunds, r)
		}
		return refunds, false, true
	}
	if o := w.findOrder(p.get("transaction_id"), p.get("out_trade_no")); o != nil {
		refunds = o.refunds
	}
	return refunds, true, p.get("transaction_id")+p.get("out_trade_no") != ""
}

// indexed are the fields of one refund among several; suffix is "_0" and so
// on.
func (r *refund) indexed(suffix string) []pair {
	fs := []pair{
		{"out_refund_no" + suffix, r.OutRefundNo}, {"refund_id" + suffix, r.RefundID}, {"refund_channel" + suffix, "ORIGINAL"},
		{"refund_fee" + suffix, itoa(r.Fee)}, {"settlement_refund_fee" + suffix, itoa(r.Fee - noCash(r.coupons()))},
		{"refund_status" + suffix, r.Status}, {"refund_account" + suffix, r.Account}, {"refund_recv_accout" + suffix, "支付用户零钱"},
	}
	if r.Status == RefundSuccess {
		fs = append(fs, pair{"refund_success_time" + suffix, r.Done.In(beijing).Format(dateTime)})
	}
	if r.CouponFee > 0 {
		fs = append(fs, r.couponFields(suffix)...)
	}
	return fs
}
