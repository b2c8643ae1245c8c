// Package outbox delivers the events of the store to the merchant's back end.
package outbox

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/store"
)

// Config configures a Sender.
type Config struct {
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
	cfg Config
	log *slog.Logger
	now func() time.Time
}

// New checks cfg and returns its Sender. The error names the field that is wrong and
// never holds its value.
func New(cfg Config) (*Sender, error) {
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
		{cfg.Statements == 0 || cfg.Statements >= minStatements, "Statements is less than 50"},
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

// ReplayRange makes the events of a time due again and returns them.
func (s *Sender) ReplayRange(ctx context.Context, r store.ReplayRange) ([]order.Event, error) {
	events, err := s.cfg.Store.ReplayRange(ctx, r, s.now())
	if err != nil || len(events) == 0 {
		return nil, err
	}
	s.logger(ctx).Info("events replayed", "events", len(events), "first", events[0].ID, "last", events[len(events)-1].ID)
	s.cfg.Announce()
	return events, nil
}

// ForgetPayers removes the payers from events that are old enough. Without a webhook
// every event stays pending, and loses its payer all the same.
func (s *Sender) ForgetPayers(ctx context.Context) error {
	return s.cfg.Store.ForgetPayers(ctx, s.now().AddDate(0, 0, -s.cfg.PayerDays), s.cfg.Webhook == nil, forgottenOnce)
}

const (
	minStatements = 50  // of Cloudflare's free plan
	forgottenOnce = 500 // events
	payerDays     = 30  // the default of Config.PayerDays
)
