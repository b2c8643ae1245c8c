package outbox

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/job"
	"h5pay/internal/order"
)

// Bounds of one Deliver, beside Config.Statements: a round makes one statement, and one
// for each event.
const (
	deliverAtOnce = 5                // Workers have six connections open at once
	deliverTime   = 30 * time.Second // no round begins after it: pool.mjs gives an event a minute
)

// Deliver posts the events that are due to the merchant's back end. Events about money come
// first, and events of one kind in the order in which they became due. A timer calls
// Deliver, and so does Config.Announce. Any number of calls may run at once: each event
// belongs to the call that claims it. A call may stop or fail anywhere, since the next one
// continues with the rest. The error is the database's.
//
// Deliver has a timer and bounds of its own and waits for the receiver only. A receiver
// that hangs delays nothing else.
func (s *Sender) Deliver(ctx context.Context) error {
	if s.cfg.Webhook == nil {
		return nil // the events wait until there is one
	}
	began := s.now()
	for statements := 0; ; {
		if job.Stopping(ctx) || s.now().Sub(began) > deliverTime {
			return nil
		}
		if statements += 1 + deliverAtOnce; s.cfg.Statements > 0 && statements > s.cfg.Statements {
			return nil
		}
		events, err := s.cfg.Store.ClaimEvents(ctx, s.now(), deliverAtOnce)
		if err != nil {
			return fmt.Errorf("delivering events: %w", err)
		}
		var taking, next atomic.Int32
		var failed error
		var group sync.WaitGroup
		var mu sync.Mutex
		for _, e := range events {
			group.Go(func() {
				takes, more, err := s.deliver(ctx, e)
				if takes {
					taking.Add(1)
				}
				if more {
					next.Add(1)
				}
				if err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			})
		}
		group.Wait()
		if failed != nil {
			return fmt.Errorf("delivering events: %w", failed)
		}
		if taking.Load() == 0 || len(events) < deliverAtOnce && next.Load() == 0 {
			return nil // the receiver takes no more, or nothing is left: the next call tries again
		}
	}
}

// deliver sends one claimed event and stores the result. It reports whether
// the receiver takes more events now, and whether a later event of the order may be
// due now.
func (s *Sender) deliver(ctx context.Context, e order.Event) (takes, next bool, err error) {
	defer s.caught(ctx, &err)
	log := s.logger(ctx).With("event", e.ID, "type", string(e.Type), "order", e.OrderID, "attempt", e.Attempts)
	res, err := s.send(ctx, e)
	ctx = context.WithoutCancel(ctx) // The result is stored even if the caller has gone.
	if err == nil && res.ok() {
		marked, next, err := s.cfg.Store.Deliver(ctx, e, s.now())
		if marked {
			log.Info("event delivered")
		}
		return true, next, err
	}
	failure := order.Failure{Why: fmt.Sprint("HTTP ", res.status), NotBefore: res.retryAfter, Gone: res.status == http.StatusGone}
	if err != nil {
		failure.Why = err.Error()
	}
	e, marked, markErr := s.cfg.Store.Miss(ctx, e, failure)
	dead := e.Status == api.EventDead
	switch {
	case !marked:
	case failure.Gone:
		log.Error("the receiver wants no events any more: none is sent until the dead ones are replayed", "reason", e.LastError)
	case dead:
		log.Error("event is dead after its last try, replay it once the receiver works", "reason", e.LastError)
	default:
		log.Warn("event not acknowledged", "reason", e.LastError, "next_at", e.NextAt)
	}
	return err == nil && !res.busy(), dead, markErr // a dead event holds up no later one
}
