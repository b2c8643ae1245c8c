package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// An order that WeChat does not know is due when it expires, and not before. One that was
// sent is due a minute after the call, and its age counts from the call.
func TestDueOfAnUnsentOrder(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	unsent, sent := insertUnsent(t, s, "alice", "key-1"), insertUnsent(t, s, "alice", "key-2")
	late := now.Add(3 * time.Hour)
	if ok, err := s.ClaimPrepay(ctx, sent.ID, "", time.Time{}, late); !ok || err != nil {
		t.Fatal(ok, err)
	}
	due := func(at time.Time) (keys []string) {
		t.Helper()
		orders, err := s.Due(ctx, mchID, at, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range orders {
			keys = append(keys, o.ClientKey)
		}
		return keys
	}
	for _, c := range []struct {
		at   time.Time
		want []string
	}{
		{late.Add(59 * time.Second), nil},
		{late.Add(time.Minute), []string{"key-2"}},
		{unsent.ExpiresAt.Add(-time.Millisecond), []string{"key-2"}},
		{unsent.ExpiresAt, []string{"key-2", "key-1"}},
	} {
		if d := cmp.Diff(c.want, due(c.at)); d != "" {
			t.Errorf("due at %s (-want +got):\n%s", c.at, d)
		}
	}
	// WeChat closes an order from five minutes after the call on.
	if ok, err := s.BeginClose(ctx, sent.ID, late); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if got := due(late.Add(order.MinCloseAge - time.Millisecond)); got != nil {
		t.Errorf("due %v before WeChat may close it", got)
	}
	if d := cmp.Diff([]string{"key-2"}, due(late.Add(order.MinCloseAge))); d != "" {
		t.Error(d)
	}
	storetest.Check(t, db)
}

// Of a call of unifiedorder and a cancellation without a call, the first one wins.
func TestUnsentOrderIsClosedOrSent(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := guestOrder(t, "g", "203.0.113.7", "key-1")
	if _, err := s.Insert(ctx, o); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.BeginClose(ctx, o.ID, now); ok || err != nil {
		t.Errorf("an order that was never sent waits for WeChat: %t, %v", ok, err)
	}
	if ok, err := s.CloseUnsent(ctx, o.ID, now); !ok || err != nil {
		t.Errorf("an order that was never sent is not closed: %t, %v", ok, err)
	}
	if ok, err := s.ClaimPrepay(ctx, o.ID, "", time.Time{}, now); ok || err != nil {
		t.Errorf("a closed order is sent: %t, %v", ok, err)
	}
	closed, err := s.ByID(ctx, o.ID)
	if err != nil || closed.Status != api.StatusClosed || closed.ClientIP != "" || !closed.SentAt.IsZero() {
		t.Errorf("%+v, %v", closed, err)
	}
	var events int
	if err := db.QueryRow(`SELECT COUNT(*) FROM events`).Scan(&events); err != nil || events != 0 {
		t.Errorf("%d events of an order that nobody could pay, %v", events, err)
	}

	sent := insertUnsent(t, s, "alice", "key-2")
	for _, at := range []time.Time{now.Add(time.Second), now.Add(time.Hour)} { // the second call changes no time
		if ok, err := s.ClaimPrepay(ctx, sent.ID, "", time.Time{}, at); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if ok, err := s.CloseUnsent(ctx, sent.ID, now.Add(2*time.Second)); ok || err != nil {
		t.Errorf("an order that may be at WeChat is closed: %t, %v", ok, err)
	}
	if got, err := s.ByID(ctx, sent.ID); err != nil || !got.SentAt.Equal(now.Add(time.Second)) || !got.Open() {
		t.Errorf("%+v, %v", got, err)
	}
	storetest.Check(t, db)
}

func TestBeginCloseAllClosesWhatWasNeverSent(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	unsent, sent := insertUnsent(t, s, "alice", "key-1"), insert(t, s, "alice", "key-2")
	got, err := s.BeginCloseAll(ctx, []string{unsent.ID, sent.ID}, now)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]api.OrderStatus{unsent.ID: api.StatusClosed, sent.ID: api.StatusClosing}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	storetest.Check(t, db)
}
