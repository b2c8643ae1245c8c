package wechattest

import (
	"net/http"
	"slices"
)

// v3RefundFields is the field table of the refund call.
func v3RefundFields() []v3Field {
	return []v3Field{
		v3Text("transaction_id", "微信支付订单号", 32), v3Text("out_trade_no", "商户订单号", 32),
		{name: "out_refund_no", title: "商户退款单号", required: true, min: 1, max: 64, form: v3OutRefundNo},
		v3Text("reason", "退款原因", 80),
		{name: "notify_url", title: "退款结果回调url", min: 8, max: 256, form: v3NotifyURL},
		v3Choice("funds_account", "退款资金来源", 32, "AVAILABLE", "UNSETTLED"),
		v3Group("amount", "金额信息",
			v3Fen("refund", "退款金额", 1).need(), v3Fen("total", "原订单金额", 1).need(), v3Choice("currency", "退款币种", 16, "CNY").need(),
			v3Array("from", "退款出资账户及金额", v3Choice("account", "出资账户类型", 32, "AVAILABLE", "UNAVAILABLE").need(), v3Fen("amount", "出资金额", 1).need()),
		).need(),
		v3Array("goods_detail", "退款商品",
			v3Text("merchant_goods_id", "商户侧商品编码", 32).need(), v3Text("wechatpay_goods_id", "微信侧商品编码", 32), v3Text("goods_name", "商品名称", 256),
			v3Fen("unit_price", "商品单价", 0).need(), v3Fen("refund_amount", "商品退款金额", 0).need(), v3Fen("refund_quantity", "商品退货数量", 1).need(),
		),
	}
}

// v3Refund serves the refund call. 200 means that WeChat accepted the request, not that the money
// was returned. No client certificate is requested.
func (w *WeChat) v3Refund(c *v3Call) {
	if !c.readBody(v3RefundFields()) {
		return
	}
	f := c.fields
	transactionID, outTradeNo, no := f.text("transaction_id"), f.text("out_trade_no"), f.text("out_refund_no")
	if transactionID == "" && outTradeNo == "" {
		c.declineField(&v3Problem{message: "微信支付订单号和商户订单号不能同时为空", location: "body", value: ""})
		return
	}
	total, fee := f.number("amount/total"), f.number("amount/refund")
	if fee > total {
		c.declineField(&v3Problem{message: "退款金额大于原订单金额", location: "body", value: fee})
		return
	}
	var from int64
	parts, _ := f.at("amount/from").([]v3Value)
	for _, part := range parts {
		from += part.(v3Fields).number("amount")
	}
	if len(parts) > 0 && from != fee {
		c.declineField(&v3Problem{message: "退款出资金额之和与退款金额不一致", location: "body", value: from})
		return
	}
	now := w.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.findOrder(transactionID, outTradeNo)
	if o == nil || o.trade == nil || w.hiddenFromVersion(c.exchange, o, VersionV3) {
		c.note("refunds are made of orders that were paid")
		c.decline(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "订单不存在")
		return
	}
	if outTradeNo != "" && outTradeNo != o.OutTradeNo {
		c.decline(http.StatusBadRequest, "INVALID_REQUEST", "微信支付订单号与商户订单号不匹配")
		return
	}
	want := claim{o, total, fee}
	if first, used := w.claims[no]; used {
		if first != want {
			c.note("out_refund_no was used before, for another order or other amounts")
			c.decline(http.StatusBadRequest, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试")
			return
		}
		if r := w.findRefund(no); r != nil {
			c.note("the same refund again: nothing more is paid back")
			c.succeed(r.v3Object())
			return
		}
	}
	account := ""
	if f.text("funds_account") == "AVAILABLE" {
		account = accountRecharge
	}
	// The limits are those of APIv2, the codes are not.
	p := &payRequest{exchange: c.exchange, fields: []pair{{"out_refund_no", no}, {"refund_account", account}}}
	if code, text := o.refundable(p, total, fee, now); code != "" {
		c.decline(v3RefundDecline(code, text))
		return
	}
	w.claims[no] = want
	if text := w.lackOfMoney(p); text != "" {
		c.decline(http.StatusForbidden, "NOT_ENOUGH", text)
		return
	}
	r := w.addRefund(o, Refund{
		Version: VersionV3, OutRefundNo: no, Fee: fee, Account: account, Reason: f.text("reason"), NotifyURL: f.text("notify_url"), Source: "API",
	}, now)
	c.succeed(r.v3Object())
}

// v3RefundDecline returns the status, code and text of APIv3 for a limit of refunds.
func v3RefundDecline(code, text string) (status int, v3Code, message string) {
	switch code {
	case "FREQUENCY_LIMITED":
		return http.StatusTooManyRequests, code, "频率超限"
	case "TRADE_OVERDUE":
		return http.StatusBadRequest, code, text
	}
	return http.StatusBadRequest, "INVALID_REQUEST", text
}

// v3QueryRefund serves the query of a refund.
func (w *WeChat) v3QueryRefund(c *v3Call) {
	if p := c.checkQuery(nil); p != nil {
		c.declineField(p)
		return
	}
	f := v3Field{title: "商户退款单号", required: true, max: 64, form: v3OutRefundNo}
	if p := f.checkText("uri_template", "/out_refund_no", c.vars["out_refund_no"]); p != nil {
		c.declineField(p)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.findRefund(c.vars["out_refund_no"])
	if r == nil || w.hiddenFromVersion(c.exchange, r.order, VersionV3) {
		c.decline(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "退款单不存在")
		return
	}
	c.succeed(r.v3Object())
}

// v3Object is a refund as the refund call and the query show it; the caller holds w.mu.
func (r *refund) v3Object() v3Object {
	t := r.order.trade
	account := "UNSETTLED"
	if r.Account == accountRecharge {
		account = "AVAILABLE"
	}
	promotions := []v3Object{}
	for _, c := range r.coupons() {
		i := slices.IndexFunc(t.Coupons, func(all Coupon) bool { return all.ID == c.ID })
		promotions = append(promotions, v3Object{
			{"promotion_id", c.ID}, {"scope", "GLOBAL"}, {"type", v3CouponType(c)}, {"amount", t.Coupons[i].Fee}, {"refund_amount", c.Fee},
		})
	}
	o := v3Object{
		{"amount", v3Object{
			{"currency", "CNY"}, {"discount_refund", r.CouponFee}, {"from", []v3Object{}}, {"payer_refund", r.Fee - r.CouponFee},
			{"payer_total", t.CashFee}, {"refund", r.Fee}, {"refund_fee", 0}, {"settlement_refund", r.Fee - noCash(r.coupons())},
			{"settlement_total", r.TotalFee - noCash(t.Coupons)}, {"total", r.TotalFee},
		}},
		{"channel", "ORIGINAL"}, {"create_time", v3Stamp(r.Created)}, {"funds_account", account}, {"out_refund_no", r.OutRefundNo},
		{"out_trade_no", r.OutTradeNo}, {"promotion_detail", promotions}, {"refund_id", r.RefundID}, {"status", v3RefundStatus(r.Status)},
		{"transaction_id", r.TransactionID}, {"user_received_account", "支付用户零钱"},
	}
	if r.Status == RefundSuccess {
		o = append(o, v3Member{"success_time", v3Stamp(r.Done)})
	}
	return o
}
