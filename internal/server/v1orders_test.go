package server_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/payment"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/v1"
	"h5pay/wechat"
)

// tea is a request for an order without the catalogue.
func tea(amount fen.Fen) v1.CreateOrder {
	return v1.CreateOrder{Amount: amount, Description: "高山乌龙茶"}
}

// createOrder makes an order that must be accepted.
func (b *backEnd) createOrder(req v1.CreateOrder) (o v1.Order) {
	b.T.Helper()
	b.must("POST", "/v1/orders", req, &o)
	return o
}

func (b *backEnd) order(id string) (o v1.Order) {
	b.T.Helper()
	b.must("GET", "/v1/orders/"+id, nil, &o)
	return o
}

// payOrder pays an order by a QR code, as the i-th user of WeChat.
func (b *backEnd) payOrder(i int, id string) {
	b.T.Helper()
	o, err := store.New(b.DB).ByID(b.T.Context(), id)
	if err != nil {
		b.T.Fatal(err)
	}
	c, err := b.Signer.Pay(b.T.Context(), o, payment.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}, ClientIP: "203.0.113.9"})
	if err != nil {
		b.T.Fatal(err)
	}
	if err := b.Scan(i, c.CodeURL); err != nil {
		b.T.Fatal(err)
	}
	b.Deliver()
	b.Sim.Advance(paytest.QueryPause)
}

// A back end makes an order of its own or of the catalogue. WeChat is not called.
func TestCreateOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	own := v1.Order{Source: v1.SourceAPI, Status: v1.OrderOpen, Currency: "CNY", TradeTypes: []api.TradeType{"JSAPI", "NATIVE", "MWEB"}}
	for name, test := range map[string]struct {
		req  v1.CreateOrder
		want func(*v1.Order)
		life time.Duration
	}{
		"an amount": {tea(6800), func(o *v1.Order) {
			o.Amount, o.Description, o.Lines = 6800, "高山乌龙茶", []v1.Line{{Name: "高山乌龙茶", Price: 6800, Quantity: 1}}
		}, 24 * time.Hour},
		"the catalogue": {v1.CreateOrder{Lines: []v1.CreateLine{{ProductID: "tea", Quantity: 2}, {ProductID: "tip", Price: 300, Quantity: 1}}}, func(o *v1.Order) {
			o.Amount, o.Description = 13900, "小店 - 高山乌龙茶 等3件"
			o.Lines = []v1.Line{{ProductID: "tea", Name: "高山乌龙茶", Price: 6800, Quantity: 2}, {ProductID: "tip", Name: "随心付", Price: 300, Quantity: 1}}
		}, 24 * time.Hour},
		"everything": {v1.CreateOrder{
			Amount: 7000, Lines: []v1.CreateLine{{Name: "运费", Price: 200, Quantity: 1}, {ProductID: "tea", Price: 6800, Quantity: 1}},
			Currency: "CNY", Description: "订单 A-1🍵", Reference: "A-1", Metadata: map[string]string{"table": "七", "a.b": ""},
			ReturnURL: "https://www.example.com/thanks?x=1", ExpiresIn: 3600, TradeTypes: []api.TradeType{"MWEB", "NATIVE"},
		}, func(o *v1.Order) {
			o.Amount, o.Description, o.Reference = 7000, "订单 A-1", "A-1"
			o.Lines = []v1.Line{{Name: "运费", Price: 200, Quantity: 1}, {ProductID: "tea", Name: "高山乌龙茶", Price: 6800, Quantity: 1}}
			o.Metadata, o.ReturnURL, o.TradeTypes = map[string]string{"table": "七", "a.b": ""}, "https://www.example.com/thanks?x=1", []api.TradeType{"MWEB", "NATIVE"}
		}, time.Hour},
	} {
		want := own
		test.want(&want)
		calls := len(s.Sim.Messages(0))
		got := b.createOrder(test.req)
		if name == "the catalogue" {
			want.Description = got.Description // the shop's name is in it
			if !strings.HasSuffix(got.Description, "高山乌龙茶 等3件") {
				t.Errorf("description %q", got.Description)
			}
		}
		if d := cmp.Diff(want, got, cmpopts.IgnoreFields(v1.Order{}, "ID", "URL", "CreatedAt", "ExpiresAt")); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if got.ExpiresAt-got.CreatedAt < test.life.Milliseconds() || got.ExpiresAt-got.CreatedAt > test.life.Milliseconds()+1000 {
			t.Errorf("%s: payable for %d ms", name, got.ExpiresAt-got.CreatedAt)
		}
		token := strings.TrimPrefix(got.URL, paytest.ShopURL+"/o/")
		if len(token) < 22 || strings.Contains(got.URL, got.ID) {
			t.Errorf("%s: the customer's URL is %s", name, got.URL)
		}
		if strings.Contains(s.Log.String(), token) {
			t.Errorf("%s: the log has the token", name)
		}
		if n := len(s.Sim.Messages(0)); n != calls {
			t.Errorf("%s: %d calls to WeChat", name, n-calls)
		}
		read := b.order(got.ID)
		read.Steps = nil
		if d := cmp.Diff(got, read); d != "" {
			t.Errorf("%s, read (-want +got):\n%s", name, d)
		}
	}
}

// Creating an order costs two statements in sequence.
func TestStatementsOfCreateOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	b.createOrder(tea(1)) // stores the use of the key
	counted := countStatements(t, s)
	for name, req := range map[string]v1.CreateOrder{
		"an amount": tea(1), "the catalogue": {Lines: []v1.CreateLine{{ProductID: "tea", Quantity: 1}, {ProductID: "cake", Quantity: 1}}},
	} {
		for who, caller := range map[string]*backEnd{"key": b, "root": root(s)} {
			before := counted.Load()
			caller.createOrder(req)
			if n := counted.Load() - before; n > 2 {
				t.Errorf("%s by the %s: %d statements, want 2 at most", name, who, n)
			}
		}
	}
}

// A repeated call makes no second order, and returns the first one in its present state.
func TestCreateOrderIsIdempotent(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b, other := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite), newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	create := func(by *backEnd, body string) v1Answer {
		t.Helper()
		r := by.request("POST", "/v1/orders", body)
		r.Header.Set("Idempotency-Key", "order-1")
		return by.send(r)
	}
	body := `{"amount":6800,"description":"tea","reference":"A-1","metadata":{"a":"1","b":"2"}}`
	first := create(b, body)
	var o, again v1.Order
	if err := json.Unmarshal(first.Body, &o); err != nil || first.Status != 201 {
		t.Fatalf("%d %s", first.Status, first.Body)
	}
	s.AdvanceClock(time.Hour)
	changesNothing(s, func() {
		if a := create(b, ` {"metadata":{"b":"2","a":"1"}, "reference":"A-1","description":"tea","amount":6800}`); a.Status != 201 || string(a.Body) != string(first.Body) {
			t.Errorf("repeated: %d %s, first %s", a.Status, a.Body, first.Body)
		}
		for _, body := range []string{`{"amount":6801,"description":"tea","reference":"A-1","metadata":{"a":"1","b":"2"}}`, `{"amount":6800,"description":"tea"}`} {
			if a := create(b, body); a.Status != 409 || a.Err.Code != v1.CodeIdempotency || a.Err.Field != "Idempotency-Key" {
				t.Errorf("%s: %d %s", body, a.Status, a.Body)
			}
		}
	})
	if a := create(other, `{"amount":6800,"description":"tea"}`); a.Status != 201 || strings.Contains(string(a.Body), o.ID) {
		t.Errorf("another caller: %d %s", a.Status, a.Body)
	}
	b.payOrder(0, o.ID)
	if a := create(b, body); json.Unmarshal(a.Body, &again) != nil || again.ID != o.ID || again.Status != v1.OrderPaid || again.PaidAt == 0 {
		t.Errorf("after the payment: %d %s", a.Status, a.Body)
	}
	// The response does not change when the price, the catalogue or the settings change.
	lines := `{"amount":6800,"lines":[{"product_id":"tea","quantity":1}]}`
	createLines := func(what string, status int) (a v1Answer) {
		t.Helper()
		r := b.request("POST", "/v1/orders", lines)
		r.Header.Set("Idempotency-Key", "order-2")
		if a = b.send(r); a.Status != status {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
		return a
	}
	made := createLines("a product", 201)
	root(s).must("PUT", "/v1/products/tea", v1.PutProduct{Name: "tea", Price: 7000}, &v1.Product{})
	if a := createLines("another price", 201); string(a.Body) != string(made.Body) {
		t.Errorf("after a change of the price: %s, first %s", a.Body, made.Body)
	}
	b.fails(api.CodeBadRequest, "amount", "POST", "/v1/orders", lines)
	root(s).must("DELETE", "/v1/products/tea", nil, &v1.Product{})
	if a := createLines("the product is gone", 201); string(a.Body) != string(made.Body) {
		t.Errorf("after the product is gone: %s, first %s", a.Body, made.Body)
	}
	b.fails(api.CodeProductGone, "", "POST", "/v1/orders", lines)
	lines = `{"amount":6801,"lines":[{"product_id":"tea","quantity":1}]}`
	if a := createLines("another body", 409); a.Err.Code != v1.CodeIdempotency {
		t.Errorf("another body: %s", a.Body)
	}
	// The response does not change when the shop stops selling.
	stopped := false
	root(s).must("PUT", "/v1/selling", v1.PutSelling{Selling: &stopped}, &v1.Selling{})
	if a := create(b, body); a.Status != 201 {
		t.Errorf("while the shop does not sell: %d %s", a.Status, a.Body)
	}
	b.fails(api.CodeNotSelling, "", "POST", "/v1/orders", tea(1))
}

// Concurrent copies make one order.
func TestConcurrentCallsMakeOneOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	var group sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		group.Go(func() {
			b := root(s)
			r := b.request("POST", "/v1/orders", `{"amount":1,"description":"tea","reference":"A-1"}`)
			r.Header.Set("Idempotency-Key", "same")
			var o v1.Order
			b.mustSend(r, &o)
			ids[i] = o.ID
		})
	}
	group.Wait()
	if different := slices.Compact(slices.Clone(ids)); len(different) != 1 || ids[0] == "" {
		t.Errorf("orders %v", ids)
	}
}

// A reference belongs to one order. The conflict names it.
func TestReferenceIsUnique(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	req := tea(100)
	req.Reference = "A-1"
	o := b.createOrder(req)
	for _, amount := range []fen.Fen{100, 200} {
		req.Amount = amount
		if a := b.fails(v1.CodeReferenceUsed, "reference", "POST", "/v1/orders", req); a.Status != 409 || a.Err.OrderID != o.ID {
			t.Errorf("%d %s, want order %s", a.Status, a.Body, o.ID)
		}
	}
	b.createOrder(tea(100)) // none is no reference
	b.createOrder(tea(100))
}

func TestBadOrders(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := root(s)
	long := strings.Repeat("x", 501)
	for body, field := range map[string]string{
		`{}`:                               "amount",
		`{"amount":0,"description":"tea"}`: "amount",
		`{"lines":[{"product_id":"tea","price":0,"quantity":1}]}`: "lines[0].price",
		`{"amount":-1,"description":"tea"}`:                       "amount",
		`{"amount":1.5,"description":"tea"}`:                      "amount",
		`{"amount":1e2,"description":"tea"}`:                      "amount",
		`{"amount":"1","description":"tea"}`:                      "amount",
		`{"amount":100000001,"description":"tea"}`:                "amount",
		`{"amount":9223372036854775808,"description":"tea"}`:      "amount",
		`{"amount":1}`:                   "description",
		`{"amount":1,"description":""}`:  "description",
		`{"amount":1,"description":"🍵"}`: "description",
		`{"amount":1,"description":"` + strings.Repeat("茶", 121) + `"}`:                           "description",
		`{"amount":1,"description":"tea","currency":"USD"}`:                                       "currency",
		`{"amount":1,"description":"tea","currency":"cny"}`:                                       "currency",
		`{"amount":1,"description":"tea","reference":"` + strings.Repeat("x", 65) + `"}`:          "reference",
		`{"amount":1,"description":"tea","expires_in":599}`:                                       "expires_in",
		`{"amount":1,"description":"tea","expires_in":1296001}`:                                   "expires_in",
		`{"amount":1,"description":"tea","trade_types":["CASH"]}`:                                 "trade_types[0]",
		`{"amount":1,"description":"tea","trade_types":["JSAPI","JSAPI"]}`:                        "trade_types[1]",
		`{"amount":1,"description":"tea","trade_types":[]}`:                                       "trade_types",
		`{"amount":1,"description":"tea","metadata":{"a":1}}`:                                     "metadata",
		`{"amount":1,"description":"tea","metadata":{"a":"` + long + `"}}`:                        "metadata.a",
		`{"amount":1,"description":"tea","metadata":{"a":"1\n2"}}`:                                "metadata.a",
		`{"amount":1,"description":"a\u0000b"}`:                                                   "description",
		`{"amount":1,"description":"tea","reference":"A\t1"}`:                                     "reference",
		`{"lines":[{"name":"茶\r\n","price":1,"quantity":1}]}`:                                     "lines[0].name",
		`{"amount":1,"description":"tea","metadata":{"":"1"}}`:                                    "metadata",
		`{"amount":1,"description":"tea","metadata":{"a:b":"1"}}`:                                 "metadata",
		`{"amount":1,"description":"tea","metadata":{"` + long[:41] + `":"1"}}`:                   "metadata",
		`{"amount":1,"description":"tea","metadata":` + manyEntries(21) + `}`:                     "metadata",
		`{"amount":1,"description":"tea","return_url":"https://evil.example/"}`:                   "return_url",
		`{"amount":1,"description":"tea","return_url":"https://www.example.com.evil.example/"}`:   "return_url",
		`{"amount":1,"description":"tea","return_url":"https://www.example.com@evil.example/"}`:   "return_url",
		`{"amount":1,"description":"tea","return_url":"https://user:pw@www.example.com/"}`:        "return_url",
		`{"amount":1,"description":"tea","return_url":"http://www.example.com/"}`:                 "return_url",
		`{"amount":1,"description":"tea","return_url":"javascript:alert(1)"}`:                     "return_url",
		`{"amount":1,"description":"tea","return_url":"//www.example.com/"}`:                      "return_url",
		`{"amount":1,"description":"tea","return_url":"https:www.example.com"}`:                   "return_url",
		`{"amount":1,"description":"tea","return_url":"https://www.example.com/#x"}`:              "return_url",
		`{"amount":1,"description":"tea","return_url":"https://www.example.com\\@evil.example/"}`: "return_url",
		`{"amount":1,"description":"tea","return_url":"https://www.example.com:8443/"}`:           "return_url",
		`{"lines":[]}`:                                      "lines",
		`{"lines":[{}]}`:                                    "lines[0].quantity",
		`{"lines":[{"quantity":1}]}`:                        "lines[0].name",
		`{"lines":[{"name":"tea","quantity":1}]}`:           "lines[0].price",
		`{"lines":[{"name":"tea","price":0,"quantity":1}]}`: "lines[0].price",
		`{"lines":[{"product_id":"tea","quantity":0}]}`:     "lines[0].quantity",
		`{"lines":[{"product_id":"tea","quantity":10000}]}`: "lines[0].quantity",
		`{"lines":[{"product_id":"tea","quantity":1},{"product_id":"tea","price":1,"quantity":1}]}`: "lines[1].price",
		`{"lines":[{"product_id":"tea","name":"茶","quantity":1}]}`:                                  "lines[0].name",
		`{"lines":[{"product_id":"tip","quantity":1}]}`:                                             "lines[0].price",
		`{"lines":[{"product_id":"tip","price":500001,"quantity":1}]}`:                              "lines[0].price",
		`{"lines":[{"product_id":"cake","quantity":9999}],"amount":1}`:                              "amount",
		`{"lines":[{"name":"x","price":100000000,"quantity":2}]}`:                                   "lines",
		`{"amount":6801,"lines":[{"product_id":"tea","quantity":1}]}`:                               "amount",
		`{"amount":1,"description":"tea","total":1}`:                                                "total",
		`{"lines":[{"product_id":"tea","quantity":1,"discount":1}]}`:                                "discount",
	} {
		a := b.fails(api.CodeBadRequest, field, "POST", "/v1/orders", body)
		if !strings.Contains(a.Err.Message, field) {
			t.Errorf("%s: the message does not name %s: %s", body, field, a.Err.Message)
		}
	}
	b.fails(api.CodeProductGone, "", "POST", "/v1/orders", `{"lines":[{"product_id":"gold","quantity":1}]}`)
	for _, path := range []string{"/v1/orders/none", "/v1/orders/000000000000000000000000"} {
		b.fails(api.CodeNotFound, "", "GET", path, nil)
		b.fails(api.CodeNotFound, "", "POST", path+"/close", struct{}{})
		b.fails(api.CodeNotFound, "", "POST", path+"/refunds", struct{}{})
	}
}

func manyEntries(n int) string {
	entries := map[string]string{}
	for i := range n {
		entries[fmt.Sprint("k", i)] = "v"
	}
	text, _ := json.Marshal(entries)
	return string(text)
}

// An order must not outlive the time for which unpaid orders are kept.
func TestOrderExpiresBeforeItIsDeleted(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.KeepUnpaid = 12 * 24 * time.Hour })
	b, req := root(s), tea(1)
	req.ExpiresIn = 15 * 24 * 3600
	a := b.fails(api.CodeBadRequest, "expires_in", "POST", "/v1/orders", req)
	most := a.Err.Message[strings.Index(a.Err.Message, "at most ")+len("at most "):]
	seconds, err := strconv.ParseInt(most[:strings.Index(most, ",")], 10, 64)
	if err != nil || seconds < 24*3600 {
		t.Fatalf("%s, %v", a.Err.Message, err)
	}
	req.ExpiresIn = seconds
	b.createOrder(req)
}

// An order of the shortest time is payable a minute later. Its whole time is longer than
// the last minutes, in which no payment begins.
func TestShortestOrderIsPayable(t *testing.T) {
	t.Parallel()
	field, ok := reflect.TypeFor[v1.CreateOrder]().FieldByName("ExpiresIn")
	least, err := strconv.ParseInt(field.Tag.Get("minimum"), 10, 64)
	if !ok || err != nil {
		t.Fatal(field, err)
	}
	if shortest := time.Duration(least) * time.Second; shortest < order.MinPrepay+3*time.Minute {
		t.Errorf("an order may expire after %s, of which it is payable %s", shortest, shortest-order.MinPrepay)
	}
	s := paytest.NewShop(t, nil)
	b, req := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite), tea(100)
	req.ExpiresIn = least
	o := b.createOrder(req)
	s.Sim.Advance(time.Minute)
	b.payOrder(0, o.ID)
	if got := b.order(o.ID); got.Status != v1.OrderPaid {
		t.Errorf("%+v", got)
	}
	req.ExpiresIn = least - 1
	b.fails(api.CodeBadRequest, "expires_in", "POST", "/v1/orders", req)
}

// sync queries WeChat about an order whose notification was lost.
func TestSyncOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	o := b.createOrder(tea(100))
	s.Fault("notify_lost", "")
	b.payOrder(0, o.ID)
	if got := b.order(o.ID); got.Status != v1.OrderOpen || len(got.Payments) != 1 || got.Payments[0].Status != v1.PaymentPending {
		t.Errorf("as it is stored: %+v", got)
	}
	var got v1.Order
	b.must("GET", "/v1/orders/"+o.ID+"?sync=true", nil, &got)
	trade := s.Sim.Ledger().Trades[0]
	if got.Status != v1.OrderPaid || got.PaidAt == 0 || got.Payments[0].Payer != trade.OpenID || got.Payments[0].TransactionID != trade.TransactionID ||
		got.Payments[0].TradeType != api.TradeNative || len(got.Steps) != 2 {
		t.Errorf("after a query: %+v", got)
	}
}

// A closed order can be paid neither here nor at WeChat. A paid order cannot be closed.
func TestCloseOrderByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	var closed, again v1.Order
	fresh := b.createOrder(tea(100))
	b.must("POST", "/v1/orders/"+fresh.ID+"/close", struct{}{}, &closed)
	if closed.Status != v1.OrderClosed || len(closed.Steps) != 2 {
		t.Errorf("%+v", closed)
	}
	b.must("POST", "/v1/orders/"+fresh.ID+"/close", struct{}{}, &again)
	if d := cmp.Diff(closed, again); d != "" {
		t.Errorf("closed twice: %s", d)
	}
	o, err := store.New(s.DB).ByID(t.Context(), fresh.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Signer.Pay(t.Context(), o, payment.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}, ClientIP: "203.0.113.9"}); err == nil {
		t.Error("a closed order is offered for payment")
	}
	paid := b.createOrder(tea(100))
	b.payOrder(0, paid.ID)
	b.fails(api.CodeOrderPaid, "", "POST", "/v1/orders/"+paid.ID+"/close", struct{}{})
	b.fails(api.CodeBadRequest, "force", "POST", "/v1/orders/"+paid.ID+"/close", `{"force":true}`)
}

// A key with the scope write and without read sees no data of other orders when it closes them or
// replays their events.
func TestWritingDoesNotRead(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	reader, writer := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite), newBackEnd(s, v1.ScopeWrite)
	req := tea(100)
	req.Reference, req.Metadata, req.Lines = "A-1", map[string]string{"table": "7"}, []v1.CreateLine{{Name: "高山乌龙茶", Price: 100, Quantity: 1}}
	theirs, own := reader.createOrder(req), writer.createOrder(tea(100))
	var closed v1.Order
	writer.must("POST", "/v1/orders/"+theirs.ID+"/close", struct{}{}, &closed)
	want := v1.Order{ID: theirs.ID, Source: theirs.Source, Status: v1.OrderClosed, Amount: 100, Currency: "CNY", TradeTypes: theirs.TradeTypes,
		CreatedAt: theirs.CreatedAt, ExpiresAt: theirs.ExpiresAt, Simulated: theirs.Simulated}
	if d := cmp.Diff(want, closed); d != "" {
		t.Errorf("an order of another key (-want +got):\n%s", d)
	}
	closed = v1.Order{}
	writer.must("POST", "/v1/orders/"+own.ID+"/close", struct{}{}, &closed)
	if own.Status = v1.OrderClosed; !cmp.Equal(own, closed) {
		t.Errorf("its own order (-want +got):\n%s", cmp.Diff(own, closed))
	}
	paid := reader.createOrder(tea(100))
	reader.payOrder(0, paid.ID)
	var e v1.Event
	writer.must("POST", "/v1/events/evt_paid_"+paid.ID+"/replay", struct{}{}, &e)
	if string(e.Data) != "{}" || e.OrderID != paid.ID {
		t.Errorf("an event: %+v", e)
	}
	reader.must("POST", "/v1/events/evt_paid_"+paid.ID+"/replay", struct{}{}, &e)
	if !strings.Contains(string(e.Data), paid.ID) {
		t.Errorf("an event for a key that may read: %+v", e)
	}
}

// A back end sees a second payment of an order, its refund and its event.
func TestSecondPaymentByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, b := s.SignedIn(0), newBackEnd(s, v1.ScopeRead)
	o, ways := threeWays(p)
	if err := s.Scan(1, ways[api.TradeNative].CodeURL); err != nil {
		t.Fatal(err)
	}
	p.Pay(ways[api.TradeJSAPI].Pay)
	s.Deliver()
	for range 4 {
		s.Sim.Advance(2 * time.Minute)
		s.Reconcile()
	}
	got := b.order(o.ID)
	var paid, duplicate []v1.Payment
	for _, payment := range got.Payments {
		switch {
		case payment.Duplicate:
			duplicate = append(duplicate, payment)
		case payment.Status == v1.PaymentPaid:
			paid = append(paid, payment)
		}
	}
	if got.Status != v1.OrderPaid || got.Refunded != 0 || len(got.Payments) != 3 || len(paid) != 1 || len(duplicate) != 1 || len(got.Refunds) != 1 {
		t.Fatalf("%+v", got)
	}
	if r := got.Refunds[0]; !r.Duplicate || r.Amount != o.Total || r.OutTradeNo != duplicate[0].OutTradeNo || r.Status != api.RefundSucceeded || duplicate[0].Refunded != o.Total {
		t.Errorf("the refund %+v of %+v", r, duplicate[0])
	}
	var events v1.Events
	b.must("GET", "/v1/events?order=oldest", nil, &events)
	var types []api.EventType
	for _, e := range events.Events {
		types = append(types, e.Type)
	}
	if d := cmp.Diff([]api.EventType{api.EventOrderPaid, api.EventPaymentDuplicate}, types); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	// The numbers of both payments find the order.
	for _, payment := range []v1.Payment{paid[0], duplicate[0]} {
		var list v1.Orders
		b.must("GET", "/v1/orders?transaction_id="+payment.TransactionID, nil, &list)
		if len(list.Orders) != 1 || list.Orders[0].ID != o.ID {
			t.Errorf("%s finds %+v", payment.TransactionID, list)
		}
	}
}
