package server_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

// person is somebody's phone: a browser's cookies and a WeChat account.
type person struct {
	*shop
	user    wechattest.User
	guest   bool // has not signed in
	cookies map[string]string
	ip      string
	token   string // of the operator
}

// person returns the i-th user with a phone that never saw the shop.
func (s *shop) person(i int) *person {
	return &person{shop: s, user: s.sim.Users()[i], cookies: map[string]string{}, ip: fmt.Sprintf("203.0.113.%d", i+1)}
}

// signedIn returns the i-th user after a silent sign-in.
func (s *shop) signedIn(i int) *person {
	s.t.Helper()
	p := s.person(i)
	code, state := p.authorize("/", "")
	p.must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &api.TokenResponse{})
	return p
}

// answer is what a call came back with.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    api.Error
}

// call makes a call as the shop's page does, and checks everything after it.
func (p *person) call(method, path string, body any) answer {
	p.t.Helper()
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			p.t.Fatal(err)
		}
	}
	a := p.send(p.request(method, path, b))
	p.check()
	return a
}

// request prepares a call of the shop's page.
func (p *person) request(method, path string, body []byte) *http.Request {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.RemoteAddr = p.ip + ":40000"
	if method != "GET" {
		r.Header.Set("Origin", shopURL)
		r.Header.Set("Content-Type", "application/json")
	}
	if p.token != "" {
		r.Header.Del("Origin") // a program, not a page
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	for name, value := range p.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

// send makes a request, keeps its cookies and checks the form of its answer.
func (p *person) send(r *http.Request) answer {
	p.t.Helper()
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(p.cookies, c.Name)
		} else {
			p.cookies[c.Name] = c.Value
		}
	}
	a := answer{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	if id := a.header.Get("X-Request-Id"); id == "" || a.header.Get("Cache-Control") != "no-store" ||
		!strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") || a.header.Get("Strict-Transport-Security") == "" {
		p.t.Errorf("%s %s: header %v", r.Method, r.URL, a.header)
	}
	if strings.HasPrefix(r.URL.Path, "/api/notify/") && strings.HasPrefix(string(a.body), `{"code":"FAIL"`) {
		if err := json.Unmarshal(a.body, &a.err); err != nil || a.status < 400 || a.err.Message == "" {
			p.t.Errorf("%s %s: %d %s", r.Method, r.URL, a.status, a.body)
		}
	} else if a.status >= 400 && (r.URL.Path != api.PathHealth || a.status == http.StatusTooManyRequests) && strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(a.body, &a.err); err != nil || a.err.Code.Status() != a.status || a.err.Message == "" || a.err.RequestID != a.header.Get("X-Request-Id") {
			p.t.Errorf("%s %s: %d %s", r.Method, r.URL, a.status, a.body)
		}
	}
	for _, key := range keys {
		if bytes.Contains(a.body, []byte(key)) {
			p.t.Errorf("%s %s: a secret in %s", r.Method, r.URL, a.body)
		}
	}
	for _, user := range p.sim.Users() {
		if bytes.Contains(a.body, []byte(user.OpenID)) {
			p.t.Errorf("%s %s: an openid in %s", r.Method, r.URL, a.body)
		}
	}
	return a
}

// must makes a call that has to succeed.
func (p *person) must(method, path string, body, result any) {
	p.t.Helper()
	a := p.call(method, path, body)
	if a.status != http.StatusOK {
		p.t.Fatalf("%s %s: %d %s\n%s", method, path, a.status, a.body, p.log)
	}
	if err := json.Unmarshal(a.body, result); err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// fails makes a call that has to be rejected with a code.
func (p *person) fails(code api.Code, method, path string, body any) {
	p.t.Helper()
	if a := p.call(method, path, body); a.err.Code != code {
		p.t.Errorf("%s %s: %d %s, want %s", method, path, a.status, a.body, code)
	}
}

// authorize begins a sign-in and follows WeChat back to the shop.
func (p *person) authorize(returnTo string, scope api.Scope) (code, state string) {
	p.t.Helper()
	var begun api.AuthorizeResponse
	p.must("POST", api.PathAuthorize, api.AuthorizeRequest{ReturnTo: returnTo, Scope: scope}, &begun)
	if err := p.sim.SetUser(p.user.OpenID); err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequest("GET", begun.URL, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := p.wire.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	location := res.Header.Get("Location")
	if location == "" { // the consent page
		for _, c := range p.sim.Consents() {
			if c.State == "open" {
				if c, err = p.sim.Decide(c.ID, true); err != nil {
					p.t.Fatal(err)
				}
				location = c.Location
			}
		}
	}
	back, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, shopURL+returnTo) {
		p.t.Fatalf("WeChat leads to %q, not back to %s: %v", location, returnTo, err)
	}
	return back.Query().Get("code"), back.Query().Get("state")
}

// basket is a valid order for the product, under a new key.
func basket(product string, quantity int) api.CreateOrderRequest {
	return api.CreateOrderRequest{
		Items:     []api.OrderItem{{ProductID: product, Quantity: quantity}},
		TradeType: api.TradeJSAPI, ClientKey: rand.Text(),
	}
}

// place makes an order. WeChat does not know it yet.
func (p *person) place(req api.CreateOrderRequest) api.Order {
	p.t.Helper()
	var o api.Order
	p.must("POST", api.PathOrders, req, &o)
	return o
}

// checkout makes an order and asks for what pays it, as the page does.
func (p *person) checkout(req api.CreateOrderRequest, c *api.Checkout) {
	p.t.Helper()
	o := p.place(req)
	p.must("POST", api.OrderPayPath(o.ID), api.PayRequest{}, c)
	if c.Order.ID != o.ID {
		p.t.Errorf("paying order %s returned order %s", o.ID, c.Order.ID)
	}
}

// cannotPay makes an order and asks for what pays it: one of the two has to be rejected
// with a code.
func (p *person) cannotPay(code api.Code, req api.CreateOrderRequest) {
	p.t.Helper()
	a := p.call("POST", api.PathOrders, req)
	var o api.Order
	if a.err.Code == "" {
		if err := json.Unmarshal(a.body, &o); err != nil {
			p.t.Fatal(err)
		}
		a = p.call("POST", api.OrderPayPath(o.ID), api.PayRequest{})
	}
	if a.err.Code != code {
		p.t.Errorf("order %s: %d %s, want %s", o.ID, a.status, a.body, code)
	}
}

// order makes an order and returns what pays it.
func (p *person) order(product string, quantity int) api.Checkout {
	p.t.Helper()
	var c api.Checkout
	p.checkout(basket(product, quantity), &c)
	return c
}

// get reads an order.
func (p *person) get(id string) api.Order {
	p.t.Helper()
	var o api.Order
	p.must("GET", api.OrderPath(id), nil, &o)
	return o
}

// sheet opens the payment sheet as WeixinJSBridge does.
func (p *person) sheet(pay *api.PayParams) (wechattest.Sheet, error) {
	p.t.Helper()
	if err := p.sim.SetUser(p.user.OpenID); err != nil {
		p.t.Fatal(err)
	}
	b, err := json.Marshal(pay)
	if err != nil {
		p.t.Fatal(err)
	}
	call := wechattest.InvokeCall{API: "getBrandWCPayRequest", URL: shopURL + "/pay", Landing: shopURL + "/"}
	if err := json.Unmarshal(b, &call.Args); err != nil {
		p.t.Fatal(err)
	}
	sheet, bad := p.sim.Invoke(call)
	if bad != nil {
		return sheet, fmt.Errorf("%s: %s", bad.ErrMsg, bad.ErrDesc)
	}
	return sheet, nil
}

// pay opens the sheet and pays. The notification is on its way then; a call of
// deliver lets it arrive.
func (p *person) pay(pay *api.PayParams) {
	p.t.Helper()
	sheet, err := p.sheet(pay)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.sim.PaySheet(sheet.ID); err != nil {
		p.t.Fatal(err)
	}
}
