package paytest

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
	WebhookSecret    = "whsec_YSB3ZWJob29rIHNlY3JldCBvZiAzMiBjaGFyYWN0ZXJz"
	OldWebhookSecret = "whsec_dGhlIHdlYmhvb2sgc2VjcmV0IHRoYXQgY2FtZSBiZWZvcmU="
)

// Merchant is a merchant's back end. It believes only what verifies.
type Merchant struct {
	*Shop
	Accept    webhook.Receiver
	Announced int

	mu           sync.Mutex
	Respond      func(n int, e webhook.Event) (status int, err error) // of the n-th delivery; 204 when nil
	RetryAfter   string                                               // the Retry-After of each answer, if any
	Events       []webhook.Event                                      // as they came
	Bodies       []string
	Acknowledged map[string]int // acknowledged, by event
}

// NewMerchant opens a shop that tells a receiver of its orders.
func NewMerchant(t *testing.T) *Merchant {
	t.Helper()
	r := &Merchant{Accept: webhook.Receiver{Secrets: []string{WebhookSecret}}, Acknowledged: map[string]int{}}
	r.Shop = NewShop(t, r.Configure)
	return r
}

// Configure makes a signer deliver to the receiver.
func (r *Merchant) Configure(cfg *Settings, _ *wechat.Config) {
	cfg.Webhook = &outbox.Webhook{URL: "https://erp.example.com/h5pay", Secrets: []wechat.Secret{WebhookSecret}, Doer: r}
	cfg.Announce = func() { r.Announced++ }
}

// Do takes a delivery.
func (r *Merchant) Do(req *http.Request) (*http.Response, error) {
	if deadline, ok := req.Context().Deadline(); !ok || time.Until(deadline) > 10*time.Second {
		r.T.Error("a delivery without a deadline")
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	in := httptest.NewRequest(req.Method, "/h5pay", bytes.NewReader(body))
	in.Header = req.Header
	e, err := r.Accept.Receive(in, r.Now())
	if err != nil {
		r.T.Errorf("a delivery is not verified: %v", err)
		return &http.Response{StatusCode: 400, Body: http.NoBody}, nil
	}
	if req.Method != "POST" || req.URL.String() != "https://erp.example.com/h5pay" || req.Header.Get("Content-Type") != "application/json" ||
		req.Header.Get("webhook-id") != e.ID {
		r.T.Errorf("%s %s %v", req.Method, req.URL, req.Header)
	}
	r.mu.Lock()
	r.Events, r.Bodies = append(r.Events, e), append(r.Bodies, string(body))
	n, answer := len(r.Events), r.Respond
	r.mu.Unlock()
	status := 204
	if answer != nil {
		if status, err = answer(n, e); err != nil {
			return nil, err
		}
	}
	if status >= 200 && status < 300 {
		r.mu.Lock()
		r.Acknowledged[e.ID]++
		r.mu.Unlock()
	}
	header := http.Header{"Location": {"https://elsewhere.example/"}}
	if r.RetryAfter != "" {
		header.Set("Retry-After", r.RetryAfter)
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader("never read"))}, nil
}

// Deliver is what the timer does.
func (r *Merchant) Deliver() {
	r.T.Helper()
	if err := r.Signer.Deliver(context.Background()); err != nil {
		r.T.Error(err)
	}
	r.Check()
}

// PaidOrderOf makes an order and pays it.
func (r *Merchant) PaidOrderOf(p *Person, product string) api.Order {
	r.T.Helper()
	c := p.Order(product, 1)
	p.Pay(c.Pay)
	r.Shop.Deliver()
	return c.Order
}

// EventOf returns the only event of an order.
func (r *Merchant) EventOf(orderID string) order.Event {
	r.T.Helper()
	events, err := store.New(r.DB).EventsOf(context.Background(), orderID)
	if err != nil || len(events) != 1 {
		r.T.Fatalf("%d events, %v", len(events), err)
	}
	return events[0]
}
