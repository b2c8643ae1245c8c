package wechattest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Limits of refund (docs/wechat.md 9.1, 9.3).
const (
	maxRefunds   = 50          // of one order
	refundPause  = time.Minute // between two refunds of one order
	refundNumber = 64          // bytes of out_refund_no
)

// The two sources of a refund's money (docs/wechat.md 9.4).
const (
	accountUnsettled = "REFUND_SOURCE_UNSETTLED_FUNDS" // the default
	accountRecharge  = "REFUND_SOURCE_RECHARGE_FUNDS"
)

var (
	outRefundNoForm   = regexp.MustCompile(`^[0-9A-Za-z_\-|*@]{1,64}$`)
	transactionIDForm = regexp.MustCompile(`^[0-9]{28}$`)
)

// refundFields is the table of refund's request fields.
func refundFields() []field {
	return commonFields(
		field{"transaction_id", 32, false, transactionIDForm.MatchString},
		field{"out_trade_no", 32, false, nil},
		field{"out_refund_no", refundNumber, true, outRefundNoForm.MatchString},
		field{"total_fee", 10, true, feeForm.MatchString},
		field{"refund_fee", 10, true, feeForm.MatchString},
		field{"refund_fee_type", 8, false, oneOf("CNY")},
		field{"refund_desc", 80, false, plainText},
		field{"refund_account", 30, false, oneOf(accountUnsettled, accountRecharge)},
		field{"notify_url", 256, false, validNotifyURL},
		field{"op_user_id", 32, false, nil}, // of old clients, without effect
		field{"device_info", 32, false, plainText},
	)
}

// claim has the order and amounts of the first refund with an out_refund_no. A refund that
// was declined for lack of money keeps its amounts too.
type claim struct {
	order      *order
	total, fee int64
}

// refundOrder serves POST /secapi/pay/refund. SUCCESS means that WeChat accepted the request, not
// that the money was returned.
func (w *WeChat) refundOrder(p *payRequest) {
	if code, text := checkFields(p, refundFields()); code != "" {
		p.decline(code, text)
		return
	}
	if p.get("transaction_id") == "" && p.get("out_trade_no") == "" {
		p.decline("LACK_PARAMS", "缺少参数out_trade_no")
		return
	}
	total, err := strconv.ParseInt(p.get("total_fee"), 10, 64)
	fee, err2 := strconv.ParseInt(p.get("refund_fee"), 10, 64)
	if err != nil || err2 != nil {
		panic("wechattest: feeForm accepts a text that is not a number") // ten digits at most
	}
	if fee > total {
		p.fail("PARAM_ERROR", "invalid refund_fee")
		return
	}
	now := w.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.findOrder(p.get("transaction_id"), p.get("out_trade_no"))
	switch {
	case o == nil && p.get("transaction_id") != "":
		p.decline("INVALID_TRANSACTIONID", "无效的transaction_id")
		return
	case o == nil || o.trade == nil || w.hiddenFromVersion(p.exchange, o, VersionV2):
		p.note("refund takes orders that were paid")
		p.decline("ORDERNOTEXIST", "订单不存在")
		return
	}
	if no := p.get("out_trade_no"); no != "" && no != o.OutTradeNo {
		p.note("out_trade_no is another order's: the transaction_id decides")
	}
	want := claim{o, total, fee}
	if first, used := w.claims[p.get("out_refund_no")]; used {
		if first != want {
			p.note("out_refund_no was used before, for another order or other amounts")
			p.decline("REFUND_FEE_MISMATCH", "订单金额或退款金额与之前请求不一致,请核实后再试")
			return
		}
		if r := w.findRefund(p.get("out_refund_no")); r != nil {
			p.note("the same refund again: nothing more is paid back")
			p.succeed(r.fields()...)
			return
		}
	}
	if code, text := o.refundable(p, total, fee, now); code != "" {
		p.decline(code, text)
		return
	}
	w.claims[p.get("out_refund_no")] = want
	if text := w.lackOfMoney(p); text != "" {
		p.decline("NOTENOUGH", text)
		return
	}
	r := w.addRefund(o, Refund{
		Version: VersionV2, OutRefundNo: p.get("out_refund_no"), Fee: fee, Account: p.get("refund_account"), Reason: p.get("refund_desc"),
		NotifyURL: p.get("notify_url"), Source: "API",
	}, now)
	p.succeed(r.fields()...)
}

// lackOfMoney reports with WeChat's texts why the money of a refund does not suffice, or "".
// FaultNotEnough affects a refund until PayIn is called, FaultUnsettledShort until the shop sends
// it with the available balance. The caller holds w.mu.
func (w *WeChat) lackOfMoney(p *payRequest) string {
	no := p.get("out_refund_no")
	for _, kind := range []string{FaultNotEnough, FaultUnsettledShort} {
		if _, ok := w.takeFault(kind, ""); ok && w.shortOf[no] == "" {
			w.shortOf[no] = kind
		}
	}
	balance := p.get("refund_account") == accountRecharge
	switch {
	case w.shortOf[no] == "" || w.shortOf[no] == FaultUnsettledShort && balance:
		return ""
	case balance:
		p.note("fault not_enough: nothing was paid in since")
		return "基本账户余额不足，请充值后重新发起"
	}
	p.note("fault %s: unsettled takings do not suffice", w.shortOf[no])
	return "交易未结算资金不足，请使用可用余额退款"
}

// PayIn pays money into the merchant's account. From then on WeChat accepts the refunds
// that the fault not_enough declined, with any refund_account.
func (w *WeChat) PayIn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for no, kind := range w.shortOf {
		if kind == FaultNotEnough {
			delete(w.shortOf, no)
		}
	}
}

// refundable applies the limits to a new refund of a paid order; the result is empty
// when it may be made.
func (o *order) refundable(p *payRequest, total, fee int64, now time.Time) (code, text string) {
	left := o.TotalFee
	for _, r := range o.refunds {
		if r.Status != RefundClosed {
			left -= r.Fee
		}
	}
	switch {
	case total != o.TotalFee:
		p.note("total_fee is not the order's, %d fen", o.TotalFee)
		return "REFUND_FEE_MISMATCH", "订单金额或退款金额与之前请求不一致,请核实后再试"
	case now.After(o.trade.Paid.In(beijing).AddDate(1, 0, 0)):
		return "TRADE_OVERDUE", "订单已经超过退款期限"
	case left == 0:
		return "ERROR", "订单已全额退款"
	case len(o.refunds) >= maxRefunds:
		p.note("an order has at most %d refunds", maxRefunds)
		return "ERROR", "订单退款次数超过限制"
	case fee > left:
		p.note("of the order %d fen are left", left)
		return "INVALID_REQUEST", "refund_fee大于可退金额"
	case len(o.refunds) > 0 && now.Sub(o.refunds[len(o.refunds)-1].Created) < refundPause:
		p.note("between two refunds of one order there must be a minute")
		return "FREQUENCY_LIMITED", "频率限制"
	}
	return "", ""
}

// Refund refunds a paid order by hand, as on the merchant platform. The shop makes no
// call. It learns of the refund by refundquery, or by a notification to
// Config.RefundNotifyURL. fee is in fen.
func (w *WeChat) Refund(outTradeNo string, fee int64) (Refund, error) {
	now := w.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.orders[outTradeNo]
	switch {
	case o == nil:
		return Refund{}, ErrUnknownOrder
	case o.trade == nil:
		return Refund{}, errors.New("the order is not paid")
	case fee < 1:
		return Refund{}, fmt.Errorf("refund_fee: want 1 fen or more, got %d", fee)
	}
	p := &payRequest{exchange: &exchange{w: w}} // collects the notes
	if _, text := o.refundable(p, o.TotalFee, fee, now); text != "" {
		return Refund{}, errors.New(joinNotes(text, p.msg.Note))
	}
	no := "7" + w.ids.text(digits, 27)
	w.claims[no] = claim{o, o.TotalFee, fee}
	r := w.addRefund(o, Refund{Version: VersionV2, OutRefundNo: no, Fee: fee, Source: "VENDOR_PLATFORM"}, now)
	return r.Refund, nil
}
