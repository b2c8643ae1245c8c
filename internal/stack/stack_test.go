package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadEnv(t *testing.T) {
	name := filepath.Join(t.TempDir(), "env")
	text := "# a comment\n\nA=\"one two\"\nB='x=y'\n C = plain \nD=\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadEnv(name)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"A": "one two", "B": "x=y", "C": "plain", "D": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadEnvDoesNotShowABadLine(t *testing.T) {
	name := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(name, []byte("A=1\nhalf-a-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ReadEnv(name)
	if err == nil || !strings.Contains(err.Error(), ":2:") || strings.Contains(err.Error(), "half-a-secret") {
		t.Errorf("got %v, want the line number alone", err)
	}
}

func TestCheckPort(t *testing.T) {
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckPort(port); err != nil {
		t.Errorf("a free port: %v", err)
	}
}

func TestUnbuiltTreeSaysWhatToDo(t *testing.T) {
	if err := checkBuilt(t.TempDir()); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("got %v", err)
	}
}
