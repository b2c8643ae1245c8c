package wechattest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The types of a bill (docs/wechat.md 12.1).
const (
	billAll      = "ALL"
	billSuccess  = "SUCCESS"
	billRefund   = "REFUND"
	billRecharge = "RECHARGE_REFUND"
)

// billRow is a payment, or a refund on the day on which it was requested.
type billRow struct {
	at     time.Time
	order  Order
	device string
	trade  Trade
	refund *Refund
	status string // of the refund, when the bill is made
}

// bill returns the bill of a day, "" for a day without trades. If p is not nil, bill applies the
// faults of bills and notes them in p.
func (w *WeChat) bill(kind string, day time.Time, p *payRequest) string {
	rows := w.billRows(kind, day)
	if len(rows) == 0 {
		return ""
	}
	if p != nil {
		rows = w.applyBillFaults(rows, p)
	}
	lineEnd := "\r\n"
	if w.cfg.Hostile && w.ids.intn(2) == 0 {
		lineEnd = "\n" // as in a published sample
	}
	var b strings.Builder
	b.WriteString("\ufeff")
	columns := billColumns(kind)
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(c.name)
	}
	b.WriteString(lineEnd)
	var sum billSum
	for _, r := range rows {
		for i, c := range columns {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString("`" + c.value(w, r))
		}
		b.WriteString(lineEnd)
		sum.add(r)
	}
	b.WriteString("总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额" + lineEnd)
	// The count has a decimal, as in the published sample.
	fmt.Fprintf(&b, "`%d.0,`%s,`%s,`%s,`%s,`%s,`%s%s", len(rows), yuan(sum.settled), yuan(sum.settledBack), yuan(sum.coupon), yuan(sum.fee), yuan(sum.total), yuan(sum.refund), lineEnd)
	return b.String()
}

// billRows returns the rows of a day.
func (w *WeChat) billRows(kind string, day time.Time) []billRow {
	next := day.AddDate(0, 0, 1)
	made := next.Add(billStart)
	in := func(t time.Time) bool { return !t.Before(day) && t.Before(next) }
	w.mu.Lock()
	defer w.mu.Unlock()
	var rows []billRow
	if kind == billAll || kind == billSuccess {
		for _, o := range w.orderList {
			if o.trade != nil && in(o.trade.Paid) {
				rows = append(rows, billRow{at: o.trade.Paid, order: o.Order, device: o.device, trade: *o.trade})
			}
		}
	}
	if kind != billSuccess {
		for _, r := range w.refunds {
			if !in(r.Created) || kind == billRecharge && r.Account != accountRecharge {
				continue
			}
			f, status := r.Refund, r.Status
			if f.Done.After(made) {
				status = RefundProcessing
			}
			rows = append(rows, billRow{at: r.Created, order: r.order.Order, device: r.order.device, trade: *r.order.trade, refund: &f, status: status})
		}
	}
	return rows
}

// applyBillFaults applies the faults of bills. The totals agree with the changed rows, so only a
// comparison with the shop's books finds the faults.
func (w *WeChat) applyBillFaults(rows []billRow, p *payRequest) []billRow {
	if _, ok := w.takeFault(FaultBillRowLost, ""); ok {
		p.note("fault bill_row_lost: %s is not in it", rows[0].order.OutTradeNo)
		rows = rows[1:]
	}
	if _, ok := w.takeFault(FaultBillRowChanged, ""); ok && len(rows) > 0 {
		r := &rows[0]
		if r.refund != nil {
			r.refund.Fee++
		} else {
			r.trade.TotalFee++
		}
		p.note("fault bill_row_changed: %s is a fen more in it", r.order.OutTradeNo)
	}
	if _, ok := w.takeFault(FaultBillRowAdded, ""); ok && len(rows) > 0 {
		r := rows[len(rows)-1]
		r.order.OutTradeNo = "SIM" + w.ids.text(digits, 20)
		r.trade.TransactionID = w.ids.transactionID(r.at)
		r.refund, r.status = nil, ""
		p.note("fault bill_row_added: nobody ordered %s", r.order.OutTradeNo)
		rows = append(rows, r)
	}
	return rows
}

// billSum are the totals, in fen.
type billSum struct{ total, settled, refund, settledBack, coupon, fee int64 }

func (s *billSum) add(r billRow) {
	s.fee += r.fee()
	if r.refund == nil {
		s.total += r.trade.TotalFee
		s.settled += r.trade.TotalFee - noCash(r.trade.Coupons)
		return
	}
	s.refund += r.refund.Fee
	s.settledBack += r.refund.Fee - r.lostBack()
	s.coupon += r.refund.CouponFee - r.lostBack()
}

// lostBack is the part of a refund that returns to coupons that WeChat does not settle.
func (r billRow) lostBack() int64 { return noCash(r.trade.back(r.refund.CouponFee)) }

// fee is WeChat's fee of a payment, 0.6 % rounded to the fen, or the fee that a refund returns.
func (r billRow) fee() int64 {
	if r.refund != nil {
		return -(r.refund.Fee*6 + 500) / 1000
	}
	return (r.trade.TotalFee*6 + 500) / 1000
}

// billColumn is one column, by WeChat's name.
type billColumn struct {
	name  string
	value func(w *WeChat, r billRow) string
}

// billColumns are the columns of a type, in WeChat's order.
func billColumns(kind string) []billColumn {
	paid := func(f func(t Trade) int64) func(*WeChat, billRow) string { // of the payment; 0 in a refund's row
		return func(_ *WeChat, r billRow) string {
			if r.refund != nil {
				return yuan(0)
			}
			return yuan(f(r.trade))
		}
	}
	back := func(none string, f func(r billRow) string) func(*WeChat, billRow) string { // of the refund
		return func(_ *WeChat, r billRow) string {
			if r.refund == nil {
				return none
			}
			return f(r)
		}
	}
	all := []billColumn{
		{"交易时间", func(_ *WeChat, r billRow) string { return r.at.In(beijing).Format(dateTime) }},
		{"公众账号ID", func(w *WeChat, _ billRow) string { return w.cfg.AppID }},
		{"商户号", func(w *WeChat, _ billRow) string { return w.cfg.MchID }},
		{"特约商户号", func(*WeChat, billRow) string { return "0" }},
		{"设备号", func(_ *WeChat, r billRow) string { return r.device }},
		{"微信订单号", func(_ *WeChat, r billRow) string { return r.trade.TransactionID }},
		{"商户订单号", func(_ *WeChat, r billRow) string { return r.order.OutTradeNo }},
		{"用户标识", func(_ *WeChat, r billRow) string { return r.trade.OpenID }},
		{"交易类型", func(_ *WeChat, r billRow) string { return r.order.TradeType }},
		{"交易状态", func(_ *WeChat, r billRow) string {
			if r.refund != nil {
				return StateRefund
			}
			return StateSuccess
		}},
		{"付款银行", func(_ *WeChat, r billRow) string { return r.trade.BankType }},
		{"货币种类", func(*WeChat, billRow) string { return "CNY" }},
		{"应结订单金额", paid(func(t Trade) int64 { return t.TotalFee - noCash(t.Coupons) })},
		{"代金券金额", paid(func(t Trade) int64 { return t.CouponFee })},
		{"退款申请时间", back("", func(r billRow) string { return r.refund.Created.In(beijing).Format(dateTime) })},
		{"退款成功时间", back("", func(r billRow) string {
			if r.status != RefundSuccess {
				return ""
			}
			return r.refund.Done.In(beijing).Format(dateTime)
		})},
		{"微信退款单号", back("0", func(r billRow) string { return r.refund.RefundID })},
		{"商户退款单号", back("0", func(r billRow) string { return r.refund.OutRefundNo })},
		{"退款金额", back("0.00", func(r billRow) string { return yuan(r.refund.Fee - r.lostBack()) })},
		{"充值券退款金额", back("0.00", func(r billRow) string { return yuan(r.refund.CouponFee - r.lostBack()) })},
		{"退款类型", back("", func(billRow) string { return "ORIGINAL" })},
		{"退款状态", back("", func(r billRow) string { return r.status })},
		{"商品名称", func(_ *WeChat, r billRow) string { return oneLine(r.order.Body) }},
		{"商户数据包", func(_ *WeChat, r billRow) string { return oneLine(r.order.Attach) }},
		{"手续费", func(_ *WeChat, r billRow) string { return yuan(r.fee()) + "000" }},
		{"费率", func(*WeChat, billRow) string { return "0.60%" }},
		{"订单金额", paid(func(t Trade) int64 { return t.TotalFee })},
		{"申请退款金额", back("0.00", func(r billRow) string { return yuan(r.refund.Fee) })},
		{"费率备注", func(*WeChat, billRow) string { return "" }},
	}
	return slices.DeleteFunc(all, func(c billColumn) bool {
		switch c.name {
		case "退款申请时间", "退款成功时间":
			return kind == billAll || kind == billSuccess
		case "微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态", "申请退款金额":
			return kind == billSuccess
		}
		return false
	})
}

// oneLine keeps a cell in its line; nothing else is quoted in a bill.
func oneLine(s string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(s) }

// yuan prints fen as a bill does: 880 is 8.80.
func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}
