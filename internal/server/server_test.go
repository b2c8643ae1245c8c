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
	h, _ := server.Unavailable(errors.New("setting WECHAT_API_KEY is not set"), "", slog.New(slog.NewTextHandler(&log, nil)))
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

// brokenWeChat panics.
type brokenWeChat struct{ paytest.WeChat }

func (brokenWeChat) PaymentNotification(context.Context, apiv3.Header, []byte) (wechat.Trade, error) {
	panic("a mistake")
}

func TestPanicIsAnswered(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) {})
	p := s.NewPerson(0)
	p.Handler = s.Open(func(cfg *paytest.Settings, _ *wechat.Config) { cfg.WeChat = brokenWeChat{} })
	a := p.Send(p.Request("POST", api.PathNotifyPay, []byte("<xml></xml>")))
	if a.Err.Code != api.CodeInternal || strings.Contains(string(a.Body), "mistake") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if !strings.Contains(s.Log.String(), "a mistake") {
		t.Error("the log lacks the line")
	}
}

func TestNewNamesTheBadField(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	for field, bend := range map[string]func(*paytest.Settings){
		"ShopName":   func(c *paytest.Settings) { c.ShopName = "" },
		"ShopURL":    func(c *paytest.Settings) { c.ShopURL = "shop.example.com" },
		"Scope":      func(c *paytest.Settings) { c.Scope = "snsapi_login" },
		"TradeTypes": func(c *paytest.Settings) { c.TradeTypes = []api.TradeType{api.TradeJSAPI, "APP"} },
		"MWEB":       func(c *paytest.Settings) { c.ShopName = strings.Repeat("店", 50) },
		"AppID":      func(c *paytest.Settings) { c.AppID = "" },
		"MchID":      func(c *paytest.Settings) { c.MchID = "" },
		"SessionKey": func(c *paytest.Settings) { c.SessionKey = "too short" },
		"Store":      func(c *paytest.Settings) { c.Store = nil },
		"WeChat":     func(c *paytest.Settings) { c.WeChat = nil },

		"Webhook.URL": func(c *paytest.Settings) {
			c.Webhook = &outbox.Webhook{URL: "erp.example.com", Secrets: []wechat.Secret{paytest.WebhookSecret}, Doer: http.DefaultClient}
		},
		"Webhook.Secrets": func(c *paytest.Settings) {
			c.Webhook = &outbox.Webhook{URL: "https://erp.example.com", Secrets: []wechat.Secret{paytest.WebhookSecret, "too short"}, Doer: http.DefaultClient}
		},
		"Secrets is empty": func(c *paytest.Settings) {
			c.Webhook = &outbox.Webhook{URL: "https://erp.example.com", Doer: http.DefaultClient}
		},
		"Webhook.Doer": func(c *paytest.Settings) {
			c.Webhook = &outbox.Webhook{URL: "https://erp.example.com", Secrets: []wechat.Secret{paytest.WebhookSecret}}
		},
	} {
		cfg := paytest.DefaultSettings(s, brokenWeChat{})
		bend(&cfg)
		if _, err := paytest.NewSigner(cfg); err == nil || !strings.Contains(err.Error(), field) || strings.Contains(err.Error(), "too short") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
