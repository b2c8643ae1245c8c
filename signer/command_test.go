//go:build !js

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// runCommand runs a command line and returns its status and output.
func runCommand(t *testing.T, env map[string]string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c := &console{getenv: lookup(env), stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	status = c.run(t.Context(), args)
	return status, out.String(), errs.String()
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	db := map[string]string{dbSetting: filepath.Join(t.TempDir(), "h5pay.db")}
	for _, test := range []struct {
		line           string
		status         int
		stdout, stderr string
	}{
		{"", 2, "", "h5pay COMMAND"},
		{"help", 0, "products", ""},
		{"nothing", 2, "", `unknown command "nothing"`},
		{"version", 0, "h5pay ", ""},
		{"version 1", 2, "", `unexpected argument "1"`},
		{"serve -help", 0, "-config", ""},
		{"serve -desk-port x", 2, "", "is for the demo, and there are settings"},
		{"serve -nothing", 2, "", "not defined: -nothing; h5pay serve -help lists the flags"},
		{"simulator -nothing", 2, "", "not defined: -nothing"},
		{"products", 2, "", "want -demo or -sql FILE"},
		{"products -demo", 0, "7 products are for sale", ""},
		{"migrate", 0, "has the schema 0001_schema.sql", ""},
		{"migrate -config none.env", 1, "", "reading the settings: open none.env"},
	} {
		status, stdout, stderr := runCommand(t, db, strings.Fields(test.line)...)
		if status != test.status || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) || test.stderr == "" && stderr != "" {
			t.Errorf("h5pay %s: %d\n%s%s", test.line, status, stdout, stderr)
		}
	}
}

// Each command is in the help, and has a help of its own.
func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	_, all, _ := runCommand(t, nil, "help")
	for _, s := range subcommands() {
		if !strings.Contains(all, "\n  "+s.name+" ") {
			t.Errorf("the help lacks %s", s.name)
		}
		status, stdout, stderr := runCommand(t, nil, s.name, "-help")
		if status != 0 || stdout+stderr == "" {
			t.Errorf("h5pay %s -help: %d %s%s", s.name, status, stdout, stderr)
		}
	}
}
