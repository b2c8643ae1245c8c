package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// dueRefunds returns the refunds that the timer has to send or to query.
func dueRefunds(s *store.Store, at time.Time, limit int) ([]order.Refund, error) {
	m, err := s.Minute(ctx, store.MinuteFilter{MchID: mchID, Now: at, Refunds: limit})
	return m.Refunds, err
}

// Minute finds each kind of work by itself, and stores the time of the run only without work.
func TestMinuteFindsWork(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	f := store.MinuteFilter{MchID: mchID, Unpaid: now.AddDate(0, 0, -30), Refunds: 4, Notified: 4, Payments: 4}
	// found describes what Minute finds at a time.
	found := func(at time.Time) string {
		t.Helper()
		before, err := s.Health(ctx, mchID)
		if err != nil {
			t.Fatal(err)
		}
		f.Now = at
		m, err := s.Minute(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		after, err := s.Health(ctx, mchID)
		if err != nil {
			t.Fatal(err)
		}
		stored := before.Reconciled
		if m.Done {
			stored = at
		}
		if !after.Reconciled.Equal(stored) {
			t.Errorf("done is %v, and the time of the run is %v, want %v", m.Done, after.Reconciled, stored)
		}
		work := ""
		for _, kind := range []struct {
			name  string
			there bool
		}{
			{"unpaid", m.Unpaid}, {"expired", m.Expired}, {"states", m.States}, {"hours", m.Hours},
			{"refunds", len(m.Refunds) > 0}, {"notified", len(m.Notified) > 0}, {"due", len(m.Due) > 0},
		} {
			if kind.there {
				work += kind.name + " "
			}
		}
		if m.Done != (work == "") {
			t.Errorf("done is %v with the work %s", m.Done, work)
		}
		return work
	}
	want := func(at time.Time, want string) {
		t.Helper()
		if d := cmp.Diff(want, found(at)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	want(now, "")

	// A payment is due after a minute. A notified one is due by itself.
	o := insert(t, s, "alice", "key-1")
	want(now.Add(59*time.Second), "")
	want(now.Add(time.Minute), "due ")
	p := o.Payment
	_, claimed, err := s.ClaimNotified(ctx, order.Notified{APIVersion: p.APIVersion, OutTradeNo: p.OutTradeNo, AppID: p.AppID, MchID: p.MchID, Total: p.Total, Currency: p.Currency}, nil, time.Second, now)
	if !claimed || err != nil {
		t.Fatal(claimed, err)
	}
	want(now.Add(9*time.Second), "")
	want(now.Add(10*time.Second), "notified ")
	pay(t, s, o, now)
	want(now.Add(48*time.Hour), "")

	// Another merchant's payment is not this one's work.
	foreign := draft(t, "alice", "key-2")
	foreign.MchID = "1900000110"
	takes(t, s, foreign)
	want(now.Add(time.Hour), "")

	// A refund waits a minute, too.
	if ok, err := s.InsertRefund(ctx, refundDraft(o, "R1", 100), 0); !ok || err != nil {
		t.Fatal(ok, err)
	}
	want(now.Add(59*time.Second), "")
	want(now.Add(time.Minute), "refunds ")
	if ok, err := s.FailRefund(ctx, "R1", order.RefundFailure{Failure: "FAIL"}, now); !ok || err != nil {
		t.Fatal(ok, err)
	}

	// An order without a payment expires, and is deleted a month later.
	bare := insertBare(t, s, "alice", "key-3")
	want(bare.ExpiresAt, "")
	want(bare.ExpiresAt.Add(order.ExpiryGrace), "expired ")
	if _, err := s.Expire(ctx, bare.ExpiresAt.Add(order.ExpiryGrace), 10); err != nil {
		t.Fatal(err)
	}
	f.Unpaid = bare.CreatedAt
	want(now.Add(time.Hour), "")
	f.Unpaid = bare.CreatedAt.Add(time.Millisecond)
	want(now.Add(time.Hour), "unpaid ")
	if n, err := s.DeleteUnpaid(ctx, f.Unpaid, 10); n != 1 || err != nil {
		t.Fatal(n, err)
	}

	// The state of a sign-in, and the count of guests of an hour.
	if _, err := s.UseState(ctx, "state", now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	want(now, "")
	want(now.Add(time.Minute), "states ")
	if err := s.DeleteStates(ctx, now.Add(time.Minute), 10); err != nil {
		t.Fatal(err)
	}
	g := guestOrder(t, "g", "203.0.113.7", "key-4")
	if _, err := s.Insert(ctx, g); err != nil {
		t.Fatal(err)
	}
	want(g.CreatedAt.Truncate(time.Hour).Add(2*time.Hour-time.Millisecond), "")
	want(g.CreatedAt.Truncate(time.Hour).Add(2*time.Hour), "hours ")
	if err := s.DeleteHours(ctx, now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	storetest.Check(t, db)
}

// NoteSize writes a size that differs from the stored one by a thousandth of the capacity.
func TestSizeDiffers(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	for i, test := range []struct {
		used, capacity int64
		written        bool
	}{
		{100, 1_000_000, true}, {100, 1_000_000, false}, {1099, 1_000_000, false}, {1100, 1_000_000, true},
		{1100, 999_001, false}, {1100, 999_000, true}, {102, 999_000, false}, {101, 999_000, true}, {98_000, 999_000, true},
	} {
		before, size := storedSize(t, s), store.Size{Used: test.used, Capacity: test.capacity}
		if err := s.NoteSize(ctx, size, before); err != nil {
			t.Fatal(err)
		}
		want := before
		if test.written {
			want = size
		}
		if got := storedSize(t, s); got != want {
			t.Errorf("%d: %+v after %+v, want %+v", i, got, size, want)
		}
	}
}
