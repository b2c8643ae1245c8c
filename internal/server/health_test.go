package server_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/server"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/webhook"
	"h5pay/wechat"
)

func TestHealthNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	r.WantWrong("cron", "has not run yet")
	r.Reconcile()
	r.WantWrong("", "")
	if _, without := r.Health(); len(without) != 0 {
		t.Errorf("without %v", without)
	}

	r.Sim.Advance(6 * time.Minute)
	r.WantWrong("cron", "6m0s ago")
	r.Reconcile()

	// An event that the receiver rejects until it is dead.
	r.Respond = func(int, webhook.Event) (int, error) { return 500, nil }
	p := r.SignedIn(0)
	p.Pay(p.Order("tea", 1).Pay)
	r.Shop.Deliver() // the notification
	r.Deliver()      // the event
	r.WantWrong("", "")
	r.Sim.Advance(16 * time.Minute)
	r.Reconcile()
	r.WantWrong("outbox", "16m0s ago")
	storetest.Exec(t, r.DB, `UPDATE deliveries SET status = 'dead'`)
	r.WantWrong("outbox", "1 event is no longer retried")
	// An event from before the webhook was set is no problem.
	storetest.Exec(t, r.DB, `UPDATE deliveries SET status = 'delivered', delivered_at = 1;
		INSERT INTO events (id, type, order_id, subject, data, created_at) VALUES ('evt_0', 'order.paid', 'o', 'o', '{}', 1);
		UPDATE deliveries SET status = 'dead' WHERE attempts = 0`)
	r.WantWrong("", "")

	storetest.Exec(t, r.DB, `UPDATE products SET for_sale = 0`)
	r.WantWrong("catalogue", "no product is for sale")
	storetest.Exec(t, r.DB, `DROP TABLE counters; DROP TABLE timers`)
	r.WantWrong("database", "lacks a migration")
}

// A shop that sells only by API needs no products.
func TestHealthOfAShopThatSellsByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	s.Reconcile()
	storetest.Exec(t, s.DB, `UPDATE products SET for_sale = 0`)
	s.SignedIn(0)
	s.WantWrong("catalogue", "no product is for sale")
	well := func(why string) {
		t.Helper()
		if wrong, without := s.Health(); len(wrong) > 0 || !strings.Contains(without["catalogue"], "only a back end makes orders") {
			t.Errorf("%s: wrong %v, without %v", why, wrong, without)
		}
	}
	b := newBackEnd(s, v1.ScopeWrite)
	well("there is an API key")
	storetest.Exec(t, s.DB, `UPDATE keys SET revoked_at = created_at + 1`)
	s.WantWrong("catalogue", "no product is for sale")
	root(s).createOrder(tea(100))
	well("there is an order of a back end")
	b.rejected(api.CodeUnauthenticated, "", b.request("POST", "/v1/orders", `{"amount":1,"description":"茶"}`))
}

// A database that does not respond does not break the other checks.
func TestHealthWithoutADatabase(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	s.DB.Close()
	s.WantWrong("database", "cannot be read")
	if text := s.Log.String(); !strings.Contains(text, "the database does not answer") {
		t.Errorf("log:\n%s", text)
	}
}

// A missing optional part is reported, and the check passes.
func TestHealthReportsMissingOptions(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) {
		cfg.Checks = []api.HealthCheck{{Name: "certificate", OK: true, Problem: "no <certificate>"}}
	})
	s.Reconcile()
	wrong, without := s.Health()
	if len(wrong) > 0 || without["certificate"] != "no <certificate>" || !strings.Contains(without["outbox"], "WEBHOOK_URL") {
		t.Errorf("wrong %v, without %v", wrong, without)
	}
	op := s.Operator()
	r := op.Request("GET", api.PathHealth, nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	a := op.Send(r)
	page := string(a.Body)
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(page, "<!DOCTYPE html>") ||
		!strings.Contains(page, "The shop works") || !strings.Contains(page, "good, but: no &lt;certificate&gt;") || strings.Contains(page, "<script") {
		t.Errorf("%d %v %s", a.Status, a.Header, page)
	}
}

// A misconfigured shop names the settings that are missing and shows no other setting.
func TestHealthOfAMisconfiguredShop(t *testing.T) {
	t.Parallel()
	err := errors.Join(errors.New("setting SHOP_URL is not set"), fmt.Errorf("setting %s is not set", "SESSION_KEY"))
	h, _ := server.Unavailable(err, paytest.AdminToken, slog.New(slog.NewTextHandler(io.Discard, nil)))
	for accept, want := range map[string]string{"": `{"ok":false`, "text/html": "<h1>The shop has problems</h1>"} {
		for _, token := range []string{paytest.AdminToken, "", "wrong"} {
			r := httptest.NewRequest("GET", api.PathHealth, nil)
			r.Header.Set("Accept", accept)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			text := w.Body.String()
			told := strings.Contains(text, "setting SHOP_URL is not set") && strings.Contains(text, "setting SESSION_KEY is not set")
			if w.Code != http.StatusServiceUnavailable || !strings.Contains(text, want) || told != (token == paytest.AdminToken) ||
				!told && (strings.Contains(text, "SHOP_URL") || strings.Contains(text, "checks\"")) {
				t.Errorf("Accept %q, token %q: %d %s", accept, token, w.Code, text)
			}
		}
	}
}

// Strangers get only ok or not ok. The log has the problems once per minute, also for an operator
// without a token.
func TestHealthForStrangersIsOneWord(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) {
		cfg.Checks = []api.HealthCheck{{Name: "limits", OK: true, Problem: "ADDRESS_LIMIT is not bound"}}
	})
	ask := func(accept, token string) paytest.Answer {
		p := s.NewPerson(0)
		p.Token = token
		r := p.Request("GET", api.PathHealth, nil)
		r.Header.Set("Accept", accept)
		return p.Send(r)
	}
	for _, well := range []bool{false, true} {
		if well {
			s.Reconcile()
		}
		want, status := `{"ok":false}`, http.StatusServiceUnavailable
		if well {
			want, status = `{"ok":true}`, http.StatusOK
		}
		for _, token := range []string{"", "wrong", strings.Repeat("x", len(paytest.AdminToken))} {
			if a := ask("", token); a.Status != status || strings.TrimSpace(string(a.Body)) != want {
				t.Errorf("token %q: %d %s, want %s", token, a.Status, a.Body, want)
			}
			a := ask("text/html", token)
			for _, detail := range []string{"<dt>", "LIMIT", "cron", "timer"} {
				if strings.Contains(string(a.Body), detail) {
					t.Errorf("token %q: %q in %s", token, detail, a.Body)
				}
			}
		}
		if a := ask("", paytest.AdminToken); a.Status != status || !strings.Contains(string(a.Body), "ADDRESS_LIMIT") {
			t.Errorf("the operator: %d %s", a.Status, a.Body)
		}
	}
	if n := strings.Count(s.Log.String(), "a health check failed: cron"); n != 1 {
		t.Errorf("%d lines for a dozen calls:\n%s", n, s.Log)
	}
}
