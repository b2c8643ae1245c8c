package server_test

import (
	"testing"

	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// The metrics of the native server read the outbox. An empty one has nothing to read.
func TestBacklogOfAnEmptyOutbox(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	last, err := s.LastEvent(t.Context())
	if err != nil || last != 0 {
		t.Errorf("the last event is %d, %v", last, err)
	}
	b, err := s.Backlog(t.Context(), last, false)
	if err != nil || b.Pending != 0 || b.Last != 0 || len(b.Made) != 0 {
		t.Errorf("%+v, %v", b, err)
	}
}
