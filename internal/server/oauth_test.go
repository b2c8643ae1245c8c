package server_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestSilentSignIn(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.person(0)
	p.fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
	code, state := p.authorize("/pay?order=abc", "")
	if !regexp.MustCompile(`^[0-9A-Za-z]{72}$`).MatchString(state) {
		t.Errorf("state %q", state)
	}
	var got api.TokenResponse
	p.must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &got)
	openid := p.user.OpenID
	masked := openid[:4] + "…" + openid[len(openid)-4:]
	if got.ReturnTo != "/pay?order=abc" || got.User != (api.User{OpenID: masked}) {
		t.Errorf("%+v", got)
	}
	var who api.Session
	p.must("GET", api.PathSession, nil, &who)
	if who.User != got.User {
		t.Errorf("session %+v", who)
	}
	if len(p.cookies) != 1 || p.cookies["__Host-h5pay_session"] == "" {
		t.Errorf("cookies %v", p.cookies)
	}
	if a := p.call("DELETE", api.PathSession, nil); a.status != http.StatusNoContent {
		t.Errorf("sign-out: %d", a.status)
	}
	p.fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
}

func TestSignInWithProfile(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(cfg *settings, _ *wechat.Config) { cfg.Scope = api.ScopeUserInfo })
	for i := range s.sim.Users() {
		p := s.person(i)
		code, state := p.authorize("/", "")
		var got api.TokenResponse
		p.must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &got)
		var who api.Session
		p.must("GET", api.PathSession, nil, &who)
		if got.User.Nickname != p.user.Nickname || who.User != got.User {
			t.Errorf("%+v, %+v, want %q", got, who, p.user.Nickname)
		}
		if s.calls("userinfo") != i+1 {
			t.Errorf("%d calls of userinfo", s.calls("userinfo"))
		}
	}
}

func TestSignInStandsWithoutAProfile(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{wechattest.FaultSystemError, wechattest.FaultBadGateway, wechattest.FaultTimeoutBefore} {
		s := newShop(t, func(cfg *settings, _ *wechat.Config) { cfg.Scope = api.ScopeUserInfo })
		p := s.person(0)
		code, state := p.authorize("/", "")
		s.fault(fault, "/sns/userinfo")
		var got api.TokenResponse
		p.must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &got)
		if got.User.Nickname != "" || s.loud() != 1 {
			t.Errorf("%s: %+v, %d loud lines", fault, got, s.loud())
		}
	}
}

func TestSessionEndsAfterSevenDays(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	s.sim.Advance(7*24*time.Hour - time.Minute)
	p.must("GET", api.PathSession, nil, &api.Session{})
	s.sim.Advance(time.Minute)
	p.fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
	p.fails(api.CodeUnauthenticated, "POST", api.PathOrders, basket("tea", 1))
}

func TestSignInDeclinedByWeChat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault string
		code  api.Code
		// Whether the same code and state may be tried again.
		again bool
	}{
		"code used":     {wechattest.FaultCodeUsed, api.CodeCodeUsed, false},
		"code expired":  {wechattest.FaultCodeExpired, api.CodeCodeInvalid, false},
		"snapshot user": {wechattest.FaultSnapshotUser, api.CodeSnapshotUser, false},
		"busy":          {wechattest.FaultSystemError, api.CodeWeChatBusy, true},
		"no answer":     {wechattest.FaultTimeoutBefore, api.CodeWeChatBusy, true},
		"bad gateway":   {wechattest.FaultBadGateway, api.CodeWeChatBusy, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, nil)
			p := s.person(0)
			code, state := p.authorize("/", "")
			s.fault(c.fault, "")
			req := api.TokenRequest{Code: code, State: state}
			p.fails(c.code, "POST", api.PathToken, req)
			p.fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
			if c.again {
				p.must("POST", api.PathToken, req, &api.TokenResponse{})
			} else {
				p.fails(api.CodeStateInvalid, "POST", api.PathToken, req)
			}
			if strings.Contains(s.log.String(), code) || strings.Contains(s.log.String(), state) {
				t.Errorf("code or state in the log:\n%s", s.log)
			}
		})
	}
}

func TestUsedCode(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.person(0)
	code, state := p.authorize("/", "")
	p.must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &api.TokenResponse{})
	// Back in the browser: the old URL, whose state is used up.
	p.fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: code, State: state})
	// An old code under a new state.
	_, state = p.authorize("/", "")
	p.fails(api.CodeCodeUsed, "POST", api.PathToken, api.TokenRequest{Code: code, State: state})
	// A code nobody gave.
	_, state = p.authorize("/", "")
	p.fails(api.CodeCodeInvalid, "POST", api.PathToken, api.TokenRequest{Code: "0garbage", State: state})
	// The sign-in that stood is not lost.
	p.must("GET", api.PathSession, nil, &api.Session{})
}

func TestStateIsBoundToTheBrowser(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	alice, mallory := s.person(0), s.person(1)
	malloryCode, malloryState := mallory.authorize("/", "")
	// Mallory's link in a browser that began nothing, and in one that did.
	alice.fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: malloryCode, State: malloryState})
	code, state := alice.authorize("/", "")
	for _, bad := range []string{"", "a b", "a\n", strings.Repeat("c", 513), "茶"} {
		alice.fails(api.CodeBadRequest, "POST", api.PathToken, api.TokenRequest{Code: bad, State: state})
	}
	alice.fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: malloryCode, State: malloryState})
	alice.fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: malloryCode, State: ""})
	alice.fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: malloryCode, State: state[:31]})
	// None of that used up her own.
	alice.must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &api.TokenResponse{})
	if n := s.calls("access_token"); n != 1 {
		t.Errorf("%d codes were exchanged", n)
	}
}

// A copy of the cookie, with a fresh code, is of no use once the sign-in has
// ended: with a session, or with an error.
func TestStateWorksOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *person, code, state string){
		"signed in": func(p *person, code, state string) {
			p.must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &api.TokenResponse{})
		},
		"declined": func(p *person, _, state string) {
			p.fails(api.CodeCodeInvalid, "POST", api.PathToken, api.TokenRequest{Code: "0garbage", State: state})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, nil)
			p := s.person(0)
			code, state := p.authorize("/", "")
			thief := s.person(1)
			thief.cookies = maps.Clone(p.cookies)
			end(p, code, state)
			fresh, _ := s.person(1).authorize("/", "")
			thief.fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: fresh, State: state})
			if thief.cookies["__Host-h5pay_session"] != "" {
				t.Error("the copy of a state signed somebody in")
			}
			s.sim.Advance(11 * time.Minute)
			s.reconcile()
			var left int
			if err := s.db.QueryRow(`SELECT count(*) FROM used_states`).Scan(&left); err != nil || left != 0 {
				t.Errorf("%d states are kept, %v", left, err)
			}
		})
	}
}

func TestStateEndsAfterTenMinutes(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.person(0)
	code, state := p.authorize("/", "")
	s.sim.Advance(10 * time.Minute)
	p.fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: code, State: state})
}

// A cookie of one purpose is nothing under the name of the other.
func TestCookiesCannotBeSwapped(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.person(0)
	p.authorize("/", "")
	p.cookies["__Host-h5pay_session"] = p.cookies["__Host-h5pay_state"]
	p.fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
}

func TestWrongSecretIsLoud(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(_ *settings, wx *wechat.Config) { wx.AppSecret = "00000000000000000000000000000000" })
	p := s.person(0)
	code, state := p.authorize("/", "")
	p.fails(api.CodeWeChatDeclined, "POST", api.PathToken, api.TokenRequest{Code: code, State: state})
	if s.loud() == 0 {
		t.Errorf("log:\n%s", s.log)
	}
}

func TestCookiesOfALocalShop(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(cfg *settings, _ *wechat.Config) { cfg.ShopURL = "http://localhost:8802" })
	p := s.person(0)
	r := p.request("POST", api.PathAuthorize, []byte(`{"return_to":"/"}`))
	r.Header.Set("Origin", "http://localhost:8802")
	a := p.send(r)
	cookie := a.header.Get("Set-Cookie")
	if !strings.HasPrefix(cookie, "h5pay_state=") || strings.Contains(cookie, "Secure") || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") {
		t.Errorf("cookie %q", cookie)
	}
}

func TestConfigAndProducts(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.person(0)
	var cfg api.Config
	p.must("GET", api.PathConfig, nil, &cfg)
	if cfg.AppID != wechattest.DefaultAppID || cfg.ShopName != wechattest.DefaultShopName || cfg.Scope != api.ScopeBase ||
		fmt.Sprint(cfg.TradeTypes) != "[JSAPI NATIVE MWEB]" || cfg.Currency != "CNY" {
		t.Errorf("%+v", cfg)
	}
	var list api.ProductList
	p.must("GET", api.PathProducts, nil, &list)
	if len(list.Products) != 7 || *list.Products[5].Amount != (api.AmountBounds{Min: 1, Max: 500_000}) || list.Products[0].ID != "tea" || list.Products[0].Price != 6800 || list.Products[0].Detail == "" {
		t.Errorf("%+v", list)
	}
	storetest.Exec(t, s.db, `DELETE FROM products`)
	if a := p.call("GET", api.PathProducts, nil); string(a.body) != "{\"products\":[]}\n" {
		t.Errorf("an empty shop: %s", a.body)
	}
}
