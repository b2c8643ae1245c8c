package webhook_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/paytest"
	"h5pay/simulator/server"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// shop is the signer on workerd with a queue, and a signed-in buyer. No timer is ever fired.
type shop struct {
	*paytest.Buyer
	sim *server.Server
	log *paytest.Log
}

// newShop starts a shop that delivers its events to a receiver.
func newShop(t *testing.T, receiver string) *shop {
	t.Helper()
	var target *url.URL // known once workerd runs
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }})
	t.Cleanup(front.Close)
	sim := server.Start(t, server.Config{WeChat: wechattest.Config{ShopURL: front.URL, Hostile: true}})
	worker := paytest.StartWorker(t, paytest.WorkerConfig{Root: "../..", Queue: "OUTBOX", Vars: map[string]string{
		"SHOP_URL": sim.PhoneURL, "WECHAT_BASE_URL": sim.URL, "WEBHOOK_URL": receiver, "WEBHOOK_SECRET": secret, "WEBHOOK_SECRET_OLD": oldSecret,
	}})
	var err error
	if target, err = url.Parse(worker.URL); err != nil {
		t.Fatal(err)
	}
	s := &shop{paytest.NewBuyer(t, front.URL, sim.PhoneURL, sim), sim, worker.Log}
	s.SignIn()
	return s
}

// pay orders and pays, and returns the order's ID.
func (s *shop) pay() string {
	c := s.Order("test", 1)
	s.Pay(c.Pay)
	return c.Order.ID
}

// The Worker waits for the receiver's Retry-After.
func TestWorkerHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "1800")
		http.Error(w, "closed for maintenance", http.StatusServiceUnavailable)
	}))
	t.Cleanup(receiver.Close)
	s := newShop(t, receiver.URL)
	before := time.Now()
	s.pay()
	missed := regexp.MustCompile(`"msg":"the receiver did not acknowledge the event".*"reason":"HTTP 503","next_at":"([^"]+)"`)
	var found []string
	for deadline := time.Now().Add(30 * time.Second); found == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the Worker reports no failure")
		}
		found = missed.FindStringSubmatch(s.log.String())
	}
	next, err := time.Parse(time.RFC3339, found[1])
	if away := next.Sub(before); err != nil || away < 1799*time.Second || away > 1900*time.Second {
		t.Errorf("the next try is %s away, want 1800 s, %v", away, err)
	}
}

// With a queue the event of a payment is delivered at once. WeChat's notification is answered
// without waiting for the back end, neither for its response nor for the end of an endless body.
func TestQueueDeliversAtOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var all []delivery
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	receiver := &paytest.Receiver{Verify: webhook.Receiver{Secrets: []string{secret}, Simulated: true}}
	receiver.Answer = func(w http.ResponseWriter, r *http.Request, _ webhook.Event) {
		body, err := io.ReadAll(r.Body)
		sent := delivery{webhook.HeaderOf(r.Header), body, secret}
		if err := errors.Join(err, inGo(sent)); err != nil {
			t.Error(err)
		}
		mu.Lock()
		all = append(all, sent, delivery{sent.Header, body, oldSecret})
		mu.Unlock()
		arrived <- struct{}{}
		<-release
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, strings.Repeat("a body without an end", 1000))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	endpoint := httptest.NewServer(receiver)
	t.Cleanup(func() { endpoint.CloseClientConnections(); endpoint.Close() })
	s := newShop(t, endpoint.URL)
	wait := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain for %s", what)
			}
		}
	}

	first := s.pay()
	select {
	case <-arrived:
	case <-time.After(30 * time.Second):
		t.Fatal("the back end gets no event")
	}
	// It has not answered yet, and WeChat has its answer.
	wait("the notification to be answered", func() bool {
		n := s.sim.Ledger().Notifications
		return len(n) == 1 && len(n[0].Attempts) == 1 && n[0].Attempts[0].OK
	})
	close(release)
	second := s.pay()
	delivered := func() bool { return len(receiver.EventsOf(first)) == 1 && len(receiver.EventsOf(second)) == 1 }
	wait("both to be delivered", delivered)
	wait("both to be marked", func() bool { return strings.Count(s.log.String(), `"msg":"event delivered"`) == 2 })
	if rejected := receiver.Rejected(); !delivered() || len(rejected) > 0 {
		t.Errorf("deliveries: %v, %v, rejected %v", receiver.EventsOf(first), receiver.EventsOf(second), rejected)
	}
	mu.Lock()
	defer mu.Unlock()
	// The secret is being changed: receivers with either one verify a delivery.
	for i, text := range inJavaScript(t, all) {
		if err := inGo(all[i]); err != nil || text != "" {
			t.Errorf("a delivery, verified with %s: Go %v, JavaScript %q", []string{"the secret", "the old secret"}[i%2], err, text)
		}
	}
}
