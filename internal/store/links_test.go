package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// A link counts its open and its paid orders. It accepts max_orders at most, and none after
// its end.
func TestLinkCountsItsOrders(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	l := order.Link{ID: "l1", Token: "token", Title: "票", Amount: 13600, MaxOrders: 1, ExpiresAt: now.Add(time.Hour), CreatedAt: now, MadeBy: "root", IdempotencyKey: "k", Fingerprint: "f"}
	for _, want := range []bool{true, false} {
		if ok, err := s.InsertLink(ctx, l); ok != want || err != nil {
			t.Fatal(ok, err)
		}
	}
	for name, read := range map[string]func() (order.Link, error){
		"id":      func() (order.Link, error) { return s.LinkByID(ctx, "l1") },
		"token":   func() (order.Link, error) { return s.LinkByToken(ctx, "token") },
		"request": func() (order.Link, error) { return s.LinkOfRequest(ctx, "root", "k") },
	} {
		if got, err := read(); err != nil || got.ID != "l1" || got.Amount != 13600 || got.ExpiresAt != l.ExpiresAt {
			t.Errorf("by %s: %+v, %v", name, got, err)
		}
	}
	if list, err := s.Links(ctx, time.Time{}, "", 10); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	place := func(id string, at time.Time) (order.Order, error) {
		o := draft(t, "alice", id)
		o.Source, o.LinkID, o.CreatedAt, o.ExpiresAt = order.SourceLink, "l1", at, at.Add(order.LinkLifetime)
		return s.Insert(ctx, o)
	}
	count := func(orders, paid int) {
		t.Helper()
		got, err := s.LinkByID(ctx, "l1")
		if err != nil || got.Orders != orders || got.Paid != paid {
			t.Errorf("%+v, %v; want %d orders, %d paid", got, err, orders, paid)
		}
		storetest.Check(t, db)
	}
	first, err := place("key-1", now)
	if err != nil {
		t.Fatal(err)
	}
	count(1, 0)
	first = begin(t, s, first)
	if _, err := place("key-2", now); !errors.Is(err, store.ErrLinkEnded) {
		t.Errorf("sold out: %v", err)
	}
	if again, err := place("key-1", now); err != nil || again.ID != first.ID {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	if ok, err := closeOrder(s, first, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	count(0, 0)
	if _, err := place("key-3", now.Add(time.Hour)); !errors.Is(err, store.ErrLinkEnded) {
		t.Errorf("expired: %v", err)
	}
	yes := true
	if got, err := s.ChangeLink(ctx, "l1", store.LinkChange{Withdrawn: &yes}, now); err != nil || got.State(now) != order.LinkWithdrawn {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := place("key-4", now); !errors.Is(err, store.ErrLinkEnded) {
		t.Errorf("withdrawn: %v", err)
	}
	count(0, 0)
	// A payment that comes late takes a place even if there is none.
	pay(t, s, first, now)
	count(1, 1)
}

// A change sets the fields that it has, whatever other changes do at the same time.
func TestChangeOfALinkSetsItsFields(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	l := order.Link{ID: "l1", Token: "token", Title: "一号桌", Amount: 13600, MaxOrders: 1, ExpiresAt: now.Add(time.Hour), CreatedAt: now, MadeBy: "root", IdempotencyKey: "k", Fingerprint: "f"}
	if ok, err := s.InsertLink(ctx, l); !ok || err != nil {
		t.Fatal(ok, err)
	}
	yes, no, title, text, two, none, never := true, false, "二号桌", "靠窗", 2, 0, time.Time{}
	for i, c := range []struct {
		change store.LinkChange
		want   func(*order.Link)
	}{
		{store.LinkChange{Withdrawn: &yes}, func(l *order.Link) { l.WithdrawnAt = now.Add(0) }},
		{store.LinkChange{Title: &title}, func(l *order.Link) { l.Title = title }},
		{store.LinkChange{Withdrawn: &yes}, func(*order.Link) {}}, // the time stays
		{store.LinkChange{Description: &text, MaxOrders: &two}, func(l *order.Link) { l.Description, l.MaxOrders = text, 2 }},
		{store.LinkChange{ExpiresAt: &never, MaxOrders: &none}, func(l *order.Link) { l.ExpiresAt, l.MaxOrders = never, 0 }},
		{store.LinkChange{}, func(*order.Link) {}},
		{store.LinkChange{Withdrawn: &no}, func(l *order.Link) { l.WithdrawnAt = never }},
	} {
		c.want(&l)
		if got, err := s.ChangeLink(ctx, "l1", c.change, now.Add(time.Duration(i)*time.Minute)); err != nil || cmp.Diff(l, got) != "" {
			t.Errorf("change %d: %v (-want +got):\n%s", i, err, cmp.Diff(l, got))
		}
	}
	if _, err := s.ChangeLink(ctx, "none", store.LinkChange{Title: &title}, now); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}
