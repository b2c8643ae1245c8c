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
	gone, left, err := s.DeleteOld(ctx, ids, now.AddDate(0, 0, -400), now.AddDate(0, 0, -30))
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
	if n, _, err := s.DeleteOld(ctx, ids, now.AddDate(0, 0, -400), now.AddDate(0, 0, -30)); len(n) != 0 || err != nil {
		t.Errorf("the second call deleted %v, %v", n, err)
	}
	if o, err := s.ByID(ctx, open.ID); err != nil || o.Status != api.StatusOpen {
		t.Errorf("%s, %v", o.Status, err)
	}
}

func refundOf(o order.Order, id string) order.Refund {
	r := refundDraft(o, id, 100)
	r.CreatedAt = o.CreatedAt.Add(time.Hour)
	return r
}
