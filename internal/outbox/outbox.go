// Package outbox delivers the events of the store to the endpoints of the merchant's back
// ends: the one of the settings, and those that API calls made.
package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"time"

	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/seal"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// Config configures a Sender.
type Config struct {
	Store *store.Store
	// Webhook is the endpoint of the settings. Without it, and without other endpoints, events
	// are kept and not sent.
	Webhook *Webhook
	// EndpointDoer sends to the endpoints that API calls made. It must not follow redirects,
	// and must return ErrPrivate for an address that is not public.
	EndpointDoer wechat.Doer
	// SessionKey, at least 32 characters, seals the secrets of these endpoints.
	// SessionKeyOld, optional, is the previous one: it still opens secrets that it sealed.
	SessionKey, SessionKeyOld wechat.Secret
	// Origin names the shop in the events of TestEndpoint.
	Origin Origin
	// Simulated means that WeChat is a simulator. Delivered events then say so.
	Simulated bool
	// PayerDays are the days after which an event that is delivered or dead loses its
	// payer; 30 when 0.
	PayerDays int
	// Announce, if not nil, is called when there is an event to deliver. It must
	// not wait, and may do nothing: a timer delivers the events.
	Announce func()
	// Statements is the most SQL statements, and the most deliveries, of one Deliver, because
	// D1 and Workers limit both in one invocation. At least 50; 0 is no limit. Then a receiver
	// that acknowledges all events of a round gets twice as many in the next, up to 40.
	Statements int

	Log  *slog.Logger     // slog.Default when nil
	Now  func() time.Time // time.Now when nil
	Rand io.Reader        // crypto/rand when nil
}

// Origin names a shop in its events.
type Origin struct {
	Shop  string // the origin of the shop's URLs
	AppID string
	MchID string
}

// Sender delivers events. It is safe for concurrent use.
type Sender struct {
	cfg Config
	box seal.Box
	log *slog.Logger
	now func() time.Time

	working working
}

// New validates cfg and returns a Sender. The error names the wrong field and never has its
// value.
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
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
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
		{cfg.EndpointDoer != nil, "EndpointDoer is nil"},
		{len(cfg.SessionKey) >= 32, "SessionKey: want at least 32 characters"},
		{cfg.SessionKeyOld == "" || len(cfg.SessionKeyOld) >= 32, "SessionKeyOld: want at least 32 characters"},
		{cfg.PayerDays > 0, "PayerDays: want 0 or more"},
		{cfg.Statements == 0 || cfg.Statements >= minStatements, "Statements: want 0 or at least 50"},
	} {
		if !rule.ok {
			return nil, errors.New("outbox: " + rule.problem)
		}
	}
	box, err := seal.New(string(cfg.SessionKey), string(cfg.SessionKeyOld), "h5pay webhook secrets")
	if err != nil {
		return nil, err
	}
	return &Sender{cfg: cfg, box: box, log: cfg.Log, now: cfg.Now}, nil
}

// HasWebhook reports whether the settings have an endpoint.
func (s *Sender) HasWebhook() bool { return s.cfg.Webhook != nil }

// WebhookOrigin returns the origin of the URL in the settings, "" without one. The rest of
// the URL may be a secret.
func (s *Sender) WebhookOrigin() string {
	if s.cfg.Webhook == nil {
		return ""
	}
	u, err := url.Parse(s.cfg.Webhook.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// logger returns the log of the request that ctx belongs to.
func (s *Sender) logger(ctx context.Context) *slog.Logger { return reqlog.From(ctx, s.log) }

// caught turns a panic into an error. Every goroutine of this package defers it, because
// net/http catches only panics of its own goroutines.
func (s *Sender) caught(ctx context.Context, err *error) {
	if p := recover(); p != nil {
		reqlog.Panic(s.logger(ctx), p)
		*err = errors.New("a panic, see the log")
	}
}

// ErrNoEndpoint means that no endpoint may get the event, or that the named one may not.
var ErrNoEndpoint = errors.New("outbox: no endpoint may get the event")

// Replay makes an event due again at one endpoint, or with "" at every endpoint that takes
// it. The error is store.ErrNotFound when there is no such event, or ErrNoEndpoint.
func (s *Sender) Replay(ctx context.Context, id, endpoint string) (order.Event, error) {
	replayed, err := s.cfg.Store.Replay(ctx, id, endpoint, s.now())
	if err != nil {
		return order.Event{}, err
	}
	e, err := s.cfg.Store.Event(ctx, id)
	if err != nil {
		return e, err
	}
	if !replayed {
		return e, ErrNoEndpoint
	}
	s.logger(ctx).Info("event replayed", "event", e.ID, "type", string(e.Type), "order", e.OrderID, "attempts", e.Attempts)
	s.cfg.Announce()
	return e, nil
}

// ReplayRange makes the events of a time due again. It returns how many, and the After of the next
// call, nil when nothing is left.
func (s *Sender) ReplayRange(ctx context.Context, r store.ReplayRange) (events int, next *store.EventPosition, err error) {
	replayed, next, err := s.cfg.Store.ReplayRange(ctx, r, s.now())
	if err != nil || len(replayed) == 0 {
		return 0, next, err
	}
	s.logger(ctx).Info("events replayed", "events", len(replayed), "first", replayed[0].At, "last", replayed[len(replayed)-1].At)
	s.cfg.Announce()
	return len(replayed), next, nil
}

// RemovePayers removes the payers from events that are older than PayerDays and not pending.
// Without a URL in the settings, an event that waits for that endpoint loses its payer too.
func (s *Sender) RemovePayers(ctx context.Context) error {
	return s.cfg.Store.RemovePayers(ctx, s.now().AddDate(0, 0, -s.cfg.PayerDays), s.cfg.Webhook == nil, removedOnce)
}

const (
	minStatements = 50  // of Cloudflare's free plan
	removedOnce   = 500 // events
	payerDays     = 30  // the default of Config.PayerDays
)
