package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/webhook"
)

// isNow reports whether a time is that of a call that was just made. The clock runs meanwhile.
func isNow(r *paytest.Merchant, ms int64) bool {
	ago := r.Now().Sub(time.UnixMilli(ms))
	return ago >= 0 && ago < 10*time.Second
}

func TestOperatorReplaysADeadEvent(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	o := r.PaidOrderOf(r.SignedIn(0), "tea")
	r.Respond = func(int, webhook.Event) (int, error) { return 400, nil }
	for _, pause := range order.EventSchedule() {
		r.Sim.Advance(pause + pause/10)
		r.Deliver()
	}
	boss := r.Operator()
	var list v1.Events
	boss.Must("GET", "/v1/events?status=dead", nil, &list)
	if len(list.Events) != 1 || list.Next != "" {
		t.Fatalf("%+v", list)
	}
	dead := list.Events[0]
	if dead.Type != api.EventOrderPaid || dead.OrderID != o.ID || dead.Status != api.EventDead || dead.Attempts != 10 ||
		dead.LastError != "HTTP 400" || dead.NextAt != 0 || dead.CreatedAt == 0 {
		t.Errorf("%+v", dead)
	}
	r.Respond = nil
	announced := r.Announced
	var e v1.Event
	boss.Must("POST", paytest.ReplayPath(dead.ID), nil, &e)
	if e.ID != dead.ID || e.Status != api.EventPending || !isNow(r, e.NextAt) || r.Announced != announced+1 {
		t.Errorf("%+v, announced %d times", e, r.Announced-announced)
	}
	r.Deliver()
	if r.Acknowledged[dead.ID] != 1 {
		t.Errorf("acknowledged %d times", r.Acknowledged[dead.ID])
	}
	// A delivered event can be delivered again, with the same id.
	boss.Must("POST", paytest.ReplayPath(dead.ID), nil, &e)
	r.Deliver()
	if r.Acknowledged[dead.ID] != 2 {
		t.Errorf("acknowledged %d times", r.Acknowledged[dead.ID])
	}
	boss.Must("GET", "/v1/events/"+dead.ID, nil, &e)
	if e.Status != api.EventDelivered || !isNow(r, e.DeliveredAt) || e.Attempts != 12 {
		t.Errorf("%+v", e)
	}
}

// A refund that succeeded has one event, after that of the payment.
func TestRefundHasOneEvent(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	o := r.SignedIn(0).PaidOrder("tea", 1)
	boss := r.Operator()
	first := boss.Refund(o.ID, paytest.RefundRequest(800))
	r.Deliver()
	r.Sim.Advance(time.Minute) // the refund succeeds, and WeChat sends the notification
	second := boss.Refund(o.ID, paytest.RefundRequest(6000))
	r.Sim.Advance(time.Minute)
	for range 3 {
		r.Deliver()
		r.Sim.Advance(time.Minute)
	}
	var got []string
	for _, e := range r.Events {
		line := fmt.Sprint(e.Type, " ", e.Data.Order.Status, " ", e.Data.Order.Refunded)
		if e.Data.Refund != nil {
			line += fmt.Sprint(" ", e.Data.Refund.ID, " ", e.Data.Refund.Amount, " ", e.Data.Refund.Reason)
		}
		got = append(got, line)
	}
	want := []string{
		"order.paid paid 0",
		"order.refunded paid 800 " + first.ID + " 800 少了一包",
		"order.refunded refunded 6800 " + second.ID + " 6000 少了一包",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if r.Announced < 3 {
		t.Errorf("announced %d times", r.Announced)
	}
}
