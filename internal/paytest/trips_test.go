package paytest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cleanup"
	"h5pay/internal/outbox"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/v1"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestMain(m *testing.M) { cleanup.Main(m.Run) }

// most is what a call may cost at D1. It has the round trips before its first call to WeChat, the
// round trips after it, and the rows read and written, as D1 bills them. Without a call to WeChat
// all round trips count as before. For a whole order only the rows count.
type most struct{ before, after, read, written int }

// costs are the most that each call may cost.
var costs = map[string]most{
	"GET config":                       {0, 0, 0, 0},
	"GET products":                     {1, 0, 20, 0},
	"POST oauth/token":                 {0, 1, 0, 1},
	"POST orders":                      {1, 0, 10, 7},
	"POST pay":                         {1, 1, 15, 4},
	"POST pay again":                   {1, 0, 15, 0},
	"GET order":                        {1, 0, 15, 0},
	"GET order, WeChat queried":        {2, 0, 15, 1},
	"notification":                     {1, 1, 45, 16},
	"notification, repeated":           {1, 0, 15, 1},
	"notification of APIv3":            {1, 1, 45, 16},
	"GET order, paid":                  {1, 0, 15, 0},
	"delivery of an event":             {3, 0, 40, 3},
	"POST orders, guest":               {1, 0, 15, 11},
	"POST pay by code":                 {1, 1, 15, 4},
	"POST close":                       {1, 1, 45, 6},
	"POST close, older than 5 minutes": {1, 3, 90, 16},
	"POST /v1/orders":                  {2, 0, 15, 7},
	"GET /o/{token}":                   {1, 0, 15, 0},
	"POST /o/{token} pay":              {1, 1, 20, 5},
	"POST /v1/orders/{id}/refunds":     {2, 1, 35, 16},
	"notification of a refund":         {1, 2, 45, 18},
	"idle minute of the timer":         {1, 0, 49, 1},
	"idle minute of the deliveries":    {1, 0, 10, 0},
	"paid order":                       {0, 0, 140, 32},
	"order that is never paid":         {0, 0, 650, 42},
}

// Each call costs at most the round trips and rows of its row in costs. A round trip to D1 takes 50
// to 250 ms where the database is far from the Worker.
func TestRoundTripsAndRows(t *testing.T) {
	t.Parallel()
	d1 := paytest.StartD1(t, "../..")
	s := paytest.NewShopAPIv2(t, wechattest.Config{})
	receiver := receiverFunc(func() int { return http.StatusOK })
	settings := func(cfg *paytest.Settings, _ *wechat.Config) {
		cfg.Statements = 1000
		cfg.Size = func(context.Context) (store.Size, error) {
			return store.Size{Used: 1_000_000, Capacity: 1_000_000_000}, nil
		}
		cfg.Webhook = &outbox.Webhook{URL: "https://erp.example.com/h5pay", Secrets: []wechat.Secret{paytest.WebhookSecret}, Doer: receiver}
	}
	s.OpenOnD1(d1, settings)
	before := -1 // round trips before the call of WeChat
	toWeChat := s.ToWeChat.Handler
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before < 0 {
			before = d1.Trips()
		}
		toWeChat.ServeHTTP(w, r)
	})

	// notified returns the last message of WeChat's again.
	var last []byte
	s.FromWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(last))
		s.Handler.ServeHTTP(w, r)
	})
	notified := func() *http.Request {
		r := httptest.NewRequest("POST", paytest.ShopURL+api.PathNotifyPay, bytes.NewReader(last))
		r.Header.Set("Content-Type", "text/xml")
		return r
	}

	var table strings.Builder
	seen := map[string]bool{}
	check := func(name string, got most, cost paytest.Cost) {
		t.Helper()
		seen[name] = true
		want, ok := costs[name]
		fmt.Fprintf(&table, "%-34s %2d %2d %4d %4d\n", name, got.before, got.after, got.read, got.written)
		if !ok || got.before > want.before || got.after > want.after || got.read > want.read || got.written > want.written {
			t.Errorf("%s costs %+v, want at most %+v:\n%s", name, got, want, strings.Join(cost.Statements, "\n"))
		}
	}
	measure := func(name string, do func()) paytest.Cost {
		t.Helper()
		d1.Take()
		before = -1
		do()
		cost := d1.Take()
		got := most{cost.Trips, 0, cost.Read, cost.Written}
		if before >= 0 {
			got.before, got.after = before, cost.Trips-before
		}
		check(name, got, cost)
		return cost
	}
	minute := func() error { return s.Signer.Reconcile(context.Background()) }
	deliver := func() error { return s.Signer.Deliver(context.Background()) }
	run := func(do func() error) func() {
		return func() {
			t.Helper()
			if err := do(); err != nil {
				t.Fatal(err)
			}
		}
	}

	// A signed-in buyer's order, from the page to the webhook.
	p := s.NewPerson(0)
	var sum paytest.Cost
	var parts []string
	part := func(name string, do func()) {
		t.Helper()
		cost := measure(name, do)
		if cost.Written > 0 {
			parts = append(parts, fmt.Sprintf("| `%s` | %d |", name, cost.Written))
		}
		sum.Trips, sum.Read, sum.Written = sum.Trips+cost.Trips, sum.Read+cost.Read, sum.Written+cost.Written
	}
	part("GET config", func() { p.Must("GET", api.PathConfig, nil, &api.Config{}) })
	part("GET products", func() { p.Must("GET", api.PathProducts, nil, &api.ProductList{}) })
	code, state := p.Authorize("/", "")
	part("POST oauth/token", func() {
		p.Must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &api.TokenResponse{})
	})
	var o api.Order
	part("POST orders", func() { o = p.Place(paytest.Basket("tea", 1)) })
	var c api.Checkout
	part("POST pay", func() { c = p.RequestPayment(o.ID, api.TradeJSAPI) })
	measure("POST pay again", func() { p.RequestPayment(o.ID, api.TradeJSAPI) })
	part("GET order", func() { p.GetOrder(o.ID) })
	s.Sim.Advance(8 * time.Second)
	part("GET order, WeChat queried", func() { p.GetOrder(o.ID) })
	p.Pay(c.Pay)
	part("notification", func() { s.Sim.Advance(time.Second) })
	if o = p.GetOrder(o.ID); o.Status != api.StatusPaid {
		t.Fatalf("the order is %s\n%s", o.Status, s.Log)
	}
	part("GET order, paid", func() { p.GetOrder(o.ID) })
	part("delivery of an event", run(deliver))
	check("paid order", most{0, 0, sum.Read, sum.Written}, sum)
	for _, name := range []string{"limits.md", "limits.zh-CN.md"} {
		text, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range parts {
			if !strings.Contains(string(text), row) {
				t.Errorf("docs/%s has no row %s", name, row)
			}
		}
	}

	measure("notification, repeated", func() {
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, notified())
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "SUCCESS") {
			t.Errorf("the repeated notification: %d %s", w.Code, w.Body)
		}
	})

	// A refund of a back end.
	refund := fmt.Sprintf("/v1/orders/%s/refunds", o.ID)
	backEnd := newBackEnd(s)
	var made v1.Order
	backEnd.must("POST", "/v1/orders", `{"lines":[{"product_id":"tea","quantity":1}]}`, &made) // the first use of a key in an hour is stored
	backEnd.must("POST", "/v1/orders/"+made.ID+"/close", "", &made)
	var r v1.Refund
	measure("POST /v1/orders/{id}/refunds", func() { backEnd.must("POST", refund, `{"amount":100,"reason":"one"}`, &r) })
	measure("notification of a refund", func() { s.Sim.Advance(2 * time.Minute) })
	run(deliver)()

	// A guest's order, which is cancelled.
	g := s.NewGuest(1)
	g.Must("GET", api.PathProducts, nil, &api.ProductList{}) // the page has the catalogue
	measure("POST orders, guest", func() { o = g.Place(paytest.BasketForCode("tea", 1)) })
	measure("POST pay by code", func() { g.RequestPayment(o.ID, api.TradeNative) })
	measure("POST close", func() { g.CloseOrder(o.ID) })
	o = g.OrderByCode("tea", 1).Order
	s.Sim.Advance(6 * time.Minute)
	measure("POST close, older than 5 minutes", func() { g.CloseOrder(o.ID) })

	// A back end's order.
	measure("POST /v1/orders", func() { backEnd.must("POST", "/v1/orders", `{"lines":[{"product_id":"tea","quantity":1}]}`, &made) })
	token := strings.TrimPrefix(made.URL, paytest.ShopURL+api.PathCustomer)
	measure("GET /o/{token}", func() { p.Must("GET", api.CustomerOrderPath(token), nil, &api.CustomerOrder{}) })
	measure("POST /o/{token} pay", func() {
		p.Must("POST", api.CustomerOrderPath(token)+"/pay", api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}, &c)
	})
	p.Pay(c.Pay)
	s.Sim.Advance(time.Second)

	// No order is open any more.
	for range 3 {
		s.Sim.Advance(10 * time.Minute)
		run(minute)()
		run(deliver)()
	}
	s.Sim.Advance(time.Minute)
	measure("idle minute of the timer", run(minute))
	measure("idle minute of the deliveries", run(deliver))
	idle := costs["idle minute of the timer"].written

	// An order that is never paid, until its event is delivered.
	d1.Take()
	c = p.Order("tea", 1)
	sum = d1.Take()
	queries := s.Calls("orderquery")
	for runs := 0; ; runs++ {
		var due int64
		if err := d1.QueryRow(`SELECT COALESCE(MIN(due_at), 0) FROM payments`).Scan(&due); err != nil {
			t.Fatal(err)
		}
		if due == 0 || runs > 100 {
			break
		}
		s.Sim.Advance(max(time.Minute, time.UnixMilli(due).Sub(s.Now())))
		d1.Take()
		run(minute)()
		cost := d1.Take()
		sum.Read, sum.Written, sum.Statements = sum.Read+cost.Read, sum.Written+cost.Written-idle, append(sum.Statements, cost.Statements...)
	}
	d1.Take()
	run(deliver)()
	cost := d1.Take()
	sum.Read, sum.Written = sum.Read+cost.Read, sum.Written+cost.Written
	if o := p.GetOrder(c.Order.ID); o.Status != api.StatusClosed {
		t.Errorf("the order is %s", o.Status)
	}
	check("order that is never paid", most{0, 0, sum.Read, sum.Written}, sum)
	fmt.Fprintf(&table, "(%d queries about it)\n", s.Calls("orderquery")-queries)

	// The same in APIv3.
	v3 := paytest.NewShopAPIv3(t, wechattest.Config{})
	v3d1 := paytest.StartD1(t, "../..")
	v3.OpenOnD1(v3d1, v3.Change)
	p = v3.SignedIn(0)
	p.Pay(p.Order("tea", 1).Pay)
	v3d1.Take()
	called := -1
	wire := v3.ToWeChat.Handler
	v3.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if called < 0 {
			called = v3d1.Trips()
		}
		wire.ServeHTTP(w, r)
	})
	v3.Sim.Advance(time.Second)
	cost = v3d1.Take()
	check("notification of APIv3", most{called, cost.Trips - called, cost.Read, cost.Written}, cost)

	for name := range costs {
		if !seen[name] {
			t.Errorf("%s was not measured", name)
		}
	}
	t.Logf("round trips before WeChat's response and after it, rows read, rows written\n%s", &table)
}

// receiverFunc is a receiver of webhooks that returns a status.
type receiverFunc func() int

func (f receiverFunc) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	return &http.Response{StatusCode: f(), Body: http.NoBody, Request: r, Header: http.Header{}}, nil
}

// backEnd calls with an API key.
type backEnd struct {
	*paytest.Shop
	key string
	n   int
}

func newBackEnd(s *paytest.Shop) *backEnd {
	s.T.Helper()
	b := &backEnd{Shop: s, key: paytest.AdminToken}
	var k v1.Key
	b.must("POST", "/v1/keys", `{"name":"erp","scopes":["`+string(v1.ScopeWrite)+`","`+string(v1.ScopeRefund)+`"]}`, &k)
	b.key = k.Key
	return b
}

func (b *backEnd) must(method, path, body string, result any) {
	b.T.Helper()
	r := httptest.NewRequest(method, paytest.ShopURL+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+b.key)
	b.n++
	r.Header.Set("Idempotency-Key", fmt.Sprintf("the-request-with-the-number-%d", b.n))
	w := httptest.NewRecorder()
	b.Handler.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), result); err != nil || w.Code >= 300 {
		b.T.Fatal(errors.Join(err, fmt.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)))
	}
}
