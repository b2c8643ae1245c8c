package server_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/store"
	"h5pay/webhook"
	"h5pay/wechat"
)

const (
	webhookSecret    = "whsec_YSB3ZWJob29rIHNlY3JldCBvZiAzMiBjaGFyYWN0ZXJz"
	oldWebhookSecret = "whsec_dGhlIHdlYmhvb2sgc2VjcmV0IHRoYXQgY2FtZSBiZWZvcmU="
)

// receiver is a merchant's back end. It believes only what verifies.
type receiver struct {
	*shop
	accept    webhook.Receiver
	announced int

	mu     sync.Mutex
	answer func(n int, e webhook.Event) (status int, err error) // of the n-th delivery; 204 when nil
	retry  string                                               // the Retry-After of each answer, if any
	events []webhook.Event                                      // as they came
	bodies []string
	times  map[string]int // acknowledged, by event
}

// newReceiver opens a shop that tells a receiver of its orders.
func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{accept: webhook.Receiver{Secrets: []string{webhookSecret}}, times: map[string]int{}}
	r.shop = newShop(t, r.config)
	return r
}

// config makes a signer deliver to the receiver.
func (r *receiver) config(cfg *settings, _ *wechat.Config) {
	cfg.Webhook = &outbox.Webhook{URL: "https://erp.example.com/h5pay", Secrets: []wechat.Secret{webhookSecret}, Doer: r}
	cfg.Announce = func() { r.announced++ }
}

// Do takes a delivery.
func (r *receiver) Do(req *http.Request) (*http.Response, error) {
	if deadline, ok := req.Context().Deadline(); !ok || time.Until(deadline) > 10*time.Second {
		r.t.Error("a delivery without a deadline")
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	in := httptest.NewRequest(req.Method, "/h5pay", bytes.NewReader(body))
	in.Header = req.Header
	e, err := r.accept.Receive(in, r.now())
	if err != nil {
		r.t.Errorf("a delivery is not verified: %v", err)
		return &http.Response{StatusCode: 400, Body: http.NoBody}, nil
	}
	if req.Method != "POST" || req.URL.String() != "https://erp.example.com/h5pay" || req.Header.Get("Content-Type") != "application/json" ||
		req.Header.Get("webhook-id") != e.ID {
		r.t.Errorf("%s %s %v", req.Method, req.URL, req.Header)
	}
	r.mu.Lock()
	r.events, r.bodies = append(r.events, e), append(r.bodies, string(body))
	n, answer := len(r.events), r.answer
	r.mu.Unlock()
	status := 204
	if answer != nil {
		if status, err = answer(n, e); err != nil {
			return nil, err
		}
	}
	if status >= 200 && status < 300 {
		r.mu.Lock()
		r.times[e.ID]++
		r.mu.Unlock()
	}
	header := http.Header{"Location": {"https://elsewhere.example/"}}
	if r.retry != "" {
		header.Set("Retry-After", r.retry)
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader("never read"))}, nil
}

// deliver is what the timer does.
func (r *receiver) deliver() {
	r.t.Helper()
	if err := r.signer.Deliver(context.Background()); err != nil {
		r.t.Error(err)
	}
	r.check()
}

// paid makes an order and pays it.
func (r *receiver) paid(p *person, product string) api.Order {
	r.t.Helper()
	c := p.order(product, 1)
	p.pay(c.Pay)
	r.shop.deliver()
	return c.Order
}

// stored returns the only event of an order.
func (r *receiver) stored(orderID string) order.Event {
	r.t.Helper()
	events, err := store.New(r.db).EventsOf(context.Background(), orderID)
	if err != nil || len(events) != 1 {
		r.t.Fatalf("%d events, %v", len(events), err)
	}
	return events[0]
}
