package server_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// counter is a limiter that notes what it is asked and does as it is told.
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

// bystander reports whether nobody limits a call: it reads, or proves itself.
func bystander(pattern string) bool {
	method, path, _ := strings.Cut(pattern, " ")
	return method != "POST" && path != api.PathHealth || strings.HasPrefix(path, "/api/notify/")
}

func TestEveryCallThatSignsInOrOrdersIsLimited(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"address", "owner"} {
		none := &counter{}
		s := newShop(t, nil)
		p := s.signedIn(0)
		p.handler = s.open(func(cfg *settings, _ *wechat.Config) {
			if by == "address" {
				cfg.AddressLimit = none
			} else {
				cfg.OwnerLimit = none
			}
		})
		for _, pattern := range s.signer.Patterns() {
			method, path, _ := strings.Cut(pattern, " ")
			signedIn := maps.Clone(p.cookies)
			a := p.send(p.request(method, strings.ReplaceAll(path, "{id}", "000000000000000000000000"), []byte("{}")))
			want := !bystander(pattern)
			if strings.HasPrefix(path, "/api/admin/") {
				want = by == "address" // it lacks the token
			}
			if limited := a.err.Code == api.CodeRateLimited; limited != want {
				t.Errorf("%s by %s: %d %s", pattern, by, a.status, a.body)
			} else if limited && (a.status != 429 || a.header.Get("Retry-After") != "60") {
				t.Errorf("%s by %s: %d %v", pattern, by, a.status, a.header)
			}
			p.cookies = signedIn
		}
	}
}

// One address, and one customer, is one caller, whatever else differs; another
// is another.
func TestLimitsCountByAddressAndByOwner(t *testing.T) {
	t.Parallel()
	addresses, owners := &counter{limit: 3}, &counter{limit: 2}
	s := newShop(t, nil)
	p, other := s.signedIn(0), s.signedIn(1)
	handler := s.open(func(cfg *settings, _ *wechat.Config) { cfg.AddressLimit, cfg.OwnerLimit = addresses, owners })
	p.handler, other.handler = handler, handler
	order := func(p *person, addr string) api.Code {
		r := p.request("POST", api.PathOrders, []byte("{}"))
		r.RemoteAddr = addr
		return p.send(r).err.Code
	}
	for i, call := range []struct {
		p    *person
		addr string
		want api.Code
	}{
		{p, "203.0.113.1:1000", api.CodeBadRequest},
		{p, "203.0.113.2", api.CodeBadRequest},
		{p, "203.0.113.3", api.CodeRateLimited}, // the third of this customer
		{other, "203.0.113.1:2000", api.CodeBadRequest},
		{other, "203.0.113.1", api.CodeBadRequest},
		{other, "::ffff:203.0.113.1", api.CodeRateLimited}, // the fourth from there
		{s.person(2), "2001:db8:1:2:3::4", api.CodeUnauthenticated},
		{s.person(2), "[2001:db8:1:2:5::6]:99", api.CodeUnauthenticated},
		{s.person(2), "2001:db8:1:2::", api.CodeUnauthenticated},
		{s.person(2), "2001:db8:1:2:ffff::", api.CodeRateLimited}, // one network
		{s.person(2), "2001:db8:1:3::", api.CodeUnauthenticated},
		{s.person(2), "", api.CodeUnauthenticated},
		{s.person(2), "localhost", api.CodeUnauthenticated},
		{s.person(2), "unknown", api.CodeUnauthenticated},
		{s.person(2), "_hidden", api.CodeRateLimited}, // all callers without an address are one
	} {
		call.p.handler = handler
		if got := order(call.p, call.addr); got != call.want {
			t.Errorf("call %d from %q: %s, want %s", i, call.addr, got, call.want)
		}
	}
	// Signing in is counted by itself.
	if a := other.send(other.request("POST", api.PathAuthorize, []byte("{}"))); a.err.Code != api.CodeBadRequest {
		t.Errorf("signing in: %d %s", a.status, a.body)
	}
}

// Who looks too often is told what is known, and WeChat is left in peace.
func TestLooksBeyondTheLimitAskNobody(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(c.Pay)
	for _, by := range []string{"address", "owner"} {
		p.handler = s.open(func(cfg *settings, _ *wechat.Config) {
			if by == "address" {
				cfg.AddressLimit = &counter{}
			} else {
				cfg.OwnerLimit = &counter{}
			}
		})
		s.sim.Advance(queryPause)
		if o := p.get(c.Order.ID); o.Status != api.StatusPending || s.calls("orderquery") != 0 {
			t.Errorf("by %s: %s after %d questions", by, o.Status, s.calls("orderquery"))
		}
	}
	p.handler = s.open(nil)
	if o := p.get(c.Order.ID); o.Status != api.StatusPaid {
		t.Errorf("then it is %s", o.Status)
	}
}

func TestFailingLimiterStopsNobody(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	broken := &counter{err: errors.New("no limits today")}
	p.handler = s.open(func(cfg *settings, _ *wechat.Config) { cfg.AddressLimit, cfg.OwnerLimit = broken, broken })
	p.order("tea", 1)
	if len(broken.keys) != 4 || !strings.Contains(s.log.String(), "no limits today") {
		t.Errorf("asked %d times; log:\n%s", len(broken.keys), s.log)
	}
	for range 50 {
		p.send(p.request("POST", api.PathSession, nil))
	}
	if n := strings.Count(s.log.String(), "a rate limiter failed"); n != 1 {
		t.Errorf("%d lines in a minute", n)
	}
}
