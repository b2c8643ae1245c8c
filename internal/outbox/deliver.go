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

// Bounds of one Deliver, in addition to Config.Statements. A round at an endpoint costs one
// statement, and one for each event.
const (
	deliverAtOnce = 5                // at all endpoints; Workers have six connections open at once
	mostAtOnce    = 40               // at all endpoints, without a limit of statements
	deliverTime   = 30 * time.Second // no round begins after it: pool.mjs gives an event a minute
	deletedOnce   = 500              // deliveries of a deleted endpoint
	closedShare   = 5                // one of this many deliveries is an order.closed, if one is due
)

// Deliver posts the due events to their endpoints. Events about money come first, and events
// of one kind in the order in which they became due. A timer calls Deliver, and so does
// Config.Announce. Several calls may run at the same time: each delivery belongs to the call
// that claims it. A call may stop or fail anywhere, because the next one continues. Only
// errors of the database are returned.
//
// Each endpoint has its own rounds, and its share of the connections and statements. Deliver waits
// for all of them, up to deliverTime and webhookTimeout. So that a receiver that hangs delays no other
// one, the caller makes another call meanwhile. That call passes over the endpoints at which one is
// under way in this Sender. With Config.Statements it does not, because an invocation may end at any
// point.
func (s *Sender) Deliver(ctx context.Context) error {
	if job.Stopping(ctx) {
		return nil
	}
	r := run{began: s.now(), ctx: ctx, Sender: s}
	endpoints, err := s.cfg.Store.DueEndpoints(ctx, r.began)
	if err != nil {
		return fmt.Errorf("delivering events: %w", err)
	}
	statements := 1
	var targets []target
	for _, e := range endpoints {
		if e.State == order.EndpointDeleted {
			if statements == 1 { // the call of one endpoint
				statements += 2
				if err := s.cfg.Store.DeleteDeliveries(ctx, e.ID, deletedOnce); err != nil {
					return err
				}
			}
			continue
		}
		t, ok, err := s.target(ctx, e, &statements)
		if err != nil {
			return fmt.Errorf("delivering events: %w", err)
		}
		if ok {
			targets = append(targets, t)
		}
	}
	sharing := len(targets)
	if s.cfg.Statements == 0 {
		targets, sharing = s.working.begin(targets)
	}
	if len(targets) == 0 {
		return nil
	}
	r.atOnce = max(1, deliverAtOnce/sharing)
	r.most = max(1, mostAtOnce/sharing)
	if s.cfg.Statements > 0 {
		r.most = r.atOnce
		r.statements = max(1+r.atOnce, (s.cfg.Statements-statements)/len(targets))
	}
	var group sync.WaitGroup
	for _, t := range targets {
		group.Go(func() {
			defer func() {
				if s.working.end(t) {
					s.cfg.Announce()
				}
			}()
			r.rounds(t)
		})
	}
	group.Wait()
	if r.failed != nil {
		return fmt.Errorf("delivering events: %w", r.failed)
	}
	return nil
}

// working has the endpoints at which a call of Deliver is under way.
type working struct {
	mu     sync.Mutex
	passed map[string]bool // by ID: whether another call passed over the endpoint
}

// begin returns those of targets at which no other call is under way, and the number of endpoints that
// share the connections. The caller must call end for each.
func (w *working) begin(targets []target) (mine []target, sharing int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.passed == nil {
		w.passed = map[string]bool{}
	}
	for _, t := range targets {
		_, busy := w.passed[t.id]
		w.passed[t.id] = busy
		if !busy {
			mine = append(mine, t)
		}
	}
	return mine, len(w.passed)
}

// end reports whether another call passed over the endpoint since begin: then it may have more due
// events.
func (w *working) end(t target) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	passed := w.passed[t.id]
	delete(w.passed, t.id)
	return passed
}

// run is one Deliver.
type run struct {
	*Sender
	ctx        context.Context
	began      time.Time
	atOnce     int // deliveries of the first round at one endpoint
	most       int // deliveries of a later round, if the endpoint acknowledges all
	statements int // for one endpoint; 0 is no limit

	mu     sync.Mutex
	failed error
}

func (r *run) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = err
}

// rounds delivers events to one endpoint until it accepts no more or nothing is due.
func (r *run) rounds(t target) {
	var err error
	defer func() {
		if err != nil {
			r.fail(err)
		}
	}()
	defer r.caught(r.ctx, &err)
	// A fifth of all deliveries is reserved for order.closed. Calls begin at different
	// fifths, because a call may have fewer than five rounds.
	slots := int(r.began.Unix() / 60 % closedShare)
	atOnce := r.atOnce
	for statements := 0; ; {
		if job.Stopping(r.ctx) || r.now().Sub(r.began) > deliverTime {
			return
		}
		if statements += 1 + atOnce; r.statements > 0 && statements > r.statements {
			return
		}
		var events []order.Event
		closed := (slots+atOnce)/closedShare - slots/closedShare
		if events, err = r.cfg.Store.ClaimEvents(r.ctx, t.id, r.now(), atOnce, closed); err != nil {
			return
		}
		slots += atOnce
		var acknowledged, taking, next atomic.Int32
		var group sync.WaitGroup
		var mu sync.Mutex
		for _, e := range events {
			group.Go(func() {
				done, takes, more, failed := r.deliver(r.ctx, t, e)
				if done {
					acknowledged.Add(1)
				}
				if takes {
					taking.Add(1)
				}
				if more {
					next.Add(1)
				}
				if failed != nil {
					mu.Lock()
					err = failed
					mu.Unlock()
				}
			})
		}
		group.Wait()
		if err != nil || taking.Load() == 0 || len(events) < atOnce && next.Load() == 0 {
			return // the receiver accepts no more, or nothing is due: the next call tries again
		}
		if int(acknowledged.Load()) == atOnce {
			atOnce = min(2*atOnce, r.most)
		} else {
			atOnce = r.atOnce
		}
	}
}

// deliver sends one claimed event and stores the result. It reports whether the receiver
// acknowledged it and accepts more events now, and whether a later event of the order may be due now.
func (s *Sender) deliver(ctx context.Context, t target, e order.Event) (acknowledged, takes, next bool, err error) {
	defer s.caught(ctx, &err)
	log := s.logger(ctx).With("event", e.ID, "type", string(e.Type), "order", e.OrderID, "attempt", e.Attempts, "endpoint", t.id)
	res, err := s.send(ctx, t, e.ID, s.body(e))
	ctx = context.WithoutCancel(ctx) // The result is stored even if ctx has ended.
	if err == nil && res.ok() {
		e.LastStatus = res.status
		marked, next, err := s.cfg.Store.Deliver(ctx, e, s.now())
		if marked {
			log.Info("event delivered")
		}
		return true, true, next, err
	}
	failure := order.Failure{Why: res.reason(), Status: res.status, NotBefore: res.retryAfter, Gone: res.status == http.StatusGone}
	if err != nil {
		failure.Why = err.Error()
	}
	e, marked, markErr := s.cfg.Store.FailDelivery(ctx, e, failure)
	dead := e.Status == api.EventDead
	switch {
	case !marked:
	case failure.Gone:
		log.Error("the receiver responded 410 Gone: no event is sent until one is replayed, or the endpoint is enabled", "reason", e.LastError)
	case dead:
		log.Error("the event is dead after its last try: replay it when the receiver works", "reason", e.LastError)
	default:
		log.Warn("the receiver did not acknowledge the event", "reason", e.LastError, "next_at", e.NextAt)
	}
	return false, err == nil && !res.busy(), dead, markErr // a dead event does not delay later events
}
