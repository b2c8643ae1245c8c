package wechattest

import (
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNewNamesEveryBadField(t *testing.T) {
	_, err := New(Config{
		AppID: "x", AppSecret: "hush-hush", MchID: "y", APIKey: "quiet-quiet", ShopURL: "http://a/b", WeChatURL: "ftp://a", PublicURL: "http://a/", OAuthDomain: "http://a",
		PayDirs: []string{"http://a"}, Environment: "symbian", TimeScale: -1, NotifyTimeout: -1,
		NotifyIntervals: []time.Duration{0}, RefundTime: -1, RefundNotifyURL: "x", H5Domains: []string{"http://a"}, History: -1, Users: []User{{OpenID: "short"}},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{"AppID", "AppSecret", "MchID", "APIKey", "ShopURL", "PublicURL", "WeChatURL", "OAuthDomain", "PayDirs", "Environment", "TimeScale", "NotifyTimeout", "NotifyIntervals", "RefundTime", "RefundNotifyURL", "H5Domains", "History", "Users[0]"} {
		if !strings.Contains(err.Error(), field+":") {
			t.Errorf("%s is not named", field)
		}
	}
	if strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "quiet") {
		t.Error("a secret is in the error")
	}
}

func TestSameSeedSameAnswers(t *testing.T) {
	run := func(seed int64) []string {
		w := newWorld(t, func(c *Config) { c.Seed = seed })
		out := []string{w.User().OpenID, w.code(scopeBase)}
		w.paid("seed001")
		w.Advance(0)
		trade := w.Ledger().Trades[0]
		return append(out, trade.TransactionID[:10], trade.BankType, w.shop.bodies()[0][:120])
	}
	if d := cmp.Diff(run(7), run(7)); d != "" {
		t.Error(d)
	}
	if cmp.Equal(run(7), run(8)) {
		t.Error("another seed makes the same values")
	}
}

func TestUsers(t *testing.T) {
	w := newWorld(t)
	us := w.Users()
	if len(us) != 3 || us[0] != w.User() {
		t.Fatalf("%+v", us)
	}
	for _, u := range us {
		if !openIDForm.MatchString(u.OpenID) || u.OpenID[0] != 'o' {
			t.Errorf("openid %q", u.OpenID)
		}
	}
	if err := w.SetUser("nobody"); err != ErrUnknownUser {
		t.Error(err)
	}
}

func TestMessagesHideSecretsAndDropTheOldest(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.History = 5 })
	events, stop := w.Subscribe()
	for range 4 {
		w.json(w.exchangePath("x"))
	}
	w.do("POST", pathUnifiedOrder, plainXML(append(w.order("hide001"), pair{"key", w.cfg.APIKey})))
	w.prepay("hide002")
	ms := w.Messages(0)
	if len(ms) != 5 || ms[0].Seq != 2 || ms[4].Seq != 6 || len(w.Messages(5)) != 1 || len(w.Messages(6)) != 0 {
		t.Errorf("%d messages", len(ms))
	}
	for _, m := range ms {
		all := m.URL + m.Request + m.Response + m.Note
		if m.Signed != nil {
			all += m.Signed.String
		}
		if strings.Contains(all, w.cfg.APIKey) || strings.Contains(all, w.cfg.AppSecret) {
			t.Errorf("a secret is in message %d", m.Seq)
		}
	}
	stop()
	stop()
	n := 0
	for e := range events {
		if n++; e.Kind != EventMessage || e.Message.Seq != int64(n) {
			t.Errorf("%+v", e)
		}
	}
	if n != 6 {
		t.Errorf("%d events", n)
	}
}

func TestStartServesAndLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	s, err := Listen(Config{TLSAddr: "localhost:0"}, "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetShop("http://localhost:1/x"); err == nil {
		t.Error("a shop with a path was accepted")
	}
	res, err := http.Get(s.URL + pathAuth)
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.StatusCode != 200 {
		t.Errorf("%d", res.StatusCode)
	}
	client, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	res, err = client.Get(s.TLSURL + pathAuth)
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.StatusCode != 200 {
		t.Errorf("over TLS: %d", res.StatusCode)
	}
	client.CloseIdleConnections()
	if cfg := s.Config(); cfg.WeChatURL != s.URL {
		t.Errorf("%+v", cfg)
	}
	s.Close()
	http.DefaultClient.CloseIdleConnections()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		runtime.Gosched()
	}
	if _, err := Listen(Config{}, "nowhere.invalid:0"); err == nil {
		t.Error("an unusable address was accepted")
	}
	if _, err := Listen(Config{TLSAddr: "nowhere.invalid:0"}, "localhost:0"); err == nil {
		t.Error("an unusable address was accepted for TLS")
	}
	if plain, err := Listen(Config{}, "localhost:0"); err != nil || plain.TLSURL != "" {
		t.Errorf("TLS unasked: %v", err)
	} else {
		plain.Close()
	}
}

func TestStartIsReadyForAClient(t *testing.T) {
	s := Start(t, Config{})
	if err := s.SetShop(shopOrigin); err != nil || s.ShopURL() != shopOrigin || s.Config().ShopURL != shopOrigin {
		t.Errorf("%q %v", s.ShopURL(), err)
	}
	w := &world{WeChat: s.WeChat, t: t, h: s.Handler()}
	sh := w.sheet("start01")
	if got, err := s.Sheet(sh.ID); err != nil || got != sh || len(s.Sheets()) != 1 {
		t.Errorf("%+v %v", got, err)
	}
	for path, want := range map[string]int{"/favicon.ico": 204, "/v3/nothing": 404} {
		res, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != want {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
