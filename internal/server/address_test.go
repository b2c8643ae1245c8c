package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/server"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// WeChat compares the address of an H5 payment with the phone's. The shop makes no payment that
// WeChat would decline. The buyer sees another way to pay, and the log has the cause.
func TestNoH5OrderWithAPrivateAddress(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"", "unknown", "127.0.0.1:1", "10.0.0.5", "192.168.1.9:80", "[::1]:80", "[fd00::5]:80", "100.64.1.1", "169.254.0.1", "::ffff:10.0.0.5", "64:ff9b::10.0.0.5", "198.18.0.1", "[2001:0:a00:1::1]:80"} {
		s := paytest.NewShop(t, nil)
		p := s.NewPerson(0)
		p.Must("POST", api.PathSession, nil, &api.Session{})
		o := p.Place(paytest.BasketForH5("tea", 1))
		before := storetest.Dump(t, s.DB)
		for range 3 {
			r := p.Request("POST", api.OrderPayPath(o.ID), encode(t, api.PayRequest{TradeTypes: []api.TradeType{api.TradeMWEB}}))
			r.RemoteAddr = addr
			if a := p.Send(r); a.Err.Code != api.CodeAddressUnknown || a.Status != 503 {
				t.Errorf("%q: %d %s", addr, a.Status, a.Body)
			}
		}
		if storetest.Dump(t, s.DB) != before || s.Calls("unifiedorder") != 0 {
			t.Errorf("%q: a payment was made", addr)
		}
		if s.ErrorLines() != 1 || !strings.Contains(s.Log.String(), "no H5 order is sent") || !strings.Contains(s.Log.String(), "TRUSTED_PROXIES") {
			t.Errorf("%q: the log has\n%s", addr, s.Log)
		}
		// The other ways to pay do not depend on the address.
		r := p.Request("POST", api.OrderPayPath(o.ID), encode(t, api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}}))
		r.RemoteAddr = addr
		if a := p.Send(r); a.Status != 200 {
			t.Errorf("%q, NATIVE: %d %s", addr, a.Status, a.Body)
		}
	}
}

// A repeated request finds its order even if it comes without an address. A payment that is stored
// with a private address is not sent.
func TestH5OrderIsFoundWithoutAnAddress(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewPerson(0)
	p.Must("POST", api.PathSession, nil, &api.Session{})
	req := paytest.BasketForH5("tea", 1)
	var first api.Checkout
	var again api.Order
	p.Checkout(req, &first)
	r := p.Request("POST", api.PathOrders, encode(t, req))
	r.RemoteAddr = ""
	a := p.Send(r)
	if decode(t, a.Body, &again); a.Status != 200 || again.ID != first.Order.ID {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	storetest.Exec(t, s.DB, `DROP TRIGGER keep_payment; UPDATE payments SET client_ip = '127.0.0.1'`)
	p.Fails(api.CodeAddressUnknown, "POST", api.OrderPayPath(first.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeMWEB}, Renew: true})
	if n := s.Calls("unifiedorder"); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// A shop on this machine has buyers on this machine.
func TestH5OrderOfALocalShop(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.ShopURL = "http://localhost:8802" })
	p := s.NewPerson(0)
	p.Handler = s.Handler
	r := p.Request("POST", api.PathSession, nil)
	r.Header.Set("Origin", "http://localhost:8802")
	p.Send(r)
	r = p.Request("POST", api.PathOrders, encode(t, paytest.BasketForH5("tea", 1)))
	r.Header.Set("Origin", "http://localhost:8802")
	r.RemoteAddr = "127.0.0.1:9"
	if a := p.Send(r); a.Err.Code == api.CodeAddressUnknown {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// Behind a proxy each buyer has a limit of their own, and WeChat gets the buyer's address. A header
// that a buyer forges changes neither. Calls without an address share one limit. Then the log has
// one warning, and the health page fails.
func TestAddressesBehindAProxy(t *testing.T) {
	t.Parallel()
	limit := &counter{limit: 3}
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) {
		cfg.Addresses = server.Addresses{Header: "X-Forwarded-For", Proxies: 2, Connection: true}
		cfg.AddressLimit = limit
	})
	s.Reconcile()
	call := func(list string) api.Code {
		p := s.NewPerson(0)
		r := p.Request("POST", api.PathAuthorize, []byte("{}"))
		r.RemoteAddr = "10.0.0.1:7"
		if list != "" {
			r.Header.Set("X-Forwarded-For", list)
		}
		return p.Send(r).Err.Code
	}
	for i := range 20 {
		want := api.CodeBadRequest
		if i%2 == 1 && i > 6 {
			want = api.CodeRateLimited // the fourth call of this address on
		}
		list := fmt.Sprintf("198.51.100.%d, 203.0.113.%d, 10.0.0.2", i, 100+i) // another buyer each time
		if i%2 == 1 {
			list = fmt.Sprintf("198.51.100.%d, 203.0.113.1, 10.0.0.2", i)
		}
		if got := call(list); got != want {
			t.Errorf("call %d of %s: %s, want %s", i, list, got, want)
		}
	}
	if wrong, without := s.Health(); len(wrong) > 0 || without["addresses"] != "" {
		t.Errorf("%v, %v", wrong, without)
	}
	for i := range 30 {
		want := api.CodeBadRequest
		if i >= 3 {
			want = api.CodeRateLimited
		}
		if got := call([]string{"", "203.0.113.1", "unknown, 10.0.0.2", "203.0.113.9, _x, 10.0.0.2"}[i%4]); got != want {
			t.Errorf("call %d without an address: %s, want %s", i, got, want)
		}
	}
	s.WantWrong("addresses", "CLIENT_IP_HEADER")
	if n := strings.Count(s.Log.String(), "addresses are not known"); n != 1 {
		t.Errorf("warned %d times", n)
	}
	s.Sim.Advance(time.Hour)
	s.Reconcile()
	s.WantWrong("", "")
}

// A server behind a proxy without CLIENT_IP_HEADER detects the proxy.
func TestProxyWithoutASettingIsDetected(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Addresses.Connection = true })
	s.Reconcile()
	p := s.NewPerson(0)
	for range 2 {
		r := p.Request("POST", api.PathAuthorize, []byte("{}"))
		r.RemoteAddr = "127.0.0.1:7"
		r.Header.Set("X-Forwarded-For", "203.0.113.1")
		p.Send(r)
	}
	s.WantWrong("addresses", "CLIENT_IP_HEADER is not set")
	s.Sim.Advance(time.Hour)
	s.Reconcile()
	// A header that a stranger sends causes no warning.
	for range 2 {
		r := p.Request("POST", api.PathAuthorize, []byte("{}"))
		r.Header.Set("X-Forwarded-For", "203.0.113.1")
		p.Send(r)
	}
	if wrong, without := s.Health(); len(wrong) > 0 || without["addresses"] == "" {
		t.Errorf("%v, %v", wrong, without)
	}
}
