//go:build !js

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The headers of every page allow only the shop's own code. They allow payment outside WeChat.
// WeChat's payment page checks in the Referer which shop sent the buyer, and the buyer gets there
// by a plain navigation.
func TestPolicyOfThePage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../wasm/site/headers.txt")
	if err != nil {
		t.Fatal(err)
	}
	everywhere, _, ok := strings.Cut(strings.TrimPrefix(string(text), "/*\n"), "\n\n")
	if !ok || !strings.HasPrefix(string(text), "/*\n") {
		t.Fatalf("no rule for /* in front:\n%s", text)
	}
	headers := map[string]string{}
	for line := range strings.Lines(everywhere) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		headers[name] = value
	}
	policy := policyOf(headers["Content-Security-Policy"])
	want := map[string]string{
		"default-src": "'self'",                                                      // for everything except scripts and styles: fonts, fetch and frames
		"worker-src":  "'self' blob:",                                                // inline text of the page compiles the program, under this policy too
		"script-src":  "'self' 'wasm-unsafe-eval' '{{.CheckHash}}' '{{.FirstHash}}'", // and the two inline scripts
		"style-src":   "'self' '{{.StyleHash}}'",
		"img-src":     "'self' data: https://thirdwx.qlogo.cn https://wx.qlogo.cn", // WeChat's avatars
		"object-src":  "'none'", "base-uri": "'none'", "form-action": "'self'", "frame-ancestors": "'none'",
	}
	if diff := cmp.Diff(want, policy); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"Strict-Transport-Security": "max-age=31536000",
		"X-Content-Type-Options":    "nosniff",
		"X-Frame-Options":           "DENY",
		"Referrer-Policy":           "strict-origin", // without a path, so that no code of a sign-in is sent
	} {
		if headers[name] != want {
			t.Errorf("%s: %q, want %q", name, headers[name], want)
		}
	}
	// The console has a style of its own and shows a photo before it is sent. It shows no avatars.
	want["style-src"], want["img-src"] = "'self' '{{.ConsoleStyleHash}}'", "'self' data: blob:"
	_, console, _ := strings.Cut(string(text), "\n/console*\n")
	_, console, _ = strings.Cut(console, "\n  Content-Security-Policy: ")
	console, _, _ = strings.Cut(console, "\n")
	if diff := cmp.Diff(want, policyOf(console)); diff != "" {
		t.Errorf("policy of the console (-want +got):\n%s", diff)
	}
	// The other rules for single folders may only set how long a file is cached.
	for line := range strings.Lines(string(text)[len(everywhere):]) {
		line = strings.TrimSpace(line)
		if line == "Content-Security-Policy: "+console {
			continue
		}
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, "! "), ":"); ok && !strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "#") && name != "Cache-Control" && headers[name] != "" && line != "" {
			t.Errorf("%q weakens the rule for all", line)
		}
	}
}

// policyOf returns the sources of each directive of a policy.
func policyOf(header string) map[string]string {
	policy := map[string]string{}
	for directive := range strings.SplitSeq(header, "; ") {
		name, sources, _ := strings.Cut(directive, " ")
		policy[name] = sources
	}
	return policy
}
