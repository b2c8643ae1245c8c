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
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestSilentSignIn(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewPerson(0)
	p.Fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
	code, state := p.Authorize("/pay?order=abc", "")
	if !regexp.MustCompile(`^[0-9A-Za-z]{72}$`).MatchString(state) {
		t.Errorf("state %q", state)
	}
	var got api.TokenResponse
	p.Must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &got)
	openid := p.User.OpenID
	masked := openid[:4] + "…" + openid[len(openid)-4:]
	if got.ReturnTo != "/pay?order=abc" || got.User != (api.User{OpenID: masked}) {
		t.Errorf("%+v", got)
	}
	var who api.Session
	p.Must("GET", api.PathSession, nil, &who)
	if who.User != got.User {
		t.Errorf("session %+v", who)
	}
	if len(p.Cookies) != 1 || p.Cookies["__Host-h5pay_session"] == "" {
		t.Errorf("cookies %v", p.Cookies)
	}
	if a := p.Call("DELETE", api.PathSession, nil); a.Status != http.StatusNoContent {
		t.Errorf("sign-out: %d", a.Status)
	}
	p.Fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
}

func TestSignInWithProfile(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Scope = api.ScopeUserInfo })
	for i := range s.Sim.Users() {
		p := s.NewPerson(i)
		code, state := p.Authorize("/", "")
		var got api.TokenResponse
		p.Must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &got)
		var who api.Session
		p.Must("GET", api.PathSession, nil, &who)
		if got.User.Nickname != p.User.Nickname || who.User != got.User {
			t.Errorf("%+v, %+v, want %q", got, who, p.User.Nickname)
		}
		if s.Calls("userinfo") != i+1 {
			t.Errorf("%d calls of userinfo", s.Calls("userinfo"))
		}
	}
}

func TestSignInStandsWithoutAProfile(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{wechattest.FaultSystemError, wechattest.FaultBadGateway, wechattest.FaultTimeoutBefore} {
		s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Scope = api.ScopeUserInfo })
		p := s.NewPerson(0)
		code, state := p.Authorize("/", "")
		s.Fault(fault, "/sns/userinfo")
		var got api.TokenResponse
		p.Must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &got)
		if got.User.Nickname != "" || s.ErrorLines() != 1 {
			t.Errorf("%s: %+v, %d log lines of level ERROR", fault, got, s.ErrorLines())
		}
	}
}

func TestSessionEndsAfterSevenDays(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	s.Sim.Advance(7*24*time.Hour - time.Minute)
	p.Must("GET", api.PathSession, nil, &api.Session{})
	s.Sim.Advance(time.Minute)
	p.Fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
	p.Fails(api.CodeUnauthenticated, "POST", api.PathOrders, paytest.Basket("tea", 1))
}

func TestSignInDeclinedByWeChat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault string
		code  api.Code
		// The value says whether the same code and state may be tried again.
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
			s := paytest.NewShop(t, nil)
			p := s.NewPerson(0)
			code, state := p.Authorize("/", "")
			s.Fault(c.fault, "")
			req := api.TokenRequest{Code: code, State: state}
			p.Fails(c.code, "POST", api.PathToken, req)
			p.Fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
			if c.again {
				p.Must("POST", api.PathToken, req, &api.TokenResponse{})
			} else {
				p.Fails(api.CodeStateInvalid, "POST", api.PathToken, req)
			}
			if strings.Contains(s.Log.String(), code) || strings.Contains(s.Log.String(), state) {
				t.Errorf("code or state in the log:\n%s", s.Log)
			}
		})
	}
}

func TestUsedCode(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewPerson(0)
	code, state := p.Authorize("/", "")
	p.Must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &api.TokenResponse{})
	// Back in the browser: the old URL with a used state.
	p.Fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: code, State: state})
	// An old code under a new state.
	_, state = p.Authorize("/", "")
	p.Fails(api.CodeCodeUsed, "POST", api.PathToken, api.TokenRequest{Code: code, State: state})
	// A code that WeChat did not issue.
	_, state = p.Authorize("/", "")
	p.Fails(api.CodeCodeInvalid, "POST", api.PathToken, api.TokenRequest{Code: "0garbage", State: state})
	// The existing session remains.
	p.Must("GET", api.PathSession, nil, &api.Session{})
}

func TestStateIsBoundToTheBrowser(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	alice, mallory := s.NewPerson(0), s.NewPerson(1)
	malloryCode, malloryState := mallory.Authorize("/", "")
	// Mallory's link in a browser without a sign-in, and in one with a sign-in of its own.
	alice.Fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: malloryCode, State: malloryState})
	code, state := alice.Authorize("/", "")
	for _, bad := range []string{"", "a b", "a\n", strings.Repeat("c", 513), "茶"} {
		alice.Fails(api.CodeBadRequest, "POST", api.PathToken, api.TokenRequest{Code: bad, State: state})
	}
	alice.Fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: malloryCode, State: malloryState})
	alice.Fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: malloryCode, State: ""})
	alice.Fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: malloryCode, State: state[:31]})
	// None of these used her own state.
	alice.Must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &api.TokenResponse{})
	if n := s.Calls("access_token"); n != 1 {
		t.Errorf("%d codes were exchanged", n)
	}
}

// After the sign-in has ended, with a session or an error, a copy of the cookie with a fresh code
// signs nobody in.
func TestStateWorksOnce(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *paytest.Person, code, state string){
		"signed in": func(p *paytest.Person, code, state string) {
			p.Must("POST", api.PathToken, api.TokenRequest{Code: code, State: state}, &api.TokenResponse{})
		},
		"declined": func(p *paytest.Person, _, state string) {
			p.Fails(api.CodeCodeInvalid, "POST", api.PathToken, api.TokenRequest{Code: "0garbage", State: state})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			p := s.NewPerson(0)
			code, state := p.Authorize("/", "")
			thief := s.NewPerson(1)
			thief.Cookies = maps.Clone(p.Cookies)
			end(p, code, state)
			fresh, _ := s.NewPerson(1).Authorize("/", "")
			thief.Fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: fresh, State: state})
			if thief.Cookies["__Host-h5pay_session"] != "" {
				t.Error("the copy of a state signed somebody in")
			}
			s.Sim.Advance(11 * time.Minute)
			s.Reconcile()
			var left int
			if err := s.DB.QueryRow(`SELECT count(*) FROM used_states`).Scan(&left); err != nil || left != 0 {
				t.Errorf("%d states are kept, %v", left, err)
			}
		})
	}
}

func TestStateEndsAfterTenMinutes(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewPerson(0)
	code, state := p.Authorize("/", "")
	s.Sim.Advance(10 * time.Minute)
	p.Fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: code, State: state})
}

// A cookie of one purpose is invalid under the name of the other.
func TestCookiesCannotBeSwapped(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewPerson(0)
	p.Authorize("/", "")
	p.Cookies["__Host-h5pay_session"] = p.Cookies["__Host-h5pay_state"]
	p.Fails(api.CodeUnauthenticated, "GET", api.PathSession, nil)
}

func TestWrongSecretIsLoud(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(_ *paytest.Settings, wx *wechat.Config) { wx.AppSecret = "00000000000000000000000000000000" })
	p := s.NewPerson(0)
	code, state := p.Authorize("/", "")
	p.Fails(api.CodeWeChatDeclined, "POST", api.PathToken, api.TokenRequest{Code: code, State: state})
	if s.ErrorLines() == 0 {
		t.Errorf("log:\n%s", s.Log)
	}
}

func TestCookiesOfALocalShop(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.ShopURL = "http://localhost:8802" })
	p := s.NewPerson(0)
	r := p.Request("POST", api.PathAuthorize, []byte(`{"return_to":"/"}`))
	r.Header.Set("Origin", "http://localhost:8802")
	a := p.Send(r)
	cookie := a.Header.Get("Set-Cookie")
	if !strings.HasPrefix(cookie, "h5pay_state=") || strings.Contains(cookie, "Secure") || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") {
		t.Errorf("cookie %q", cookie)
	}
}

func TestConfigAndProducts(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewPerson(0)
	var cfg api.Config
	p.Must("GET", api.PathConfig, nil, &cfg)
	if cfg.AppID != wechattest.DefaultAppID || cfg.ShopName != wechattest.DefaultShopName || cfg.Scope != api.ScopeBase ||
		fmt.Sprint(cfg.TradeTypes) != "[JSAPI NATIVE MWEB]" || cfg.Currency != "CNY" {
		t.Errorf("%+v", cfg)
	}
	var list api.ProductList
	p.Must("GET", api.PathProducts, nil, &list)
	if len(list.Products) != 7 || *list.Products[5].Amount != (api.AmountBounds{Min: 1, Max: 500_000}) || list.Products[0].ID != "tea" || list.Products[0].Price != 6800 || list.Products[0].Detail == "" {
		t.Errorf("%+v", list)
	}
	storetest.Exec(t, s.DB, `DELETE FROM products`)
	if a := p.Call("GET", api.PathProducts, nil); string(a.Body) != "{\"products\":[]}\n" {
		t.Errorf("an empty shop: %s", a.Body)
	}
}
