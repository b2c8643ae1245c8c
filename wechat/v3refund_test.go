package wechat

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// refundedV3 is a refund in a response, as live ones have it.
func refundedV3() object {
	return object{
		"refund_id": "50000000002026030100000000001", "out_refund_no": testRefundNo, "transaction_id": "4200000000202603010000000001",
		"out_trade_no": testNo, "channel": "ORIGINAL", "user_received_account": "支付用户零钱", "create_time": "2026-03-01T07:30:00+08:00",
		"success_time": "2026-03-01T07:30:15+08:00", "status": "SUCCESS", "funds_account": "AVAILABLE", "promotion_detail": []any{},
		"amount": object{"total": 880, "refund": 300, "from": []any{}, "payer_total": 780, "payer_refund": 200, "settlement_refund": 300,
			"settlement_total": 880, "discount_refund": 0, "currency": "CNY", "refund_fee": 0},
	}
}

func refundV3() Refund {
	return Refund{
		Version: V3, OutTradeNo: testNo, OutRefundNo: testRefundNo, TransactionID: "4200000000202603010000000001",
		RefundID: "50000000002026030100000000001", Total: 880, Amount: 300, State: RefundSuccess,
		RefundedAt: time.Date(2026, 2, 28, 23, 30, 15, 0, time.UTC),
	}
}

func v3refundRequestOf(change func(*RefundRequest)) RefundRequest {
	r := RefundRequest{OutTradeNo: testNo, OutRefundNo: testRefundNo, Total: 880, Amount: 300, Reason: "退货🍵", NotifyURL: "https://shop.example/api/notify/refund"}
	if change != nil {
		change(&r)
	}
	return r
}

func TestRefundOfAPIv3(t *testing.T) {
	_, p, w := newV3Client(t, answers(http.StatusOK, refundedV3().json()))
	if !p.CanRefund() {
		t.Error("APIv3 needs no client certificate")
	}
	got, err := p.Refund(t.Context(), v3refundRequestOf(nil))
	if err != nil || got != refundV3() {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := p.Refund(t.Context(), v3refundRequestOf(func(r *RefundRequest) { r.FromBalance, r.Reason, r.NotifyURL = true, "", "" })); err != nil {
		t.Error(err)
	}
	for i, want := range []object{
		{"out_trade_no": testNo, "out_refund_no": testRefundNo, "reason": "退货", "notify_url": "https://shop.example/api/notify/refund",
			"amount": object{"refund": 300, "total": 880, "currency": "CNY"}},
		{"out_trade_no": testNo, "out_refund_no": testRefundNo, "funds_account": "AVAILABLE", "amount": object{"refund": 300, "total": 880, "currency": "CNY"}},
	} {
		var sent object
		if err := json.Unmarshal([]byte(w.sent[i].body), &sent); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.json(), sent.json()); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
		if w.sent[i].url != "https://api.mch.weixin.qq.com/v3/refund/domestic/refunds" || w.sent[i].method != "POST" {
			t.Errorf("sent %+v", w.sent[i])
		}
	}
	_, p, _ = newV3Client(t, silent(t))
	for _, change := range []func(*RefundRequest){
		func(r *RefundRequest) { r.Amount = 881 }, func(r *RefundRequest) { r.Amount = 0 }, func(r *RefundRequest) { r.OutRefundNo = "a b" },
		func(r *RefundRequest) { r.NotifyURL = "https://s/?x" },
	} {
		_, err := p.Refund(t.Context(), v3refundRequestOf(change))
		wantError(t, err, Developer, codeParam)
	}
	_, err = p.QueryRefunds(t.Context(), testNo)
	wantError(t, err, Developer, CodeNotOffered)
}

func TestQueryRefundOfAPIv3(t *testing.T) {
	_, p, w := newV3Client(t, answers(http.StatusOK, refundedV3().with("out_refund_no", "r|1*@_-").json()))
	want := refundV3()
	want.OutRefundNo = "r|1*@_-"
	if got, err := p.QueryRefund(t.Context(), "r|1*@_-"); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if w.sent[0].url != "https://api.mch.weixin.qq.com/v3/refund/domestic/refunds/r%7C1%2A@_-" {
		t.Errorf("sent to %s", w.sent[0].url)
	}
	for status, state := range map[string]RefundState{
		"PROCESSING": RefundProcessing, "SUCCESS": RefundSuccess, "CLOSED": RefundClosed, "CLOSE": RefundClosed, "ABNORMAL": RefundAbnormal, "NEW": "NEW",
	} {
		_, p, _ := newV3Client(t, answers(http.StatusOK, refundedV3().with("status", status).json()))
		got, err := p.QueryRefund(t.Context(), testRefundNo)
		if err != nil || got.State != state || got.RefundedAt.IsZero() == (state == RefundSuccess) {
			t.Errorf("%s: %+v, %v", status, got, err)
		}
	}
	for _, code := range []string{"RESOURCE_NOT_EXISTS", "REFUND_NOT_EXISTS"} {
		_, p, _ := newV3Client(t, answers(http.StatusNotFound, object{"code": code, "message": "退款单不存在"}.json()))
		_, err := p.QueryRefund(t.Context(), testRefundNo)
		wantError(t, err, Declined, CodeRefundNotExist)
	}
	// An unsigned response proves nothing about the refund.
	_, p, _ = newV3Client(t, says3(v3answer{status: http.StatusNotFound, body: `{"code":"RESOURCE_NOT_EXISTS"}`, header: unsigned}))
	_, err := p.QueryRefund(t.Context(), testRefundNo)
	wantError(t, err, Declined, "")
}

// badV3Refunds are refunds that no message may have.
func badV3Refunds() map[string]object {
	return map[string]object{
		"no refund number":     refundedV3().with("out_refund_no", "-"),
		"no order number":      refundedV3().with("out_trade_no", "-"),
		"no transaction":       refundedV3().with("transaction_id", "-"),
		"no refund_id":         refundedV3().with("refund_id", "-"),
		"refund_id of marks":   refundedV3().with("refund_id", "5\n0"),
		"no amount":            refundedV3().with("amount", "-"),
		"no total":             refundedV3().with("amount.total", "-"),
		"no refund":            refundedV3().with("amount.refund", nil),
		"more than the order":  refundedV3().with("amount.refund", 881),
		"nothing":              refundedV3().with("amount.refund", 0),
		"negative":             refundedV3().with("amount.refund", -300),
		"a fraction":           refundedV3().with("amount.refund", json.Number("300.5")),
		"dollars":              refundedV3().with("amount.currency", "USD"),
		"time without a zone":  refundedV3().with("success_time", "2026-03-01 07:30:15"),
		"an order of nothing":  refundedV3().with("amount.total", 0, "amount.refund", 0),
		"too large an order":   refundedV3().with("amount.total", json.Number("10000000000")),
		"a number as a string": refundedV3().with("amount.refund", "300"),
	}
}

func TestBadRefundsOfAPIv3(t *testing.T) {
	bad := badV3Refunds()
	bad["no status"] = refundedV3().with("status", "-")
	bad["status of two lines"] = refundedV3().with("status", "SUC\nCESS")
	bad["another refund"] = refundedV3().with("out_refund_no", testRefundNo+"2")
	for name, m := range bad {
		_, p, _ := newV3Client(t, answers(http.StatusOK, m.json()))
		_, err := p.QueryRefund(t.Context(), testRefundNo)
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		wantError(t, err, Untrusted, "")
	}
	bad["another order"] = refundedV3().with("out_trade_no", testNo+"2")
	bad["another amount"] = refundedV3().with("amount.refund", 301)
	bad["another total"] = refundedV3().with("amount.total", 881)
	for name, m := range bad {
		_, p, _ := newV3Client(t, answers(http.StatusOK, m.json()))
		_, err := p.Refund(t.Context(), v3refundRequestOf(nil))
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		wantError(t, err, Untrusted, "")
	}
}
