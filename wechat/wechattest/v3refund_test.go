package wechattest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// refundBody requests a refund of an order of 880 fen.
func refundBody(no, outRefundNo string, fee int) string {
	return `{"out_trade_no":"` + no + `","out_refund_no":"` + outRefundNo + `","reason":"缺货","notify_url":"` + shopOrigin + `/api/notify/refund",` +
		`"amount":{"refund":` + itoa(int64(fee)) + `,"total":880,"currency":"CNY"}}`
}

func TestV3Refund(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	m.scanAndPay("refund-1")
	got := m.v3("POST", PathV3Refund, refundBody("refund-1", "r-1", 300), http.StatusOK)
	r := m.RefundsOf("refund-1")[0]
	want := map[string]any{
		"amount": map[string]any{
			"currency": "CNY", "discount_refund": 0.0, "from": []any{}, "payer_refund": 300.0, "payer_total": 880.0, "refund": 300.0,
			"refund_fee": 0.0, "settlement_refund": 300.0, "settlement_total": 880.0, "total": 880.0,
		},
		"channel": "ORIGINAL", "create_time": r.Created.In(beijing).Format(time.RFC3339), "funds_account": "UNSETTLED", "out_refund_no": "r-1", "out_trade_no": "refund-1",
		"promotion_detail": []any{}, "refund_id": r.RefundID, "status": "PROCESSING", "transaction_id": r.TransactionID, "user_received_account": "支付用户零钱",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := m.v3("POST", PathV3Refund, refundBody("refund-1", "r-1", 300), http.StatusOK); got["refund_id"] != r.RefundID {
		t.Errorf("the same again: %v", got)
	}
	if n := len(m.RefundsOf("refund-1")); n != 1 {
		t.Errorf("%d refunds", n)
	}
	m.Advance(m.cfg.RefundTime)
	got = m.v3("GET", PathV3Refund+"/r-1", "", http.StatusOK)
	if _, err := time.Parse(time.RFC3339, got["success_time"].(string)); got["status"] != "SUCCESS" || err != nil {
		t.Errorf("%v", got)
	}
	if got := m.v3("GET", m.queryURI("refund-1"), "", http.StatusOK); got["trade_state"] != "REFUND" || got["transaction_id"] != r.TransactionID {
		t.Errorf("the order: %v", got)
	}
	// APIv2 sees it, and refunds the rest.
	fields := []pair{{"appid", m.cfg.AppID}, {"mch_id", m.cfg.MchID}, {"nonce_str", "n"}, {"out_refund_no", "r-1"}}
	if got := m.pay(pathRefundQuery, fields); valueOf(got, "refund_status_0") != RefundSuccess {
		t.Errorf("refundquery: %v", got)
	}
	// A refund that APIv2 made is seen by APIv3.
	m.paid("refund-v2")
	if _, err := m.Refund("refund-v2", 100); err != nil {
		t.Fatal(err)
	}
	if got := m.v3("GET", PathV3Refund+"/"+m.RefundsOf("refund-v2")[0].OutRefundNo, "", http.StatusOK); got["status"] != "PROCESSING" {
		t.Errorf("a refund by hand: %v", got)
	}
}

func TestV3RefundDeclines(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	m.scanAndPay("decl-1")
	m.scanAndPay("decl-2")
	m.place("decl-3", "NATIVE")
	m.v3("POST", PathV3Refund, refundBody("decl-1", "r-1", 300), http.StatusOK)
	id := m.Ledger().Trades[0].TransactionID
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"unknown order":     {refundBody("decl-9", "r-2", 1), 404, "RESOURCE_NOT_EXISTS"},
		"unpaid order":      {refundBody("decl-3", "r-2", 1), 404, "RESOURCE_NOT_EXISTS"},
		"other amounts":     {refundBody("decl-1", "r-1", 301), 400, "INVALID_REQUEST"},
		"another order":     {refundBody("decl-2", "r-1", 300), 400, "INVALID_REQUEST"},
		"more than is left": {strings.Replace(refundBody("decl-1", "r-2", 600), "x", "x", 1), 400, "INVALID_REQUEST"},
		"within a minute":   {refundBody("decl-1", "r-2", 1), 429, "FREQUENCY_LIMITED"},
		"another total":     {strings.Replace(refundBody("decl-2", "r-2", 1), "880", "881", 1), 400, "INVALID_REQUEST"},
		"above the total":   {refundBody("decl-2", "r-2", 881), 400, "PARAM_ERROR"},
		"no order":          {strings.Replace(refundBody("decl-2", "r-2", 1), `"out_trade_no":"decl-2",`, "", 1), 400, "PARAM_ERROR"},
		"two orders":        {strings.Replace(refundBody("decl-2", "r-2", 1), `{"out`, `{"transaction_id":"`+id+`","out`, 1), 400, "INVALID_REQUEST"},
		"no currency":       {strings.Replace(refundBody("decl-2", "r-2", 1), `,"currency":"CNY"`, "", 1), 400, "PARAM_ERROR"},
		"parts":             {strings.Replace(refundBody("decl-2", "r-2", 2), `"total"`, `"from":[{"account":"AVAILABLE","amount":1}],"total"`, 1), 400, "PARAM_ERROR"},
		"the mchid":         {strings.Replace(refundBody("decl-2", "r-2", 1), `{"out`, `{"mchid":"`+m.cfg.MchID+`","out`, 1), 400, "PARAM_ERROR"},
	} {
		if got := m.v3("POST", PathV3Refund, c.body, c.status)["code"]; got != c.code {
			t.Errorf("%s: %v, want %s", name, got, c.code)
		}
	}
	if n := len(m.Ledger().Refunds); n != 1 {
		t.Errorf("%d refunds, want 1", n)
	}
	if got := m.v3("GET", PathV3Refund+"/r-9", "", http.StatusNotFound)["code"]; got != "RESOURCE_NOT_EXISTS" {
		t.Errorf("unknown refund: %v", got)
	}
	if got := m.v3("GET", PathV3Refund+"/r-1?mchid=1", "", http.StatusBadRequest)["code"]; got != "PARAM_ERROR" {
		t.Errorf("a query: %v", got)
	}
	m.Advance(366 * 24 * time.Hour)
	if got := m.v3("POST", PathV3Refund, refundBody("decl-2", "r-2", 1), http.StatusBadRequest)["code"]; got != "TRADE_OVERDUE" {
		t.Errorf("after a year: %v", got)
	}
}

// Refunds that lack money, are closed or cannot be returned, with the texts of APIv3.
func TestV3RefundFaults(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	fault := func(kind string) {
		t.Helper()
		if err := m.AddFault(Fault{Kind: kind}); err != nil {
			t.Fatal(err)
		}
	}
	for _, no := range []string{"faults-1", "faults-2", "faults-3", "faults-4"} {
		m.scanAndPay(no)
	}
	fault(FaultNotEnough)
	if got := m.v3("POST", PathV3Refund, refundBody("faults-1", "f-1", 880), http.StatusForbidden); got["code"] != "NOT_ENOUGH" {
		t.Errorf("%v", got)
	}
	m.PayIn()
	m.v3("POST", PathV3Refund, refundBody("faults-1", "f-1", 880), http.StatusOK)
	fault(FaultUnsettledShort)
	m.v3("POST", PathV3Refund, refundBody("faults-2", "f-2", 880), http.StatusForbidden)
	got := m.v3("POST", PathV3Refund, strings.Replace(refundBody("faults-2", "f-2", 880), `"amount"`, `"funds_account":"AVAILABLE","amount"`, 1), http.StatusOK)
	if got["funds_account"] != "AVAILABLE" {
		t.Errorf("from the balance: %v", got)
	}
	for no, c := range map[string]struct{ kind, want string }{"faults-3": {FaultRefundClosed, "CLOSED"}, "faults-4": {FaultRefundChange, "ABNORMAL"}} {
		fault(c.kind)
		m.v3("POST", PathV3Refund, refundBody(no, "f-"+no, 880), http.StatusOK)
		m.Advance(m.cfg.RefundTime)
		got := m.v3("GET", PathV3Refund+"/f-"+no, "", http.StatusOK)
		if _, done := got["success_time"]; got["status"] != c.want || done {
			t.Errorf("%s: %v", c.kind, got)
		}
	}
}

// Coupons of a payment and of its refund.
func TestV3Coupons(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	if err := m.AddFault(Fault{Kind: FaultCoupons}); err != nil {
		t.Fatal(err)
	}
	m.scanAndPay("coupons-1")
	trade := m.Ledger().Trades[0]
	got := m.v3("GET", m.queryURI("coupons-1"), "", http.StatusOK)
	amount := got["amount"].(map[string]any)
	if amount["total"] != 880.0 || amount["payer_total"] != float64(trade.CashFee) || trade.CashFee == 880 {
		t.Errorf("amount %v of %+v", amount, trade)
	}
	if n := len(got["promotion_detail"].([]any)); n != len(trade.Coupons) {
		t.Errorf("%d promotions, want %d", n, len(trade.Coupons))
	}
	back := m.v3("POST", PathV3Refund, refundBody("coupons-1", "c-1", 880), http.StatusOK)
	if got := back["amount"].(map[string]any); got["payer_refund"] != float64(trade.CashFee) || got["discount_refund"] != float64(trade.CouponFee) {
		t.Errorf("%v", got)
	}
	if n := len(back["promotion_detail"].([]any)); n != len(trade.Coupons) {
		t.Errorf("%d promotions go back, want %d", n, len(trade.Coupons))
	}
}
