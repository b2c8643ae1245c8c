package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// Each reading has the events since the previous one, and all pending events.
func TestBacklogContinuesAtItsPosition(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	first := insert(t, s, "alice", "key-1")
	pay(t, s, first, now)
	deliverOne(t, s, now)
	start, err := s.LastEvent(ctx)
	if err != nil {
		t.Fatal(err)
	}
	pay(t, s, insert(t, s, "alice", "key-2"), now)
	refund(t, s, first, "R1", first.Total, now)
	got, err := s.Backlog(ctx, start, false)
	want := store.Backlog{Made: map[api.EventType]int{api.EventOrderPaid: 1, api.EventOrderRefunded: 1}, Pending: 2, Last: start + 2}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	got, err = s.Backlog(ctx, got.Last, false)
	want = store.Backlog{Made: map[api.EventType]int{}, Pending: 2, Last: start + 2}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
