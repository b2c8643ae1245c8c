package server

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/wechat"
)

// countedBox counts the cookies that it opens.
type countedBox struct {
	box
	opened int
}

func (c *countedBox) Open(text, about string) ([]byte, bool, error) {
	c.opened++
	return c.box.Open(text, about)
}

// A limited call needs the caller in the middleware and in the handler.
func TestSessionCookieIsOpenedOnce(t *testing.T) {
	t.Parallel()
	cfg := Config{SessionKey: wechat.Secret("0123456789abcdef0123456789abcdef"), Rand: rand.Reader, Now: time.Now, OwnerLimit: generous{}}
	sealer, err := newSealer(cfg, "wx", sessionCookie, false)
	if err != nil {
		t.Fatal(err)
	}
	counted := &countedBox{box: sealer.box}
	sealer.box = counted
	s := &Server{cfg: cfg, log: slog.New(slog.DiscardHandler), rand: cfg.Rand, now: cfg.Now, session: sealer}

	set := httptest.NewRecorder()
	if err := sealer.set(set, session{OpenID: "openid"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method string
		cookie bool
		owner  string
		opened int
	}{
		{http.MethodPost, true, "openid", 1},
		{http.MethodGet, true, "openid", 1},
		{http.MethodPost, false, "", 0},
	} {
		counted.opened = 0
		r := httptest.NewRequest(c.method, api.PathOrders, nil)
		if c.cookie {
			r.AddCookie(set.Result().Cookies()[0])
		}
		served := false
		s.middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			served = true
			for range 2 {
				if who, _ := s.caller(r); who.owner() != c.owner {
					t.Errorf("%+v: the caller is %q", c, who.owner())
				}
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
		if !served || counted.opened != c.opened {
			t.Errorf("%+v: served %v, the cookie was opened %d times", c, served, counted.opened)
		}
	}
}

// generous is a Limiter that allows every call.
type generous struct{}

func (generous) Allow(context.Context, string) (bool, error) { return true, nil }
