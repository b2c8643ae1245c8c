package wechattest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asking returns a refundquery of name=value pairs, without its sign.
func (w *world) asking(by ...string) []pair {
	fields := []pair{{"appid", w.cfg.AppID}, {"mch_id", w.cfg.MchID}, {"nonce_str", "n"}}
	for i := 0; i < len(by); i += 2 {
		fields = append(fields, pair{by[i], by[i+1]})
	}
	return fields
}

// listed are the out_refund_no of a response in the order of their index.
func listed(fields []pair) (nos []string) {
	for {
		no := valueOf(fields, "out_refund_no_"+itoa(int64(len(nos))))
		if no == "" {
			return nos
		}
		nos = append(nos, no)
	}
}

func TestRefundQueryFollowsTheRefund(t *testing.T) {
	w := newWorld(t, plain)
	w.paid("query11")
	if got := declineOf(w.pay(pathRefundQuery, w.asking("out_trade_no", "query11"))); !strings.HasPrefix(got, "REFUNDNOTEXIST") {
		t.Error(got)
	}
	w.refunded("query11", "r-1", "300")
	got := w.pay(pathRefundQuery, w.asking("out_refund_no", "r-1"))
	if valueOf(got, "refund_status_0") != RefundProcessing || valueOf(got, "refund_success_time_0") != "" {
		t.Errorf("%v", got)
	}
	w.Advance(w.cfg.RefundTime)
	r := w.Ledger().Refunds[0]
	for _, by := range [][2]string{{"out_refund_no", "r-1"}, {"refund_id", r.RefundID}, {"transaction_id", r.TransactionID}, {"out_trade_no", "query11"}} {
		got := w.pay(pathRefundQuery, w.asking(by[0], by[1]))
		for name, want := range map[string]string{
			"out_trade_no": "query11", "transaction_id": r.TransactionID, "total_fee": "880", "refund_count": "1", "total_refund_count": "",
			"out_refund_no_0": "r-1", "refund_id_0": r.RefundID, "refund_fee_0": "300", "settlement_refund_fee_0": "300", "refund_status_0": "SUCCESS",
			"refund_success_time_0": r.Done.In(beijing).Format(dateTime), "refund_channel_0": "ORIGINAL", "refund_account_0": accountUnsettled,
			"refund_recv_accout_0": "支付用户零钱", "out_refund_no_1": "",
		} {
			if v := valueOf(got, name); v != want {
				t.Errorf("by %s: %s = %q, want %q", by[0], name, v, want)
			}
		}
	}
}

// refund_id, out_refund_no, transaction_id, out_trade_no: highest priority
// first (docs/wechat.md 10.1).
func TestRefundQueryTakesTheHighestNumber(t *testing.T) {
	w := newWorld(t, plain)
	w.paid("query21")
	w.paid("query22")
	w.refunded("query21", "r-1", "1")
	w.refunded("query22", "r-2", "1")
	l := w.Ledger()
	numbers := []string{"out_trade_no", "query22", "transaction_id", l.Trades[0].TransactionID, "out_refund_no", "r-2", "refund_id", l.Refunds[0].RefundID}
	var got []string
	for n := 2; n <= len(numbers); n += 2 {
		got = append(got, listed(w.pay(pathRefundQuery, w.asking(numbers[:n]...)))...)
	}
	if diff := cmp.Diff([]string{"r-2", "r-1", "r-2", "r-1"}, got); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct{ want, name, value string }{
		{"LACK_PARAMS", "x", "y"}, {"REFUNDNOTEXIST", "out_refund_no", "r-9"}, {"REFUNDNOTEXIST", "refund_id", "5"}, {"REFUNDNOTEXIST", "transaction_id", "4"},
		{"REFUNDNOTEXIST", "out_trade_no", "nobody1"}, {"PARAM_ERROR", "offset", "x"}, {"PARAM_ERROR", "offset", "-1"},
	} {
		if got := declineOf(w.pay(pathRefundQuery, w.asking(tt.name, tt.value))); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s=%s: %s", tt.name, tt.value, got)
		}
	}
}

// Ten at a time, with offset for more (docs/wechat.md 10.3).
func TestRefundQueryGivesTenAtATime(t *testing.T) {
	w := newWorld(t, plain)
	w.paid("query31")
	var all []string
	for i := range 23 {
		all = append(all, fmt.Sprintf("r-%02d", i))
		w.refunded("query31", all[i], "1")
		w.Advance(refundPause)
	}
	for offset, want := range map[string][]string{"": all[:10], "0": all[:10], "5": all[5:15], "20": all[20:], "22": all[22:]} {
		by := []string{"out_trade_no", "query31"}
		if offset != "" {
			by = append(by, "offset", offset)
		}
		got := w.pay(pathRefundQuery, w.asking(by...))
		if diff := cmp.Diff(want, listed(got)); diff != "" || valueOf(got, "total_refund_count") != "23" || valueOf(got, "refund_count") != fmt.Sprint(len(want)) {
			t.Errorf("offset %q: %s\n%v", offset, diff, got)
		}
	}
	if m := w.last(); !strings.Contains(m.Note, "more than 20") {
		t.Errorf("note %q", m.Note)
	}
	for _, offset := range []string{"23", "99"} {
		if got := declineOf(w.pay(pathRefundQuery, w.asking("out_trade_no", "query31", "offset", offset))); !strings.HasPrefix(got, "PARAM_ERROR") {
			t.Errorf("offset %s: %s", offset, got)
		}
	}
	// One refund needs no page.
	if got := w.pay(pathRefundQuery, w.asking("out_refund_no", "r-22", "offset", "3")); valueOf(got, "refund_count") != "1" || valueOf(got, "total_refund_count") != "" {
		t.Errorf("%v", got)
	}
}

// The last part returns the coupons; refund_fee counts them, cash_refund_fee does not,
// settlement_refund_fee only those that are settled (docs/wechat.md 10.2).
func TestRefundsOfCoupons(t *testing.T) {
	w := newWorld(t, plain, tame)
	if err := w.AddFault(Fault{Kind: FaultCoupons}); err != nil {
		t.Fatal(err)
	}
	w.paid("coupon01")
	trade := w.Ledger().Trades[0]
	w.refunded("coupon01", "r-1", "80")
	w.Advance(refundPause)
	last := w.pay(pathRefund, w.refundRequest("coupon01", "r-2", "800"))
	got := w.pay(pathRefundQuery, w.asking("out_trade_no", "coupon01"))
	for name, want := range map[string]string{
		"cash_refund_fee": itoa(800 - trade.CouponFee), "coupon_refund_fee": itoa(trade.CouponFee), "coupon_refund_count": "3", "cash_fee": itoa(880 - trade.CouponFee),
		"coupon_refund_fee_0": itoa(trade.Coupons[0].Fee), "coupon_refund_id_2": trade.Coupons[2].ID, "coupon_type_1": "",
		"settlement_refund_fee": itoa(800 - noCash(trade.Coupons)), "settlement_total_fee": itoa(880 - noCash(trade.Coupons)),
	} {
		if v := valueOf(last, name); v != want {
			t.Errorf("refund: %s = %q, want %q", name, v, want)
		}
	}
	for name, want := range map[string]string{
		"coupon_refund_fee_0": "", "coupon_refund_fee_1": itoa(trade.CouponFee), "coupon_refund_count_1": "3",
		"coupon_refund_fee_1_2": itoa(trade.Coupons[2].Fee), "coupon_type_1_0": trade.Coupons[0].Type, "refund_fee_1": "800",
		"settlement_refund_fee_0": "80", "settlement_refund_fee_1": itoa(800 - noCash(trade.Coupons)),
	} {
		if v := valueOf(got, name); v != want {
			t.Errorf("refundquery: %s = %q, want %q", name, v, want)
		}
	}
	bill := w.Bill(w.Now())
	if want := "`" + yuan(880-noCash(trade.Coupons)) + ",`" + yuan(880-noCash(trade.Coupons)) + ",`"; !strings.Contains(bill, want) {
		t.Errorf("the bill lacks %s:\n%s", want, bill)
	}
}
