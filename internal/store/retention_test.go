package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

func TestUnpaidOrdersAreDeleted(t *testing.T) {
	t.Parallel()
	db, s := bounded(t)
	s.Bounds = store.DefaultBounds()
	at := func(o order.Order, days int) order.Order {
		o.CreatedAt = now.AddDate(0, 0, -days)
		o.ExpiresAt = o.CreatedAt.Add(order.Lifetime)
		return o
	}
	var closed []order.Order
	for i := range 5 {
		o := takes(t, s, at(guestOrder(t, fmt.Sprint(i), "203.0.113.7", "key-1"), 40-i))
		prepay(t, s, o)
		if ok, err := closeOrder(s, o, o.ExpiresAt); !ok || err != nil {
			t.Fatal(ok, err)
		}
		closed = append(closed, o)
	}
	failed := takes(t, s, at(draft(t, "alice", "failed"), 31))
	if ok, err := s.Fail(ctx, failed.Payment.OutTradeNo, "PARAM_ERROR", failed.CreatedAt); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := began(beginClose(s, failed.ID, failed.CreatedAt)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	kept := []order.Order{
		takes(t, s, at(draft(t, "alice", "paid"), 50)), takes(t, s, at(draft(t, "alice", "paid late"), 50)),
		takes(t, s, at(draft(t, "alice", "open"), 50)), takes(t, s, at(draft(t, "alice", "young"), 29)),
	}
	pay(t, s, kept[0], kept[0].CreatedAt)
	refund(t, s, kept[0], "R1", 600, kept[0].CreatedAt)
	for _, o := range []order.Order{kept[1], kept[3]} {
		if ok, err := closeOrder(s, o, o.CreatedAt); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	pay(t, s, kept[1], kept[1].CreatedAt)

	before := now.AddDate(0, 0, -30)
	notified := takes(t, s, at(draft(t, "alice", "notified"), 50))
	if ok, err := closeOrder(s, notified, notified.CreatedAt); !ok || err != nil {
		t.Fatal(ok, err)
	}
	p := notified.Payment
	if _, ok, err := s.ClaimNotified(ctx, order.Notified{APIVersion: p.APIVersion, OutTradeNo: p.OutTradeNo, AppID: p.AppID, MchID: p.MchID, Total: p.Total, Currency: p.Currency}, nil, time.Second, before); !ok || err != nil {
		t.Fatal(ok, err)
	}
	kept = append(kept, notified)
	for _, want := range []int{4, 2, 0} {
		if n, err := s.DeleteUnpaid(ctx, before, 4); n != want || err != nil {
			t.Errorf("%d deleted, %v; want %d", n, err, want)
		}
		storetest.Check(t, db)
	}
	for _, o := range append(closed, failed) {
		if _, err := s.ByID(ctx, o.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("order %s is left: %v", o.ID, err)
		}
	}
	for _, o := range kept {
		if _, err := s.ByID(ctx, o.ID); err != nil {
			t.Errorf("order %s of %s: %v", o.ID, o.ClientKey, err)
		}
	}
	if n, err := s.DeleteUnpaid(ctx, before.Add(time.Millisecond), 4); n != 1 || err != nil {
		t.Errorf("long after its notification: %d deleted, %v", n, err)
	}
	for _, table := range []string{"order_changes", "payments", "events"} {
		var strays int
		if err := db.QueryRow(`SELECT COUNT(*) FROM ` + table + ` WHERE order_id NOT IN (SELECT id FROM orders)`).Scan(&strays); err != nil || strays != 0 {
			t.Errorf("%d rows of %s belong to no order, %v", strays, table, err)
		}
	}
}

// The number of the newest event is not given to another one, so that a back end that reads events
// from a position on misses none.
func TestNewestEventStays(t *testing.T) {
	t.Parallel()
	db, s := bounded(t)
	o := takes(t, s, draft(t, "alice", "closed"))
	prepay(t, s, o)
	if ok, err := closeOrder(s, o, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	deleted := func(want int) {
		t.Helper()
		if n, err := s.DeleteUnpaid(ctx, now.AddDate(0, 0, 30), 10); n != want || err != nil {
			t.Errorf("%d orders were deleted, %v; want %d", n, err, want)
		}
	}
	deleted(0)
	last := onlyEvent(t, s, o)
	next := takes(t, s, draft(t, "alice", "paid"))
	pay(t, s, next, now)
	deleted(1)
	if e := onlyEvent(t, s, next); e.Seq <= last.Seq {
		t.Errorf("event %d comes after event %d", e.Seq, last.Seq)
	}
	storetest.Check(t, db)
}
