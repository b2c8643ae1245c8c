package outbox_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/webhook"
	"h5pay/wechat"
)

const (
	secret    = paytest.WebhookSecret
	oldSecret = paytest.OldWebhookSecret

	sessionKey    = "a session key of thirty-two bytes"
	newSessionKey = "another session key of 32 letters"
	path          = "/events-of-the-shop"
)

// backEnd is a merchant's back end, which is an HTTP server, and the Sender of the shop that
// sends it events.
type backEnd struct {
	*paytest.Shop
	t        *testing.T
	buyer    *paytest.Person
	store    *store.Store
	sender   *outbox.Sender
	receiver *paytest.Receiver
	server   *httptest.Server

	endpoints *paytest.Endpoints // the receivers of other endpoints

	copied bool // the outbox has copies, so that its invariants do not hold

	mu     sync.Mutex
	clock  time.Time // of the Sender and of the receiver: only advance changes it
	bodies []string  // of the verified deliveries, by arrival

	announced atomic.Int32
}

// newBackEnd starts a back end. change, if not nil, changes the Sender's configuration.
func newBackEnd(t *testing.T, change func(*outbox.Config)) *backEnd {
	t.Helper()
	b := &backEnd{t: t, Shop: paytest.NewShop(t, nil), endpoints: &paytest.Endpoints{}}
	b.buyer = b.SignedIn(0)
	b.store = store.New(b.DB)
	b.follow()
	b.receiver = &paytest.Receiver{Verify: webhook.Receiver{Secrets: []string{secret}}, Now: b.now}
	b.answer(func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusNoContent) })
	b.server = httptest.NewServer(b.receiver)
	t.Cleanup(b.server.Close)
	b.open(change)
	return b
}

// open makes a new Sender over the same store.
func (b *backEnd) open(change func(*outbox.Config)) {
	b.t.Helper()
	cfg := outbox.Config{
		Store: b.store,
		Webhook: &outbox.Webhook{URL: b.server.URL + path, Secrets: []wechat.Secret{secret}, Doer: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}},
		EndpointDoer: b.endpoints, SessionKey: sessionKey,
		Announce: func() { b.announced.Add(1) },
		Log:      slog.New(slog.NewTextHandler(b.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:      b.now,
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if b.sender, err = outbox.New(cfg); err != nil {
		b.t.Fatal(err)
	}
}

// answer sets how the receiver responds to the n-th verified delivery from now on, from 1.
func (b *backEnd) answer(respond func(w http.ResponseWriter, r *http.Request, n int)) {
	var deliveries atomic.Int32
	b.receiver.Answer = func(w http.ResponseWriter, r *http.Request, _ webhook.Event) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.t.Error(err)
		}
		b.mu.Lock()
		b.bodies = append(b.bodies, string(body))
		b.mu.Unlock()
		respond(w, r, int(deliveries.Add(1)))
	}
}

// status makes the receiver respond with a status from now on.
func (b *backEnd) status(code int) {
	b.answer(func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(code) })
}

func (b *backEnd) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.clock
}

// advance advances all clocks.
func (b *backEnd) advance(d time.Duration) {
	b.Sim.Advance(d)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Add(d)
}

// follow sets the clock to the shop's current time.
func (b *backEnd) follow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.Now().Truncate(time.Millisecond)
}

// deliver calls Deliver once, and the call must succeed.
func (b *backEnd) deliver() {
	b.t.Helper()
	if err := b.sender.Deliver(b.t.Context()); err != nil {
		b.t.Error(err)
	}
	b.check()
}

// check fails the test for a broken invariant, a rejected delivery, or a secret in the log.
func (b *backEnd) check() {
	b.t.Helper()
	if b.copied {
		b.CheckLog()
	} else {
		b.Check()
	}
	if rejected := b.receiver.Rejected(); len(rejected) != 0 {
		b.t.Errorf("deliveries that do not verify: %v", rejected)
	}
	text := b.Log.String()
	for _, word := range []string{strings.TrimPrefix(secret, "whsec_"), path, strings.TrimPrefix(b.server.URL, "http://"), "v1,", "高山乌龙茶"} {
		if strings.Contains(text, word) {
			b.t.Errorf("%q is in the log:\n%s", word, text)
		}
	}
}

// paid makes an order and pays it.
func (b *backEnd) paid() api.Order {
	b.t.Helper()
	c := b.buyer.Order("tea", 2)
	b.buyer.Pay(c.Pay)
	b.Deliver()
	b.follow()
	return c.Order
}

// paidEvents makes one order, pays it, and stores n events of that payment. Each has its own ID. It
// costs less than n orders.
func (b *backEnd) paidEvents(n int) {
	b.t.Helper()
	o := b.paid()
	b.copied = true
	storetest.Copy(b.t, b.DB, "events", "order_id = '"+o.ID+"'", n-1, map[string]string{"id": "id || '-' || n", "subject": "subject || '-' || n"}, "seq")
}

// closed makes an order and cancels it.
func (b *backEnd) closed() api.Order {
	b.t.Helper()
	c := b.buyer.Order("tea", 2)
	b.buyer.CloseOrder(c.Order.ID)
	b.Sim.Advance(order.MinCloseAge)
	b.Reconcile()
	b.WantStatus(c.Order.ID, api.StatusClosed)
	b.follow()
	return c.Order
}

// refund makes a refund of an order that succeeds.
func (b *backEnd) refund(o api.Order, amount fen.Fen) v1.Refund {
	b.t.Helper()
	r := b.Operator().Refund(o.ID, paytest.RefundRequest(amount))
	b.Sim.Advance(time.Minute)
	b.Reconcile()
	if got := b.Operator().SyncedOrder(o.ID).Refunds; len(got) == 0 || got[len(got)-1].Status != api.RefundSucceeded {
		b.t.Errorf("refunds %+v, want the last one succeeded", got)
	}
	b.follow()
	return r
}

// stored returns the only event of an order.
func (b *backEnd) stored(o api.Order) order.Event {
	b.t.Helper()
	events, err := b.store.EventsOf(b.t.Context(), o.ID)
	if err != nil || len(events) != 1 {
		b.t.Fatalf("%d events of the order, %v", len(events), err)
	}
	return events[0]
}

// wantDelivered fails the test unless the receiver acknowledged the only event of each order.
func (b *backEnd) wantDelivered(orders ...api.Order) {
	b.t.Helper()
	for _, o := range orders {
		if e := b.stored(o); e.Status != api.EventDelivered {
			b.t.Errorf("event %s is %s after %d attempts, last error %q", e.ID, e.Status, e.Attempts, e.LastError)
		}
	}
}

// wantAllDelivered fails the test unless the receiver acknowledged n events, and no other is stored.
func (b *backEnd) wantAllDelivered(n int) {
	b.t.Helper()
	events, _, err := b.store.Events(b.t.Context(), store.EventPage{Limit: 1000})
	if err != nil || len(events) != n {
		b.t.Errorf("%d events, %v; want %d", len(events), err, n)
	}
	for _, e := range events {
		if e.Status != api.EventDelivered || e.Attempts != 1 {
			b.t.Errorf("event %s is %s after %d attempts", e.ID, e.Status, e.Attempts)
		}
	}
}

// wantArrivals fails the test unless n deliveries have arrived since the start.
func (b *backEnd) wantArrivals(n int) {
	b.t.Helper()
	if got := len(b.receiver.Events()); got != n {
		b.t.Errorf("%d deliveries, want %d", got, n)
	}
}

// doer sends with a function in place of a client.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// respond returns a response without a body.
func respond(status int) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody}
}
