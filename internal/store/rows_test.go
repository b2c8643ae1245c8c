package store_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// D1 bills written rows, and its free plan has 100,000 a day. These are the largest numbers of rows
// that an order may write, from its insert to the delivery of its event.
func TestRowsThatAnOrderWrites(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		most int
		do   func(s *store.Store)
	}{
		"paid": {13, func(s *store.Store) {
			o := insert(t, s, "alice", "key-1")
			prepay(t, s, o)
			pay(t, s, o, now)
			deliverOne(t, s, now)
		}},
		"closed": {15, func(s *store.Store) {
			o := insert(t, s, "alice", "key-1")
			prepay(t, s, o)
			if ok, err := closeOrder(s, o, now); !ok || err != nil {
				t.Fatal(ok, err)
			}
			deliverOne(t, s, now)
		}},
		"never tried": {4, func(s *store.Store) {
			o := insertBare(t, s, "alice", "key-1")
			if ok, err := began(beginClose(s, o.ID, now)); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}},
		"paid and refunded": {27, func(s *store.Store) {
			o := insert(t, s, "alice", "key-1")
			prepay(t, s, o)
			pay(t, s, o, now)
			deliverOne(t, s, now)
			refund(t, s, o, "R1", o.Total, now)
			deliverOne(t, s, now.Add(time.Minute))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			// Without the triggers of package storetest, and with one connection, whose rows
			// total_changes counts.
			db, err := sql.Open("sqlite", store.SQLiteURI(filepath.Join(t.TempDir(), "shop.db"), ""))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			if err := errors.Join(store.Migrate(ctx, db), store.Seed(ctx, db)); err != nil {
				t.Fatal(err)
			}
			changes := func() (n int) {
				t.Helper()
				if err := db.QueryRow(`SELECT total_changes()`).Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			before := changes()
			test.do(store.New(db))
			if n := changes() - before; n > test.most {
				t.Errorf("%d rows, want at most %d", n, test.most)
			} else {
				t.Logf("%d rows", n)
			}
		})
	}
}

// The operator's counters read a bounded number of orders, the newest.
func TestCountersReadTheNewestOrders(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	oldest := insert(t, s, "alice", "key-1")
	prepay(t, s, oldest)
	pay(t, s, oldest, now)
	refund(t, s, oldest, "R1", 600, now)
	counted := func() map[string]int64 {
		t.Helper()
		counters, err := s.Counters(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return counters
	}
	want := map[string]int64{"orders.paid": 1, "settled.": 1, "refunds.succeeded": 1, "deliveries.pending": 2}
	if d := cmp.Diff(want, counted()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	template := insertBare(t, s, "alice", "key-2")
	storetest.Copy(t, db, "orders", "id = '"+template.ID+"'", store.MaxOrdersCounted,
		map[string]string{"id": "id || n", "client_key": "client_key || n", "created_at": "created_at + n"})
	if d := cmp.Diff(map[string]int64{"orders.open": store.MaxOrdersCounted}, counted()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func deliverOne(t *testing.T, s *store.Store, at time.Time) {
	t.Helper()
	e := claimOne(t, s, at)
	if ok, _, err := s.Deliver(ctx, e, at); !ok || err != nil {
		t.Fatal(ok, err)
	}
}
