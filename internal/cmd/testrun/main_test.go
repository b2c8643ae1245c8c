package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "testrun")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tc := range []struct {
		name, script string
		status       int
		says         string
	}{
		{"success", `echo fine; f=$(mktemp); rm "$f"; sleep 0`, 0, "fine"},
		{"failure", `exit 7`, 7, ""},
		{"killed", `kill -9 $$`, 1, "signal: killed"},
		{"temporary file", `mktemp -d`, 1, "left the temporary file"},
		{"temporary file and failure", `mktemp -d; exit 7`, 7, "left the temporary file"},
		{"process", `sleep 1000 >/dev/null 2>&1 &`, 1, "sleep 1000"},
		{"process of a group of its own", `set -m; sleep 1001 >/dev/null 2>&1 &`, 1, "sleep 1001"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(binary, "sh", "-c", tc.script)
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != tc.status || !strings.Contains(string(out), tc.says) {
				t.Errorf("status %d and %q, want %d and %q", got, out, tc.status, tc.says)
			}
			if tc.status == 0 && string(out) != "fine\n" {
				t.Errorf("a success printed %q besides", out)
			}
		})
	}
}
