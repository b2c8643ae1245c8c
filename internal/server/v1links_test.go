package server_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/webhook"
)

// createdLink makes a payment link.
func (b *backEnd) createdLink(req v1.CreateLink) (l v1.Link) {
	b.T.Helper()
	b.must("POST", "/v1/links", req, &l)
	return l
}

// linkToken returns the token in the URL of a link.
func linkToken(l v1.Link) string { return strings.TrimPrefix(l.URL, paytest.ShopURL+api.PathLink) }

// orderOf makes an order of a link.
func orderOf(p *paytest.Person, l v1.Link, amount fen.Fen) (o api.LinkOrder) {
	p.T.Helper()
	p.Must("POST", api.LinkOrdersPath(linkToken(l)), api.LinkOrderRequest{Amount: amount, ClientKey: newKey()}, &o)
	return o
}

// payLinkOrder pays an order of a link as a user inside WeChat.
func payLinkOrder(p *paytest.Person, o api.LinkOrder) {
	p.T.Helper()
	var c api.Checkout
	p.Must("POST", api.CustomerPayPath(strings.TrimPrefix(o.Path, api.PathCustomer)), asJSAPI, &c)
	p.Pay(c.Pay)
	p.Shop.Deliver()
}

// A link with a fixed amount makes an order for each payer. The order says which link made it.
func TestLinkWithAFixedAmount(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	b := newBackEnd(r.Shop, v1.ScopeRead, v1.ScopeWrite)
	l := b.createdLink(v1.CreateLink{Title: "一号桌 <b>", Description: "扫码付款", Amount: 6800, Metadata: map[string]string{"table": "1"}, ReturnURL: "https://www.example.com/thanks"})
	user, stranger := r.SignedIn(0), r.NewPerson(1)
	var view api.PaymentLink
	stranger.Must("GET", api.LinkPath(linkToken(l)), nil, &view)
	want := api.PaymentLink{ShopName: "山岚小铺", Title: "一号桌 <b>", Description: "扫码付款", State: api.LinkOpen, Amount: 6800, TradeTypes: []api.TradeType{"JSAPI", "NATIVE", "MWEB"}}
	if d := cmp.Diff(want, view); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	calls := len(r.Sim.Messages(0))
	o := orderOf(user, l, 0)
	if len(r.Sim.Messages(0)) != calls {
		t.Error("an order of a link calls WeChat before it is paid")
	}
	payLinkOrder(user, o)
	orderOf(r.NewGuest(2), l, 6800)
	r.Deliver()
	if e := r.Events; len(e) != 1 || e[0].Type != webhook.OrderPaid || e[0].Data.Order.Source != "link" || e[0].Data.Order.LinkID != l.ID || string(e[0].Data.Order.Metadata) != `{"table":"1"}` {
		t.Errorf("%+v", e)
	}
	var list v1.Orders
	b.must("GET", "/v1/orders?link="+l.ID, nil, &list)
	if len(list.Orders) != 2 || list.Orders[1].LinkID != l.ID || list.Orders[1].Source != v1.SourceLink || list.Orders[1].Status != v1.OrderPaid || list.Orders[0].Status != v1.OrderOpen ||
		list.Orders[0].ExpiresAt-list.Orders[0].CreatedAt != order.LinkLifetime.Milliseconds() || list.Orders[0].ReturnURL != "https://www.example.com/thanks" {
		t.Errorf("%+v", list)
	}
	b.must("GET", "/v1/orders?status=paid&limit=1&link="+l.ID, nil, &list)
	if len(list.Orders) != 1 || list.Orders[0].Status != v1.OrderPaid {
		t.Errorf("%+v", list)
	}
	var got v1.Link
	b.must("GET", "/v1/links/"+l.ID, nil, &got)
	if got.Orders != 2 || got.Paid != 1 || got.PaidAmount != 6800 || got.State != api.LinkOpen {
		t.Errorf("%+v", got)
	}
	user.Fails(api.CodeBadRequest, "POST", api.LinkOrdersPath(linkToken(l)), api.LinkOrderRequest{Amount: 100, ClientKey: newKey()})
}

// The payer names the amount within the bounds. A repeated request is one order.
func TestLinkWithAnAmountOfThePayer(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	l := b.createdLink(v1.CreateLink{Title: "捐款", MinAmount: 100, MaxAmount: 5000})
	guest := s.NewGuest(0)
	path := api.LinkOrdersPath(linkToken(l))
	for _, amount := range []fen.Fen{0, 99, 5001, -1} {
		guest.Fails(api.CodeBadRequest, "POST", path, api.LinkOrderRequest{Amount: amount, ClientKey: newKey()})
	}
	for _, key := range []string{"", "short", "with a space and more"} {
		guest.Fails(api.CodeBadRequest, "POST", path, api.LinkOrderRequest{Amount: 100, ClientKey: key})
	}
	s.NewPerson(1).Fails(api.CodeUnauthenticated, "POST", path, api.LinkOrderRequest{Amount: 100, ClientKey: newKey()})
	guest.Fails(api.CodeNotFound, "POST", api.LinkOrdersPath(strings.Repeat("0", 26)), api.LinkOrderRequest{Amount: 100, ClientKey: newKey()})
	req := api.LinkOrderRequest{Amount: 4200, ClientKey: newKey()}
	var first, again api.LinkOrder
	guest.Must("POST", path, req, &first)
	guest.Must("POST", path, req, &again)
	if first != again {
		t.Errorf("%+v, then %+v", first, again)
	}
	req.Amount = 4300
	guest.Fails(api.CodeConflict, "POST", path, req)
	var seen api.CustomerOrder
	guest.Must("GET", "/api"+first.Path, nil, &seen)
	if seen.Total != 4200 || seen.Status != api.StatusOpen || seen.Items[0].Name != "捐款" {
		t.Errorf("%+v", seen)
	}
	var got v1.Link
	b.must("GET", "/v1/links/"+l.ID, nil, &got)
	if got.Orders != 1 {
		t.Errorf("%d orders, want 1", got.Orders)
	}
}

// A link makes no order after it is withdrawn, expired or sold out. An order that ends unpaid frees
// its place, and a late payment still counts.
func TestLinkThatEnded(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	l := b.createdLink(v1.CreateLink{Title: "票", Amount: 100, MaxOrders: 2, ExpiresAt: s.Now().Add(48 * time.Hour).UnixMilli()})
	user := s.SignedIn(0)
	state := func(want api.LinkState) {
		t.Helper()
		var view api.PaymentLink
		user.Must("GET", api.LinkPath(linkToken(l)), nil, &view)
		if view.State != want {
			t.Errorf("the link is %s, want %s", view.State, want)
		}
		if want != api.LinkOpen {
			user.Fails(api.CodeLinkEnded, "POST", api.LinkOrdersPath(linkToken(l)), api.LinkOrderRequest{ClientKey: newKey()})
		}
	}
	paidOne, leaves := orderOf(user, l, 0), orderOf(user, l, 0)
	state(api.LinkSoldOut)
	payLinkOrder(user, paidOne)
	var late api.Checkout
	user.Must("POST", api.CustomerPayPath(strings.TrimPrefix(leaves.Path, api.PathCustomer)), asJSAPI, &late)
	s.Sim.Advance(order.LinkLifetime + 2*time.Minute)
	for range 3 { // it expires, and is closed at WeChat
		s.Reconcile()
		s.Sim.Advance(6 * time.Minute)
	}
	state(api.LinkOpen)
	third := orderOf(user, l, 0)
	state(api.LinkSoldOut)
	change := func(c v1.ChangeLink) (got v1.Link) {
		t.Helper()
		b.must("PATCH", "/v1/links/"+l.ID, c, &got)
		return got
	}
	more, none, yes, no, over := 3, 0, true, false, s.Now().Add(-time.Minute).UnixMilli()
	change(v1.ChangeLink{MaxOrders: &more})
	state(api.LinkOpen)
	if got := change(v1.ChangeLink{Withdrawn: &yes}); got.State != api.LinkWithdrawn || got.WithdrawnAt == 0 {
		t.Errorf("%+v", got)
	}
	state(api.LinkWithdrawn)
	payLinkOrder(user, third) // orders that were made go on
	if got := change(v1.ChangeLink{Withdrawn: &no, MaxOrders: &none, ExpiresAt: &over}); got.WithdrawnAt != 0 || got.MaxOrders != 0 || got.Paid != 2 {
		t.Errorf("%+v", got)
	}
	state(api.LinkExpired)
	never := int64(0)
	change(v1.ChangeLink{ExpiresAt: &never})
	state(api.LinkOpen)
}

// Concurrent payers make no more orders than the link may have.
func TestLinkIsNotOversold(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	l := b.createdLink(v1.CreateLink{Title: "票", Amount: 100, MaxOrders: 5})
	var group sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for i := range 12 {
		guest := s.NewGuest(i % 3)
		group.Go(func() {
			a := guest.Call("POST", api.LinkOrdersPath(linkToken(l)), api.LinkOrderRequest{ClientKey: newKey()})
			mu.Lock()
			defer mu.Unlock()
			switch a.Status {
			case http.StatusOK:
				made++
			case http.StatusConflict:
			default:
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	group.Wait()
	if made != 5 {
		t.Errorf("%d orders, want 5", made)
	}
	s.Check()
}

// A stranger cannot fill the database by a link: the bounds of guests count its orders too.
func TestStrangerFloodsALink(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	l := b.createdLink(v1.CreateLink{Title: "捐款", MinAmount: 1, MaxAmount: 5000})
	guest := s.NewGuest(0)
	for range 50 {
		orderOf(guest, l, 100)
	}
	guest.Fails(api.CodeTooManyOrders, "POST", api.LinkOrdersPath(linkToken(l)), api.LinkOrderRequest{Amount: 100, ClientKey: newKey()})
	for i := range 160 { // other guests of the same network
		other := s.NewGuest(0)
		a := other.Call("POST", api.LinkOrdersPath(linkToken(l)), api.LinkOrderRequest{Amount: 100, ClientKey: newKey()})
		if want := i < 150; (a.Status == http.StatusOK) != want {
			t.Fatalf("order %d of the network: %d %s", 51+i, a.Status, a.Body)
		}
	}
	// These orders never had a payment, so their end makes no event.
	s.Sim.Advance(order.LinkLifetime + 2*time.Minute)
	for range 5 {
		s.Reconcile()
	}
	var open, events int
	if err := s.DB.QueryRow(`SELECT (SELECT COUNT(*) FROM orders WHERE status = 'open'), (SELECT COUNT(*) FROM events)`).Scan(&open, &events); err != nil || open != 0 || events != 0 {
		t.Errorf("%d open orders, %d events, %v", open, events, err)
	}
}

// Links are listed in parts, repeated calls make one, and bad input is rejected by its field.
func TestLinksByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	var want []string
	for i := range 5 {
		want = append([]string{b.createdLink(v1.CreateLink{Title: fmt.Sprint("桌 ", i), Amount: 100}).ID}, want...)
		s.Sim.Advance(time.Second)
	}
	var got []string
	path := "/v1/links?limit=2"
	for range 3 {
		var list v1.Links
		b.must("GET", path, nil, &list)
		for _, l := range list.Links {
			got = append(got, l.ID)
		}
		path = "/v1/links?limit=2&cursor=" + list.Next
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	create := func(body string) v1Answer {
		r := b.request("POST", "/v1/links", body)
		r.Header.Set("Idempotency-Key", "k1")
		return b.send(r)
	}
	first := create(`{"title":"门口","amount":100}`)
	changesNothing(s, func() {
		if again := create(`{"amount":100,"title":"门口"}`); string(again.Body) != string(first.Body) || again.Status != 201 {
			t.Errorf("repeated: %d %s", again.Status, again.Body)
		}
		if a := create(`{"title":"门口","amount":200}`); a.Err.Code != v1.CodeIdempotency {
			t.Errorf("another body: %d %s", a.Status, a.Body)
		}
		for body, field := range map[string]string{
			`{}`:                              "title",
			`{"title":""}`:                    "title",
			`{"title":"x"}`:                   "amount",
			`{"title":"\u200b","amount":100}`: "title",
			`{"title":"` + strings.Repeat("x", 61) + `","amount":100}`:      "title",
			`{"title":"x","amount":0}`:                                      "amount",
			`{"title":"x","amount":-1}`:                                     "amount",
			`{"title":"x","amount":1.5}`:                                    "amount",
			`{"title":"x","amount":100000001}`:                              "amount",
			`{"title":"x","amount":1,"min_amount":1,"max_amount":2}`:        "amount",
			`{"title":"x","min_amount":1}`:                                  "amount",
			`{"title":"x","min_amount":2,"max_amount":1}`:                   "max_amount",
			`{"title":"x","amount":1,"max_orders":-1}`:                      "max_orders",
			`{"title":"x","amount":1,"expires_at":1}`:                       "expires_at",
			`{"title":"x","amount":1,"return_url":"https://evil.example/"}`: "return_url",
			`{"title":"x","amount":1,"trade_types":["APP"]}`:                "trade_types[0]",
			`{"title":"x","amount":1,"metadata":{"a b":"c"}}`:               "metadata",
			`{"title":"x","amount":1,"currency":"USD"}`:                     "currency",
		} {
			b.fails(api.CodeBadRequest, field, "POST", "/v1/links", body)
		}
		for body, field := range map[string]string{`{"title":""}`: "title", `{"amount":1}`: "amount", `{"max_orders":-1}`: "max_orders", `{"withdrawn":"yes"}`: "withdrawn"} {
			b.fails(api.CodeBadRequest, field, "PATCH", "/v1/links/"+want[0], body)
		}
		b.fails(api.CodeNotFound, "", "PATCH", "/v1/links/none", struct{}{})
		b.fails(api.CodeNotFound, "", "GET", "/v1/links/none", nil)
		b.fails(api.CodeNotFound, "", "GET", "/v1/links/none/poster.svg", nil)
		b.fails(api.CodeBadRequest, "cursor", "GET", "/v1/links?cursor=x", nil)
		b.fails(api.CodeBadRequest, "link", "GET", "/v1/orders?link=x&reference=y", nil)
	})
}

// The poster is well-formed whatever the texts are, and has the link's URL.
func TestPoster(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	for _, req := range []v1.CreateLink{
		{Title: "一号桌", Amount: 6800},
		{Title: `<script>"&'`, Description: strings.Repeat("长", 200), MinAmount: 1, MaxAmount: 2},
	} {
		l := b.createdLink(req)
		a := b.send(b.request("GET", "/v1/links/"+l.ID+"/poster.svg", ""))
		text := string(a.Body)
		if a.Status != 200 || a.Header.Get("Content-Type") != "image/svg+xml; charset=utf-8" || strings.Contains(text, "<script") || !strings.Contains(text, "山岚小铺") {
			t.Errorf("%d %v %s", a.Status, a.Header, text)
		}
		for d := xml.NewDecoder(strings.NewReader(text)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, text)
			}
		}
		if (req.Amount > 0) != strings.Contains(text, "¥68.00") {
			t.Errorf("the amount: %s", text)
		}
	}
}

// A withdrawn link stays withdrawn, and a disabled endpoint stays disabled, if another call changes a
// text at the same time.
func TestChangesAtOnceKeepEachOther(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := root(s)
	link := b.createdLink(v1.CreateLink{Title: "一号桌", Amount: 6800})
	var endpoint v1.Endpoint
	b.must("POST", "/v1/endpoints", v1.CreateEndpoint{URL: "https://erp.example.com/hook"}, &endpoint)
	for _, c := range []struct{ path, reset, change, other, want string }{
		{"/v1/links/" + link.ID, `{"withdrawn":false}`, `{"withdrawn":true}`, `{"title":"二号桌"}`, `"state":"withdrawn"`},
		{"/v1/endpoints/" + endpoint.ID, `{"enabled":true}`, `{"enabled":false}`, `{"description":"erp"}`, `"state":"disabled"`},
	} {
		undone := 0
		for i := range 200 {
			b.mustSend(b.request("PATCH", c.path, c.reset), &struct{}{})
			one, two := b.request("PATCH", c.path, c.change), b.request("PATCH", c.path, c.other)
			first, second := httptest.NewRecorder(), httptest.NewRecorder()
			var wg sync.WaitGroup
			wg.Go(func() { s.Handler.ServeHTTP(first, one) })
			time.Sleep(time.Duration(i%40) * 20 * time.Microsecond) // so that they overlap in every way
			wg.Go(func() { s.Handler.ServeHTTP(second, two) })
			wg.Wait()
			if first.Code != 200 || second.Code != 200 {
				t.Fatal(first.Code, second.Code)
			}
			if a := b.call("GET", c.path, nil); !strings.Contains(string(a.Body), c.want) {
				undone++
			}
		}
		if undone > 0 {
			t.Errorf("%s: of 200 changes %s that succeeded, %d were undone", c.path, c.change, undone)
		}
	}
}
