// Package backend_test runs the tiny shops of examples/backend against a shop of h5pay with a
// simulated WeChat.
package backend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cleanup"
	"h5pay/internal/outbox"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/v1"
	"h5pay/webhook"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// world is a shop of h5pay on a port, whose clock is the machine's.
type world struct {
	*paytest.Shop
	url  string // of the shop
	key  string // scopes read, write and refund
	hook hook

	loseNext atomic.Bool // the response of the next POST to /v1 is lost
}

// newWorld starts a shop. It delivers its events to world.hook.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	w.hook.direct("localhost:1") // nobody
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" && strings.HasPrefix(r.URL.Path, "/v1/") && w.loseNext.Swap(false) {
			w.Handler.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		w.Handler.ServeHTTP(rw, r)
	}))
	t.Cleanup(front.Close)
	w.url = front.URL
	w.Shop = paytest.NewShopAt(t, wechattest.Config{Epoch: time.Now()}, func(c *paytest.Settings, _ *wechat.Config) {
		c.ShopURL, c.Simulated = front.URL, true
		c.Webhook = &outbox.Webhook{URL: "http://localhost:3000/webhook", Secrets: []wechat.Secret{paytest.WebhookSecret}, Doer: &w.hook}
	})
	var made v1.Key
	w.post(paytest.AdminToken, "/v1/keys", v1.CreateKey{Name: "samples", Scopes: []v1.Scope{v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund}}, &made)
	w.key = made.Key
	return w
}

// post makes a call of /v1 that must make something.
func (w *world) post(token, path string, body, result any) {
	w.T.Helper()
	w.send(path, http.Header{"Authorization": {"Bearer " + token}, "Idempotency-Key": {webhook.NewSecret()}}, body, http.StatusCreated, result)
}

// send posts JSON and reads the response, which must have a status.
func (w *world) send(path string, header http.Header, body any, status int, result any) {
	w.T.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		w.T.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.T.Context(), "POST", w.url+path, bytes.NewReader(text))
	if err != nil {
		w.T.Fatal(err)
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.T.Fatal(err)
	}
	defer res.Body.Close()
	text, err = io.ReadAll(res.Body)
	if err = errors.Join(err, json.Unmarshal(text, result)); err != nil || res.StatusCode != status {
		w.T.Fatalf("%s: %s %s, %v", path, res.Status, text, err)
	}
}

// token returns the token in a customer's URL.
func (w *world) token(customerURL string) string {
	w.T.Helper()
	token, ok := strings.CutPrefix(customerURL, w.url+api.PathCustomer)
	if !ok {
		w.T.Fatalf("%q is no customer's URL of %s", customerURL, w.url)
	}
	return token
}

// orderAt returns the order that a customer's URL pays.
func (w *world) orderAt(customerURL string) string {
	w.T.Helper()
	o, err := store.New(w.DB).WholeByToken(w.T.Context(), w.token(customerURL))
	if err != nil {
		w.T.Fatal(err)
	}
	return o.ID
}

// pay pays as a customer who opens the URL on a computer and scans the code there. It delivers
// WeChat's notification.
func (w *world) pay(customerURL string) {
	w.T.Helper()
	var checkout api.Checkout
	w.send(api.CustomerPayPath(w.token(customerURL)), http.Header{"Origin": {w.url}}, api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}}, http.StatusOK, &checkout)
	if err := w.Scan(0, checkout.CodeURL); err != nil {
		w.T.Fatal(err)
	}
	w.Deliver()
}

// deliverEvents makes the call that the timer makes to deliver events.
func (w *world) deliverEvents() {
	w.T.Helper()
	if err := w.Signer.Deliver(context.Background()); err != nil {
		w.T.Fatal(err)
	}
}

// count returns the number that a query counts.
func (w *world) count(query string, args ...any) (n int) {
	w.T.Helper()
	if err := w.DB.QueryRow(query, args...).Scan(&n); err != nil {
		w.T.Fatal(err)
	}
	return n
}

// delivery is a webhook as it was sent, and the status of its response.
type delivery struct {
	header http.Header
	body   []byte
	status int
}

// hook carries webhooks to the program at an address.
type hook struct {
	mu   sync.Mutex
	to   string // host:port
	sent []delivery
}

// direct makes the following webhooks go to an address.
func (h *hook) direct(address string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.to = address
}

// deliveries returns the webhooks that were sent.
func (h *hook) deliveries() []delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]delivery(nil), h.sent...)
}

func (h *hook) Do(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	to := h.to
	h.mu.Unlock()
	out := req.Clone(req.Context())
	out.URL = &url.URL{Scheme: "http", Host: to, Path: req.URL.Path}
	out.Host, out.Body = "", io.NopCloser(bytes.NewReader(body))
	res, err := http.DefaultClient.Do(out)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.sent = append(h.sent, delivery{req.Header.Clone(), body, res.StatusCode})
	h.mu.Unlock()
	return res, nil
}
