//go:build !js

package main

import (
	"bytes"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/envfile"
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

// The environment comes before the file. In both a value may be in a file of its own.
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
		{writeFile(t, "WECHAT_MCH_KEY=\nvalue-of/a+secret==\n"), nil, ":2: want NAME"},
		{"", map[string]string{"SESSION_KEY_FILE": missing}, "setting SESSION_KEY_FILE: want a file that this user can read: no such file or directory"},
		{"", map[string]string{"SESSION_KEY_FILE": "value-of-a-secret"}, "setting SESSION_KEY_FILE: want a file that this user can read: no such file or directory"},
		{"", map[string]string{"WECHAT_MCH_KEY_FILE": strings.Repeat("value-of-a-secret", 100)}, "setting WECHAT_MCH_KEY_FILE: want a file that this user can read: file name too long"},
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

// The example for a production shop names settings only, and no secret has a value.
func TestExampleForProduction(t *testing.T) {
	t.Parallel()
	const example = "../deploy/h5pay.env.example"
	if _, err := loadConfig(example, lookup(nil)); err != nil {
		t.Error(err)
	}
	env, err := envfile.Read(example)
	if err != nil {
		t.Fatal(err)
	}
	filled := maps.Clone(env)
	for name, value := range publicV3Env(t) {
		if _, ok := env[name]; !ok {
			continue
		}
		if value != "" && env[name] != "" && strings.Contains(name, "KEY") {
			t.Errorf("%s has a value", name)
		}
		filled[name] = value
	}
	if _, err := loadSettings(lookup(filled)); err != nil {
		t.Errorf("with its values filled in: %v", err)
	}
}

// publicV3Env returns the settings of a public shop on APIv3.
func publicV3Env(t *testing.T) map[string]string {
	t.Helper()
	env := publicEnv(t)
	for name, value := range v3Env(t) {
		if strings.HasPrefix(name, "WECHAT_") && name != "WECHAT_BASE_URL" && name != "WECHAT_APPSECRET" {
			env[name] = value
		}
	}
	delete(env, "WECHAT_API_KEY")
	return env
}

// The variables that the image and the compose file set for the server are its settings.
func TestSettingsOfTheContainer(t *testing.T) {
	t.Parallel()
	for file, pattern := range map[string]string{
		"../deploy/Containerfile": `([A-Z_]+)=\S+`,
		"../deploy/compose.yaml":  `(?m)^      ([A-Z_]+): `,
		// Those of the nodes; the database and the proxy have their own.
		"../deploy/compose.postgres.yaml": `(?m)^    ([A-Z_]+): `,
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "ENV ") || strings.HasSuffix(file, ".yaml") {
				lines = append(lines, line)
			}
		}
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(strings.Join(lines, ""), -1)
		if len(found) < 2 {
			t.Fatalf("%s sets %d variables", file, len(found))
		}
		for _, m := range found {
			if m[1] != "SHOP_DOMAIN" && !slices.Contains(settingNames(), m[1]) && !slices.Contains(settingNames(), strings.TrimSuffix(m[1], fileSuffix)) { // SHOP_DOMAIN is the proxy's
				t.Errorf("%s sets %s, which is no setting", file, m[1])
			}
		}
	}
}
