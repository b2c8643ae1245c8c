package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat"
)

// countLines counts the log's lines above DEBUG, without those that contain one of the texts.
func countLines(s *paytest.Shop, except ...string) (n int) {
lines:
	for line := range strings.Lines(s.Log.String()) {
		if strings.Contains(line, "level=DEBUG") {
			continue
		}
		for _, text := range except {
			if strings.Contains(line, text) {
				continue lines
			}
		}
		n++
	}
	return n
}

// A thousand calls of strangers of each kind write one line per minute, and the next line has their
// number. WeChat's own calls are never limited.
func TestStrangersCannotFillTheLog(t *testing.T) {
	t.Parallel()
	const calls = 1000
	for name, c := range map[string]struct {
		path, body, origin, token string
		msg                       string
	}{
		"forged notification":        {path: api.PathNotifyPay, body: "<xml><sign>x</sign></xml>", msg: `level=ERROR msg="notification rejected"`},
		"forged refund notification": {path: api.PathNotifyRefund, body: "<xml></xml>", msg: `level=ERROR msg="notification rejected"`},
		"long notification":          {path: api.PathNotifyPay, body: strings.Repeat("x", 65<<10), msg: `level=ERROR msg="notification rejected"`},
		"wrong token":                {path: "/v1/orders", body: "{}", token: "wrong", msg: `level=WARN msg="an API key is rejected"`},
		"another site":               {path: api.PathToken, body: "{}", origin: "https://evil.example", msg: `level=WARN msg="a call of another site's page is rejected"`},
		"over the limit":             {path: api.PathToken, body: "{}", msg: `level=WARN msg="a call over the rate limit is rejected"`},
	} {
		t.Run(name, func(t *testing.T) {
			limit := &perKey{limit: 3}
			if name != "over the limit" {
				limit.limit = 2 * calls
			}
			s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.AddressLimit, cfg.OwnerLimit = limit, limit })
			p := s.NewPerson(0)
			before := countLines(s)
			send := func() paytest.Answer {
				p.Token = c.token
				r := p.Request("POST", c.path, []byte(c.body))
				if c.origin != "" {
					r.Header.Set("Origin", c.origin)
				}
				return p.Send(r)
			}
			for range calls {
				send()
			}
			if n := countLines(s) - before; n != 1 || strings.Count(s.Log.String(), c.msg) != 1 {
				t.Errorf("%d lines:\n%s", n, s.Log)
			}
			s.Signer.LogHeld()
			if n := countLines(s) - before; n != 1 {
				t.Errorf("%d lines within the minute", n)
			}
			s.Sim.Advance(time.Minute)
			s.Signer.LogHeld()
			held := calls - 1
			if name == "over the limit" {
				held -= 3
			}
			want := fmt.Sprintf("not_logged=%d", held)
			if n := countLines(s) - before; n != 2 || !strings.Contains(s.Log.String(), want) {
				t.Errorf("%d lines, want %s:\n%s", n, want, s.Log)
			}
			s.Signer.LogHeld()
			send()
			send()
			s.Sim.Advance(time.Minute)
			send()
			if n := countLines(s) - before; n != 4 || strings.Count(s.Log.String(), "not_logged=1\n") != 1 {
				t.Errorf("%d lines at last:\n%s", n, s.Log)
			}
		})
	}
}

// Calls with a wrong operator's token are limited by address. Calls with the token are not, even
// from that address.
func TestWrongTokensAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	limit := &perKey{limit: 10}
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.AddressLimit = limit })
	guess := func(i int, token string) paytest.Answer {
		p := s.NewPerson(i)
		p.Token = token
		return p.Send(p.Request("GET", "/v1/counters", nil))
	}
	for i := range 40 {
		want := api.CodeUnauthenticated
		if i >= 10 {
			want = api.CodeRateLimited
		}
		if a := guess(0, strings.Repeat("x", 33)); a.Err.Code != want || want == api.CodeRateLimited && a.Header.Get("Retry-After") != "60" {
			t.Errorf("guess %d: %d %s", i, a.Status, a.Body)
		}
	}
	for range 20 {
		if a := guess(0, paytest.AdminToken); a.Status != 200 {
			t.Fatalf("the operator, from the same address: %d %s", a.Status, a.Body)
		}
	}
	if a := guess(1, "wrong"); a.Err.Code != api.CodeUnauthenticated {
		t.Errorf("another address: %d %s", a.Status, a.Body)
	}
	// The health page is limited, but not for the operator.
	for i := range 20 {
		p := s.NewPerson(0)
		if a := p.Send(p.Request("GET", api.PathHealth, nil)); (a.Status == 429) != (i >= 10) {
			t.Errorf("look %d: %d", i, a.Status)
		}
		if p.Token = paytest.AdminToken; p.Send(p.Request("GET", api.PathHealth, nil)).Status == 429 {
			t.Error("the operator's look is limited")
		}
	}
}

// Notifications are not limited by address, because all of WeChat's come from a few.
func TestNotificationsAreNeverLimited(t *testing.T) {
	t.Parallel()
	none := &counter{}
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.AddressLimit, cfg.OwnerLimit = none, none })
	p := s.NewPerson(0)
	for _, path := range []string{api.PathNotifyPay, api.PathNotifyRefund} {
		for range 20 {
			if a := p.Send(p.Request("POST", path, []byte("<xml></xml>"))); a.Status != 200 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		}
	}
	if len(none.keys) != 0 {
		t.Errorf("counted as %q", none.keys)
	}
}

// perKey allows a number of calls under each key.
type perKey struct {
	limit  int
	counts map[string]int
}

func (c *perKey) Allow(_ context.Context, key string) (bool, error) {
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[key]++
	return c.counts[key] <= c.limit, nil
}
