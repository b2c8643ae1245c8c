package outbox_test

import (
	"crypto/rand"
	"database/sql"
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
	"h5pay/webhook"
	"h5pay/wechat"
)

const (
	secret    = "whsec_YSB3ZWJob29rIHNlY3JldCBvZiAzMiBjaGFyYWN0ZXJz"
	oldSecret = "whsec_dGhlIHdlYmhvb2sgc2VjcmV0IHRoYXQgY2FtZSBiZWZvcmU="
	payer     = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	path      = "/events-of-the-shop"
)

// backEnd is a merchant's back end, which is an HTTP server, and the Sender of a shop that sends it
// events. The shop's orders are in a real store.
type backEnd struct {
	t        *testing.T
	db       *sql.DB
	store    *store.Store
	sender   *outbox.Sender
	receiver *paytest.Receiver
	server   *httptest.Server
	log      *paytest.Log

	mu     sync.Mutex
	clock  time.Time // of the shop and of the receiver
	bodies []string  // of the verified deliveries, by arrival

	announced atomic.Int32
}

// newBackEnd starts a back end. change, if not nil, changes the Sender's configuration.
func newBackEnd(t *testing.T, change func(*outbox.Config)) *backEnd {
	t.Helper()
	b := &backEnd{t: t, db: storetest.Open(t), log: &paytest.Log{}, clock: time.Date(2026, 11, 23, 3, 4, 5, 678e6, time.UTC)}
	b.store = store.New(b.db)
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
		Announce: func() { b.announced.Add(1) },
		Log:      slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
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

func (b *backEnd) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Add(d)
}

// deliver makes one call of Deliver, which must succeed.
func (b *backEnd) deliver() {
	b.t.Helper()
	if err := b.sender.Deliver(b.t.Context()); err != nil {
		b.t.Error(err)
	}
	b.check()
}

// check compares the store with its invariants, and looks for secrets in the log.
func (b *backEnd) check() {
	b.t.Helper()
	storetest.Check(b.t, b.db)
	if rejected := b.receiver.Rejected(); len(rejected) != 0 {
		b.t.Errorf("deliveries that do not verify: %v", rejected)
	}
	text := b.log.String()
	for _, word := range []string{secret, oldSecret, strings.TrimPrefix(secret, "whsec_"), payer, path, strings.TrimPrefix(b.server.URL, "http://"), "v1,", "高山乌龙茶"} {
		if strings.Contains(text, word) {
			b.t.Errorf("%q is in the log:\n%s", word, text)
		}
	}
}

// ordered stores an order of 13600 fen that waits for its payment.
func (b *backEnd) ordered() order.Order {
	b.t.Helper()
	now := b.now()
	id, err := order.NewID(rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	no, err := order.NewOutTradeNo(rand.Reader, now)
	if err != nil {
		b.t.Fatal(err)
	}
	o, err := b.store.Insert(b.t.Context(), order.Order{
		ID: id, Owner: payer, ClientKey: "key-" + id, Fingerprint: "f",
		Lines:      []order.Line{{ProductID: "tea", Name: "高山乌龙茶", Price: 6800, Quantity: 2}},
		OutTradeNo: no, AppID: "wx5a1e0f7c3b2d4968", MchID: "1900000109", APIVersion: "v2", TradeType: api.TradeJSAPI,
		Total: 13600, Currency: order.Currency, Body: "店 - 茶", ClientIP: "203.0.113.7",
		NotifyURL: "https://shop.example.com" + api.PathNotifyPay, CreatedAt: now, ExpiresAt: now.Add(order.Lifetime),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.must(b.store.ClaimPrepay(b.t.Context(), o.ID, "", time.Time{}, now))
	b.must(b.store.SetPrepay(b.t.Context(), o.ID, order.Prepay{ID: "wx-" + o.ID, SignType: "MD5"}, now))
	return o
}

// paid stores an order and its payment.
func (b *backEnd) paid() order.Order {
	b.t.Helper()
	o := b.ordered()
	b.pay(o)
	return o
}

func (b *backEnd) pay(o order.Order) {
	b.t.Helper()
	now := b.now()
	b.must(b.store.Pay(b.t.Context(), o.ID, order.Payment{TransactionID: "4200-" + o.ID, Payer: payer, PaidAt: now}, now))
}

// closed stores an order that nobody paid.
func (b *backEnd) closed() order.Order {
	b.t.Helper()
	o := b.ordered()
	b.must(b.store.Close(b.t.Context(), o.ID, b.now()))
	return o
}

// refund stores a refund of an order that succeeded.
func (b *backEnd) refund(o order.Order, id string, amount fen.Fen) {
	b.t.Helper()
	now := b.now()
	b.must(b.store.InsertRefund(b.t.Context(), order.Refund{ID: id, OrderID: o.ID, Key: "key-" + id, Amount: amount, Reason: "七天无理由", CreatedAt: now}))
	b.must(b.store.MoveRefund(b.t.Context(), id, api.RefundSucceeded, "5000-"+id, now, now))
}

func (b *backEnd) must(changed bool, err error) {
	b.t.Helper()
	if !changed || err != nil {
		b.t.Fatalf("changed %t, %v", changed, err)
	}
}

// stored returns the only event of an order.
func (b *backEnd) stored(o order.Order) order.Event {
	b.t.Helper()
	events, err := b.store.EventsOf(b.t.Context(), o.ID)
	if err != nil || len(events) != 1 {
		b.t.Fatalf("%d events of the order, %v", len(events), err)
	}
	return events[0]
}

// wantDelivered fails the test unless the receiver acknowledged the only event of each order.
func (b *backEnd) wantDelivered(orders ...order.Order) {
	b.t.Helper()
	for _, o := range orders {
		if e := b.stored(o); e.Status != api.EventDelivered {
			b.t.Errorf("event %s is %s after %d attempts, last error %q", e.ID, e.Status, e.Attempts, e.LastError)
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
