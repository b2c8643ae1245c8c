package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUnbuiltTreeNamesTheCommand(t *testing.T) {
	if err := checkBuilt(t.TempDir()); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v", err)
	}
}

// The settings of a local shop, with its secrets, are in a file of this user alone.
func TestSettingsAreInAPrivateFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "overrides.env")
	for _, vars := range []map[string]string{{"OLD": "1"}, {"B": "two\nlines", "A": `"quoted" #1`}} {
		if err := writeVars(file, vars); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if err := os.Chmod(file, 0o644); err != nil { // of an older version
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if want := "A='\"quoted\" #1'\nB='two\nlines'\n"; err != nil || string(b) != want {
		t.Errorf("%q, %v, want %q", b, err, want)
	}
	for _, value := range []string{"it's", "$HOME"} {
		if err := writeVars(file, map[string]string{"SESSION_KEY": value}); err == nil || strings.Contains(err.Error(), value) || !strings.Contains(err.Error(), "SESSION_KEY") {
			t.Errorf("%s: %v", value, err)
		}
	}
}
