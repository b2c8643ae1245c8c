package wechattest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// SUCCESS means accepted, not refunded (docs/wechat.md 9.2).
func TestARefundIsAcceptedThenMade(t *testing.T) {
	w := newWorld(t, plain, tame)
	w.paid("refund1")
	w.Advance(0)
	got := w.pay(pathRefund, append(w.refundRequest("refund1", "r-1", "300"), pair{"refund_desc", "少了一包"}))
	trade := w.Ledger().Trades[0]
	for name, want := range map[string]string{
		"result_code": "SUCCESS", "out_trade_no": "refund1", "out_refund_no": "r-1", "transaction_id": trade.TransactionID,
		"refund_fee": "300", "total_fee": "880", "cash_fee": "880", "cash_refund_fee": "300", "coupon_refund_count": "0", "refund_status": "",
	} {
		if v := valueOf(got, name); v != want {
			t.Errorf("%s = %q, want %q", name, v, want)
		}
	}
	if id := valueOf(got, "refund_id"); len(id) != 29 || !strings.HasPrefix(id, "50") {
		t.Errorf("refund_id %q", id)
	}
	l := w.Ledger()
	r := l.Refunds[0]
	if l.Orders[0].State != StateRefund || r.Status != RefundProcessing || !r.Done.IsZero() || r.Reason != "少了一包" || r.Account != accountUnsettled || r.Source != "API" {
		t.Errorf("%+v", r)
	}
	w.Advance(w.cfg.RefundTime)
	if r := w.Ledger().Refunds[0]; r.Status != RefundSuccess || r.Done.Sub(r.Created) < w.cfg.RefundTime {
		t.Errorf("%+v", r)
	}
}

// Repeating with the same out_refund_no is the only correct retry
// (docs/wechat.md 9.2).
func TestTheSameRefundAgainIsOneRefund(t *testing.T) {
	w := newWorld(t, plain)
	w.paid("again01")
	w.paid("again02")
	first := w.pay(pathRefund, w.refundRequest("again01", "r-1", "300"))
	w.Advance(time.Hour)
	again := w.refundRequest("again01", "r-1", "300")
	again = with(with(again, "nonce_str", "other"), "refund_account", accountRecharge) // what NOTENOUGH advises may change
	second := w.pay(pathRefund, again)
	by := with(with(again, "out_trade_no", ""), "transaction_id", w.Ledger().Trades[0].TransactionID)
	third := w.pay(pathRefund, by)
	for _, got := range [][]pair{second, third} {
		if valueOf(got, "result_code") != "SUCCESS" || valueOf(got, "refund_id") != valueOf(first, "refund_id") {
			t.Errorf("%v", got)
		}
	}
	if n := len(w.Ledger().Refunds); n != 1 {
		t.Errorf("%d refunds", n)
	}
	for name, fields := range map[string][]pair{
		"another amount": w.refundRequest("again01", "r-1", "301"),
		"another order":  w.refundRequest("again02", "r-1", "300"),
	} {
		if got := declineOf(w.pay(pathRefund, fields)); !strings.HasPrefix(got, "REFUND_FEE_MISMATCH ") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestRefundFieldRules(t *testing.T) {
	w := newWorld(t, plain)
	w.paid("fields1")
	w.prepay("unpaid1")
	id := w.Ledger().Trades[0].TransactionID
	for _, tt := range []struct{ name, field, value, want string }{
		{"no order", "out_trade_no", "", "LACK_PARAMS 缺少参数out_trade_no"},
		{"unknown order", "out_trade_no", "nobody1", "ORDERNOTEXIST 订单不存在"},
		{"unpaid order", "out_trade_no", "unpaid1", "ORDERNOTEXIST 订单不存在"},
		{"unknown transaction", "transaction_id", strings.Repeat("4", 28), "INVALID_TRANSACTIONID 无效的transaction_id"},
		{"our number as transaction", "transaction_id", "fields1", "PARAM_ERROR transaction_id参数格式错误"},
		{"no out_refund_no", "out_refund_no", "", "LACK_PARAMS 缺少参数out_refund_no"},
		{"long out_refund_no", "out_refund_no", strings.Repeat("r", 65), "PARAM_ERROR out_refund_no参数长度有误"},
		{"out_refund_no with a slash", "out_refund_no", "a/b", "PARAM_ERROR out_refund_no参数格式错误"},
		{"no total_fee", "total_fee", "", "LACK_PARAMS 缺少参数total_fee"},
		{"another total_fee", "total_fee", "881", "REFUND_FEE_MISMATCH 订单金额或退款金额与之前请求不一致,请核实后再试"},
		{"no refund_fee", "refund_fee", "", "LACK_PARAMS 缺少参数refund_fee"},
		{"refund_fee 0", "refund_fee", "0", "PARAM_ERROR refund_fee参数格式错误"},
		{"refund_fee in yuan", "refund_fee", "3.00", "PARAM_ERROR refund_fee参数格式错误"},
		{"more than total_fee", "refund_fee", "881", "invalid refund_fee"},
		{"USD", "refund_fee_type", "USD", "PARAM_ERROR refund_fee_type参数格式错误"},
		{"long refund_desc", "refund_desc", strings.Repeat("退", 27), "PARAM_ERROR refund_desc参数长度有误"},
		{"unknown refund_account", "refund_account", "REFUND_SOURCE_POCKET", "PARAM_ERROR refund_account参数格式错误"},
		{"notify_url with a query", "notify_url", refundNotifyURL + "?a=1", "PARAM_ERROR notify_url参数格式错误"},
		{"sub_mch_id", "sub_mch_id", "1900000110", "NOAUTH 商户无此接口权限"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := declineOf(w.pay(pathRefund, with(w.refundRequest("fields1", "r-1", "300"), tt.field, tt.value))); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	if l := w.Ledger(); len(l.Refunds) != 0 || l.Orders[0].State != StateSuccess {
		t.Error("a declined call changed the books")
	}
	// The highest of the two numbers decides.
	if got := w.pay(pathRefund, with(w.refundRequest("unpaid1", "r-2", "300"), "transaction_id", id)); valueOf(got, "out_trade_no") != "fields1" {
		t.Errorf("%v", got)
	}
}

// Never more than was paid, a minute apart, at most 50 times, within a year
// (docs/wechat.md 9.3).
func TestRefundLimits(t *testing.T) {
	next := func(w *world, no, fee string, i int) string {
		return declineOf(w.pay(pathRefund, w.refundRequest(no, fmt.Sprintf("r-%s-%d", no, i), fee)))
	}
	t.Run("the sum", func(t *testing.T) {
		w := newWorld(t, plain)
		w.paid("limits1")
		var got []string
		for i, fee := range []string{"500", "381", "380", "1"} {
			got = append(got, next(w, "limits1", fee, i))
			w.Advance(refundPause)
		}
		if diff := cmp.Diff([]string{" ", "INVALID_REQUEST refund_fee大于可退金额", " ", "ERROR 订单已全额退款"}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a minute", func(t *testing.T) {
		w := newWorld(t, plain)
		w.paid("limits2")
		if got := next(w, "limits2", "1", 0) + next(w, "limits2", "1", 1); got != " FREQUENCY_LIMITED 频率限制" {
			t.Error(got)
		}
		w.Advance(refundPause)
		if got := next(w, "limits2", "1", 1); got != " " {
			t.Error(got)
		}
	})
	t.Run("fifty", func(t *testing.T) {
		w := newWorld(t, plain)
		w.paid("limits3")
		for i := range maxRefunds {
			if got := next(w, "limits3", "1", i); got != " " {
				t.Fatalf("refund %d: %s", i, got)
			}
			w.Advance(refundPause)
		}
		if got := next(w, "limits3", "1", maxRefunds); !strings.HasPrefix(got, "ERROR ") {
			t.Error(got)
		}
	})
	t.Run("a year", func(t *testing.T) {
		w := newWorld(t, plain)
		w.paid("limits4")
		w.Advance(365*24*time.Hour - time.Minute)
		if got := next(w, "limits4", "1", 0); got != " " {
			t.Error(got)
		}
		w.Advance(2 * time.Minute)
		if got := next(w, "limits4", "1", 1); got != "TRADE_OVERDUE 订单已经超过退款期限" {
			t.Error(got)
		}
	})
}

// NOTENOUGH: the same out_refund_no again, with the other refund_account or once
// money was paid in (docs/wechat.md 9.4). It stays with its amounts. The same call
// again repairs neither.
func TestNotEnoughKeepsTheNumber(t *testing.T) {
	const unsettled, basic = "NOTENOUGH 交易未结算资金不足，请使用可用余额退款", "NOTENOUGH 基本账户余额不足，请充值后重新发起"
	w := newWorld(t, plain)
	send := func(no, fee, account string) string {
		return declineOf(w.pay(pathRefund, with(w.refundRequest("poor001", no, fee), "refund_account", account)))
	}
	w.paid("poor001")
	for i, kind := range []string{FaultUnsettledShort, FaultNotEnough} {
		if err := w.AddFault(Fault{Kind: kind}); err != nil {
			t.Fatal(err)
		}
		no := "r-" + itoa(int64(i))
		for range 3 {
			if got := send(no, "300", ""); got != unsettled {
				t.Errorf("%s: %s", kind, got)
			}
			if got := send(no, "300", accountUnsettled); got != unsettled {
				t.Errorf("%s: %s", kind, got)
			}
			w.Advance(time.Hour)
		}
		if got := send(no, "200", accountRecharge); !strings.HasPrefix(got, "REFUND_FEE_MISMATCH ") {
			t.Errorf("%s: %s", kind, got)
		}
		if kind == FaultNotEnough {
			if got := send(no, "300", accountRecharge); got != basic {
				t.Errorf("%s: %s", kind, got)
			}
			w.PayIn()
		}
		if n := len(w.Ledger().Refunds); n != i {
			t.Errorf("%s: %d refunds", kind, n)
		}
		if got := w.pay(pathRefund, with(w.refundRequest("poor001", no, "300"), "refund_account", accountRecharge)); valueOf(got, "result_code") != "SUCCESS" {
			t.Errorf("%s: %v", kind, got)
		}
		if r := w.Ledger().Refunds[i]; r.Account != accountRecharge {
			t.Errorf("%s: %+v", kind, r)
		}
		w.Advance(refundPause)
	}
	w.refunded("poor001", "r-2", "100") // another refund is not concerned
}

func TestRefundFaults(t *testing.T) {
	for kind, want := range map[string]string{FaultRefundClosed: RefundClosed, FaultRefundChange: RefundChange} {
		w := newWorld(t, plain)
		w.paid("ends001")
		if err := w.AddFault(Fault{Kind: kind}); err != nil {
			t.Fatal(err)
		}
		w.refunded("ends001", "r-1", "880")
		w.Advance(refundPause)
		if got := w.Ledger().Refunds[0].Status; got != want {
			t.Errorf("%s: %s", kind, got)
		}
		// A closed refund can be repeated with a new number, a stuck one cannot.
		again := declineOf(w.pay(pathRefund, w.refundRequest("ends001", "r-2", "880")))
		if (again == " ") != (want == RefundClosed) {
			t.Errorf("%s, then: %s", kind, again)
		}
	}
	w := newWorld(t, plain)
	w.paid("slow001")
	if err := w.AddFault(Fault{Kind: FaultRefundSlow, DelayMS: 3600_000}); err != nil {
		t.Fatal(err)
	}
	w.refunded("slow001", "r-1", "1")
	w.Advance(59 * time.Minute)
	if got := w.Ledger().Refunds[0].Status; got != RefundProcessing {
		t.Error(got)
	}
	w.Advance(time.Minute)
	if got := w.Ledger().Refunds[0].Status; got != RefundSuccess {
		t.Error(got)
	}
	if err := w.AddFault(Fault{Kind: FaultSystemError, Path: pathRefund}); err != nil {
		t.Fatal(err)
	}
	if got := declineOf(w.pay(pathRefund, w.refundRequest("slow001", "r-2", "1"))); !strings.HasPrefix(got, "SYSTEMERROR") || len(w.Ledger().Refunds) != 1 {
		t.Error(got)
	}
}

// A paid order stays paid, and all other calls about it report that.
func TestARefundedOrderIsPaid(t *testing.T) {
	w := newWorld(t, plain, tame)
	w.paid("after01")
	w.refunded("after01", "r-1", "880")
	w.Advance(closeWait)
	ask := []pair{{"appid", w.cfg.AppID}, {"mch_id", w.cfg.MchID}, {"nonce_str", "n"}, {"out_trade_no", "after01"}}
	if got := declineOf(w.pay(pathCloseOrder, ask)); !strings.HasPrefix(got, "ORDERPAID") {
		t.Error(got)
	}
	if got := declineOf(w.pay(pathUnifiedOrder, w.order("after01"))); !strings.HasPrefix(got, "ORDERPAID") {
		t.Error(got)
	}
	if err := w.CloseOrder("after01"); err == nil {
		t.Error("closed")
	}
	got := w.pay(pathOrderQuery, ask)
	if valueOf(got, "trade_state") != StateRefund || valueOf(got, "total_fee") != "880" || valueOf(got, "attach") != "a & b" {
		t.Errorf("%v", got)
	}
}

// With a trade_state other than SUCCESS only out_trade_no and attach are guaranteed (docs/wechat.md
// 7.2).
func TestHostileQueryOfARefundedOrderHasFewFields(t *testing.T) {
	w := newWorld(t, plain)
	w.paid("little1")
	w.refunded("little1", "r-1", "880")
	little := 0
	for range 20 {
		got := w.pay(pathOrderQuery, []pair{{"appid", w.cfg.AppID}, {"mch_id", w.cfg.MchID}, {"nonce_str", "n"}, {"out_trade_no", "little1"}})
		if valueOf(got, "trade_state") != StateRefund || valueOf(got, "out_trade_no") != "little1" || valueOf(got, "attach") != "a & b" {
			t.Errorf("%v", got)
		}
		if valueOf(got, "total_fee") == "" {
			little++
		}
	}
	if little == 0 || little == 20 {
		t.Errorf("%d of 20 answers lack total_fee", little)
	}
}

// The merchant platform refunds without a call of the shop.
func TestRefundByHand(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.RefundNotifyURL = refundNotifyURL })
	w.paid("hand001")
	w.Advance(0)
	r, err := w.Refund("hand001", 80)
	if err != nil || r.Source != "VENDOR_PLATFORM" || r.NotifyURL != refundNotifyURL || r.Fee != 80 {
		t.Fatalf("%+v, %v", r, err)
	}
	w.Advance(w.cfg.RefundTime)
	if n := w.notification(); n.OutRefundNo != r.OutRefundNo || n.State != NotifyAcknowledged {
		t.Errorf("%+v", n)
	}
	w.prepay("hand002")
	for no, fee := range map[string]int64{"nobody1": 1, "hand002": 1, "hand001": 0} {
		if _, err := w.Refund(no, fee); err == nil {
			t.Errorf("%s: %d fen were refunded", no, fee)
		}
	}
	w.Advance(refundPause)
	if _, err := w.Refund("hand001", 801); err == nil || !strings.Contains(err.Error(), "800 fen are left") {
		t.Error(err)
	}
}
