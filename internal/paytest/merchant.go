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

// Secrets of the webhook.
const (
	WebhookSecret    = "whsec_YSB3ZWJob29rIHNlY3JldCBvZiAzMiBjaGFyYWN0ZXJz"
	OldWebhookSecret = "whsec_dGhlIHdlYmhvb2sgc2VjcmV0IHRoYXQgY2FtZSBiZWZvcmU="
)

// Merchant is a shop and the merchant's back end, which gets the shop's events. It fails the test if a
// delivery does not verify.
type Merchant struct {
	*Shop
	Accept    webhook.Receiver // verifies deliveries
	Announced int

	mu           sync.Mutex
	Respond      func(n int, e webhook.Event) (status int, err error) // to the n-th delivery, from 1; 204 if nil
	RetryAfter   string                                               // of each response; none if empty
	Events       []webhook.Event                                      // by arrival
	Bodies       []string
	Acknowledged map[string]int // how often each event was acknowledged
}

// NewMerchant opens a shop that sends its events to a back end.
func NewMerchant(t *testing.T) *Merchant {
	t.Helper()
	r := &Merchant{Accept: webhook.Receiver{Secrets: []string{WebhookSecret}}, Acknowledged: map[string]int{}}
	r.Shop = NewShop(t, r.Configure)
	return r
}

// Configure changes settings so that a signer delivers to r.
func (r *Merchant) Configure(cfg *Settings, _ *wechat.Config) {
	cfg.Webhook = &outbox.Webhook{URL: "https://erp.example.com/h5pay", Secrets: []wechat.Secret{WebhookSecret}, Doer: r}
	cfg.Announce = func() { r.Announced++ }
}

// Do responds to a delivery.
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

// Deliver makes the call that the timer makes to deliver events.
func (r *Merchant) Deliver() {
	r.T.Helper()
	if err := r.Signer.Deliver(context.Background()); err != nil {
		r.T.Error(err)
	}
	r.Check()
}

// PaidOrderOf makes an order of p, pays it, and delivers the notification.
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
