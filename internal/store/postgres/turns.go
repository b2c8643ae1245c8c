package postgres

import (
	"context"
	"sync"
	"time"
)

// turns lets statements that conflict run one after the other. All orders of guests change one
// count, for example. Without it PostgreSQL would roll back each of many concurrent statements
// about as often as there are others. In a node the statements wait for a turn, and the nodes wait
// for lockTurns.
type turns struct {
	turn chan struct{} // holds one value while a statement has its turn

	mu    sync.Mutex
	until map[string]time.Time // when each statement that was repeated stops taking turns
}

// turnsTime is how long a statement takes turns after it was repeated.
const turnsTime = time.Second

// lockTurns locks a table without rows. A serializable transaction that begins with it sees the data
// of the moment when it gets the lock. So changes that others made while it waited do not roll it
// back.
const lockTurns = "LOCK TABLE h5pay_turns IN EXCLUSIVE MODE"

func newTurns() *turns { return &turns{turn: make(chan struct{}, 1), until: map[string]time.Time{}} }

// needed reports whether a statement takes turns.
func (t *turns) needed(query string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Now().Before(t.until[query])
}

// require makes a statement take turns from now on.
func (t *turns) require(query string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until[query] = time.Now().Add(turnsTime)
}

// wait waits for the turn.
func (t *turns) wait(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end ends the turn.
func (t *turns) end() { <-t.turn }
