//go:build !js

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// The command that users get has nothing of the fault campaign: only the tag adds its file.
func TestReleaseHasNoCampaign(t *testing.T) {
	t.Parallel()
	const file = "campaign_other.go"
	var list struct{ GoFiles []string }
	for _, tagged := range []bool{false, true} {
		args := []string{"list", "-json"}
		if tagged {
			args = append(args, "-tags", "campaign")
		}
		out, err := exec.Command("go", args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &list); err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(list.GoFiles, file); got != tagged {
			t.Errorf("go %q: %s is built: %t", args, file, got)
		}
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// This program is built of the same files. The names are made here, so that it does not hold them.
	for _, rest := range []string{"CLOCK", "SKEW", "NODE", "EVENTS"} {
		if name := append([]byte("CAMPAIGN_"), rest...); bytes.Contains(program, name) {
			t.Errorf("the program contains %s", name)
		}
	}
}
