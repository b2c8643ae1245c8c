package server_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/paytest"
	"h5pay/internal/v1"
)

// Today has each payment and each refund once, by the hour, and counts the work that has not ended.
func TestToday(t *testing.T) {
	t.Parallel()
	s := paytest.NewMerchant(t).Shop
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund)
	var today v1.Today
	b.must("GET", "/v1/today", nil, &today)
	if len(today.Hours) != 0 || today.Waiting != (v1.Waiting{}) {
		t.Errorf("a new shop has %+v", today)
	}
	begun := s.Now()
	first, second := b.createOrder(tea(6800)), b.createOrder(tea(200))
	b.payOrder(1, first.ID)
	b.createOrder(tea(999)) // stays open
	s.Sim.Advance(2 * time.Hour)
	b.payOrder(1, second.ID)
	var refund v1.Refund
	b.must("POST", "/v1/orders/"+first.ID+"/refunds", v1.CreateRefund{Amount: 300}, &refund)
	s.Sim.Advance(time.Minute)
	s.Deliver()
	b.must("POST", "/v1/orders/"+second.ID+"/refunds", v1.CreateRefund{}, &refund) // its notification is not delivered
	b.must("GET", "/v1/today", nil, &today)
	hour := func(at time.Time) int64 { return at.Truncate(time.Hour).UnixMilli() }
	later := begun.Add(2 * time.Hour)
	want := []v1.Takings{
		{At: hour(begun), Payments: 1, Paid: 6800},
		{At: hour(later), Payments: 1, Paid: 200, Refunds: 1, Refunded: 300},
	}
	if d := cmp.Diff(want, today.Hours); d != "" {
		t.Errorf("hours (-want +got):\n%s", d)
	}
	if want := (v1.Waiting{OpenOrders: 1, OpenRefunds: 1, PendingEvents: 3}); today.Waiting != want {
		t.Errorf("waiting: %+v, want %+v", today.Waiting, want)
	}
	// After 31 days Today has none of them.
	s.Sim.Advance(31 * 24 * time.Hour)
	b.must("GET", "/v1/today", nil, &today)
	if len(today.Hours) != 0 {
		t.Errorf("a month later: %+v", today.Hours)
	}
}

// Without a back end no event waits.
func TestTodayWithoutWebhook(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead)
	s.SignedIn(1).PaidOrder("tea", 1)
	var today v1.Today
	b.must("GET", "/v1/today", nil, &today)
	if today.Waiting != (v1.Waiting{}) {
		t.Errorf("waiting: %+v, want nothing", today.Waiting)
	}
}

// An order is found by each of its numbers.
func TestOrdersByAnyNumber(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund)
	o := b.createOrder(v1.CreateOrder{Amount: 6800, Description: "茶", Reference: "A-1042"})
	b.createOrder(tea(1))
	b.payOrder(1, o.ID)
	var refund v1.Refund
	b.must("POST", "/v1/orders/"+o.ID+"/refunds", v1.CreateRefund{Amount: 300}, &refund)
	s.Deliver()
	b.must("GET", "/v1/refunds/"+refund.ID, nil, &refund)
	o = b.order(o.ID)
	for name, number := range map[string]string{
		"id": o.ID, "reference": "A-1042", "out_trade_no": o.Payments[0].OutTradeNo, "transaction_id": o.Payments[0].TransactionID,
		"refund": refund.ID, "refund_id": refund.RefundID,
	} {
		var list v1.Orders
		b.must("GET", "/v1/orders?number="+number, nil, &list)
		if len(list.Orders) != 1 || list.Orders[0].ID != o.ID {
			t.Errorf("by its %s %q: %+v", name, number, list)
		}
	}
	var none v1.Orders
	if b.must("GET", "/v1/orders?number=nothing", nil, &none); len(none.Orders) != 0 {
		t.Errorf("by an unknown number: %+v", none)
	}
}
