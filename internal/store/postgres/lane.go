package postgres

import (
	"context"
	"sync"
	"time"
)

// lane lets statements that conflict run one after the other. All orders of guests change one
// count, for example. Without it PostgreSQL would roll back each of many concurrent statements
// about as often as there are others. In a node the statements wait for a turn, and the nodes wait
// for lockLane.
type lane struct {
	turn chan struct{} // holds one value while a statement has its turn

	mu  sync.Mutex
	hot map[string]time.Time // statements that were repeated, until when they take turns
}

// hotTime is how long a statement takes turns after it was repeated.
const hotTime = time.Second

// lockLane locks a table without rows. A serializable transaction that begins with it sees the data
// of the moment when it gets the lock. So changes that others made while it waited do not roll it
// back.
const lockLane = "LOCK TABLE h5pay_lane IN EXCLUSIVE MODE"

func newLane() *lane { return &lane{turn: make(chan struct{}, 1), hot: map[string]time.Time{}} }

// isHot reports whether a statement takes turns.
func (l *lane) isHot(query string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.hot[query])
}

// heat lets a statement take turns from now on.
func (l *lane) heat(query string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hot[query] = time.Now().Add(hotTime)
}

// enter waits for the turn.
func (l *lane) enter(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave ends the turn.
func (l *lane) leave() { <-l.turn }
