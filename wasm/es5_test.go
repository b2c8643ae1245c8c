//go:build !js

package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// newLiteral matches literals that esbuild always prints in the older form.
var newLiteral = regexp.MustCompile(`\d_\d|\b0[bBoO]\d|\\u\{`)

// es5 returns why a script is not ECMAScript 5, "" if it is. For this target esbuild rejects what
// it cannot translate and changes what it can.
func es5(t *testing.T, script string) string {
	t.Helper()
	run := func(target string) (out, problems string, err error) {
		cmd := exec.Command("../node_modules/.bin/esbuild", "--loader=js", "--log-level=error", "--charset=utf8", "--target="+target)
		cmd.Stdin = strings.NewReader(script)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		b, err := cmd.Output()
		return string(b), stderr.String(), err
	}
	modern, problems, err := run("esnext")
	if err != nil {
		t.Fatalf("esbuild: %v\n%s", err, problems)
	}
	old, problems, err := run("es5")
	switch {
	case err != nil:
		return problems
	case newLiteral.MatchString(script):
		return "it has " + newLiteral.FindString(script)
	case old != modern:
		return "esbuild changed it:\n" + old
	}
	return ""
}

// check.js shows users of old engines why the page does not start, so it must run in those engines.
func TestCheckScriptIsES5(t *testing.T) {
	script, err := inlineScript("check.js")
	if err != nil {
		t.Fatal(err)
	}
	if why := es5(t, script); why != "" {
		t.Error(why)
	}
	for _, modern := range []string{
		"var a = b ?? c;", "var a = b?.c;", "f(() => 1);", "let a = 1;", "const a = 1;", "var a = `x`;", "class A {}",
		"var a = { b };", "var { a } = b;", "f(...a);", "try { f() } catch {}", "async function f() {}", "for (var a of b) f();", "var a = 1_000;", "var a = 0b11;", "var a = 2 ** 3;",
	} {
		if es5(t, modern) == "" {
			t.Errorf("%q passes for ECMAScript 5", modern)
		}
	}
}
