package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
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
	var list api.EventList
	boss.Must("GET", api.PathAdminEvents+"?status=dead", nil, &list)
	if len(list.Events) != 1 || list.Cursor != "" {
		t.Fatalf("%+v", list)
	}
	dead := list.Events[0]
	if dead.Type != api.EventOrderPaid || dead.OrderID != o.ID || dead.Status != api.EventDead || dead.Attempts != 10 ||
		dead.LastError != "HTTP 400" || dead.NextAt != 0 || dead.CreatedAt == 0 {
		t.Errorf("%+v", dead)
	}
	r.Respond = nil
	announced := r.Announced
	var e api.Event
	boss.Must("POST", paytest.ReplayPath(dead.ID), struct{}{}, &e)
	if e.ID != dead.ID || e.Status != api.EventPending || !isNow(r, e.NextAt) || r.Announced != announced+1 {
		t.Errorf("%+v, announced %d times", e, r.Announced-announced)
	}
	r.Deliver()
	if r.Acknowledged[dead.ID] != 1 {
		t.Errorf("acknowledged %d times", r.Acknowledged[dead.ID])
	}
	// A delivered event can be delivered again, with the same id.
	boss.Must("POST", paytest.ReplayPath(dead.ID), struct{}{}, &e)
	r.Deliver()
	if r.Acknowledged[dead.ID] != 2 {
		t.Errorf("acknowledged %d times", r.Acknowledged[dead.ID])
	}
	if events := boss.AdminOrder(o.ID).Events; len(events) != 1 || events[0].Status != api.EventDelivered || !isNow(r, events[0].DeliveredAt) || events[0].Attempts != 12 {
		t.Errorf("the order shows %+v", events)
	}
}

func TestOperatorTurnsThePages(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	p := r.SignedIn(0)
	var want []string
	for range 5 {
		want = append([]string{r.PaidOrderOf(p, "test").ID}, want...)
	}
	boss := r.Operator()
	var got []string
	path := api.PathAdminEvents + "?limit=2"
	for range 3 {
		var list api.EventList
		boss.Must("GET", path, nil, &list)
		for _, e := range list.Events {
			got = append(got, e.OrderID)
		}
		path = api.PathAdminEvents + "?limit=2&cursor=" + list.Cursor
		if (list.Cursor == "") != (len(got) == 5) {
			t.Fatalf("after %d: cursor %q", len(got), list.Cursor)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	a := boss.Call("GET", api.PathAdminEvents+"?status=dead", nil)
	if a.Status != 200 || !strings.Contains(string(a.Body), `"events":[]`) {
		t.Errorf("no events: %d %s", a.Status, a.Body)
	}
}

func TestOperatorsEventCallsAreStrict(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	r.PaidOrderOf(r.SignedIn(0), "test")
	boss := r.Operator()
	for _, query := range []string{"status=lost", "status=", "status=dead&status=dead", "state=dead", "cursor=0", "cursor=x", "cursor=-1",
		"cursor=9007199254740992", "limit=0", "limit=501", "limit=1%3B", "%zz"} {
		boss.Fails(api.CodeBadRequest, "GET", api.PathAdminEvents+"?"+query, nil)
	}
	for _, id := range []string{"evt_0", "x", strings.Repeat("e", 500)} {
		boss.Fails(api.CodeNotFound, "POST", paytest.ReplayPath(id), struct{}{})
	}
	boss.Fails(api.CodeBadRequest, "POST", paytest.ReplayPath("evt_0"), map[string]int{"times": 2})
	// Without the token nobody reads or replays events.
	var list api.EventList
	boss.Must("GET", api.PathAdminEvents, nil, &list)
	for _, token := range []string{"", "not the operator's token of 34 ch."} {
		stranger := r.SignedIn(1)
		stranger.Token = token
		stranger.Fails(api.CodeUnauthenticated, "GET", api.PathAdminEvents, nil)
		stranger.Fails(api.CodeUnauthenticated, "POST", paytest.ReplayPath(list.Events[0].ID), struct{}{})
	}
	if e := list.Events[0]; r.EventOf(e.OrderID).Attempts != 0 {
		t.Error("the event changed")
	}
}

// A refund has one event, after that of the payment, when the money has gone back.
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
