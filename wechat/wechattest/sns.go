package wechattest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Lives of the web tokens (docs/wechat.md 1.7).
const (
	tokenLife   = 7200 * time.Second
	refreshLife = 30 * 24 * time.Hour
)

// token is a web access token with its refresh token.
type token struct {
	access, refresh string
	user            User
	scope           string
	snapshot        bool
	expires         time.Time
	refreshExpires  time.Time
}

// errcode responds with an error of the sns hosts: HTTP 200, text/plain. errmsg ends with a request
// id, so a client cannot compare the whole text.
func (x *exchange) errcode(code int, text string) {
	x.json(map[string]any{"errcode": code, "errmsg": text + ", rid: " + x.w.ids.rid()})
}

// json responds as the sns hosts do: text/plain without charset, slashes
// escaped, other characters raw.
func (x *exchange) json(v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("wechattest: " + err.Error()) // only strings and numbers get here
	}
	x.reply(http.StatusOK, "text/plain", strings.ReplaceAll(strings.TrimSpace(b.String()), "/", `\/`))
}

// snsGuard makes the checks that all sns calls share.
func (x *exchange) snsGuard() bool {
	if x.r.Method != http.MethodGet {
		x.errcode(43001, "require GET method")
		return false
	}
	if _, ok := x.w.takeFault(FaultSystemError, x.r.URL.Path); ok {
		x.note("fault system_error: nothing was done")
		x.errcode(-1, "system error")
		return false
	}
	return true
}

// accessToken serves /sns/oauth2/access_token.
func (w *WeChat) accessToken(x *exchange) {
	if !x.snsGuard() {
		return
	}
	q := x.r.URL.Query()
	code := q.Get("code")
	switch {
	case q.Get("appid") == "":
		x.errcode(41002, "appid missing")
	case q.Get("secret") == "":
		x.errcode(41004, "appsecret missing")
	case code == "":
		x.errcode(41008, "missing code")
	case q.Get("grant_type") != "authorization_code":
		x.errcode(40002, "invalid grant_type")
	case q.Get("appid") != w.cfg.AppID:
		x.errcode(40013, "invalid appid")
	case q.Get("secret") != w.cfg.AppSecret:
		x.errcode(40125, "invalid appsecret, view more at http://t.cn/RAEkdVq")
	case x.accountFault():
	default:
		w.exchangeCode(x, code)
	}
}

// exchangeCode turns a code into a token, once.
func (w *WeChat) exchangeCode(x *exchange, code string) {
	if _, ok := w.takeFault(FaultCodeUsed, ""); ok {
		x.note("fault code_used")
		x.errcode(40163, "code been used")
		return
	}
	if _, ok := w.takeFault(FaultCodeExpired, ""); ok {
		x.note("fault code_expired")
		x.errcode(42003, "code expired")
		return
	}
	w.mu.Lock()
	g := w.grants[code]
	switch {
	case g == nil:
		w.mu.Unlock()
		x.note("this code was never given out")
		x.errcode(40029, "invalid code")
		return
	case g.used:
		w.mu.Unlock()
		x.note("a code is single use: this one was exchanged before (Back, reload, a shared address, a second call)")
		x.errcode(40163, "code been used")
		return
	case w.Now().Sub(g.made) > codeLife:
		w.mu.Unlock()
		x.note("a code lives 5 minutes; this one expired")
		x.errcode(40029, "invalid code")
		return
	}
	g.used = true
	w.mu.Unlock()

	user, snapshot := g.user, g.snapshot
	if _, ok := w.takeFault(FaultSnapshotUser, ""); ok {
		x.note("fault snapshot_user: a virtual user")
		snapshot = true
	}
	if snapshot {
		// docs/wechat.md 1.10: openid, nickname and avatar are all fake.
		user = User{OpenID: "o" + w.ids.text(base64url, 27), Nickname: "微信用户"}
	}
	t := w.newToken(user, g.scope, snapshot)
	reply := tokenReply(t)
	if user.UnionID != "" && g.scope == scopeUserInfo {
		reply["unionid"] = user.UnionID
	}
	x.json(reply)
}

// newToken makes a token.
func (w *WeChat) newToken(user User, scope string, snapshot bool) *token {
	t := &token{
		access: "94_" + w.ids.text(base64url, 86), refresh: "94_" + w.ids.text(base64url, 86),
		user: user, scope: scope, snapshot: snapshot,
		expires: w.Now().Add(tokenLife), refreshExpires: w.Now().Add(refreshLife),
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokens[t.access], w.refreshTokens[t.refresh] = t, t
	return t
}

// tokenReply is the reply of access_token and refresh_token.
func tokenReply(t *token) map[string]any {
	m := map[string]any{
		"access_token": t.access, "expires_in": int(tokenLife.Seconds()), "refresh_token": t.refresh,
		"openid": t.user.OpenID, "scope": t.scope,
	}
	if t.snapshot {
		m["is_snapshotuser"] = 1
	}
	return m
}

// refreshToken serves /sns/oauth2/refresh_token, which takes no secret.
func (w *WeChat) refreshToken(x *exchange) {
	if !x.snsGuard() {
		return
	}
	q := x.r.URL.Query()
	now := w.Now()
	w.mu.Lock()
	t := w.refreshTokens[q.Get("refresh_token")]
	w.mu.Unlock()
	switch {
	case q.Get("appid") == "":
		x.errcode(41002, "appid missing")
	case q.Get("grant_type") != "refresh_token":
		x.errcode(40002, "invalid grant_type")
	case q.Get("refresh_token") == "":
		x.errcode(41003, "refresh_token missing")
	case q.Get("appid") != w.cfg.AppID:
		x.errcode(40013, "invalid appid")
	case t == nil:
		x.errcode(40030, "invalid refresh_token")
	case now.After(t.refreshExpires):
		x.errcode(42002, "refresh_token expired")
	default:
		// docs/wechat.md 1.9: a valid token is kept and extended, an expired one is replaced.
		w.mu.Lock()
		if now.After(t.expires) {
			delete(w.tokens, t.access)
			t.access = "94_" + w.ids.text(base64url, 86)
			w.tokens[t.access] = t
		}
		t.expires = now.Add(tokenLife)
		reply := tokenReply(t)
		w.mu.Unlock()
		x.json(reply)
	}
}

// findToken checks access_token and openid of a call; nil means that the response is
// written.
func (w *WeChat) findToken(x *exchange) *token {
	q := x.r.URL.Query()
	w.mu.Lock()
	var t *token
	if found := w.tokens[q.Get("access_token")]; found != nil {
		c := *found
		t = &c
	}
	w.mu.Unlock()
	switch {
	case q.Get("access_token") == "":
		x.errcode(41001, "access_token missing")
	case q.Get("openid") == "":
		x.errcode(41009, "missing openid")
	case t == nil:
		x.errcode(40001, "invalid credential, access_token is invalid or not latest")
	case w.Now().After(t.expires):
		x.errcode(42001, "access_token expired")
	case q.Get("openid") != t.user.OpenID:
		x.errcode(40003, "invalid openid")
	default:
		return t
	}
	return nil
}

// auth serves /sns/auth, the one success with an errcode.
func (w *WeChat) auth(x *exchange) {
	if x.snsGuard() && w.findToken(x) != nil {
		x.json(map[string]any{"errcode": 0, "errmsg": "ok"})
	}
}

// userInfo serves /sns/userinfo.
func (w *WeChat) userInfo(x *exchange) {
	if !x.snsGuard() {
		return
	}
	t := w.findToken(x)
	if t == nil {
		return
	}
	if t.scope != scopeUserInfo {
		x.note("the token's scope is %s: userinfo needs snsapi_userinfo", t.scope)
		x.errcode(48001, "api unauthorized")
		return
	}
	switch lang := x.r.URL.Query().Get("lang"); lang {
	case "", "zh_CN", "zh_TW", "en":
	default:
		x.note("lang is %q; known: zh_CN, zh_TW, en", lang)
	}
	m := map[string]any{
		"openid": t.user.OpenID, "nickname": t.user.Nickname,
		// Always 0 and empty since 2021-10-20.
		"sex": 0, "language": "", "city": "", "province": "", "country": "",
		"headimgurl": w.avatarURL(x.r, t.user), "privilege": []string{},
	}
	if t.user.UnionID != "" {
		m["unionid"] = t.user.UnionID
	}
	x.json(m)
}

// accountFault applies the faults of a code exchange. It reports whether it has responded.
func (x *exchange) accountFault() bool {
	for _, f := range []struct {
		kind string
		code int
		text string
	}{
		{FaultIPNotListed, 40164, "invalid ip, not in whitelist"},
		{FaultSecretFrozen, 40243, "AppSecret has been frozen"},
		{FaultNoWebAuthorization, 48001, "api unauthorized"},
	} {
		if _, ok := x.w.takeFault(f.kind, ""); ok {
			x.note("fault %s", f.kind)
			x.errcode(f.code, f.text)
			return true
		}
	}
	return false
}
