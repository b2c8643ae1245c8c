package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// claim claims the events that are due at a time.
func claim(t *testing.T, s *store.Store, at time.Time) []order.Event {
	t.Helper()
	events, err := s.ClaimEvents(ctx, order.SettingsEndpoint, at, 100, 20)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// claimOne claims the only event that is due at a time.
func claimOne(t *testing.T, s *store.Store, at time.Time) order.Event {
	t.Helper()
	events := claim(t, s, at)
	if len(events) != 1 {
		t.Fatalf("%d events are due, want 1", len(events))
	}
	return events[0]
}

func TestEventIsTriedOnScheduleAndThenDead(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	pay(t, s, o, now)
	at := now
	for i, pause := range order.EventSchedule() {
		if next := onlyEvent(t, s, o).NextAt; next.Before(at.Add(pause)) || next.After(at.Add(pause+pause/10)) {
			t.Errorf("try %d is %s after the one before, want %s and up to a tenth", i+1, next.Sub(at), pause)
		} else {
			at = next
		}
		if pause > 0 {
			if early := claim(t, s, at.Add(-time.Millisecond)); len(early) != 0 {
				t.Fatalf("try %d came early", i+1)
			}
		}
		e := claimOne(t, s, at)
		if e.Attempts != i+1 || e.LastTry() != (i == len(order.EventSchedule())-1) {
			t.Errorf("try %d: %+v", i+1, e)
		}
		if _, ok, err := s.FailDelivery(ctx, e, order.Failure{Why: "HTTP 500"}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		storetest.Check(t, db)
	}
	if late := claim(t, s, at.Add(1000*time.Hour)); len(late) != 0 {
		t.Errorf("a dead event is tried: %+v", late)
	}
	if v := settingsHealth(t, s); v.Dead != 1 || !v.OldestPending.IsZero() || v.Attempts != 10 || v.Failures != 10 || v.LastFailureAt != at || v.LastError != "HTTP 500" {
		t.Errorf("%+v", v)
	}
	// A replay gives it new tries, and attempts continue to count.
	again := at.Add(2000 * time.Hour)
	replay(t, s, onlyEvent(t, s, o).ID, again)
	e := onlyEvent(t, s, o)
	if e.Status != api.EventPending || e.NextAt != again || e.Attempts != 10 {
		t.Fatalf("%+v", e)
	}
	e = claimOne(t, s, again)
	if e.Attempts != 11 || e.Tries != 1 || e.NextAt.Before(again.Add(15*time.Second)) || e.NextAt.After(again.Add(16500*time.Millisecond)) {
		t.Errorf("%+v", e)
	}
	if ok, _, err := s.Deliver(ctx, e, again); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if got := onlyEvent(t, s, o); got.Status != api.EventDelivered || got.DeliveredAt != again || got.LastError != "" {
		t.Errorf("%+v", got)
	}
	storetest.Check(t, db)
}

// settingsHealth returns the health data of the endpoint of the settings.
func settingsHealth(t *testing.T, s *store.Store) store.EndpointHealth {
	t.Helper()
	all, err := s.EndpointHealth(ctx)
	if err != nil || len(all) == 0 || all[0].ID != order.SettingsEndpoint {
		t.Fatalf("%+v, %v", all, err)
	}
	return all[0]
}

// replay makes an event due again.
func replay(t *testing.T, s *store.Store, id string, at time.Time) {
	t.Helper()
	if ok, err := s.Replay(ctx, id, "", at); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

func onlyEvent(t *testing.T, s *store.Store, o order.Order) order.Event {
	t.Helper()
	events, err := s.EventsOf(ctx, o.ID)
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	return events[0]
}

// One of several concurrent senders gets an event, until its lease ends.
func TestOneDelivererGetsAnEvent(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	for i := range 20 {
		pay(t, s, insert(t, s, "alice", fmt.Sprint("key-", i)), now)
	}
	var mu sync.Mutex
	got := map[string]int{}
	all := func(at time.Time) {
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				for {
					events, err := s.ClaimEvents(ctx, order.SettingsEndpoint, at, 3, 1)
					if err != nil {
						t.Error(err)
					}
					if len(events) == 0 || err != nil {
						return
					}
					mu.Lock()
					for _, e := range events {
						got[e.ID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	}
	all(now)
	all(now.Add(order.EventLease - time.Millisecond)) // past the 15 s until the next try
	if len(got) != 20 {
		t.Errorf("%d of 20 events were claimed", len(got))
	}
	for id, n := range got {
		if n != 1 {
			t.Errorf("event %s was claimed %d times", id, n)
		}
	}
	all(now.Add(order.EventLease)) // no sender has marked an event: all have crashed
	for id, n := range got {
		if n != 2 {
			t.Errorf("event %s was claimed %d times", id, n)
		}
	}
}

// After a 410 no event is claimed until one is replayed. Tries that were under way then still
// count, in any sequence.
func TestNothingIsClaimedForAGoneReceiver(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	for i := range 3 {
		pay(t, s, insert(t, s, "alice", fmt.Sprint("key-", i)), now)
	}
	events := claim(t, s, now)
	for i, e := range events {
		f := order.Failure{Why: "HTTP 410", Status: 410, Gone: i < 2}
		if i == 2 {
			f = order.Failure{Why: "HTTP 500", NotBefore: now.Add(time.Hour)}
		}
		got, ok, err := s.FailDelivery(ctx, e, f)
		if !ok || err != nil || (got.Status == api.EventDead) != f.Gone || !f.Gone && got.NextAt != f.NotBefore {
			t.Errorf("%+v, %t, %v", got, ok, err)
		}
	}
	if v := settingsHealth(t, s); v.State != order.EndpointGone || v.Dead != 2 {
		t.Errorf("%+v", v)
	}
	later := now.Add(2 * time.Hour)
	if got := claim(t, s, later); len(got) != 0 {
		t.Errorf("%d events are claimed", len(got))
	}
	replay(t, s, events[0].ID, later)
	if got := claim(t, s, later); len(got) != 2 {
		t.Errorf("%d events are claimed after a replay, want it and the one that waited", len(got))
	}
	if v := settingsHealth(t, s); v.State != order.EndpointEnabled || v.Dead != 1 {
		t.Errorf("%+v", v)
	}
	storetest.Check(t, db)
}

// Events that fail together are not tried together again.
func TestPausesOfEventsDiffer(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	const n = 20
	for i := range n {
		pay(t, s, insert(t, s, "alice", fmt.Sprint("key-", i)), now)
	}
	first := map[time.Time]bool{}
	events := claim(t, s, now)
	for _, e := range events {
		first[e.NextAt] = true
		if _, ok, err := s.FailDelivery(ctx, e, order.Failure{Why: "HTTP 500"}); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if len(events) != n || len(first) != n {
		t.Errorf("%d events are due again at %d times, want %d", len(events), len(first), n)
	}
}

// A sender whose lease has ended cannot mark an event as failed, but it can mark it as
// delivered.
func TestLateMarks(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	o := insert(t, s, "alice", "key-1")
	pay(t, s, o, now)
	slow := claimOne(t, s, now)
	quick := claimOne(t, s, now.Add(order.EventLease))
	if _, ok, err := s.FailDelivery(ctx, slow, order.Failure{Why: "no response"}); ok || err != nil {
		t.Errorf("a late miss counts: %t, %v", ok, err)
	}
	if ok, _, err := s.Deliver(ctx, slow, now.Add(order.EventLease)); !ok || err != nil {
		t.Errorf("a late delivery does not count: %t, %v", ok, err)
	}
	if _, ok, err := s.FailDelivery(ctx, quick, order.Failure{Why: "HTTP 409"}); ok || err != nil {
		t.Errorf("a delivered event is missed: %t, %v", ok, err)
	}
	if ok, _, err := s.Deliver(ctx, quick, now.Add(order.EventLease)); ok || err != nil {
		t.Errorf("delivered twice: %t, %v", ok, err)
	}
	if got := onlyEvent(t, s, o); got.Status != api.EventDelivered {
		t.Errorf("%+v", got)
	}
}

// order.refunded waits until order.paid is delivered. A late order.paid does not wait for
// order.closed.
func TestEventsOfAnOrderKeepTheirOrder(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	o := insert(t, s, "alice", "key-1")
	prepay(t, s, o)
	if ok, err := closeOrder(s, o, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	closed := claimOne(t, s, now)
	if _, ok, err := s.FailDelivery(ctx, closed, order.Failure{Why: "HTTP 400"}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	pay(t, s, o, now)
	paid := claimOne(t, s, now)
	if paid.Type != api.EventOrderPaid {
		t.Fatalf("%+v", paid)
	}
	refund(t, s, o, "R1", 600, now)
	at := now.Add(3 * time.Second)
	if early := claim(t, s, at); len(early) != 0 {
		t.Errorf("told before the payment has arrived: %+v", early)
	}
	if ok, _, err := s.Deliver(ctx, paid, at); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if early := claim(t, s, at); len(early) != 0 {
		t.Errorf("told before the closing has arrived: %+v", early)
	}
	if ok, _, err := s.Deliver(ctx, claimOne(t, s, now.Add(17*time.Second)), at); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if e := claimOne(t, s, now.Add(17*time.Second)); e.Type != api.EventOrderRefunded {
		t.Errorf("%+v", e)
	}
}

// A dead event delays no other event.
func TestDeadEventLetsTheNextGo(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	pay(t, s, o, now)
	refund(t, s, o, "R1", 600, now)
	storetest.Exec(t, db, `UPDATE deliveries SET status = 'dead' WHERE event_seq = (SELECT seq FROM events WHERE type = 'order.paid')`)
	if e := claimOne(t, s, now.Add(time.Minute)); e.Type != api.EventOrderRefunded {
		t.Errorf("%+v", e)
	}
}

// An operator replays an event while its last try is under way. The failure of that try does
// not end the replay.
func TestReplayOutlivesTheTryBeforeIt(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	pay(t, s, insert(t, s, "alice", "key-1"), now)
	var e order.Event
	at := now
	for i, pause := range order.EventSchedule() {
		at = at.Add(pause + pause/10)
		e = claimOne(t, s, at)
		if i < len(order.EventSchedule())-1 {
			if _, ok, err := s.FailDelivery(ctx, e, order.Failure{Why: "HTTP 500"}); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
	}
	replay(t, s, e.ID, at)
	if _, marked, err := s.FailDelivery(ctx, e, order.Failure{Why: "HTTP 500"}); marked || err != nil {
		t.Errorf("the try before the replay was marked: %v, %v", marked, err)
	}
	if again := claimOne(t, s, at.Add(order.EventLease)); again.ID != e.ID || again.Tries != 1 {
		t.Errorf("%+v", again)
	}
	storetest.Check(t, db)
}
