package webhook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/stack"
	"h5pay/simulator/server"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// shop is the signer on workerd with a queue, and a merchant's back end. No timer
// is ever fired.
type shop struct {
	*testing.T
	sim  *server.Server
	url  string
	http *http.Client
	log  safeBuffer
}

// safeBuffer is a bytes.Buffer for two goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newShop(t *testing.T, receiver string) *shop {
	t.Helper()
	s := &shop{T: t}
	var target *url.URL // known once workerd runs
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }})
	t.Cleanup(front.Close)
	s.sim = server.Start(t, server.Config{WeChat: wechattest.Config{ShopURL: front.URL, Hostile: true}})
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	vars, err := stack.NewEnv(filepath.Join(root, ".dev.vars.example"))
	if err != nil {
		t.Fatal(err)
	}
	vars["SHOP_URL"], vars["WECHAT_BASE_URL"], vars["WEBHOOK_URL"] = s.sim.PhoneURL, s.sim.URL, receiver
	vars["WEBHOOK_SECRET"], vars["WEBHOOK_SECRET_OLD"] = secret, oldSecret
	files, err := stack.SchemaFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	d1, err := stack.StartD1(t.Context(), root, files...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d1.Close)
	worker, err := stack.StartWorkerd(t.Context(), stack.WorkerdConfig{
		Dir: root, Modules: filepath.Join(root, "build"), Entry: "worker.mjs", D1: d1.Address, Vars: vars, Queue: "OUTBOX", Output: &s.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		worker.Close()
		if t.Failed() {
			t.Logf("the Worker's log:\n%s", &s.log)
		}
	})
	if target, err = url.Parse(worker.URL); err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.url, s.http = front.URL, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

// call makes a call as the page does.
func (s *shop) call(method, path string, body, answer any) {
	s.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		s.Fatal(err)
	}
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(b))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", s.sim.PhoneURL)
	res, err := s.http.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.Fatalf("%s %s: %d %s, %v", method, path, res.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		s.Fatal(err)
	}
}

// signIn signs the phone's holder in.
func (s *shop) signIn() {
	s.Helper()
	var to api.AuthorizeResponse
	s.call("POST", api.PathAuthorize, api.AuthorizeRequest{ReturnTo: "/"}, &to)
	res, err := s.http.Get(to.URL)
	if err != nil {
		s.Fatal(err)
	}
	res.Body.Close()
	back, err := res.Location()
	if err != nil {
		s.Fatal(err)
	}
	s.call("POST", api.PathToken, api.TokenRequest{Code: back.Query().Get("code"), State: back.Query().Get("state")}, &api.TokenResponse{})
}

// pay orders and pays, and returns the order's ID.
func (s *shop) pay(key string) string {
	s.Helper()
	var o api.Order
	s.call("POST", api.PathOrders, api.CreateOrderRequest{
		Items: []api.OrderItem{{ProductID: "test", Quantity: 1}}, TradeType: api.TradeJSAPI, ClientKey: key,
	}, &o)
	var c api.Checkout
	s.call("POST", api.OrderPayPath(o.ID), api.PayRequest{}, &c)
	invoke := wechattest.InvokeCall{API: "getBrandWCPayRequest", URL: s.sim.PhoneURL + "/pay", Landing: s.sim.PhoneURL + "/"}
	b, err := json.Marshal(c.Pay)
	if err != nil {
		s.Fatal(err)
	}
	if err := json.Unmarshal(b, &invoke.Args); err != nil {
		s.Fatal(err)
	}
	sheet, bad := s.sim.Invoke(invoke)
	if bad != nil {
		s.Fatal(bad)
	}
	if _, err := s.sim.PaySheet(sheet.ID); err != nil {
		s.Fatal(err)
	}
	return c.Order.ID
}

// The Worker waits as long as the receiver asks for.
func TestWorkerHonoursRetryAfter(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "1800")
		http.Error(w, "closed for maintenance", http.StatusServiceUnavailable)
	}))
	t.Cleanup(receiver.Close)
	s := newShop(t, receiver.URL)
	s.signIn()
	before := time.Now()
	s.pay("queue-000000000003")
	missed := regexp.MustCompile(`"msg":"event not acknowledged".*"reason":"HTTP 503","next_at":"([^"]+)"`)
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

// With a queue a payment is told at once, and WeChat's notification is answered
// without waiting for the back end: neither for its answer, nor for the end of
// a body that has none.
func TestQueueTellsAtOnce(t *testing.T) {
	var mu sync.Mutex
	got := map[string]int{} // deliveries, by order
	var all []delivery
	arrived, release := make(chan struct{}, 100), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sent := delivery{webhook.HeaderOf(r.Header), body, secret}
		e, err := webhook.Receiver{Secrets: []string{secret}, Simulated: true}.Read(sent.Header, body, time.Now())
		if err := errors.Join(err, inGo(sent)); err != nil {
			t.Error(err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		all = append(all, sent, delivery{sent.Header, body, oldSecret})
		got[e.Data.Order.ID]++
		mu.Unlock()
		arrived <- struct{}{}
		<-release
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, strings.Repeat("a body without an end", 1000))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(func() { receiver.CloseClientConnections(); receiver.Close() })
	s := newShop(t, receiver.URL)
	s.signIn()
	wait := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain for %s", what)
			}
		}
	}

	first := s.pay("queue-000000000001")
	select {
	case <-arrived:
	case <-time.After(30 * time.Second):
		t.Fatal("the back end hears nothing")
	}
	// It has not answered yet, and WeChat has its answer.
	wait("the notification to be answered", func() bool {
		n := s.sim.Ledger().Notifications
		return len(n) == 1 && len(n[0].Attempts) == 1 && n[0].Attempts[0].OK
	})
	close(release)
	second := s.pay("queue-000000000002")
	wait("both to be told of", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return got[first] == 1 && got[second] == 1
	})
	wait("both to be marked", func() bool { return strings.Count(s.log.String(), `"msg":"event delivered"`) == 2 })
	mu.Lock()
	defer mu.Unlock()
	if got[first] != 1 || got[second] != 1 {
		t.Errorf("deliveries: %v", got)
	}
	// The secret is being changed: receivers with either one verify a delivery.
	for i, text := range inJavaScript(t, all) {
		if err := inGo(all[i]); err != nil || text != "" {
			t.Errorf("a delivery, verified with %s: Go %v, JavaScript %q", []string{"the secret", "the old secret"}[i%2], err, text)
		}
	}
}
