package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/payment"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// A refund returns a part, and a second one the rest. A repeated call refunds nothing twice.
func TestRefundByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund)
	o := b.createOrder(tea(1000))
	path := "/v1/orders/" + o.ID + "/refunds"
	b.fails(api.CodeOrderNotPaid, "", "POST", path, struct{}{})
	b.payOrder(0, o.ID)
	refund := func(idempotencyKey, body string) v1Answer {
		t.Helper()
		r := b.request("POST", path, body)
		r.Header.Set("Idempotency-Key", idempotencyKey)
		return b.send(r)
	}
	first := refund("part", `{"amount":300,"reason":"少了一包"}`)
	var part, rest, read v1.Refund
	if err := json.Unmarshal(first.Body, &part); err != nil || first.Status != 201 || part.Amount != 300 || part.OrderID != o.ID || part.Reason != "少了一包" {
		t.Fatalf("%d %s", first.Status, first.Body)
	}
	if again := refund("part", `{"reason":"少了一包","amount":300}`); again.Status != 201 || !strings.Contains(string(again.Body), part.ID) {
		t.Errorf("repeated: %d %s", again.Status, again.Body)
	}
	changesNothing(s, func() {
		for _, body := range []string{`{"amount":301,"reason":"少了一包"}`, `{"amount":300}`, `{"reason":"少了一包"}`, `{}`} {
			if a := refund("part", body); a.Err.Code != v1.CodeIdempotency {
				t.Errorf("%s: %d %s", body, a.Status, a.Body)
			}
		}
	})
	b.fails(api.CodeRefundTooMuch, "", "POST", path, v1.CreateRefund{Amount: 701})
	left := refund("rest", `{}`)
	if err := json.Unmarshal(left.Body, &rest); err != nil || rest.Amount != 700 {
		t.Fatalf("what is left: %d %s", left.Status, left.Body)
	}
	for _, body := range []string{`{}`, `{"from_balance":true}`} {
		if again := refund("rest", body); again.Status != 201 || !strings.Contains(string(again.Body), rest.ID) {
			t.Errorf("%s repeated: %d %s", body, again.Status, again.Body)
		}
	}
	for _, body := range []string{`{"amount":700}`, `{"amount":300}`} { // also the amount of the first call
		if a := refund("rest", body); a.Err.Code != v1.CodeIdempotency {
			t.Errorf("%s after no amount: %d %s", body, a.Status, a.Body)
		}
	}
	b.fails(api.CodeRefundTooMuch, "", "POST", path, struct{}{})
	for range 3 {
		s.Sim.Advance(10 * time.Minute)
		s.Reconcile()
	}
	b.must("GET", "/v1/refunds/"+rest.ID, nil, &read)
	if read.Status != api.RefundSucceeded || read.EndedAt == 0 || read.RefundID == "" {
		t.Errorf("%+v", read)
	}
	whole := b.order(o.ID)
	if whole.Status != v1.OrderRefunded || whole.Refunded != 1000 || len(whole.Refunds) != 2 {
		t.Errorf("%+v", whole)
	}
	var sum int64
	for _, r := range s.Sim.RefundsOf(whole.Payments[0].OutTradeNo) {
		sum += r.Fee
	}
	if sum != 1000 {
		t.Errorf("WeChat paid back %d", sum)
	}
	b.fails(api.CodeNotFound, "", "GET", "/v1/refunds/none", nil)
	for body, field := range map[string]string{
		`{"amount":0}`: "amount", `{"Amount":-0}`: "amount", `{"amount":0.5}`: "amount", `{"amount":-1}`: "amount", `{"amount":100000001}`: "amount", `{"amount":"1"}`: "amount", `{"money":1}`: "money",
		`{"amount":1,"reason":"` + strings.Repeat("茶", 27) + `"}`: "reason", `{"amount":1,"reason":"a\u0000b"}`: "reason",
		`{"amount":1,"out_trade_no":"20261123NOTHINGOFTHISORDER000000"}`: "out_trade_no", `{"out_trade_no":"20261123NOTHINGOFTHISORDER000000"}`: "out_trade_no",
	} {
		b.fails(api.CodeBadRequest, field, "POST", path, body)
	}
}

// Concurrent copies of one refund request without an amount all get the same refund.
func TestConcurrentRefundsOfTheRest(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund)
	for range 8 {
		o := b.createOrder(tea(100))
		b.payOrder(0, o.ID)
		var group sync.WaitGroup
		ids := make([]string, 8)
		for i := range ids {
			r := b.request("POST", "/v1/orders/"+o.ID+"/refunds", `{}`)
			r.Header.Set("Idempotency-Key", "all")
			group.Go(func() {
				w := httptest.NewRecorder()
				b.Handler.ServeHTTP(w, r)
				var refund v1.Refund
				if err := json.Unmarshal(w.Body.Bytes(), &refund); err != nil || w.Code != 201 || refund.Amount != 100 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				ids[i] = refund.ID
			})
		}
		group.Wait()
		if different := slices.Compact(ids); len(different) != 1 {
			t.Errorf("refunds %v", different)
		}
		s.Check()
	}
}

// The same refund without an amount is made just before this one is stored, and takes what was left.
// The call returns it.
func TestRefundOfTheRestThatAnotherCallTook(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund)
	o := b.createOrder(tea(100))
	b.payOrder(0, o.ID)
	request := func() *http.Request {
		r := b.request("POST", "/v1/orders/"+o.ID+"/refunds", `{}`)
		r.Header.Set("Idempotency-Key", "all")
		return r
	}
	other := s.Handler
	var first, second v1.Refund
	var once sync.Once
	watchStatements(t, s, nil, func(query string) {
		if strings.Contains(query, "INSERT INTO refunds") {
			once.Do(func() {
				w := httptest.NewRecorder()
				other.ServeHTTP(w, request())
				if err := json.Unmarshal(w.Body.Bytes(), &first); err != nil || first.Amount != 100 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			})
		}
	})
	b.mustSend(request(), &second)
	if first.ID == "" || first.ID != second.ID {
		t.Errorf("%+v, and then %+v", first, second)
	}
}

// The response with sync has the refunds as WeChat has just reported them. It also has those of a
// payment that the same call found paid.
func TestSyncShowsTheRefundsAfterIt(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	o := b.createOrder(tea(100))
	stored, err := store.New(s.DB).ByID(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Signer.Pay(t.Context(), stored, payment.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}, ClientIP: "203.0.113.9"})
	if err != nil {
		t.Fatal(err)
	}
	s.Fault(wechattest.FaultNotifyLost, "")
	if err := s.Scan(0, c.CodeURL); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sim.Refund(s.OutTradeNo(o.ID), 40); err != nil {
		t.Fatal(err)
	}
	s.Sim.Advance(paytest.QueryPause)
	var got v1.Order
	b.must("GET", "/v1/orders/"+o.ID+"?sync=true", nil, &got)
	if d := cmp.Diff(b.order(o.ID).Refunds, got.Refunds); d != "" || len(got.Refunds) == 0 {
		t.Errorf("refunds (-stored +with sync): %s\n%+v", d, got)
	}
}

// An amount of 0 is an error. It is not an absent amount, which refunds the rest of the payment.
func TestRefundOfZeroChangesNothing(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund)
	o := b.createOrder(tea(1000))
	b.payOrder(0, o.ID)
	for _, body := range []string{`{"amount":0}`, `{"amount":-0}`, `{"Amount":0}`, `{"amount":0,"reason":"x"}`} {
		b.fails(api.CodeBadRequest, "amount", "POST", "/v1/orders/"+o.ID+"/refunds", body)
	}
	if got := b.order(o.ID); got.Status != v1.OrderPaid || len(got.Refunds) != 0 {
		t.Errorf("%+v", got)
	}
}
