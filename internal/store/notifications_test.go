package store_test

import (
	"testing"
	"time"

	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// A payment that was found without a notification is reported after a minute and for a day, until a
// notification arrives. A message that is not WeChat's is none.
func TestUnnotified(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	check := func(what string, at time.Time, want bool) {
		t.Helper()
		if got, err := s.Unnotified(ctx, time.Minute, at); got != want || err != nil {
			t.Errorf("%s: %t, %v; want %t", what, got, err, want)
		}
	}
	arrive := func(at time.Time, verified bool) {
		t.Helper()
		if err := s.InsertNotification(ctx, order.Notification{At: at, Kind: "payment", Version: "v3", Verified: verified, Verdict: "accepted", RequestID: "r"}); err != nil {
			t.Fatal(err)
		}
	}
	check("no payment", now, false)
	first := takes(t, s, draft(t, "alice", "first"))
	paid := now.Add(time.Minute)
	arrive(paid.Add(-2*time.Minute), true) // of an earlier payment
	pay(t, s, first, paid)
	check("a second later", paid.Add(time.Second), false)
	check("a minute later", paid.Add(time.Minute), true)
	arrive(paid.Add(time.Minute), false)
	check("after a forged message", paid.Add(2*time.Minute), true)
	check("a day later", paid.Add(25*time.Hour), false)
	arrive(paid.Add(2*time.Minute), true)
	check("after its notification", paid.Add(3*time.Minute), false)

	// A shop that is paid all the time is checked too: the payment of the last minute does not count.
	second, third := takes(t, s, draft(t, "alice", "second")), takes(t, s, draft(t, "alice", "third"))
	later := paid.Add(time.Hour)
	pay(t, s, second, later)
	pay(t, s, third, later.Add(50*time.Second))
	check("in a busy shop", later.Add(time.Minute), true)
}
