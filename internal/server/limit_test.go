package server_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// counter is a limiter that records the keys of its calls. It allows limit calls of each key.
type counter struct {
	keys  []string
	limit int
	err   error
}

func (c *counter) Allow(_ context.Context, key string) (bool, error) {
	c.keys = append(c.keys, key)
	n := 0
	for _, k := range c.keys {
		if k == key {
			n++
		}
	}
	return n <= c.limit, c.err
}

// unlimited reports whether a call has no limit: it only reads, or it has a signature.
func unlimited(pattern string) bool {
	method, path, _ := strings.Cut(pattern, " ")
	return method != "POST" && path != api.PathHealth || strings.HasPrefix(path, "/api/notify/")
}

func TestEveryCallThatSignsInOrOrdersIsLimited(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"address", "owner"} {
		none := &counter{}
		s := paytest.NewShop(t, nil)
		p := s.SignedIn(0)
		p.Handler = s.Open(func(cfg *paytest.Settings, _ *wechat.Config) {
			if by == "address" {
				cfg.AddressLimit = none
			} else {
				cfg.OwnerLimit = none
			}
		})
		for _, pattern := range s.Signer.Patterns() {
			method, path, _ := strings.Cut(pattern, " ")
			if strings.HasPrefix(path, "/v1/") {
				continue // API keys have a limit of their own
			}
			signedIn := maps.Clone(p.Cookies)
			a := p.Send(p.Request(method, strings.ReplaceAll(path, "{id}", "000000000000000000000000"), []byte("{}")))
			want := !unlimited(pattern)
			if limited := a.Err.Code == api.CodeRateLimited; limited != want {
				t.Errorf("%s by %s: %d %s", pattern, by, a.Status, a.Body)
			} else if limited && (a.Status != 429 || a.Header.Get("Retry-After") != "60") {
				t.Errorf("%s by %s: %d %v", pattern, by, a.Status, a.Header)
			}
			p.Cookies = signedIn
		}
	}
}

// Calls of one address share a limit, and so do calls of one customer, whatever else differs.
func TestLimitsCountByAddressAndByOwner(t *testing.T) {
	t.Parallel()
	addresses, owners := &counter{limit: 3}, &counter{limit: 2}
	s := paytest.NewShop(t, nil)
	p, other := s.SignedIn(0), s.SignedIn(1)
	handler := s.Open(func(cfg *paytest.Settings, _ *wechat.Config) { cfg.AddressLimit, cfg.OwnerLimit = addresses, owners })
	p.Handler, other.Handler = handler, handler
	order := func(p *paytest.Person, addr string) api.Code {
		r := p.Request("POST", api.PathOrders, []byte("{}"))
		r.RemoteAddr = addr
		return p.Send(r).Err.Code
	}
	for i, call := range []struct {
		p    *paytest.Person
		addr string
		want api.Code
	}{
		{p, "203.0.113.1:1000", api.CodeBadRequest},
		{p, "203.0.113.2", api.CodeBadRequest},
		{p, "203.0.113.3", api.CodeRateLimited}, // the third of this customer
		{other, "203.0.113.1:2000", api.CodeBadRequest},
		{other, "203.0.113.1", api.CodeBadRequest},
		{other, "::ffff:203.0.113.1", api.CodeRateLimited}, // the fourth from there
		{s.NewPerson(2), "2001:db8:1:2:3::4", api.CodeUnauthenticated},
		{s.NewPerson(2), "[2001:db8:1:2:5::6]:99", api.CodeUnauthenticated},
		{s.NewPerson(2), "2001:db8:1:2::", api.CodeUnauthenticated},
		{s.NewPerson(2), "2001:db8:1:2:ffff::", api.CodeRateLimited}, // one network
		{s.NewPerson(2), "2001:db8:1:3::", api.CodeUnauthenticated},
		{s.NewPerson(2), "", api.CodeUnauthenticated},
		{s.NewPerson(2), "localhost", api.CodeUnauthenticated},
		{s.NewPerson(2), "unknown", api.CodeUnauthenticated},
		{s.NewPerson(2), "_hidden", api.CodeRateLimited}, // all callers without an address are one
	} {
		call.p.Handler = handler
		if got := order(call.p, call.addr); got != call.want {
			t.Errorf("call %d from %q: %s, want %s", i, call.addr, got, call.want)
		}
	}
	// Sign-ins have a count of their own.
	if a := other.Send(other.Request("POST", api.PathAuthorize, []byte("{}"))); a.Err.Code != api.CodeBadRequest {
		t.Errorf("signing in: %d %s", a.Status, a.Body)
	}
}

// Beyond the limit a poll returns the stored order and does not query WeChat.
func TestPollsBeyondTheLimitDoNotQueryWeChat(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	for _, by := range []string{"address", "owner"} {
		p.Handler = s.Open(func(cfg *paytest.Settings, _ *wechat.Config) {
			if by == "address" {
				cfg.AddressLimit = &counter{}
			} else {
				cfg.OwnerLimit = &counter{}
			}
		})
		s.Sim.Advance(paytest.QueryPause)
		if o := p.GetOrder(c.Order.ID); o.Status != api.StatusOpen || s.Calls("orderquery") != 0 {
			t.Errorf("by %s: %s after %d queries", by, o.Status, s.Calls("orderquery"))
		}
	}
	p.Handler = s.Open(nil)
	if o := p.GetOrder(c.Order.ID); o.Status != api.StatusPaid {
		t.Errorf("then it is %s", o.Status)
	}
}

func TestFailingLimiterAllowsEveryCall(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	broken := &counter{err: errors.New("no limits today")}
	p.Handler = s.Open(func(cfg *paytest.Settings, _ *wechat.Config) { cfg.AddressLimit, cfg.OwnerLimit = broken, broken })
	p.Order("tea", 1)
	if len(broken.keys) != 4 || !strings.Contains(s.Log.String(), "no limits today") {
		t.Errorf("called %d times; log:\n%s", len(broken.keys), s.Log)
	}
	for range 50 {
		p.Send(p.Request("POST", api.PathSession, nil))
	}
	if n := strings.Count(s.Log.String(), "a rate limiter failed"); n != 1 {
		t.Errorf("%d lines in a minute", n)
	}
}
