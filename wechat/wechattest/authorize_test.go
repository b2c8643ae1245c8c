package wechattest

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestSilentLinkRedirectsWithCodeAndState(t *testing.T) {
	w := newWorld(t)
	rec := w.do("GET", w.link(scopeBase), "")
	location := rec.Header().Get("Location")
	if rec.Code != 302 || !strings.HasPrefix(location, shopOrigin+"/pay?from=1&code=") || !strings.HasSuffix(location, "&state=State1") {
		t.Errorf("%d %s", rec.Code, location)
	}
	bare := strings.Replace(w.link(scopeBase), "%3Ffrom%3D1", "", 1)
	if location := w.do("GET", bare, "").Header().Get("Location"); !strings.HasPrefix(location, shopOrigin+"/pay?code=") {
		t.Errorf("without a query: %s", location)
	}
}

func TestSilentLinkInABrowserChecksTheFragment(t *testing.T) {
	w := newWorld(t)
	r := httptest.NewRequest("GET", w.link(scopeBase), nil)
	r.Header.Set("Sec-Fetch-Dest", "iframe")
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	if body := rec.Body.String(); rec.Code != 200 || !strings.Contains(body, `location.hash==="#wechat_redirect"`) || !strings.Contains(body, "code=") {
		t.Errorf("%d %s", rec.Code, body)
	}
}

func TestAuthorizeDeclinesWrongLinks(t *testing.T) {
	w := newWorld(t)
	good := w.link(scopeBase)
	replace := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	enc := url.QueryEscape
	for _, tt := range []struct{ name, target, want string }{
		{"no appid", replace("appid="+w.cfg.AppID+"&", ""), "10012"},
		{"empty appid", replace(w.cfg.AppID, ""), "10012"},
		{"another appid", replace(w.cfg.AppID, "wx0000000000000000"), "AppID 参数错误"},
		{"no redirect_uri", replace("redirect_uri=", "x="), "10011"},
		{"no scope", replace("&scope=snsapi_base", ""), "10010"},
		{"no state", replace("&state=State1", ""), "10013"},
		{"unknown scope", replace("snsapi_base", "snsapi_login"), "10005"},
		{"response_type token", replace("response_type=code", "response_type=token"), "该链接无法访问"},
		{"no response_type", replace("&response_type=code", ""), "该链接无法访问"},
		{"state first", pathAuthorize + "?state=State1&" + strings.TrimSuffix(strings.TrimPrefix(good, pathAuthorize+"?"), "&state=State1"), "该链接无法访问"},
		{"extra before state", replace("&state=", "&forcePopup=true&state="), "该链接无法访问"},
		{"unknown extra", good + "&foo=1", "该链接无法访问"},
		{"repeated", good + "&state=State1", "该链接无法访问"},
		{"bad percent", good + "&forcePopup=%zz", "该链接无法访问"},
		{"state with a dash", replace("State1", "a-b"), "state 参数错误"},
		{"state too long", replace("State1", strings.Repeat("a", 129)), "state 参数错误"},
		{"another host", replace(enc(shopOrigin), enc("https://evil.example")), "10003"},
		{"a sub-domain", replace(enc(shopOrigin), enc("https://a.shop.example")), "10003"},
		{"encoded twice", replace(enc(shopOrigin+"/pay?from=1"), enc(enc(shopOrigin+"/pay"))), "10003"},
		{"relative", replace(enc(shopOrigin), ""), "10003"},
		{"a scheme for apps", replace(enc("https:"), enc("ftp:")), "10003"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := w.do("GET", tt.target, "")
			if rec.Code != 200 || rec.Header().Get("Location") != "" || !strings.Contains(rec.Body.String(), tt.want) {
				t.Errorf("%d, want %s in %s", rec.Code, tt.want, rec.Body)
			}
			if w.last().Note == "" {
				t.Error("no note for the developer")
			}
		})
	}
	for _, extra := range []string{"&forcePopup=true", "&connect_redirect=1", "&forceSnapShot=false&forcePopup=false"} {
		if rec := w.do("GET", good+extra, ""); rec.Code != 302 {
			t.Errorf("%s: %d", extra, rec.Code)
		}
	}
}

// WeChat puts code and state before a fragment of redirect_uri.
func TestCodeComesBeforeAFragment(t *testing.T) {
	w := newWorld(t)
	for fragment, want := range map[string]string{"": "", "%23": "#", "%23%2Fpay%3Fx%3D1": "#/pay?x=1"} {
		rec := w.do("GET", strings.Replace(w.link(scopeBase), "from%3D1", "from%3D1"+fragment, 1), "")
		location := rec.Header().Get("Location")
		before, after, _ := strings.Cut(location, "#")
		if want != "" {
			want = strings.TrimPrefix(want, "#")
		}
		if rec.Code != 302 || !strings.HasPrefix(before, shopOrigin+"/pay?from=1&code=") || !strings.HasSuffix(before, "&state=State1") || after != want {
			t.Errorf("%q: %d %s", fragment, rec.Code, location)
		}
		if noted := strings.Contains(w.last().Note, "fragment"); noted != (fragment != "") {
			t.Errorf("%q: note %q", fragment, w.last().Note)
		}
	}
	// The same for a redirect_uri without a query.
	rec := w.do("GET", strings.Replace(w.link(scopeBase), "%3Ffrom%3D1", "%23top", 1), "")
	if l := rec.Header().Get("Location"); !strings.HasPrefix(l, shopOrigin+"/pay?code=") || !strings.HasSuffix(l, "&state=State1#top") {
		t.Errorf("%d %s", rec.Code, l)
	}
}

// A copied return link: the code is valid and belongs to another person.
func TestACopiedLanding(t *testing.T) {
	for _, scope := range []string{scopeBase, scopeUserInfo} {
		w := newWorld(t)
		if err := w.AddFault(Fault{Kind: FaultLandingCopied}); err != nil {
			t.Fatal(err)
		}
		rec := w.do("GET", w.link(scope), "")
		u, err := url.Parse(rec.Header().Get("Location"))
		if err != nil || rec.Code != 302 || u.Query().Get("state") == "State1" || len(u.Query().Get("state")) != len("State1") {
			t.Fatalf("%d %s", rec.Code, u)
		}
		if got := w.json(w.exchangePath(u.Query().Get("code"))); got["openid"] == w.User().OpenID || got["openid"] == nil {
			t.Errorf("%v", got)
		}
		// The next one is the person's own.
		if got := w.json(w.exchangePath(w.code(scopeBase))); got["openid"] != w.User().OpenID {
			t.Errorf("%v", got)
		}
	}
}

func TestOAuthDomainWithPathCoversThatPrefix(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.OAuthDomain = "shop.example/pay" })
	if rec := w.do("GET", w.link(scopeBase), ""); rec.Code != 302 {
		t.Error("inside the path: declined")
	}
	if rec := w.do("GET", strings.Replace(w.link(scopeBase), "%2Fpay", "%2Fother", 1), ""); rec.Code != 200 {
		t.Error("outside the path: accepted")
	}
}

func TestConsentPageRedirectsAfterBothDecisions(t *testing.T) {
	w := newWorld(t)
	w.do("GET", w.link(scopeUserInfo), "")
	page := w.do("GET", w.link(scopeUserInfo), "")
	for _, want := range []string{"允许", "拒绝", "林小满", DefaultShopName} {
		if !strings.Contains(page.Body.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	cs := w.Consents()
	if len(cs) != 2 || cs[0].State != ConsentOpen {
		t.Fatalf("%+v", cs)
	}
	rec := w.do("POST", pathConsent, "id="+cs[0].ID+"&decision=approve")
	if l := rec.Header().Get("Location"); rec.Code != 302 || !strings.Contains(l, "&code=") {
		t.Errorf("approved: %d %s", rec.Code, l)
	}
	rec = w.do("POST", pathConsent, "id="+cs[1].ID+"&decision=decline")
	if l := rec.Header().Get("Location"); l != shopOrigin+"/pay?from=1&state=State1" {
		t.Errorf("declined: %s", l)
	}
	if rec := w.do("POST", pathConsent, "id="+cs[1].ID+"&decision=approve"); rec.Header().Get("Location") != "" {
		t.Error("answered twice")
	}
	if _, err := w.Decide("nope", true); !errors.Is(err, ErrUnknownConsent) {
		t.Error(err)
	}
	if rec := w.do("GET", pathConsent+"?id="+cs[1].ID, ""); !strings.Contains(rec.Body.String(), `"declined"`) {
		t.Errorf("poll: %s", rec.Body)
	}
}

func TestConsentPageEscapesTheNickname(t *testing.T) {
	w := newWorld(t)
	if err := w.SetUser(w.Users()[2].OpenID); err != nil {
		t.Fatal(err)
	}
	body := w.do("GET", w.link(scopeUserInfo), "").Body.String()
	if strings.Contains(body, "<Jerry>") || !strings.Contains(body, "&lt;Jerry&gt;") {
		t.Error(body)
	}
}

func TestCodeIsSingleUseAndLivesFiveMinutes(t *testing.T) {
	w := newWorld(t)
	code := w.code(scopeBase)
	got := w.json(w.exchangePath(code))
	if got["openid"] != w.User().OpenID || got["scope"] != scopeBase || got["expires_in"] != 7200.0 || got["errcode"] != nil || got["is_snapshotuser"] != nil {
		t.Errorf("%v", got)
	}
	if got := w.json(w.exchangePath(code)); got["errcode"] != 40163.0 || !strings.Contains(got["errmsg"].(string), ", rid: ") {
		t.Errorf("second use: %v", got)
	}
	late := w.code(scopeBase)
	w.Advance(codeLife + time.Second)
	if got := w.json(w.exchangePath(late)); got["errcode"] != 40029.0 {
		t.Errorf("after five minutes: %v", got)
	}
	if got := w.json(w.exchangePath("garbage")); got["errcode"] != 40029.0 {
		t.Errorf("garbage: %v", got)
	}
}

func TestAccessTokenDeclinesWrongArguments(t *testing.T) {
	w := newWorld(t)
	code := w.code(scopeBase)
	good := w.exchangePath(code)
	for _, tt := range []struct {
		name, old, new string
		want           float64
	}{
		{"no appid", "appid=" + w.cfg.AppID, "", 41002},
		{"no secret", w.cfg.AppSecret, "", 41004},
		{"no code", code, "", 41008},
		{"no grant_type", "authorization_code", "", 40002},
		{"grant_type refresh", "authorization_code", "refresh_token", 40002},
		{"another appid", w.cfg.AppID, "wx0000000000000000", 40013},
		{"another secret", w.cfg.AppSecret, "x", 40125},
	} {
		if got := w.json(strings.Replace(good, tt.old, tt.new, 1)); got["errcode"] != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if rec := w.do("POST", good, ""); !strings.Contains(rec.Body.String(), "43001") {
		t.Errorf("POST: %s", rec.Body)
	}
	if got := w.json(good); got["errcode"] != nil {
		t.Errorf("a declined call used the code up: %v", got)
	}
	for _, m := range w.Messages(0) {
		if strings.Contains(m.URL, w.cfg.AppSecret) {
			t.Fatal("the appsecret is in a message")
		}
	}
}

func TestUserInfoNeedsTheScopeAndAValidToken(t *testing.T) {
	w := newWorld(t)
	base := w.json(w.exchangePath(w.code(scopeBase)))
	full := w.json(w.exchangePath(w.code(scopeUserInfo)))
	path := func(token map[string]any, openID string) string {
		return pathUserInfo + "?access_token=" + token["access_token"].(string) + "&openid=" + openID + "&lang=zh_CN"
	}
	me := w.User().OpenID
	got := w.json(path(full, me))
	if got["nickname"] != "林小满" || got["sex"] != 0.0 || got["errcode"] != nil || !strings.HasPrefix(got["headimgurl"].(string), "http://") {
		t.Errorf("%v", got)
	}
	if rec := w.do("GET", got["headimgurl"].(string), ""); rec.Header().Get("Content-Type") != "image/svg+xml" {
		t.Errorf("avatar: %d %v", rec.Code, rec.Header())
	}
	if got := w.json(pathAuth + "?access_token=" + base["access_token"].(string) + "&openid=" + me); got["errcode"] != 0.0 {
		t.Errorf("auth: %v", got)
	}
	for name, tt := range map[string]struct {
		target string
		want   float64
	}{
		"base scope":     {path(base, me), 48001},
		"another openid": {path(full, w.Users()[1].OpenID), 40003},
		"no openid":      {path(full, ""), 41009},
		"no token":       {pathUserInfo + "?openid=" + me, 41001},
		"unknown token":  {pathUserInfo + "?access_token=x&openid=" + me, 40001},
	} {
		if got := w.json(tt.target); got["errcode"] != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	w.Advance(tokenLife + time.Second)
	if got := w.json(path(full, me)); got["errcode"] != 42001.0 {
		t.Errorf("after two hours: %v", got)
	}
	refresh := pathRefreshToken + "?appid=" + w.cfg.AppID + "&grant_type=refresh_token&refresh_token=" + full["refresh_token"].(string)
	fresh := w.json(refresh)
	if got := w.json(path(fresh, me)); got["errcode"] != nil || fresh["access_token"] == full["access_token"] {
		t.Errorf("after a refresh: %v", got)
	}
	if again := w.json(refresh); again["access_token"] != fresh["access_token"] {
		t.Error("a living token was replaced")
	}
	w.Advance(refreshLife)
	if got := w.json(refresh); got["errcode"] != 42002.0 {
		t.Errorf("after thirty days: %v", got)
	}
	if got := w.json(strings.Replace(refresh, "refresh_token=94_", "refresh_token=x", 1)); got["errcode"] != 40030.0 {
		t.Errorf("unknown refresh_token: %v", got)
	}
}

func TestSnapshotUserIsVirtual(t *testing.T) {
	w := newWorld(t)
	if err := w.AddFault(Fault{Kind: FaultSnapshotUser}); err != nil {
		t.Fatal(err)
	}
	got := w.json(w.exchangePath(w.code(scopeBase)))
	if got["is_snapshotuser"] != 1.0 || got["openid"] == w.User().OpenID {
		t.Errorf("%v", got)
	}
	reply := w.pay(pathUnifiedOrder, with(w.order("snap01"), "openid", got["openid"].(string)))
	if valueOf(reply, "err_code") != "INVALID_REQUEST" {
		t.Errorf("a snapshot user got an order: %v", reply)
	}
}
