package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/outbox"
	"h5pay/internal/paytest"
	"h5pay/internal/server"
	"h5pay/wechat"
	"h5pay/wechat/apiv3"
)

func TestUnavailable(t *testing.T) {
	t.Parallel()
	var log paytest.Log
	h := server.Unavailable(errors.New("setting WECHAT_API_KEY is not set"), "", slog.New(slog.NewTextHandler(&log, nil)))
	for _, route := range routes("000000000000000000000000") {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(route.method, route.path, strings.NewReader(route.body)))
		var e api.Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != 503 || e.Code != api.CodeMisconfigured || e.RequestID == "" || strings.Contains(w.Body.String(), "WECHAT") {
			t.Errorf("%s %s: %d %s", route.method, route.path, w.Code, w.Body)
		}
	}
	if !strings.Contains(log.String(), "WECHAT_API_KEY is not set") {
		t.Errorf("log:\n%s", log.String())
	}
}

// brokenWeChat panics, as code with a mistake does.
type brokenWeChat struct{ weChat }

func (brokenWeChat) PaymentNotification(context.Context, apiv3.Header, []byte) (wechat.Trade, error) {
	panic("a mistake")
}

func TestPanicIsAnswered(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(cfg *settings, _ *wechat.Config) {})
	p := s.person(0)
	p.handler = mustServer(t, s, brokenWeChat{})
	a := p.send(p.request("POST", api.PathNotifyPay, []byte("<xml></xml>")))
	if a.err.Code != api.CodeInternal || strings.Contains(string(a.body), "mistake") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if !strings.Contains(s.log.String(), "a mistake") {
		t.Error("nothing in the log")
	}
}

// panicDoer panics, as a transport with a mistake does.
type panicDoer struct{}

func (panicDoer) Do(*http.Request) (*http.Response, error) { panic("a mistake") }

// A panic in a goroutine of a timer ends neither the program nor the other events.
func TestPanicInADeliveryIsAnError(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(cfg *settings, _ *wechat.Config) {
		cfg.Webhook = &outbox.Webhook{URL: "https://erp.example.com", Secrets: []wechat.Secret{webhookSecret}, Doer: panicDoer{}}
	})
	s.signedIn(0).paidOrder("tea", 1)
	if err := s.signer.Deliver(t.Context()); err == nil {
		t.Error("no error")
	}
	if text := s.log.String(); !strings.Contains(text, "level=ERROR msg=panic") || !strings.Contains(text, "panicDoer") {
		t.Errorf("log:\n%s", text)
	}
}

func mustServer(t *testing.T, s *shop, wx weChat) http.Handler {
	t.Helper()
	signer, err := newSigner(goodConfig(s, wx))
	if err != nil {
		t.Fatal(err)
	}
	return signer.Handler()
}

func TestNewNamesTheBadField(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	for field, bend := range map[string]func(*settings){
		"ShopName":   func(c *settings) { c.ShopName = "" },
		"ShopURL":    func(c *settings) { c.ShopURL = "shop.example.com" },
		"Scope":      func(c *settings) { c.Scope = "snsapi_login" },
		"TradeTypes": func(c *settings) { c.TradeTypes = []api.TradeType{api.TradeJSAPI, "APP"} },
		"MWEB":       func(c *settings) { c.ShopName = strings.Repeat("店", 50) },
		"AppID":      func(c *settings) { c.AppID = "" },
		"MchID":      func(c *settings) { c.MchID = "" },
		"SessionKey": func(c *settings) { c.SessionKey = "too short" },
		"Store":      func(c *settings) { c.Store = nil },
		"WeChat":     func(c *settings) { c.WeChat = nil },

		"Webhook.URL": func(c *settings) {
			c.Webhook = &outbox.Webhook{URL: "erp.example.com", Secrets: []wechat.Secret{webhookSecret}, Doer: http.DefaultClient}
		},
		"Webhook.Secrets": func(c *settings) {
			c.Webhook = &outbox.Webhook{URL: "https://erp.example.com", Secrets: []wechat.Secret{webhookSecret, "too short"}, Doer: http.DefaultClient}
		},
		"Secrets is empty": func(c *settings) {
			c.Webhook = &outbox.Webhook{URL: "https://erp.example.com", Doer: http.DefaultClient}
		},
		"Webhook.Doer": func(c *settings) {
			c.Webhook = &outbox.Webhook{URL: "https://erp.example.com", Secrets: []wechat.Secret{webhookSecret}}
		},
	} {
		cfg := goodConfig(s, brokenWeChat{})
		bend(&cfg)
		if _, err := newSigner(cfg); err == nil || !strings.Contains(err.Error(), field) || strings.Contains(err.Error(), "too short") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
