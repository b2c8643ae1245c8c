//go:build !js

package main

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"h5pay/internal/paytest"
)

// All wrong settings are named at the first start, whatever reads them: the file of settings, the server or the
// shop. The doctor names them too.
func TestEveryWrongSettingIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none", "file")
	valid := func() map[string]string {
		env := publicV3Env(t)
		env[dbSetting] = filepath.Join(t.TempDir(), "h5pay.db")
		return env
	}
	wrong := map[string]string{
		addrSetting: "8787", metricsSetting: "localhost:many", logSetting: "xml", filesSetting: missing,
		proxySetting: "X Real IP", proxiesSetting: "99", certSetting: missing,
		"SHOP_URL": "shop.example.com", "SELLING": "maybe", "SESSION_KEY_FILE": missing, "SESSION_KEY": "",
		"WECHAT_PUBLIC_KEY": publicKeyOf(rsaPair()[0]), dbSetting: missing,
	}
	want := []string{
		"unknown setting SHOP_NMAE", "setting LISTEN must be host:port", "setting METRICS_LISTEN must be host:port", "setting LOG_FORMAT must be", "setting FILES_DIR must",
		"setting CLIENT_IP_HEADER must", "setting TRUSTED_PROXIES must", "setting WECHAT_CERT_FILE: want", "setting WECHAT_KEY_FILE must be set",
		"setting SHOP_URL must", "setting SELLING must", "setting SESSION_KEY_FILE: want", "setting WECHAT_PUBLIC_KEY must be corrected: it is the merchant's own key", "setting DB_FILE must",
	}
	env := valid()
	maps.Copy(env, wrong)
	config := writeFile(t, "SHOP_NMAE=tea\n")
	status, _, stderr := runCommand(t, env, "serve", "-config", config)
	for _, text := range want {
		if strings.Count(stderr, text) != 1 {
			t.Errorf("%q is not named once", text)
		}
	}
	if status != 1 || strings.Contains(stderr, "SESSION_KEY is not set") || t.Failed() {
		t.Errorf("%d\n%s", status, stderr)
	}
	_, stdout, _ := runCommand(t, env, "doctor", "-offline", "-lang", "en", "-config", config)
	for _, text := range want {
		if !strings.Contains(text, dbSetting) && strings.Count(stdout, text) != 1 {
			t.Errorf("the doctor does not name %q once:\n%s", text, stdout)
		}
	}

	// Those of a server that starts and answers 503 are in one line of its log.
	env = valid()
	for _, name := range []string{proxySetting, proxiesSetting, "SHOP_URL", "SELLING"} {
		env[name] = wrong[name]
	}
	if err := startError(lookup(env), nil); err != nil {
		t.Errorf("the server does not start: %v", err)
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	var log paytest.Log
	ctx, stop := context.WithCancel(t.Context())
	if err := serveShop(ctx, l, lookup(env), slog.New(slog.NewTextHandler(&log, nil)), stop); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "misconfigured") {
			for _, name := range []string{proxySetting, proxiesSetting, "SHOP_URL", "SELLING"} {
				if !strings.Contains(line, "setting "+name) {
					t.Errorf("the log does not name %s: %s", name, line)
				}
			}
		}
	}
	if !strings.Contains(log.String(), "misconfigured") {
		t.Errorf("the log is\n%s", log.String())
	}

	env[urlSetting] = "mysql://localhost/h5pay"
	if err := startError(lookup(env), nil); err == nil || !strings.Contains(err.Error(), "settings DATABASE_URL and DB_FILE: want one of them") || !strings.Contains(err.Error(), "SELLING") {
		t.Errorf("%v", err)
	}
	delete(env, dbSetting)
	if err := startError(lookup(env), nil); err == nil || !strings.Contains(err.Error(), "setting DATABASE_URL: want a URL") || !strings.Contains(err.Error(), "TRUSTED_PROXIES") {
		t.Errorf("%v", err)
	}
}
