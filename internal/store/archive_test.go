package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// Old orders are deleted with all that belongs to them. Those that are not old, or have not ended,
// stay.
func TestOldOrdersAreDeleted(t *testing.T) {
	t.Parallel()
	db, s := bounded(t)
	s.Bounds = store.DefaultBounds()
	link := order.Link{ID: "link", Token: "token-of-the-link", Title: "一号桌", Amount: 13600, CreatedAt: now, MadeBy: "root", IdempotencyKey: "key", Fingerprint: "f"}
	if ok, err := s.InsertLink(ctx, link); !ok || err != nil {
		t.Fatal(ok, err)
	}
	made := func(key string, days int) order.Order {
		o := draft(t, "alice", key)
		o.CreatedAt = now.AddDate(0, 0, -days)
		o.ExpiresAt = o.CreatedAt.Add(order.Lifetime)
		if key == "of a link" {
			o.Source, o.LinkID = order.SourceLink, link.ID
		}
		return takes(t, s, o)
	}
	paid := func(key string, days int) order.Order {
		o := made(key, days)
		pay(t, s, o, o.CreatedAt.Add(time.Minute))
		return o
	}
	// twice is an order that two people paid. It returns the refund of the second payment too.
	twice := func(key string) (o order.Order, refund string) {
		o = made(key, 500)
		second := add(t, s, scan(t, o))
		pay(t, s, o, o.CreatedAt.Add(time.Minute))
		payBy(t, s, second.OutTradeNo, o.CreatedAt.Add(time.Minute))
		return o, "DUP" + second.OutTradeNo
	}

	// These go.
	plain, ofLink, refunded, closed := paid("plain", 401), paid("of a link", 500), paid("refunded", 500), made("closed", 500)
	refund(t, s, refunded, "R1", refunded.Total, refunded.CreatedAt.Add(time.Hour))
	if ok, err := closeOrder(s, closed, closed.CreatedAt.Add(time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	declined := paid("a refund was declined", 500)
	addRefund(t, s, refundOf(declined, "R2"))
	if ok, err := s.FailRefund(ctx, "R2", order.RefundFailure{Failure: "NOTENOUGH"}, declined.CreatedAt.Add(time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	returned, duplicate := twice("paid by two people")
	if ok, err := moved(s.MoveRefund(ctx, duplicate, api.RefundSucceeded, "5000", returned.CreatedAt, returned.CreatedAt)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	old := []order.Order{plain, ofLink, refunded, closed, declined, returned}

	// These stay.
	young, open, changed, underWay := paid("young", 399), made("open", 500), paid("changed", 500), paid("refund under way", 500)
	refund(t, s, changed, "R3", 100, now.AddDate(0, 0, -7))
	addRefund(t, s, refundOf(underWay, "R4"))
	owed, _ := twice("a duplicate is not refunded")
	kept := []order.Order{young, open, changed, underWay, owed}
	for range 2 { // the second event of an order waits for the first one
		for _, e := range claim(t, s, now) {
			if ok, _, err := s.Deliver(ctx, e, now); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
	}
	pending, newest := paid("not delivered", 500), paid("the newest event", 500)
	for _, e := range claim(t, s, now) {
		if e.OrderID == newest.ID {
			if ok, _, err := s.Deliver(ctx, e, now); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
	}
	kept = append(kept, pending, newest)
	storetest.Check(t, db)

	ids := []string{"unknown"}
	var want []string
	for _, o := range append(slices.Clone(old), kept...) {
		ids = append(ids, o.ID)
	}
	for _, o := range kept {
		want = append(want, o.ID)
	}
	gone, left, err := s.DeleteOld(ctx, ids, now.AddDate(0, 0, -400), now.AddDate(0, 0, -30), false)
	slices.Sort(want)
	slices.Sort(left)
	if d := cmp.Diff(want, left); len(gone) != len(old) || d != "" || err != nil {
		t.Errorf("%d deleted, %v; kept (-want +got):\n%s", len(gone), err, d)
	}
	storetest.Check(t, db)
	for _, o := range old {
		if !slices.Contains(gone, o.ID) {
			t.Errorf("order %s is not in the list of those that were deleted", o.ClientKey)
		}
		if _, err := s.ByID(ctx, o.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("order %s is left: %v", o.ClientKey, err)
		}
	}
	for _, table := range []string{"order_changes", "payments", "refunds", "events"} {
		var rows int
		if err := db.QueryRow(`SELECT COUNT(*) FROM ` + table + ` WHERE order_id NOT IN (SELECT id FROM orders)`).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%d rows of %s belong to no order, %v", rows, table, err)
		}
	}
	if l, err := s.LinkByID(ctx, link.ID); err != nil || l.Orders != 1 || l.Paid != 1 || l.PaidAmount != 13600 {
		t.Errorf("the link counts %d orders, %d paid with %d, %v", l.Orders, l.Paid, l.PaidAmount, err)
	}
	deletesUndeliverable(t, s, pending)
	if n, _, err := s.DeleteOld(ctx, ids, now.AddDate(0, 0, -400), now.AddDate(0, 0, -30), false); len(n) != 0 || err != nil {
		t.Errorf("the second call deleted %v, %v", n, err)
	}
	if o, err := s.ByID(ctx, open.ID); err != nil || o.Status != api.StatusOpen {
		t.Errorf("%s, %v", o.Status, err)
	}
}

// deletesUndeliverable fails the test unless an order whose delivery waits at order.SettingsEndpoint
// stays while that may get it, and goes when it may not.
func deletesUndeliverable(t *testing.T, s *store.Store, o order.Order) {
	t.Helper()
	try := func(unset bool, want int) {
		t.Helper()
		if gone, _, err := s.DeleteOld(ctx, []string{o.ID}, now.AddDate(0, 0, -400), now.AddDate(0, 0, -30), unset); len(gone) != want || err != nil {
			t.Errorf("deleted %v, %v; want %d", gone, err, want)
		}
	}
	move := func(from, to order.EndpointState) {
		t.Helper()
		if ok, err := s.MoveEndpoint(ctx, order.SettingsEndpoint, from, to, now); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	try(false, 0)
	move(order.EndpointEnabled, order.EndpointDisabled)
	try(false, 1)
	move(order.EndpointDisabled, order.EndpointEnabled)
}

// Without an endpoint in the settings no order waits for one. An endpoint that an API call made still
// keeps the orders whose events it may get.
func TestOldOrdersAreDeletedWithoutEndpointOfTheSettings(t *testing.T) {
	t.Parallel()
	db, s := bounded(t)
	s.Bounds = store.DefaultBounds()
	paid := func(key string, days int) order.Order {
		o := draft(t, "alice", key)
		o.CreatedAt = now.AddDate(0, 0, -days)
		o.ExpiresAt = o.CreatedAt.Add(order.Lifetime)
		o = takes(t, s, o)
		pay(t, s, o, o.CreatedAt.Add(time.Minute))
		return o
	}
	first := paid("at the settings", 500)
	e := order.Endpoint{ID: "ep_erp", URL: "https://erp.example.com", Secret: "sealed", State: order.EndpointEnabled, CreatedAt: now, MadeBy: "root", IdempotencyKey: "key", Fingerprint: "f"}
	if ok, err := s.InsertEndpoint(ctx, e); !ok || err != nil {
		t.Fatal(ok, err)
	}
	second := paid("at both", 500)
	paid("the newest event", 0)
	want := func(unset bool, pending int, ids ...string) {
		t.Helper()
		gone, _, err := s.DeleteOld(ctx, []string{first.ID, second.ID}, now.AddDate(0, 0, -400), now.AddDate(0, 0, -30), unset)
		slices.Sort(gone)
		slices.Sort(ids)
		if err != nil || !slices.Equal(gone, ids) {
			t.Errorf("unset %t: deleted %v, %v; want %v", unset, gone, err, ids)
		}
		w, err := s.Waiting(ctx, unset)
		if err != nil || w.PendingEvents != pending {
			t.Errorf("unset %t: %d events are pending, %v; want %d", unset, w.PendingEvents, err, pending)
		}
		b, err := s.Backlog(ctx, 0, unset)
		if err != nil || b.Pending != pending {
			t.Errorf("unset %t: the backlog has %d pending deliveries, %v; want %d", unset, b.Pending, err, pending)
		}
	}
	want(false, 5)
	want(true, 2, first.ID)
	if ok, err := s.MoveEndpoint(ctx, e.ID, order.EndpointEnabled, order.EndpointGone, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	want(false, 2)
	want(true, 0, second.ID)
	want(false, 1)
	storetest.Check(t, db)
}

func refundOf(o order.Order, id string) order.Refund {
	r := refundDraft(o, id, 100)
	r.CreatedAt = o.CreatedAt.Add(time.Hour)
	return r
}
