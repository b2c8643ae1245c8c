package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// guestOrder returns an order of a guest in a network, ready to be inserted.
func guestOrder(t *testing.T, guest, network, key string) order.Order {
	t.Helper()
	o := draft(t, "guest:"+guest, key)
	o.Network = network
	return o
}

// bounded opens a store with small bounds of unpaid orders.
func bounded(t *testing.T) (*sql.DB, *store.Store) {
	t.Helper()
	db := storetest.Open(t)
	s := store.New(db)
	s.Bounds = store.Bounds{Buyer: 4, Guest: 3, NetworkGuests: 5, Guests: 7}
	return db, s
}

// takes inserts an order within the bounds, with a payment.
func takes(t *testing.T, s *store.Store, o order.Order) order.Order {
	t.Helper()
	stored, err := s.Insert(ctx, o)
	if err != nil || stored.ID != o.ID {
		t.Fatalf("order %s of %s was not stored: %v", o.ID, o.Owner, err)
	}
	return begin(t, s, stored)
}

// rejects tries to insert an order beyond a bound, and checks that nothing changes.
func rejects(t *testing.T, db *sql.DB, s *store.Store, o order.Order, want error) {
	t.Helper()
	before := storetest.Dump(t, db)
	if _, err := s.Insert(ctx, o); !errors.Is(err, want) {
		t.Errorf("an order of %s: %v, want %v", o.Owner, err, want)
	}
	if storetest.Dump(t, db) != before {
		t.Error("a rejected order changed the database")
	}
}

func TestOneOwnersOpenOrdersAreBounded(t *testing.T) {
	t.Parallel()
	for owner, n := range map[string]int{"guest:g": 3, "alice": 4} {
		t.Run(owner, func(t *testing.T) {
			db, s := bounded(t)
			order1 := func(key string) order.Order {
				o := draft(t, owner, key)
				o.Network = "203.0.113.7"
				return o
			}
			var open []order.Order
			for i := range n {
				open = append(open, takes(t, s, order1(fmt.Sprint("key-", i))))
			}
			rejects(t, db, s, order1("one more"), store.ErrBuyerBound)
			if again, err := s.Insert(ctx, order1("key-0")); err != nil || again.ID != open[0].ID {
				t.Errorf("a repeated client_key makes %s, %v", again.ID, err)
			}
			for i, end := range []func() (bool, error){
				func() (bool, error) { return began(beginClose(s, open[0].ID, now)) },
				func() (bool, error) { return closeOrder(s, open[1], now) },
				func() (bool, error) {
					return s.Pay(ctx, open[2].Payment.OutTradeNo, order.Paid{TransactionID: "4200", PaidAt: now}, now)
				},
			} {
				if ok, err := end(); !ok || err != nil {
					t.Fatal(ok, err)
				}
				takes(t, s, order1(fmt.Sprint("more-", i)))
				rejects(t, db, s, order1("one more"), store.ErrBuyerBound)
			}
			storetest.Check(t, db)
		})
	}
}

func TestGuestsOfOneNetworkAreBounded(t *testing.T) {
	t.Parallel()
	db, s := bounded(t)
	var open []order.Order
	for i := range 5 {
		open = append(open, takes(t, s, guestOrder(t, fmt.Sprint(i), "203.0.113.7", "key-1")))
	}
	more := guestOrder(t, "5", "203.0.113.7", "key-1")
	rejects(t, db, s, more, store.ErrNetworkBound)
	takes(t, s, guestOrder(t, "6", "198.51.100.0/64", "key-1"))
	buyer := draft(t, "alice", "key-1")
	buyer.Network = "203.0.113.7"
	takes(t, s, buyer)

	// A paid order does not count. A cancelled order is no longer open, but it counts for the hour:
	// otherwise a loop of ordering and cancelling fills the database.
	if ok, err := s.Pay(ctx, open[0].Payment.OutTradeNo, order.Paid{TransactionID: "4200", PaidAt: now}, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	more = takes(t, s, more)
	if ok, err := began(beginClose(s, more.ID, now)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	late := guestOrder(t, "7", "203.0.113.7", "key-1")
	rejects(t, db, s, late, store.ErrNetworkBound)
	late.CreatedAt = now.Truncate(time.Hour).Add(time.Hour)
	late.ExpiresAt = late.CreatedAt.Add(order.Lifetime)
	takes(t, s, late)
	over := guestOrder(t, "8", "203.0.113.7", "key-1")
	over.CreatedAt = late.CreatedAt
	rejects(t, db, s, over, store.ErrNetworkBound) // open, now
	storetest.Check(t, db)
}

func TestAllGuestsAreBounded(t *testing.T) {
	t.Parallel()
	db, s := bounded(t)
	var open []order.Order
	for i := range 7 {
		open = append(open, takes(t, s, guestOrder(t, fmt.Sprint(i), fmt.Sprint("198.51.100.", i), "key-1")))
	}
	more := guestOrder(t, "7", "203.0.113.7", "key-1")
	rejects(t, db, s, more, store.ErrGuestsBound)
	takes(t, s, draft(t, "alice", "key-1"))
	if ok, err := s.Pay(ctx, open[0].Payment.OutTradeNo, order.Paid{TransactionID: "4200", PaidAt: now}, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	more.Network = "" // an unknown network: only the bound of all guests applies
	takes(t, s, more)
	rejects(t, db, s, guestOrder(t, "8", "", "key-1"), store.ErrGuestsBound)
	for _, o := range open[1:] {
		if ok, err := closeOrder(s, o, now); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if v, err := s.Health(ctx, mchID); err != nil || v.OpenGuests != 1 {
		t.Errorf("%d orders of guests are open, %v", v.OpenGuests, err)
	}
	rejects(t, db, s, guestOrder(t, "8", "203.0.113.7", "key-1"), store.ErrGuestsBound) // for the hour
	// An order that began in the hour is stored after its end.
	if err := s.DeleteHours(ctx, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	rejects(t, db, s, guestOrder(t, "8", "203.0.113.7", "key-1"), store.ErrGuestsBound)
	if err := s.DeleteHours(ctx, now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := db.QueryRow(`SELECT COUNT(*) FROM guests_by_hour`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d counts of past hours are left, %v", left, err)
	}
}

// The bound is a condition of the insert, so concurrent calls cannot exceed it.
func TestBoundsHoldForManyAtOnce(t *testing.T) {
	t.Parallel()
	_, s := bounded(t)
	var stored, rejected atomic.Int32
	var wg sync.WaitGroup
	for i := range 40 {
		o := guestOrder(t, fmt.Sprint(i), "203.0.113.7", "key-1")
		wg.Go(func() {
			switch _, err := s.Insert(ctx, o); {
			case err == nil:
				stored.Add(1)
			case errors.Is(err, store.ErrNetworkBound):
				rejected.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if stored.Load() != 5 || rejected.Load() != 35 {
		t.Errorf("%d stored, %d rejected, want 5 and 35", stored.Load(), rejected.Load())
	}
}

func TestFullDatabaseRejectsOrders(t *testing.T) {
	t.Parallel()
	db, s := bounded(t)
	o := takes(t, s, draft(t, "alice", "key-1"))
	note := func(used int64) {
		t.Helper()
		if err := s.NoteSize(ctx, store.Size{Used: used, Capacity: 1_000_000}, storedSize(t, s)); err != nil {
			t.Fatal(err)
		}
	}
	note(900_000)
	rejects(t, db, s, draft(t, "alice", "key-2"), store.ErrFull)
	if again, err := s.Insert(ctx, draft(t, "alice", "key-1")); err != nil || again.ID != o.ID {
		t.Errorf("a repeated client_key makes %s, %v", again.ID, err)
	}
	if v, err := s.Health(ctx, mchID); err != nil || !v.Size.Full() {
		t.Errorf("%+v, %v", v, err)
	}
	pay(t, s, o, now)
	note(899_500) // less than a thousandth: not written
	rejects(t, db, s, draft(t, "alice", "key-2"), store.ErrFull)
	note(899_000)
	takes(t, s, draft(t, "alice", "key-2"))
}

// storedSize returns the size that the timer stored last.
func storedSize(t *testing.T, s *store.Store) store.Size {
	t.Helper()
	m, err := s.Minute(ctx, store.MinuteFilter{MchID: mchID, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return m.Size
}

// A timer measures a full database, and its statement is late. Meanwhile space was freed, and
// another timer has stored that. The late statement changes nothing.
func TestLateSizeChangesNothing(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	full, fuller, free := store.Size{Used: 950, Capacity: 1000}, store.Size{Used: 960, Capacity: 1000}, store.Size{Used: 100, Capacity: 1000}
	for _, note := range []struct{ size, read, want store.Size }{
		{full, store.Size{}, full},
		{free, full, free},
		{fuller, full, free},       // late
		{full, store.Size{}, free}, // later still
		{fuller, free, fuller},     // in time
	} {
		if err := s.NoteSize(ctx, note.size, note.read); err != nil {
			t.Fatal(err)
		}
		if got := storedSize(t, s); got != note.want {
			t.Errorf("%+v after %+v, which had read %+v", got, note.size, note.read)
		}
	}
}

// Space is freed while an order is rejected. Then the order is stored, or it is rejected because
// the database was full, and never because of the owner's orders.
func TestSpaceThatIsFreedMeanwhile(t *testing.T) {
	t.Parallel()
	_, s := bounded(t)
	s.Bounds.Buyer = 1_000_000
	done := make(chan struct{})
	var toggling sync.WaitGroup
	toggling.Go(func() {
		var stored store.Size
		for used := int64(95); ; used = 105 - used { // 95, 10, 95, ...
			select {
			case <-done:
				return
			default:
				size := store.Size{Used: used, Capacity: 100}
				s.NoteSize(ctx, size, stored)
				stored = size
			}
		}
	})
	taken, full := 0, 0
	for i := range 1000 {
		switch _, err := s.Insert(ctx, draft(t, "alice", fmt.Sprintf("room-that-is-made-%d", i))); {
		case err == nil:
			taken++
		case errors.Is(err, store.ErrFull):
			full++
		case errors.Is(err, store.ErrBusy): // three times
		default:
			t.Errorf("order %d: %v", i, err)
		}
	}
	close(done)
	toggling.Wait()
	if taken == 0 || full == 0 {
		t.Errorf("%d orders were stored, %d were rejected by a full database", taken, full)
	}
}

// An order that no try stores, though every check after it finds a free place, is not rejected as by a
// full database. Here another order has its number.
func TestPlacesThatOthersTake(t *testing.T) {
	t.Parallel()
	_, s := bounded(t)
	first := draft(t, "alice", "key-1")
	if _, err := s.Insert(ctx, first); err != nil {
		t.Fatal(err)
	}
	second := draft(t, "bob", "key-2")
	second.ID = first.ID
	if got, err := s.Insert(ctx, second); !errors.Is(err, store.ErrBusy) {
		t.Errorf("%+v, %v", got, err)
	}
}

// A call and its repetition run at the same time, while the database is full and then is not. Each
// gets the order, or hears that the database is full. The order's own reference is no other order's.
func TestRepetitionBesideAFullDatabase(t *testing.T) {
	t.Parallel()
	_, s := bounded(t)
	s.Bounds.Buyer = 10_000
	full, free := store.Size{Used: 99, Capacity: 100}, store.Size{Used: 1, Capacity: 100}
	for i := range 300 {
		s.NoteSize(ctx, full, free)
		o := draft(t, "", fmt.Sprint("key-", i))
		o.Source, o.KeyID, o.Reference, o.Token = order.SourceAPI, "erp", fmt.Sprint("ref-", i), fmt.Sprint("token-", i)
		again := o
		again.ID, again.Token = draft(t, "", "").ID, fmt.Sprint("again-", i)
		var calls sync.WaitGroup
		for _, each := range []order.Order{o, again} {
			calls.Go(func() {
				if _, err := s.Insert(ctx, each); err != nil && !errors.Is(err, store.ErrFull) && !errors.Is(err, store.ErrBusy) {
					t.Errorf("order %d: %v", i, err)
				}
			})
		}
		calls.Go(func() { s.NoteSize(ctx, free, full) })
		calls.Wait()
	}
}
