//go:build !js

package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/static"
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

// The shop's own files stand beside those of the page, cannot replace them, and end at their folder.
func TestFilesOfTheShop(t *testing.T) {
	t.Parallel()
	outside := writeFile(t, "text-beyond-the-folder")
	dir := t.TempDir()
	for name, text := range map[string]string{"MP_verify_x.txt": "x", "web/app.css": "mine", "web/products/mine.svg": "<svg/>"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	files, err := siteFiles(lookup(map[string]string{filesSetting: dir}), discardLog())
	if err != nil {
		t.Fatal(err)
	}
	site := static.New(files)
	for path, want := range map[string]string{"/MP_verify_x.txt": "x", "/web/products/mine.svg": "<svg/>", "/web/products/tea.svg": "<svg", "/web/app.css": "/*", "/link.txt": "404"} {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		body := w.Body.String()
		if want == "404" && w.Code != http.StatusNotFound || want != "404" && (w.Code != http.StatusOK || !strings.HasPrefix(body, want)) || strings.Contains(body, "text-beyond") {
			t.Errorf("%s: %d %.50q", path, w.Code, body)
		}
	}
	for _, bad := range []string{filepath.Join(dir, "none"), outside} {
		if _, err := siteFiles(lookup(map[string]string{filesSetting: bad}), discardLog()); err == nil || !strings.Contains(err.Error(), "setting FILES_DIR must name a folder") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }
