package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// entry is a database with one vulnerability that every version of Go has.
const entry = `{
  "schema_version": "1.3.1", "id": "GO-2026-0001", "modified": "2026-01-01T00:00:00Z", "published": "2026-01-01T00:00:00Z",
  "summary": "made up for a test", "details": "made up for a test",
  "affected": [{
    "package": {"name": "stdlib", "ecosystem": "Go"},
    "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
    "ecosystem_specific": {"imports": [{"path": "crypto/hmac", "symbols": ["SYMBOL"]}]}
  }],
  "database_specific": {"url": "https://pkg.go.dev/vuln/GO-2026-0001", "review_status": "REVIEWED"}
}`

func TestReachableVulnerabilityFails(t *testing.T) {
	for name, tc := range map[string]struct {
		env    []string
		symbol string
		fails  bool
	}{
		"native":               {symbol: "Equal", fails: true},
		"wasm":                 {env: []string{"GOOS=js", "GOARCH=wasm"}, symbol: "Equal", fails: true},
		"an uncalled function": {symbol: "UncalledFunction"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := scan(t.Context(), &out, database(t, tc.symbol), target{env: tc.env, programs: []string{"h5pay/webhook"}})
			if failed := err != nil && strings.Contains(out.String(), "GO-2026-0001"); failed != tc.fails {
				t.Errorf("failed with the vulnerability: %t, want %t; %v\n%s", failed, tc.fails, err, &out)
			}
			if !tc.fails && err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWithoutADatabase(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOTOOLCHAIN", "local") // the module cache is empty, and nothing else may be downloaded
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "-modcacherw") // makes the folder removable
	var out bytes.Buffer
	if err := run(t.Context(), &out, true); err == nil || !strings.Contains(err.Error(), "downloading the vulnerability database") {
		t.Errorf("in CI: got %v, want an error about the download", err)
	}
	if err := run(t.Context(), &out, false); err != nil || !strings.Contains(out.String(), "NOT CHECKED") {
		t.Errorf("elsewhere: got %v and %q, want a line that says so", err, &out)
	}
}

func TestNewestCopyWithoutANetwork(t *testing.T) {
	cache := t.TempDir()
	want := filepath.Join(cache, "golang.org/x/vulndb@v0.0.0-20261105234957-e22db6528018")
	for _, dir := range []string{want, filepath.Join(cache, "golang.org/x/vulndb@v0.0.0-20260901000000-ffffffffffff")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOTOOLCHAIN", "local")
	t.Setenv("GOMODCACHE", cache)
	got, err := findDatabase(t.Context())
	if err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// database returns a folder like the module's, with one entry.
func database(t *testing.T, symbol string) string {
	t.Helper()
	dir := t.TempDir()
	osv := filepath.Join(dir, "data", "osv")
	if err := os.MkdirAll(osv, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(osv, "GO-2026-0001.json"), []byte(strings.Replace(entry, "SYMBOL", symbol, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
