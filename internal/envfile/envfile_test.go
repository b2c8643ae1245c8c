package envfile

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "env")
	text := "# a comment\n\nA=\"one two\"\nB='x=y'\n C = plain \nD=\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"A": "one two", "B": "x=y", "C": "plain", "D": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadDoesNotShowABadLine(t *testing.T) {
	for _, line := range []string{
		"half-a-secret",
		"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj==", // the base64 of a key has its padding
		"MIIE/vQIBADA+BgkqhkiG9w0B=",
		"MII VQ=",
		"=MII",
		"1MII=x",
		strings.Repeat("M", 61) + "MIIE=",
		"export MII=x",
	} {
		name := filepath.Join(t.TempDir(), "env")
		if err := os.WriteFile(name, []byte("A=1\nWECHAT_MCH_KEY=\n"+line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Read(name)
		if want := name + `:3: want NAME="value"`; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Each clone generates its own secrets. The repository contains none, two clones differ, and only
// the owner can read them.
func TestWriteGeneratesSecrets(t *testing.T) {
	const example = "../../.dev.vars.example"
	seen := map[string]bool{}
	for i := range 2 {
		name := filepath.Join(t.TempDir(), "env")
		if err := Write(example, name, "One.\nTwo."); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		env, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, setting := range []string{"SESSION_KEY", "SESSION_KEY_OLD", "ADMIN_TOKEN", "WEBHOOK_SECRET", "WEBHOOK_SECRET_OLD"} {
			form := `^[0-9a-f]{32}$`
			if strings.HasPrefix(setting, "WEBHOOK_") {
				form = `^whsec_[0-9A-Za-z+/]{43}=$`
			}
			if !regexp.MustCompile(form).MatchString(env[setting]) || seen[env[setting]] {
				t.Errorf("clone %d: %s has %d characters, drawn before: %v", i, setting, len(env[setting]), seen[env[setting]])
			}
			seen[env[setting]] = true
		}
		// The copy says what wrote it, and nothing about the example.
		if text, err := os.ReadFile(name); err != nil || !strings.HasPrefix(string(text), "# One.\n# Two.\n#\n# WeChat's two") || strings.Contains(string(text), "make dev") {
			t.Errorf("%v, the copy begins with %.60q", err, text)
		}
		if env["SHOP_URL"] != "http://localhost:8802" || env["WECHAT_API_KEY"] == "" {
			t.Errorf("the other settings are %v", env)
		}
		// An existing file is kept.
		if err := Write(example, name, "One.\nTwo."); !errors.Is(err, os.ErrExist) {
			t.Errorf("written over: %v", err)
		}
	}
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		secret := strings.Contains(name, "SECRET") || strings.Contains(name, "KEY") || strings.Contains(name, "TOKEN")
		if secret && !strings.HasPrefix(name, "#") && !strings.HasPrefix(name, "WECHAT_") && value != `""` && value != `"whsec_"` {
			t.Errorf("the example contains a value for %s", name)
		}
	}
}
