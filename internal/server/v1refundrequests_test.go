package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/wechat"
)

// confirmedFrom returns a shop whose refunds need a second person from an amount on.
func confirmedFrom(t *testing.T, limit fen.Fen) (s *paytest.Shop, li, han *backEnd) {
	s = paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.RefundConfirm = limit })
	scopes := []v1.Scope{v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund}
	return s, newBackEnd(s, scopes...), newBackEnd(s, scopes...)
}

// A large refund is made once, when another person has confirmed it.
func TestRefundOfTwoPersons(t *testing.T) {
	t.Parallel()
	s, li, han := confirmedFrom(t, 5000)
	o := li.createOrder(tea(6800))
	path := "/v1/orders/" + o.ID
	li.fails(api.CodeOrderNotPaid, "", "POST", path+"/refund-requests", v1.CreateRefundRequest{Amount: 6800})
	li.payOrder(1, o.ID)
	li.fails(v1.CodeSecondPerson, "amount", "POST", path+"/refunds", v1.CreateRefund{Amount: 5000})
	li.fails(v1.CodeSecondPerson, "amount", "POST", path+"/refunds", v1.CreateRefund{}) // all of it
	li.fails(api.CodeRefundTooMuch, "amount", "POST", path+"/refund-requests", v1.CreateRefundRequest{Amount: 6801})

	body := v1.CreateRefundRequest{Amount: 6000, Reason: "坏了"}
	var asked, again v1.RefundRequest
	r := li.request("POST", path+"/refund-requests", li.text(body))
	r.Header.Set("Idempotency-Key", "once")
	li.mustSend(r, &asked)
	r = li.request("POST", path+"/refund-requests", li.text(body))
	r.Header.Set("Idempotency-Key", "once")
	if li.mustSend(r, &again); asked.Status != v1.RequestWaiting || again != asked || asked.KeyName != "erp" {
		t.Errorf("%+v, repeated %+v", asked, again)
	}
	for _, other := range []v1.CreateRefundRequest{
		{Amount: 6001, Reason: "坏了"},
		{Amount: 6000, Reason: "迟到"},
		{Amount: 6000, Reason: "坏了", OutTradeNo: s.OutTradeNo(o.ID)},
		{Amount: 6000, Reason: "坏了", FromBalance: true},
	} {
		r = li.request("POST", path+"/refund-requests", li.text(other))
		r.Header.Set("Idempotency-Key", "once")
		li.rejected(v1.CodeIdempotency, "Idempotency-Key", r)
	}
	li.fails(v1.CodeFull, "", "POST", path+"/refund-requests", v1.CreateRefundRequest{Amount: 1})
	var list v1.RefundRequests
	if han.must("GET", "/v1/refund-requests", nil, &list); len(list.Requests) != 1 || list.Requests[0] != asked {
		t.Errorf("waiting: %+v", list)
	}
	confirm := "/v1/refund-requests/" + asked.ID + "/confirm"
	li.fails(v1.CodeSecondPerson, "", "POST", confirm, nil)
	if got := li.order(o.ID); len(got.Refunds) != 0 {
		t.Fatalf("refunded by one person: %+v", got.Refunds)
	}
	var refund, repeated v1.Refund
	han.must("POST", confirm, nil, &refund)
	han.must("POST", confirm, nil, &repeated)
	if got := li.order(o.ID); refund.Amount != 6000 || refund.Reason != "坏了" || repeated.ID != refund.ID || len(got.Refunds) != 1 {
		t.Errorf("%+v, repeated %+v, the order has %+v", refund, repeated, got.Refunds)
	}
	if han.must("GET", "/v1/refund-requests", nil, &list); len(list.Requests) != 0 {
		t.Errorf("still waiting: %+v", list)
	}
	han.fails(api.CodeConflict, "", "POST", "/v1/refund-requests/"+asked.ID+"/decline", nil)
	han.fails(api.CodeNotFound, "", "POST", "/v1/refund-requests/none/confirm", nil)
	if entry := root(s).audit().Entries[0]; entry.Action != "confirmRefund" || entry.Object != asked.ID {
		t.Errorf("audited: %+v", entry)
	}
}

// Refunds of an order count together. The person who requested one may withdraw it. The root token,
// and smaller refunds, need no second person.
func TestSecondPersonIsNeededForTheSum(t *testing.T) {
	t.Parallel()
	s, li, _ := confirmedFrom(t, 5000)
	o := li.createOrder(tea(6800))
	li.payOrder(1, o.ID)
	path := "/v1/orders/" + o.ID
	small := li.request("POST", path+"/refunds", `{"amount":4000}`)
	small.Header.Set("Idempotency-Key", "small")
	var first, again v1.Refund
	li.mustSend(small, &first)
	small = li.request("POST", path+"/refunds", `{"amount":4000}`)
	small.Header.Set("Idempotency-Key", "small")
	if li.mustSend(small, &again); again.ID != first.ID {
		t.Errorf("repeated: %+v", again)
	}
	li.fails(v1.CodeSecondPerson, "amount", "POST", path+"/refunds", v1.CreateRefund{Amount: 1000})
	var asked v1.RefundRequest
	li.must("POST", path+"/refund-requests", v1.CreateRefundRequest{Amount: 1000}, &asked)
	li.must("POST", "/v1/refund-requests/"+asked.ID+"/decline", nil, &asked)
	if asked.Status != v1.RequestDeclined {
		t.Errorf("%+v", asked)
	}
	li.must("POST", path+"/refund-requests", v1.CreateRefundRequest{Amount: 1001}, &asked) // the place is free again
	root(s).must("POST", path+"/refunds", v1.CreateRefund{Amount: 2800}, &v1.Refund{})
}

// If several refunds are requested at the same time, those that stay below the amount are made.
func TestRefundsAtOnceNeedASecondPerson(t *testing.T) {
	t.Parallel()
	s, li, han := confirmedFrom(t, 3000)
	o := li.createOrder(tea(6800))
	li.payOrder(1, o.ID)
	path := "/v1/orders/" + o.ID
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := map[api.Code]int{}
	for i := range 12 {
		by := []*backEnd{li, han}[i%2]
		r := by.request("POST", path+"/refunds", `{"amount":1000}`)
		wg.Go(func() {
			w := httptest.NewRecorder()
			by.Handler.ServeHTTP(w, r)
			var e v1.Error
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			mu.Lock()
			defer mu.Unlock()
			made[e.Code]++
		})
	}
	wg.Wait()
	s.Check()
	if d := cmp.Diff(map[api.Code]int{"": 2, v1.CodeSecondPerson: 10}, made); d != "" {
		t.Errorf("codes of the refunds (-want +got):\n%s", d)
	}
	if got := li.order(o.ID); len(got.Refunds) != 2 {
		t.Errorf("%+v", got.Refunds)
	}
}

// A confirmation whose refund is rejected leaves the request waiting. It can still be declined, or
// confirmed when there is room again.
func TestRejectedConfirmationLeavesTheRequestWaiting(t *testing.T) {
	t.Parallel()
	s, li, han := confirmedFrom(t, 5000)
	o := li.createOrder(tea(6800))
	li.payOrder(1, o.ID)
	s.FromWeChat.Handler = http.NotFoundHandler()
	path := "/v1/orders/" + o.ID
	var asked v1.RefundRequest
	li.must("POST", path+"/refund-requests", v1.CreateRefundRequest{Amount: 6000}, &asked)
	root(s).must("POST", path+"/refunds", v1.CreateRefund{Amount: 2000}, &v1.Refund{})
	han.must("GET", "/v1/refund-requests", nil, &v1.RefundRequests{}) // the use of the key is stored
	before := storetest.DumpAll(t, s.DB)
	a := han.call("POST", "/v1/refund-requests/"+asked.ID+"/confirm", nil)
	if a.Err.Code != api.CodeRefundTooMuch || !strings.Contains(a.Err.Message, "48.00 yuan: the refund request still waits") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if d := cmp.Diff(before, storetest.DumpAll(t, s.DB)); d != "" {
		t.Errorf("the database changed (-before +after):\n%s", d)
	}
	var list v1.RefundRequests
	if han.must("GET", "/v1/refund-requests", nil, &list); len(list.Requests) != 1 {
		t.Errorf("waiting: %+v", list)
	}
	han.must("POST", "/v1/refund-requests/"+asked.ID+"/decline", nil, &asked)
	han.fails(api.CodeConflict, "", "POST", "/v1/refund-requests/"+asked.ID+"/confirm", nil)
	if got := li.order(o.ID); len(got.Refunds) != 1 {
		t.Errorf("%+v", got.Refunds)
	}
}

// A request is checked like a refund: by the refunds under way, the payment that it names, and the time
// of the payment. A repeated one is not checked again.
func TestRefundRequestThatCannotSucceed(t *testing.T) {
	t.Parallel()
	s, li, han := confirmedFrom(t, 5000)
	o, open := li.createOrder(tea(6800)), li.createOrder(tea(6800))
	li.payOrder(1, o.ID)
	s.FromWeChat.Handler = http.NotFoundHandler() // refunds stay under way
	path := "/v1/orders/" + o.ID + "/refund-requests"
	root(s).must("POST", "/v1/orders/"+o.ID+"/refunds", v1.CreateRefund{Amount: 800}, &v1.Refund{})
	li.fails(api.CodeRefundTooMuch, "amount", "POST", path, v1.CreateRefundRequest{Amount: 6001})
	li.fails(api.CodeBadRequest, "out_trade_no", "POST", path, v1.CreateRefundRequest{Amount: 1, OutTradeNo: "none"})
	li.fails(api.CodeBadRequest, "reason", "POST", path, v1.CreateRefundRequest{Amount: 1, Reason: "a\nb"})
	li.fails(api.CodeOrderNotPaid, "", "POST", "/v1/orders/"+open.ID+"/refund-requests", v1.CreateRefundRequest{Amount: 1})
	li.fails(api.CodeNotFound, "", "POST", "/v1/orders/none/refund-requests", v1.CreateRefundRequest{Amount: 1})
	send := func() (asked v1.RefundRequest) {
		r := li.request("POST", path, `{"amount":6000}`)
		r.Header.Set("Idempotency-Key", "once")
		li.mustSend(r, &asked)
		return asked
	}
	asked := send()
	han.must("POST", "/v1/refund-requests/"+asked.ID+"/confirm", nil, &v1.Refund{})
	if again := send(); again.ID != asked.ID || again.Status != v1.RequestConfirmed {
		t.Errorf("repeated: %+v", again)
	}
	s.AdvanceClock(366 * 24 * time.Hour)
	li.fails(api.CodeWeChatDeclined, "", "POST", path, v1.CreateRefundRequest{Amount: 1})
}

// At the same time two persons confirm a request, one declines it, and the one who requested it tries to
// confirm it. There is one refund if it is confirmed, and none if it is declined.
func TestDecisionsAtOnce(t *testing.T) {
	t.Parallel()
	s, li, han := confirmedFrom(t, 5000)
	mei := newBackEnd(s, v1.ScopeRefund)
	o := li.createOrder(tea(6800))
	li.payOrder(1, o.ID)
	s.FromWeChat.Handler = http.NotFoundHandler()
	made := 0
	for range 6 {
		var asked v1.RefundRequest
		li.must("POST", "/v1/orders/"+o.ID+"/refund-requests", v1.CreateRefundRequest{Amount: 1000}, &asked)
		var wg sync.WaitGroup
		for _, decision := range []struct {
			by   *backEnd
			what string
		}{{han, "confirm"}, {mei, "confirm"}, {han, "decline"}, {li, "confirm"}} {
			r := decision.by.request("POST", "/v1/refund-requests/"+asked.ID+"/"+decision.what, "")
			wg.Go(func() { s.Handler.ServeHTTP(httptest.NewRecorder(), r) })
		}
		wg.Wait()
		s.Check()
		var status, by string
		if err := s.DB.QueryRow(`SELECT status, decided_by FROM refund_requests WHERE id = ?`, asked.ID).Scan(&status, &by); err != nil {
			t.Fatal(err)
		}
		if by == asked.KeyID || status == "waiting" {
			t.Errorf("the request is %s by %s", status, by)
		}
		if status == "confirmed" {
			made++
		}
		if got := li.order(o.ID); len(got.Refunds) != made {
			t.Errorf("%d refunds, %d confirmed", len(got.Refunds), made)
		}
	}
}
