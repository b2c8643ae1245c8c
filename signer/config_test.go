//go:build !js

package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lookup returns a getenv for a map.
func lookup(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

// writeFile writes a file of the test's folder and returns its name.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// The environment comes before the file. In both a value may stand in a file of its own.
func TestSettingsFromEnvironmentAndFile(t *testing.T) {
	t.Parallel()
	secret := writeFile(t, "from a file\n")
	config := writeFile(t, "SHOP_NAME=\"茶\"\nSHOP_URL=https://file.example.com\nSESSION_KEY_FILE="+secret+"\nDB_FILE=shop.db\nADMIN_TOKEN=file\n")
	getenv, err := loadConfig(config, lookup(map[string]string{"SHOP_URL": "https://env.example.com", "ADMIN_TOKEN_FILE": secret}))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range []string{"SHOP_NAME", "SHOP_URL", "SESSION_KEY", "DB_FILE", "ADMIN_TOKEN", "WEBHOOK_URL"} {
		got[name] = getenv(name)
	}
	want := map[string]string{"SHOP_NAME": "茶", "SHOP_URL": "https://env.example.com", "SESSION_KEY": "from a file", "DB_FILE": "shop.db", "ADMIN_TOKEN": "from a file", "WEBHOOK_URL": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// An error names the setting or the file, and shows no value.
func TestBadConfigIsNamed(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	secret := writeFile(t, "value-of-a-secret")
	for _, test := range []struct {
		file string
		env  map[string]string
		want string
	}{
		{missing, nil, "reading the settings: open " + missing},
		{writeFile(t, "SHOP_NMAE=value-of-a-secret\n"), nil, "unknown setting SHOP_NMAE"},
		{writeFile(t, "value-of-a-secret\n"), nil, ":1: want NAME"},
		{"", map[string]string{"SESSION_KEY_FILE": missing}, "setting SESSION_KEY_FILE: open " + missing},
		{"", map[string]string{"SESSION_KEY_FILE": secret, "SESSION_KEY": "value-of-a-secret"}, "settings SESSION_KEY and SESSION_KEY_FILE: want one of them"},
		{writeFile(t, "SESSION_KEY_FILE="+secret+"\nSESSION_KEY=value-of-a-secret\n"), nil, "settings SESSION_KEY and SESSION_KEY_FILE: want one of them"},
	} {
		_, err := loadConfig(test.file, lookup(test.env))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "value-of") {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// Any setting, also in a file, makes a shop of its own of what would be the demo.
func TestDemoIsWithoutSettings(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"PATH": false, "LISTEN": true, "SHOP_NAME": true, "WECHAT_MCH_KEY": true, "SESSION_KEY_FILE": true, "WECHAT_CERT_FILE": true, "ADMIN_TOKEN": true} {
		if got := hasSettings(lookup(map[string]string{name: "x"})); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestLogFormat(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"": `"msg":"hello"`, "json": `"msg":"hello"`, "text": "msg=hello"} {
		var out bytes.Buffer
		log, err := newLog(lookup(map[string]string{logSetting: format}), &out)
		if err != nil {
			t.Fatal(err)
		}
		if log.Info("hello"); !strings.Contains(out.String(), want) {
			t.Errorf("%q: %s", format, &out)
		}
	}
	if _, err := newLog(lookup(map[string]string{logSetting: "xml"}), io.Discard); err == nil || err.Error() != "setting LOG_FORMAT must be json or text" {
		t.Errorf("got %v", err)
	}
}
