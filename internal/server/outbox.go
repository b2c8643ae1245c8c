package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/store"
)

// Bounds of one Deliver, beside SenderConfig.Statements: a round makes one statement, and one
// for each event.
const (
	deliverAtOnce = 5                // Workers have six connections open at once
	deliverTime   = 30 * time.Second // no round begins after it: pool.mjs gives an event a minute
)

// SenderConfig is what a Sender is made of.
type SenderConfig struct {
	Store   *store.Store
	Webhook *Webhook // the merchant's back end; without one events are kept and not sent
	// Simulated says that WeChat is a simulator. Events that are delivered then say so.
	Simulated bool
	// PayerDays are the days after which an event that is delivered or dead loses its
	// payer; 30 when 0.
	PayerDays int
	// Announce, if not nil, is called when there is an event to deliver. It must
	// not wait, and may do nothing: a timer delivers the events.
	Announce func()
	// Statements is how many SQL statements one Deliver may make, and how many calls: D1
	// and Workers limit both for one invocation. At least 50; 0 is no limit.
	Statements int

	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil
}

// Sender delivers events. It can be used by any number of goroutines at once.
type Sender struct {
	cfg SenderConfig
	log *slog.Logger
	now func() time.Time
}

// NewSender checks cfg and returns its Sender. The error names the field that is wrong and
// never holds its value.
func NewSender(cfg SenderConfig) (*Sender, error) {
	if cfg.PayerDays == 0 {
		cfg.PayerDays = payerDays
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Announce == nil {
		cfg.Announce = func() {}
	}
	webhookProblem := cfg.Webhook.check()
	for _, rule := range []struct {
		ok      bool
		problem string
	}{
		{cfg.Store != nil, "Store is nil"},
		{webhookProblem == "", webhookProblem},
		{cfg.PayerDays > 0, "PayerDays is negative"},
		{cfg.Statements == 0 || cfg.Statements >= 50, "Statements is less than 50"},
	} {
		if !rule.ok {
			return nil, errors.New("outbox: " + rule.problem)
		}
	}
	return &Sender{cfg, cfg.Log, cfg.Now}, nil
}

// HasWebhook reports whether events are sent anywhere.
func (s *Sender) HasWebhook() bool { return s.cfg.Webhook != nil }

// logger returns the log of the request that ctx belongs to.
func (s *Sender) logger(ctx context.Context) *slog.Logger { return reqlog.From(ctx, s.log) }

// caught turns a panic into an error. Every goroutine that is started here defers it:
// net/http catches only panics of its own goroutines.
func (s *Sender) caught(ctx context.Context, err *error) {
	if p := recover(); p != nil {
		reqlog.Panic(s.logger(ctx), p)
		*err = errors.New("a panic, see the log")
	}
}

// Deliver posts the events that are due to the merchant's back end: those about money
// first, and of each kind those that are due longest. A timer calls it, and whoever was
// told by SenderConfig.Announce; any number of calls may run at once, since an event belongs
// to the one that claims it. The next call continues with the rest, so it may stop or
// fail anywhere. The error is the database's.
//
// It has a timer and bounds of its own and waits for nobody but the receiver, so
// that a receiver that hangs holds up nothing else.
func (s *Sender) Deliver(ctx context.Context) error {
	if s.cfg.Webhook == nil {
		return nil // the events wait until there is one
	}
	began := s.now()
	for statements := 0; ; {
		if ctx.Err() != nil || s.now().Sub(began) > deliverTime {
			return nil
		}
		if statements += 1 + deliverAtOnce; s.cfg.Statements > 0 && statements > s.cfg.Statements {
			return nil
		}
		events, err := s.cfg.Store.ClaimEvents(ctx, s.now(), deliverAtOnce)
		if err != nil {
			return fmt.Errorf("delivering events: %w", err)
		}
		var answers, next atomic.Int32
		var failed error
		var group sync.WaitGroup
		var mu sync.Mutex
		for _, e := range events {
			group.Go(func() {
				answered, more, err := s.deliver(ctx, e)
				if answered {
					answers.Add(1)
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
		if answers.Load() == 0 || len(events) < deliverAtOnce && next.Load() == 0 {
			return nil // nobody is there, or nothing is left: the next call tries again
		}
	}
}

// deliver sends one claimed event and marks what became of it. It reports whether
// the receiver answered at all, and whether a later event of the order may be due now.
func (s *Sender) deliver(ctx context.Context, e order.Event) (answered, next bool, err error) {
	defer s.caught(ctx, &err)
	log := s.logger(ctx).With("event", e.ID, "type", string(e.Type), "order", e.OrderID, "attempt", e.Attempts)
	status, err := s.send(ctx, e)
	ctx = context.WithoutCancel(ctx) // what was sent is noted, though the caller be gone
	if err == nil && status >= 200 && status <= 299 {
		marked, next, err := s.cfg.Store.Deliver(ctx, e, s.now())
		if marked {
			log.Info("event delivered")
		}
		return true, next, err
	}
	why := fmt.Sprint("HTTP ", status)
	if err != nil {
		why = err.Error()
	}
	marked, markErr := s.cfg.Store.Miss(ctx, e, why)
	switch {
	case !marked:
	case e.LastTry():
		log.Error("event given up, replay it once the receiver works", "reason", why)
	default:
		log.Warn("event not acknowledged", "reason", why, "next_at", e.NextAt)
	}
	return err == nil, e.LastTry(), markErr // a dead event holds up no later one
}

// Replay makes an event due again. The error is store.ErrNotFound when there is none.
func (s *Sender) Replay(ctx context.Context, id string) (order.Event, error) {
	e, err := s.cfg.Store.Replay(ctx, id, s.now())
	if err != nil {
		return e, err
	}
	s.logger(ctx).Info("event replayed", "event", e.ID, "type", string(e.Type), "order", e.OrderID, "attempts", e.Attempts)
	s.cfg.Announce()
	return e, nil
}

// ForgetPayers removes the payers from events that are old enough. Without a webhook
// every event stays pending, and loses its payer all the same.
func (s *Sender) ForgetPayers(ctx context.Context) error {
	return s.cfg.Store.ForgetPayers(ctx, s.now().AddDate(0, 0, -s.cfg.PayerDays), s.cfg.Webhook == nil, forgottenOnce)
}

// Bounds of one run of the timer.
const (
	forgottenOnce = 500 // events
	payerDays     = 30  // that an event keeps its payer unless SenderConfig.PayerDays says otherwise
)
