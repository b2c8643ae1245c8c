//go:build !js

package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"h5pay/internal/api"
)

// getHealth returns the health page of a signer with the settings. With a token it calls as the
// operator.
func getHealth(t *testing.T, env map[string]string, token string) (int, api.Health) {
	t.Helper()
	a := newApp(platform{getenv: func(name string) string { return env[name] }, db: testDB(t), doer: http.DefaultClient,
		log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	r := httptest.NewRequest("GET", api.PathHealth, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	var h api.Health
	if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Code, h
}

// The health check of a public shop with simulated payments fails.
func TestSimulatedWeChatFailsHealth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shop, base string
		ok         bool
	}{
		{"https://shop.example.com", "", true},
		{"https://shop.example.com", "https://wechat.example.com", false},
		{"https://shop.example.com", "http://localhost:8800", false},
		{"http://localhost:8802", "http://localhost:8800", true},
	} {
		env := publicEnv(t)
		env["SHOP_URL"], env["WECHAT_BASE_URL"] = c.shop, c.base
		status, h := getHealth(t, env, env["ADMIN_TOKEN"])
		found := false
		for _, check := range h.Checks {
			if check.Name == "wechat" {
				found = true
				if check.OK != c.ok || (check.Problem == "") != (c.base == "") {
					t.Errorf("%+v: %+v", c, check)
				}
			}
		}
		if !found || !c.ok && (h.OK || status != http.StatusServiceUnavailable) {
			t.Errorf("%+v: %d %+v", c, status, h)
		}
	}
}

// With a correct ADMIN_TOKEN, the operator of a misconfigured shop sees the cause.
func TestTokenShowsMisconfiguration(t *testing.T) {
	t.Parallel()
	env := publicEnv(t)
	env["SESSION_KEY"] = strings.Repeat("0", 32)
	status, h := getHealth(t, env, env["ADMIN_TOKEN"])
	if status != 503 || len(h.Checks) != 1 || !strings.Contains(h.Checks[0].Problem, "SESSION_KEY") || strings.Contains(h.Checks[0].Problem, "000") {
		t.Errorf("%d %+v", status, h)
	}
	if _, h := getHealth(t, env, ""); h.OK || h.Checks != nil {
		t.Errorf("a stranger: %+v", h)
	}
	env["ADMIN_TOKEN"] = strings.Repeat("0", 32)
	if _, h := getHealth(t, env, env["ADMIN_TOKEN"]); h.OK || h.Checks != nil {
		t.Errorf("a token that everybody guesses: %+v", h)
	}
}
