package server_test

import (
	"encoding/json"
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
	"h5pay/internal/server"
	"h5pay/internal/store/storetest"
	"h5pay/webhook"
	"h5pay/wechat"
)

// health asks the health page and returns what is wrong, by check, and what the
// shop does without.
func (s *shop) health() (wrong, without map[string]string) {
	s.t.Helper()
	op := s.operator()
	a := op.send(op.request("GET", api.PathHealth, nil))
	var h api.Health
	if err := json.Unmarshal(a.body, &h); err != nil || len(h.Checks) == 0 {
		s.t.Fatalf("%d %s, %v", a.status, a.body, err)
	}
	wrong, without = map[string]string{}, map[string]string{}
	for _, c := range h.Checks {
		switch {
		case !c.OK && c.Problem == "":
			s.t.Errorf("%s is wrong without a word", c.Name)
		case !c.OK:
			wrong[c.Name] = c.Problem
		case c.Problem != "":
			without[c.Name] = c.Problem
		}
	}
	if h.OK != (len(wrong) == 0) || h.OK != (a.status == http.StatusOK) || !h.OK && a.status != http.StatusServiceUnavailable {
		s.t.Errorf("%d %s", a.status, a.body)
	}
	return wrong, without
}

// wantWrong checks that one thing is wrong, or nothing for "".
func (s *shop) wantWrong(name, problem string) {
	s.t.Helper()
	wrong, _ := s.health()
	if name == "" && len(wrong) > 0 || name != "" && (len(wrong) != 1 || !strings.Contains(wrong[name], problem)) {
		s.t.Errorf("wrong is %v, want %s: ... %s ...", wrong, name, problem)
	}
}

func TestHealthNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.wantWrong("cron", "has not run yet")
	r.reconcile()
	r.wantWrong("", "")
	if _, without := r.health(); len(without) != 0 {
		t.Errorf("without %v", without)
	}

	r.sim.Advance(6 * time.Minute)
	r.wantWrong("cron", "6m0s ago")
	r.reconcile()

	// An event that the receiver does not take, and that is given up at last.
	r.answer = func(int, webhook.Event) (int, error) { return 500, nil }
	p := r.signedIn(0)
	p.pay(p.order("tea", 1).Pay)
	r.shop.deliver() // the notification
	r.deliver()      // the event
	r.wantWrong("", "")
	r.sim.Advance(16 * time.Minute)
	r.reconcile()
	r.wantWrong("outbox", "16m0s ago")
	storetest.Exec(t, r.db, `UPDATE events SET status = 'dead'`)
	r.wantWrong("outbox", "1 event is no longer retried")
	// One from before there was an outbox is nobody's trouble.
	storetest.Exec(t, r.db, `UPDATE events SET status = 'delivered', delivered_at = 1;
		INSERT INTO events (id, type, order_id, subject, data, created_at, status, next_at) VALUES ('evt_0', 'order.paid', 'o', 'o', '{}', 1, 'dead', 1)`)
	r.wantWrong("", "")

	storetest.Exec(t, r.db, `UPDATE products SET for_sale = 0`)
	r.wantWrong("catalogue", "no product is for sale")
	storetest.Exec(t, r.db, `DROP TABLE counters; DROP TABLE timers`)
	r.wantWrong("database", "lacks a migration")
}

// A database that does not answer takes nothing else down with it.
func TestHealthWithoutADatabase(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.db.Close()
	s.wantWrong("database", "cannot be read")
	if text := s.log.String(); !strings.Contains(text, "the database does not answer") {
		t.Errorf("log:\n%s", text)
	}
}

// What the shop can do without is told and no fault.
func TestHealthTellsWhatTheShopDoesWithout(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(cfg *settings, _ *wechat.Config) {
		cfg.Checks = []api.HealthCheck{{Name: "certificate", OK: true, Problem: "no <certificate>"}}
	})
	s.reconcile()
	wrong, without := s.health()
	if len(wrong) > 0 || without["certificate"] != "no <certificate>" || !strings.Contains(without["outbox"], "WEBHOOK_URL") {
		t.Errorf("wrong %v, without %v", wrong, without)
	}
	op := s.operator()
	r := op.request("GET", api.PathHealth, nil)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	a := op.send(r)
	page := string(a.body)
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(page, "<!DOCTYPE html>") ||
		!strings.Contains(page, "The shop is well") || !strings.Contains(page, "good, but: no &lt;certificate&gt;") || strings.Contains(page, "<script") {
		t.Errorf("%d %v %s", a.status, a.header, page)
	}
}

// A shop that cannot start says what it lacks, and nothing of what it has.
func TestHealthOfAMisconfiguredShop(t *testing.T) {
	t.Parallel()
	err := errors.Join(errors.New("setting SHOP_URL is not set"), fmt.Errorf("setting %s is not set", "SESSION_KEY"))
	h := server.Unavailable(err, adminToken, slog.New(slog.NewTextHandler(io.Discard, nil)))
	for accept, want := range map[string]string{"": `{"ok":false`, "text/html": "<h1>The shop is not well</h1>"} {
		for _, token := range []string{adminToken, "", "wrong"} {
			r := httptest.NewRequest("GET", api.PathHealth, nil)
			r.Header.Set("Accept", accept)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			text := w.Body.String()
			told := strings.Contains(text, "setting SHOP_URL is not set") && strings.Contains(text, "setting SESSION_KEY is not set")
			if w.Code != http.StatusServiceUnavailable || !strings.Contains(text, want) || told != (token == adminToken) ||
				!told && (strings.Contains(text, "SHOP_URL") || strings.Contains(text, "checks\"")) {
				t.Errorf("Accept %q, token %q: %d %s", accept, token, w.Code, text)
			}
		}
	}
}

// Strangers learn whether the shop is well, and nothing else. The log tells the
// operator, also one without a token, once a minute.
func TestHealthTellsStrangersOneWord(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(cfg *settings, _ *wechat.Config) {
		cfg.Checks = []api.HealthCheck{{Name: "limits", OK: true, Problem: "ADDRESS_LIMIT is not bound"}}
	})
	ask := func(accept, token string) answer {
		p := s.person(0)
		p.token = token
		r := p.request("GET", api.PathHealth, nil)
		r.Header.Set("Accept", accept)
		return p.send(r)
	}
	for _, well := range []bool{false, true} {
		if well {
			s.reconcile()
		}
		want, status := `{"ok":false}`, http.StatusServiceUnavailable
		if well {
			want, status = `{"ok":true}`, http.StatusOK
		}
		for _, token := range []string{"", "wrong", strings.Repeat("x", len(adminToken))} {
			if a := ask("", token); a.status != status || strings.TrimSpace(string(a.body)) != want {
				t.Errorf("token %q: %d %s, want %s", token, a.status, a.body, want)
			}
			a := ask("text/html", token)
			for _, detail := range []string{"<dt>", "LIMIT", "cron", "timer"} {
				if strings.Contains(string(a.body), detail) {
					t.Errorf("token %q: %q in %s", token, detail, a.body)
				}
			}
		}
		if a := ask("", adminToken); a.status != status || !strings.Contains(string(a.body), "ADDRESS_LIMIT") {
			t.Errorf("the operator: %d %s", a.status, a.body)
		}
	}
	if n := strings.Count(s.log.String(), "the shop is not well: cron"); n != 1 {
		t.Errorf("%d lines for a dozen calls:\n%s", n, s.log)
	}
}
