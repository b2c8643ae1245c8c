package wechat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestNewNamesTheBadFieldAndNotItsValue(t *testing.T) {
	for field, bad := range map[string][]func(*Config){
		"AppID":        {func(c *Config) { c.AppID = "" }, func(c *Config) { c.AppID = "wx&BAD" }, func(c *Config) { c.AppID = strings.Repeat("BAD", 11) }},
		"AppSecret":    {func(c *Config) { c.AppSecret = "" }, func(c *Config) { c.AppSecret = Secret(testSecret[:31] + "\n") }, func(c *Config) { c.AppSecret = "BAD" }},
		"MchID":        {func(c *Config) { c.MchID = "" }, func(c *Config) { c.MchID = "12BAD" }, func(c *Config) { c.MchID = strings.Repeat("1", 33) }},
		"APIKey":       {func(c *Config) { c.APIKey = "" }, func(c *Config) { c.APIKey = "BAD" }, func(c *Config) { c.APIKey = testKey + "\n" }, func(c *Config) { c.APIKey = Secret(testKey[:31] + " ") }},
		"SignType":     {func(c *Config) { c.SignType = "RSA" }, func(c *Config) { c.SignType = "md5" }},
		"Doer":         {func(c *Config) { c.Doer = nil }},
		"OpenURL":      {func(c *Config) { c.OpenURL = "open.BAD" }, func(c *Config) { c.OpenURL = "https://BAD?x" }},
		"APIURL":       {func(c *Config) { c.APIURL = "ftp://BAD" }, func(c *Config) { c.APIURL = "https://BAD#" }},
		"MchBackupURL": {func(c *Config) { c.MchBackupURL = "BAD" }, func(c *Config) { c.MchBackupURL = "https://BAD?x" }},
		"MchURL":       {func(c *Config) { c.MchURL = "https:///BAD" }, func(c *Config) { c.MchURL = "https://u:BAD@h" }, func(c *Config) { c.MchURL = "https://B AD" }, func(c *Config) { c.MchURL = "https://h/%zzBAD" }},
	} {
		for i, change := range bad {
			cfg := Config{AppID: testAppID, AppSecret: testSecret, MchID: testMchID, APIKey: testKey, Doer: &script{}}
			change(&cfg)
			c, err := New(cfg)
			if err == nil || c != nil {
				t.Errorf("%s, %d: accepted", field, i)
				continue
			}
			if !strings.Contains(err.Error(), field) || strings.Contains(err.Error(), "BAD") || strings.Contains(err.Error(), testKey[:8]) {
				t.Errorf("%s, %d: %v", field, i, err)
			}
		}
	}
}

func TestNewFillsInWhatIsLeftOut(t *testing.T) {
	c, err := New(Config{AppID: testAppID, AppSecret: testSecret, MchID: testMchID, APIKey: testKey, Doer: &script{}})
	if err != nil {
		t.Fatal(err)
	}
	if c.cfg.SignType != SignHMAC || c.cfg.OpenURL != "https://open.weixin.qq.com" ||
		c.cfg.APIURL != "https://api.weixin.qq.com" || c.cfg.MchURL != "https://api.mch.weixin.qq.com" {
		t.Errorf("%s, %s, %s, %s", c.cfg.SignType, c.cfg.OpenURL, c.cfg.APIURL, c.cfg.MchURL)
	}
	if d := time.Since(c.cfg.Now()); d < 0 || d > time.Minute {
		t.Errorf("the clock is %v off", d)
	}
}

func TestAuthorizeURL(t *testing.T) {
	c, _ := newClient(t, unread(t))
	for name, tt := range map[string]struct {
		redirect string
		scope    Scope
		state    string
		want     string
	}{
		"base": {"https://shop.example/pay", ScopeBase, "State1",
			"https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0123456789abcdef&redirect_uri=https%3A%2F%2Fshop.example%2Fpay&response_type=code&scope=snsapi_base&state=State1#wechat_redirect"},
		"userinfo, query, port": {"http://localhost:8802/a%20b?target=%2Fx&y=茶", ScopeUserInfo, "0",
			"https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0123456789abcdef&redirect_uri=http%3A%2F%2Flocalhost%3A8802%2Fa%2520b%3Ftarget%3D%252Fx%26y%3D%E8%8C%B6&response_type=code&scope=snsapi_userinfo&state=0#wechat_redirect"},
		"longest state": {"https://s", ScopeBase, strings.Repeat("z", 128),
			"https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0123456789abcdef&redirect_uri=https%3A%2F%2Fs&response_type=code&scope=snsapi_base&state=" + strings.Repeat("z", 128) + "#wechat_redirect"},
	} {
		got, err := c.AuthorizeURL(tt.redirect, tt.scope, tt.state)
		if err != nil || got != tt.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", name, got, err, tt.want)
			continue
		}
		u, err := url.Parse(got)
		if err != nil || u.Query().Get("redirect_uri") != tt.redirect {
			t.Errorf("%s: redirect_uri does not come back: %v", name, err)
		}
	}
	other, _ := newClient(t, unread(t), func(cfg *Config) { cfg.OpenURL = "http://localhost:8800/" })
	if got, err := other.AuthorizeURL("https://s", ScopeBase, "x"); err != nil || !strings.HasPrefix(got, "http://localhost:8800/connect/oauth2/authorize?appid=") {
		t.Errorf("%s, %v", got, err)
	}
}

func TestAuthorizeURLRejectsBadInput(t *testing.T) {
	c, _ := newClient(t, unread(t))
	const good = "https://shop.example/pay"
	for name, tt := range map[string]struct {
		redirect string
		scope    Scope
		state    string
	}{
		"relative":       {"/pay", ScopeBase, "x"},
		"no scheme":      {"//shop.example/pay", ScopeBase, "x"},
		"other scheme":   {"javascript://shop.example/%0aalert(1)", ScopeBase, "x"},
		"no host":        {"https:///pay", ScopeBase, "x"},
		"port only":      {"https://:443/pay", ScopeBase, "x"},
		"user":           {"https://shop.example@evil.example/", ScopeBase, "x"},
		"fragment":       {good + "#/route", ScopeBase, "x"},
		"empty fragment": {good + "#", ScopeBase, "x"},
		"space":          {good + "?a=b c", ScopeBase, "x"},
		"control":        {good + "\r\n", ScopeBase, "x"},
		"bad escape":     {"https://%zz/", ScopeBase, "x"},
		"no redirect":    {"", ScopeBase, "x"},
		"no scope":       {good, "", "x"},
		"unknown scope":  {good, "snsapi_login", "x"},
		"both scopes":    {good, "snsapi_base,snsapi_userinfo", "x"},
		"no state":       {good, ScopeBase, ""},
		"long state":     {good, ScopeBase, strings.Repeat("x", 129)},
		"state sign":     {good, ScopeBase, "a-b"},
		"state letters":  {good, ScopeBase, "é"},
		"state parts":    {good, ScopeBase, "a&scope=snsapi_userinfo"},
	} {
		if got, err := c.AuthorizeURL(tt.redirect, tt.scope, tt.state); err == nil || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestPayParams(t *testing.T) {
	for _, algorithm := range []SignType{SignMD5, SignHMAC} {
		c, _ := newClient(t, unread(t), func(cfg *Config) { cfg.SignType = algorithm })
		p, err := c.PayParams("wx01")
		if err != nil {
			t.Fatal(err)
		}
		if p.AppID != testAppID || p.TimeStamp != "1772330400" || p.Package != "prepay_id=wx01" || p.SignType != algorithm || len(p.NonceStr) != 32 {
			t.Errorf("%+v", p)
		}
		want := message{"appId": p.AppID, "timeStamp": p.TimeStamp, "nonceStr": p.NonceStr, "package": p.Package, "signType": string(algorithm)}.digest(testKey, algorithm)
		if p.PaySign != want {
			t.Errorf("paySign is %s, want %s", p.PaySign, want)
		}
		again, err := c.PayParams("wx01")
		if err != nil || again.NonceStr == p.NonceStr || again.PaySign == p.PaySign {
			t.Errorf("the nonce repeats: %+v, %v", again, err)
		}
	}
}

func TestPayParamsRejectsBadInput(t *testing.T) {
	c, _ := newClient(t, unread(t))
	for _, id := range []string{"", "a b", "a&b", "a\nb", "茶", strings.Repeat("x", 119)} {
		if p, err := c.PayParams(id); err == nil || p != (PayParams{}) {
			t.Errorf("%q: %+v, %v", id, p, err)
		}
	}
	broken, _ := newClient(t, unread(t), func(cfg *Config) { cfg.Rand = iotest.ErrReader(iotest.ErrTimeout) })
	_, err := broken.PayParams("wx01")
	wantError(t, err, Retry, "")
}

func TestSecretsAreNeverShown(t *testing.T) {
	c, _ := newClient(t, unread(t))
	token := Token{AccessToken: testSecret, OpenID: "o"}
	var log bytes.Buffer
	text, structured := slog.New(slog.NewTextHandler(&log, nil)), slog.New(slog.NewJSONHandler(&log, nil))
	shown := map[string]string{}
	for name, v := range map[string]any{
		"secret": Secret(testSecret), "pointer": new(Secret(testSecret)), "list": []Secret{testSecret},
		"map": map[string]Secret{"k": testKey}, "holder": struct{ c *Client }{c}, "token": token, "token pointer": &token, "client": c, "client value": *c,
		"config": Config{AppSecret: testSecret, APIKey: testKey}, "error": fmt.Errorf("bad key %v", Secret(testKey)),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%c", "%U", "%10.3s", "%z"} {
			shown[name+" "+verb] = fmt.Sprintf(verb, v)
		}
		shown[name+" println"] = fmt.Sprintln(v)
		text.Info("m", "v", v)
		structured.Info("m", "v", v, slog.Group("g", "v", v))
		if b, err := json.Marshal(v); err == nil {
			shown[name+" json"] = string(b)
		}
	}
	shown["slog"] = log.String()
	shown["concatenated"] = "x" + Secret(testSecret).String()
	for name, s := range shown {
		for _, private := range []string{testSecret, testKey} {
			for _, form := range []string{private, private[:8], fmt.Sprintf("%x", private), fmt.Sprintf("%X", private), fmt.Sprintf("%d", []byte(private))} {
				if strings.Contains(s, form) {
					t.Errorf("%s shows it: %s", name, s)
				}
			}
		}
	}
	if got := fmt.Sprintf("%v %s %#v", Secret("x"), Secret("x"), Secret("x")); got != "[redacted] [redacted] [redacted]" {
		t.Errorf("%s", got)
	}
	if got := Secret("x").GoString(); got != "[redacted]" {
		t.Error(got)
	}
	var back struct{ S Secret }
	if err := json.Unmarshal([]byte(`{"S":"x"}`), &back); err != nil || string(back.S) != "x" {
		t.Errorf("%q, %v", string(back.S), err)
	}
}
