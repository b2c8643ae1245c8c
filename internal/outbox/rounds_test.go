package outbox_test

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/outbox"
)

// A call begins no round after 30 s. The next call continues.
func TestRoundsEndWithTheirTime(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) { c.Statements = 1000 })
	b.paidEvents(30)
	b.answer(func(_ http.ResponseWriter, _ *http.Request, n int) {
		if n%5 == 0 {
			b.advance(9 * time.Second)
		}
	})
	b.deliver()
	b.wantArrivals(20)
	b.deliver()
	b.wantArrivals(30)
}

// A call makes at most Config.Statements statements: one for each round and one for each
// event. Without a limit it continues.
func TestRoundsEndWithTheirStatements(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) { c.Statements = 50 })
	b.paidEvents(90)
	b.deliver()
	b.wantArrivals(40) // in 8 rounds of 6 statements
	b.open(nil)
	b.deliver()
	b.wantArrivals(90)
	b.wantAllDelivered(90)
}

// A round that is not full ends the call, which saves a statement. The next call sends what
// became due during the round.
func TestRoundThatIsNotFullEndsTheCall(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	failed := b.paid()
	b.status(http.StatusInternalServerError)
	b.deliver()
	b.answer(func(http.ResponseWriter, *http.Request, int) { b.advance(17 * time.Second) })
	o := b.paid()
	b.deliver()
	b.wantArrivals(2)
	b.wantDelivered(o)
	b.deliver()
	b.wantArrivals(3)
	b.wantDelivered(failed)
}

// A receiver that accepts no events ends a call after one round.
func TestReceiverThatTakesNothingEndsTheCall(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"429": 429, "502": 502, "503": 503, "504": 504, "no response": 0} {
		b := newBackEnd(t, nil)
		b.paidEvents(8)
		b.answer(func(w http.ResponseWriter, _ *http.Request, _ int) {
			if status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
		})
		b.deliver()
		if n := len(b.receiver.Events()); n != 5 {
			t.Errorf("%s: %d deliveries, want 5", name, n)
		}
	}
}

// A receiver that rejects some or all events gets the others in the same call.
func TestReceiverThatRejectsAnEventGetsTheOthers(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]func(w http.ResponseWriter, n int){
		"it rejects all":        func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusBadRequest) },
		"it fails at all":       func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusInternalServerError) },
		"it is busy, but takes": func(w http.ResponseWriter, n int) { w.WriteHeader(map[bool]int{true: 204, false: 503}[n%5 == 0]) },
	} {
		b := newBackEnd(t, nil)
		b.paidEvents(12)
		b.answer(func(w http.ResponseWriter, _ *http.Request, n int) { respond(w, n) })
		b.deliver()
		if n := len(b.receiver.Events()); n != 12 {
			t.Errorf("%s: %d deliveries, want 12", name, n)
		}
	}
}

// With a limit of statements a call makes five deliveries at once, and no more.
func TestFiveDeliveriesAtOnce(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, func(c *outbox.Config) { c.Statements = 50 })
	b.paidEvents(15)
	var at atomic.Int32
	var most atomic.Int32
	together := make(chan struct{})
	b.answer(func(_ http.ResponseWriter, _ *http.Request, n int) {
		most.Store(max(most.Load(), at.Add(1)))
		if n == 5 {
			close(together)
		}
		<-together // the first five wait for each other
		at.Add(-1)
	})
	b.deliver()
	b.wantArrivals(15)
	b.wantAllDelivered(15)
	if n := most.Load(); n != 5 {
		t.Errorf("%d deliveries at once, want 5", n)
	}
}

// Without a limit of statements a receiver that acknowledges a whole round gets twice as many in the
// next, up to 40. After a rejection it gets five.
func TestRoundsGrow(t *testing.T) {
	t.Parallel()
	b := newBackEnd(t, nil)
	b.paidEvents(5 + 10 + 20 + 40 + 40 + 5 + 10)
	begun := 0
	var mu sync.Mutex
	arrived := sync.NewCond(&mu)
	rounds := []int{5, 15, 35, 75, 115, 120, 130} // the number of the last delivery of each
	b.answer(func(w http.ResponseWriter, _ *http.Request, n int) {
		mu.Lock()
		defer mu.Unlock()
		begun++
		arrived.Broadcast()
		i, _ := slices.BinarySearch(rounds, n)
		for begun < rounds[i] { // all of a round are under way at the same time
			arrived.Wait()
		}
		if begun > rounds[i] {
			t.Errorf("%d deliveries have begun, want %d", begun, rounds[i])
		}
		if n == 100 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	b.deliver()
	b.wantArrivals(130)
}

// A receiver that rejects events, or fails at them, gets no more at once. A full pool of a back end's
// database is such a failure, and more deliveries would keep it full.
func TestRoundsOfRejectedEventsDoNotGrow(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"it rejects": http.StatusBadRequest, "it fails": http.StatusInternalServerError} {
		b := newBackEnd(t, nil)
		b.paidEvents(20)
		var at, most atomic.Int32
		b.answer(func(w http.ResponseWriter, _ *http.Request, _ int) {
			most.Store(max(most.Load(), at.Add(1)))
			time.Sleep(20 * time.Millisecond) // the others of the round arrive
			at.Add(-1)
			w.WriteHeader(status)
		})
		b.deliver()
		b.wantArrivals(20)
		if n := most.Load(); n > 5 {
			t.Errorf("%s: %d deliveries at once, want 5", name, n)
		}
	}
}
