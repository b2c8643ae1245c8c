package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/wechat"
)

var (
	asJSAPI  = api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}
	asNative = api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}}
	asMWEB   = api.PayRequest{TradeTypes: []api.TradeType{api.TradeMWEB}}
)

// tokenOf returns the token in the customer's URL of an order.
func tokenOf(o v1.Order) string { return strings.TrimPrefix(o.URL, paytest.ShopURL+api.PathCustomer) }

// customerView returns an order as a person sees it by its URL.
func customerView(p *paytest.Person, o v1.Order) (c api.CustomerOrder) {
	p.T.Helper()
	p.Must("GET", api.CustomerOrderPath(tokenOf(o)), nil, &c)
	return c
}

// A visitor with the URL sees the order without a session, and can pay it by every trade type.
func TestCustomerOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	stranger := s.NewPerson(1)
	o := b.createOrder(v1.CreateOrder{
		Lines: []v1.CreateLine{{Name: "运费", Price: 200, Quantity: 1}, {ProductID: "tea", Quantity: 1}}, Description: "七号桌",
		Reference: "secret-reference", Metadata: map[string]string{"secret": "metadata"}, ReturnURL: "https://www.example.com/thanks?x=1&y=a%20b",
	})
	calls := len(s.Sim.Messages(0))
	got := customerView(stranger, o)
	want := api.CustomerOrder{
		Order: api.Order{ID: o.ID, Status: api.StatusOpen, Total: 7000, Currency: "CNY", CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt,
			Items: []api.OrderLine{{Name: "运费", Price: 200, Quantity: 1}, {ProductID: "tea", Name: "高山乌龙茶", Price: 6800, Quantity: 1}}},
		ShopName: "山岚小铺", Description: "七号桌", TradeTypes: []api.TradeType{"JSAPI", "NATIVE", "MWEB"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if n := len(s.Sim.Messages(0)); n != calls {
		t.Errorf("opening the URL made %d calls to WeChat", n-calls)
	}
	a := stranger.Call("GET", api.CustomerOrderPath(tokenOf(o)), nil)
	if body := string(a.Body); strings.Contains(body, "secret") || strings.Contains(body, tokenOf(o)) {
		t.Errorf("the customer gets %s", body)
	}
	stranger.Fails(api.CodeUnauthenticated, "POST", api.CustomerPayPath(tokenOf(o)), asJSAPI)
	var c api.Checkout
	stranger.Must("POST", api.CustomerPayPath(tokenOf(o)), asMWEB, &c)
	if !strings.HasSuffix(c.MWebURL, "redirect_url="+strings.NewReplacer(":", "%3A", "/", "%2F", "?", "%3F", "=", "%3D").Replace(o.URL+"?result=1")) {
		t.Errorf("WeChat's page returns to %s", c.MWebURL)
	}
	var again api.Checkout
	stranger.Must("POST", api.CustomerPayPath(tokenOf(o)), asNative, &c)
	s.NewPerson(2).Must("POST", api.CustomerPayPath(tokenOf(o)), asNative, &again)
	if c.CodeURL == "" || again.CodeURL != c.CodeURL {
		t.Errorf("two people get the codes %q and %q", c.CodeURL, again.CodeURL)
	}
	if err := s.Scan(1, c.CodeURL); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	got = customerView(stranger, o)
	if got.Status != api.StatusPaid || got.PaidBy != "" || got.PaymentNo != "" || got.PaidAt == 0 ||
		got.ReturnURL != "https://www.example.com/thanks?x=1&y=a%20b&order="+o.ID {
		t.Errorf("paid: %+v", got)
	}
	stranger.Fails(api.CodeOrderPaid, "POST", api.CustomerPayPath(tokenOf(o)), asNative)
	s.SignedIn(2).Fails(api.CodeNotFound, "GET", api.OrderPath(o.ID), nil)
	// The merchant takes the host off the list after the order was made.
	s.Handler = s.Open(func(set *paytest.Settings, _ *wechat.Config) { set.ReturnHosts = nil })
	if got := customerView(stranger, o); got.ReturnURL != "" {
		t.Errorf("the page returns to %s", got.ReturnURL)
	}
}

// The page distinguishes the payer from other people. Only the payer sees WeChat's transaction id.
func TestCustomerOrderShowsThePayer(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	payer, other := s.SignedIn(0), s.SignedIn(1)
	o := b.createOrder(tea(500))
	if got := customerView(payer, o); !got.SignedIn || got.Description != "" || got.ReturnURL != "" {
		t.Errorf("open: %+v", got)
	}
	var c, others api.Checkout
	payer.Must("POST", api.CustomerPayPath(tokenOf(o)), asJSAPI, &c)
	other.Must("POST", api.CustomerPayPath(tokenOf(o)), asJSAPI, &others)
	if c.Pay == nil || others.Pay == nil || c.Pay.Package == others.Pay.Package {
		t.Fatalf("two people get %+v and %+v", c.Pay, others.Pay)
	}
	payer.Pay(c.Pay)
	s.Deliver()
	for _, test := range []struct {
		who    *paytest.Person
		paidBy api.PaidBy
	}{{payer, api.PaidByYou}, {other, api.PaidByOther}, {s.NewPerson(2), ""}} {
		got := customerView(test.who, o)
		if got.Status != api.StatusPaid || got.PaidBy != test.paidBy || (got.PaymentNo != "") != (test.paidBy == api.PaidByYou) || len(got.Refunds) > 0 {
			t.Errorf("%q sees %+v", test.paidBy, got)
		}
	}
	// The other payment was open, and is refunded.
	other.Pay(others.Pay)
	s.Deliver()
	if got := customerView(other, o); len(got.Refunds) != 1 || !got.Refunds[0].Duplicate || got.Refunds[0].Reason != "" {
		t.Errorf("a second payment: %+v", got.Refunds)
	}
}

// The page distinguishes a cancelled order from an expired one.
func TestCustomerOrderEnds(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	p := s.SignedIn(0)
	req := tea(500)
	req.ExpiresIn = 3600
	closed, unpaid, tried := b.createOrder(req), b.createOrder(req), b.createOrder(req)
	b.must("POST", "/v1/orders/"+closed.ID+"/close", nil, &v1.Order{})
	var c api.Checkout
	p.Must("POST", api.CustomerPayPath(tokenOf(tried)), asJSAPI, &c)

	s.Sim.Advance(time.Hour - 5*time.Minute)
	if got := customerView(p, unpaid); got.Status != api.StatusOpen || !got.Expired {
		t.Errorf("too late for a payment: %+v", got)
	}
	if got := customerView(p, tried); got.Status != api.StatusOpen || got.Expired {
		t.Errorf("with a payment: %+v", got)
	}
	s.Sim.Advance(30 * time.Minute)
	for name, test := range map[string]struct {
		order   v1.Order
		expired bool
	}{"closed": {closed, false}, "never tried": {unpaid, true}, "tried": {tried, true}} {
		got := customerView(p, test.order)
		if got.Expired != test.expired || got.Status == api.StatusOpen {
			t.Errorf("%s: %+v", name, got)
		}
		p.Fails(api.CodeOrderNotPayable, "POST", api.CustomerPayPath(tokenOf(test.order)), asJSAPI)
	}
}

// A token of a wrong form is rejected without a read of the database.
func TestCustomerOrderUnknown(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	o := b.createOrder(tea(500))
	p := s.NewPerson(0)
	known := tokenOf(o)
	counted := countStatements(t, s)
	for _, token := range []string{o.ID, known[1:], known + "0", strings.ToUpper(known), "%27", strings.Repeat("a", 5000)} {
		before := counted.Load()
		p.Fails(api.CodeNotFound, "GET", api.CustomerOrderPath(token), nil)
		p.Fails(api.CodeNotFound, "POST", api.CustomerPayPath(token), asNative)
		if n := counted.Load() - before; n != 0 {
			t.Errorf("%.40s: %d statements", token, n)
		}
	}
	p.Fails(api.CodeNotFound, "GET", api.CustomerOrderPath(strings.Repeat("0", len(known))), nil)
	p.Fails(api.CodeBadRequest, "POST", api.CustomerPayPath(known), api.PayRequest{})
	foreign := p.Request("POST", api.CustomerPayPath(known), []byte(`{"trade_types":["NATIVE"]}`))
	foreign.Header.Set("Origin", "https://evil.example")
	if a := p.Send(foreign); a.Err.Code != api.CodeForbiddenOrigin {
		t.Errorf("a call of another site: %d %s", a.Status, a.Body)
	}
	if strings.Contains(s.Log.String(), known) {
		t.Error("the log has the token")
	}
	if !strings.Contains(s.Log.String(), "/api/o/{token}") {
		t.Error("the log does not name the call")
	}
}

// The page offers the trade types that both the order and the shop accept.
func TestCustomerOrderTradeTypes(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(set *paytest.Settings, _ *wechat.Config) {
		set.TradeTypes = []api.TradeType{api.TradeJSAPI, api.TradeNative}
	})
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	p := s.SignedIn(0)
	req := tea(500)
	req.TradeTypes = []api.TradeType{api.TradeNative}
	o := b.createOrder(req)
	if got := customerView(p, o); !cmp.Equal(got.TradeTypes, req.TradeTypes) {
		t.Errorf("trade types %v", got.TradeTypes)
	}
	p.Fails(api.CodeBadRequest, "POST", api.CustomerPayPath(tokenOf(o)), asJSAPI)
	p.Fails(api.CodeBadRequest, "POST", api.CustomerPayPath(tokenOf(o)), asMWEB)
	var c api.Checkout
	p.Must("POST", api.CustomerPayPath(tokenOf(o)), api.PayRequest{TradeTypes: []api.TradeType{"JSAPI", "NATIVE"}}, &c)
	if c.CodeURL == "" {
		t.Errorf("checkout %+v", c)
	}
}

// Opening the URL costs three statements in one round trip to D1, and paying no more than an order of the shop.
func TestStatementsOfCustomerOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	o := b.createOrder(tea(500))
	p := s.SignedIn(0)
	own := p.Place(paytest.Basket("tea", 1))
	counted := countStatements(t, s)
	customerView(p, o)
	if n := counted.Load(); n != 3 {
		t.Errorf("opening: %d statements", n)
	}
	var c api.Checkout
	before := counted.Load()
	p.Must("POST", api.CustomerPayPath(tokenOf(o)), asJSAPI, &c)
	customer := counted.Load() - before
	before = counted.Load()
	p.Must("POST", api.OrderPayPath(own.ID), asJSAPI, &c)
	if shop := counted.Load() - before; customer > shop {
		t.Errorf("paying: %d statements, an order of the shop %d", customer, shop)
	}
}
