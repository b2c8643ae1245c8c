package server_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/doctor"
	"h5pay/internal/paytest"
	"h5pay/internal/server"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// useV3 gives a shop keys of APIv3.
func useV3(s *paytest.Shop) func(*paytest.Settings, *wechat.Config) {
	return func(_ *paytest.Settings, wx *wechat.Config) { wx.APIKey, wx.V3 = "", paytest.APIv3Config(s.Sim) }
}

// withDoctor gives a shop a doctor that calls the shop's WeChat.
func withDoctor(s *paytest.Shop) {
	s.T.Helper()
	d, err := doctor.New(doctor.Config{
		ShopURL: paytest.ShopURL, Version: s.WeChat.Version(), TradeTypes: []api.TradeType{api.TradeJSAPI}, WeChat: s.WeChat, Doer: s.ToWeChat,
		Clock: doctor.NewClock(s.ToWeChat, s.Now), Notifications: store.New(s.DB), Now: s.Now,
	})
	if err != nil {
		s.T.Fatal(err)
	}
	s.Reopen(func(cfg *paytest.Settings, wx *wechat.Config) {
		useV3(s)(cfg, wx)
		cfg.Doctor = d
	})
}

// bad returns the causes of the checks that failed or warn.
func bad(checks v1.Checks) (causes []string) {
	for _, c := range checks.Checks {
		if c.Status == v1.CheckFail || c.Status == v1.CheckWarn && c.Cause != "webhook_unset" {
			causes = append(causes, c.Cause)
		}
	}
	return causes
}

// The checks with calls run for a key with the scope read, once in ten seconds for all callers.
func TestNetworkChecksByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{})
	withDoctor(s)
	s.Reconcile()
	b := newBackEnd(s, v1.ScopeRead)
	var checks v1.Checks
	b.must("GET", "/v1/checks", nil, &checks)
	if checks.Network || checks.Probe != nil || slices.ContainsFunc(checks.Checks, func(c v1.CheckResult) bool { return c.ID == "sign_in" }) {
		t.Errorf("without network: %+v", checks)
	}
	b.must("GET", "/v1/checks?network=true", nil, &checks)
	if got := bad(checks); !checks.OK || !checks.Network || len(got) != 0 || checks.Probe == nil || checks.Probe.URL != paytest.ShopURL+api.PathNotifyPay {
		t.Errorf("bad %q, %+v", got, checks)
	}
	for _, id := range []string{"sign_in", "api_v3", "order", "echo"} {
		if !slices.ContainsFunc(checks.Checks, func(c v1.CheckResult) bool { return c.ID == id && c.Status == v1.CheckOK }) {
			t.Errorf("%s is not ok: %+v", id, checks.Checks)
		}
	}
	b.fails(api.CodeRateLimited, "", "GET", "/v1/checks?network=true", "")
	s.Sim.Advance(11 * time.Second)
	b.must("GET", "/v1/checks?network=true", nil, &checks)
	b.fails(api.CodeBadRequest, "network", "GET", "/v1/checks?network=1", "")
	newBackEnd(s, v1.ScopeWrite).fails(v1.CodeScopeMissing, "", "GET", "/v1/checks", "")
}

// The callback of an echo is in the list of notifications.
func TestEchoIsListed(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{})
	if err := s.WeChat.Echo(t.Context(), paytest.ShopURL+api.PathNotifyPay); err != nil {
		t.Fatal(err)
	}
	s.Sim.Advance(time.Second)
	b := newBackEnd(s, v1.ScopeRead)
	var list v1.Notifications
	b.must("GET", "/v1/notifications", nil, &list)
	if len(list.Notifications) != 1 || list.Notifications[0].Kind != v1.NotifiedEcho || list.Notifications[0].Verdict != v1.NotificationAccepted {
		t.Errorf("%+v", list)
	}
	// With another APIv3 key the callback is WeChat's, and cannot be read.
	if err := s.Sim.SetAPIv3Key("abcdefghijklmnopqrstuvwxyz012345"); err != nil {
		t.Fatal(err)
	}
	if err := s.WeChat.Echo(t.Context(), paytest.ShopURL+api.PathNotifyPay); err != nil {
		t.Fatal(err)
	}
	s.Sim.Advance(time.Second)
	b.must("GET", "/v1/notifications", nil, &list)
	if len(list.Notifications) != 2 || list.Notifications[0].Verdict != v1.NotificationRejected || !strings.Contains(list.Notifications[0].Reason, "WECHAT_APIV3_KEY") {
		t.Errorf("%+v", list)
	}
}

// A probe is answered and leaves nothing behind. Without a token of the shop it is a forged message.
func TestProbeLeavesNothing(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{})
	withDoctor(s)
	b := newBackEnd(s, v1.ScopeRead)
	var checks v1.Checks
	b.must("GET", "/v1/checks?network=true", nil, &checks)
	before := storetest.Dump(t, s.DB)
	p := s.NewPerson(0)
	send := func(token string) paytest.Answer {
		r := p.Request("POST", api.PathNotifyPay, []byte(`{"probe":"`+token+`"}`))
		return p.Send(r)
	}
	if a := send(checks.Probe.Token); a.Status != 200 || !strings.Contains(string(a.Body), `"proof"`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if after := storetest.Dump(t, s.DB); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	for _, token := range []string{"", "h5pay-probe-", "h5pay-probe-9999999999-" + strings.Repeat("0", 32), checks.Probe.Token[:len(checks.Probe.Token)-1] + "g"} {
		if a := send(token); strings.Contains(string(a.Body), `"proof"`) {
			t.Errorf("%q: %d %s", token, a.Status, a.Body)
		}
	}
	s.Sim.Advance(6 * time.Minute)
	if a := send(checks.Probe.Token); strings.Contains(string(a.Body), `"proof"`) {
		t.Errorf("after six minutes: %d %s", a.Status, a.Body)
	}
}

// A signer with wrong settings answers the checks to the root token alone.
func TestChecksOfAMisconfiguredShop(t *testing.T) {
	t.Parallel()
	h, check := server.Unavailable(io.ErrUnexpectedEOF, paytest.AdminToken, slog.New(slog.DiscardHandler))
	for token, status := range map[string]int{paytest.AdminToken: 200, "": 503, "wrong": 503} {
		r := httptest.NewRequest(http.MethodGet, "/v1/checks", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != status || strings.Contains(w.Body.String(), "setting_malformed") != (status == 200) {
			t.Errorf("%q: %d %s", token, w.Code, w.Body)
		}
	}
	if checks := check(context.Background(), true); checks.OK || len(checks.Checks) != 1 {
		t.Errorf("%+v", checks)
	}
}
