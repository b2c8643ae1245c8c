package listen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/listen"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/webhook"
)

// world is a shop on a port, and a program that receives the events that a Listener forwards.
type world struct {
	*paytest.Merchant
	buyer    *paytest.Person
	url      string // of the shop
	shopDown atomic.Bool

	local     string // the URL of the program
	localDown atomic.Bool
	status    atomic.Int32 // of the program's responses
	receiver  *paytest.Receiver
	mu        sync.Mutex
	bodies    []string // that the program got
	printed   paytest.Log
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Merchant: paytest.NewMerchant(t)}
	w.buyer = w.SignedIn(0)
	w.url = serve(t, &w.shopDown, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.Handler.ServeHTTP(rw, r) }))
	w.status.Store(http.StatusNoContent)
	w.receiver = &paytest.Receiver{Verify: webhook.Receiver{Secrets: []string{paytest.WebhookSecret}}, Now: w.Now}
	w.receiver.Answer = func(rw http.ResponseWriter, r *http.Request, _ webhook.Event) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		w.bodies = append(w.bodies, string(body))
		w.mu.Unlock()
		rw.WriteHeader(int(w.status.Load()))
	}
	w.local = serve(t, &w.localDown, w.receiver) + "/webhook"
	return w
}

// serve starts a server that ends each connection without a response while down is set.
func serve(t *testing.T, down *atomic.Bool, h http.Handler) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// newKey returns an API key and its ID.
func (w *world) newKey(scope v1.Scope) (text, id string) {
	w.T.Helper()
	var made v1.Key
	w.v1("POST", "/v1/keys", fmt.Sprintf(`{"name":"listen","scopes":["%s"]}`, scope), &made)
	return made.Key, made.ID
}

func (w *world) config() listen.Config {
	key, _ := w.newKey(v1.ScopeRead)
	return listen.Config{Shop: w.url, Key: key, Forward: w.local, Secret: paytest.WebhookSecret, Out: &w.printed, Now: w.Now,
		Pause: 5 * time.Millisecond, RetryPause: 5 * time.Millisecond}
}

// start starts a Listener, which ends with the test. stop ends it before, and returns Run's error.
func (w *world) start(cfg listen.Config) (l *listen.Listener, stop func() error) {
	w.T.Helper()
	l, err := listen.New(cfg)
	if err != nil {
		w.T.Fatal(err)
	}
	if err := l.Start(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.T.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	w.T.Cleanup(func() { stop() })
	return l, stop
}

// forwarded waits until the program has answered n events, and returns their orders.
func (w *world) forwarded(n int) (orders []string) {
	w.T.Helper()
	wait(w.T, fmt.Sprintf("%d events", n), func() bool { return len(w.receiver.Events()) >= n && len(w.printed.Lines(" answered ")) >= n })
	for _, e := range w.receiver.Events() {
		orders = append(orders, e.Data.Order.ID)
	}
	return orders
}

func wait(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// New events are forwarded in their order, each once, as the shop delivers them to the byte.
func TestForward(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.PaidOrderOf(w.buyer, "tea").ID
	w.Deliver()
	_, stop := w.start(w.config())
	want := []string{w.PaidOrderOf(w.buyer, "test").ID, w.PaidOrderOf(w.buyer, "tea").ID}
	if d := cmp.Diff(want, w.forwarded(2)); d != "" || slices.Contains(want, before) {
		t.Errorf("(-want +got):\n%s", d)
	}
	w.status.Store(http.StatusTeapot)
	third := w.PaidOrderOf(w.buyer, "coffee").ID
	w.forwarded(3)
	if err := stop(); err != nil {
		t.Error(err)
	}
	w.Deliver()
	theirs := slices.Sorted(slices.Values(w.Bodies[1:])) // the shop sends several at once
	if d := cmp.Diff(theirs, slices.Sorted(slices.Values(w.bodies))); d != "" {
		t.Errorf("bodies (-shop +listen):\n%s", d)
	}
	for _, line := range []string{
		"order.paid evt_paid_" + want[0] + " of order " + want[0] + ": " + w.local + " answered 204 No Content in ",
		"order.paid evt_paid_" + third + " of order " + third + ": " + w.local + " answered 418 I'm a teapot in ",
	} {
		if strings.Count(w.printed.String(), line) != 1 {
			t.Errorf("%q is not printed once in\n%s", line, w.printed.String())
		}
	}
	if n := strings.Count(w.printed.String(), "\n"); n != 3 {
		t.Errorf("%d lines, want one for each event:\n%s", n, w.printed.String())
	}
	for _, err := range w.receiver.Rejected() {
		t.Error(err)
	}
}

// While the program is down its event waits, and later ones wait behind it.
func TestForwardToAProgramThatIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.localDown.Store(true)
	w.start(w.config())
	want := []string{w.PaidOrderOf(w.buyer, "tea").ID, w.PaidOrderOf(w.buyer, "tea").ID}
	wait(t, "a try", func() bool { return strings.Contains(w.printed.String(), "does not answer") })
	if n := len(w.receiver.Events()); n != 0 {
		t.Errorf("%d events are forwarded", n)
	}
	time.Sleep(50 * time.Millisecond) // several tries
	w.localDown.Store(false)
	if d := cmp.Diff(want, w.forwarded(2)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if n := strings.Count(w.printed.String(), "does not answer"); n != 1 {
		t.Errorf("%d lines about the program that is down:\n%s", n, w.printed.String())
	}
}

// A shop that is down for a while loses no event, and repeats none.
func TestListenToAShopThatIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start(w.config())
	want := []string{w.PaidOrderOf(w.buyer, "tea").ID}
	w.forwarded(1)
	w.shopDown.Store(true)
	wait(t, "a try", func() bool { return strings.Contains(w.printed.String(), "does not answer") })
	for range 25 { // more than one part of the list
		want = append(want, w.PaidOrderOf(w.buyer, "test").ID)
	}
	time.Sleep(50 * time.Millisecond) // several tries
	w.shopDown.Store(false)
	w.forwarded(len(want))
	time.Sleep(50 * time.Millisecond) // nothing is delivered twice
	if d := cmp.Diff(want, w.forwarded(len(want))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for text, times := range map[string]int{"does not answer": 1, "answers again": 1} {
		if n := strings.Count(w.printed.String(), text); n != times {
			t.Errorf("%q is printed %d times:\n%s", text, n, w.printed.String())
		}
	}
}

// A second run continues after the last event of the first.
func TestListenAfterAnEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l, stop := w.start(w.config())
	want := []string{w.PaidOrderOf(w.buyer, "tea").ID}
	w.forwarded(1)
	if err := stop(); err != nil || l.Last() != "evt_paid_"+want[0] {
		t.Errorf("the last event is %q, %v", l.Last(), err)
	}
	want = append(want, w.PaidOrderOf(w.buyer, "tea").ID)
	cfg := w.config()
	cfg.After = l.Last()
	w.start(cfg)
	want = append(want, w.PaidOrderOf(w.buyer, "tea").ID)
	if d := cmp.Diff(want, w.forwarded(3)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A key that is revoked ends the run with a sentence.
func TestListenWithARevokedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config()
	var id string
	cfg.Key, id = w.newKey(v1.ScopeRead)
	l, err := listen.New(cfg)
	if err = errors.Join(err, l.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Run(t.Context()) }()
	w.v1("DELETE", "/v1/keys/"+id, "", &v1.Key{})
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "revoked") || strings.Contains(err.Error(), cfg.Key) {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
}
