//go:build !js

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"h5pay/internal/api"
)

// Every code the signer can answer has words of its own, and a way out.
func TestTroublesForEveryCode(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../internal/api/error.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Code" {
			c, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if _, ok := troubles[api.Code(c)]; !ok {
				t.Errorf("no words for %s", c)
			}
		}
		return true
	})
	if troubleOf("made up") != troubles[api.CodeInternal] {
		t.Error("an unknown code has no words")
	}
}

func TestWriteSite(t *testing.T) {
	routes()
	out := t.TempDir()
	if err := os.CopyFS(filepath.Join(out, "web"), os.DirFS("../public/web")); err != nil {
		t.Fatal(err)
	}
	if err := writeSite(out); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	contains := func(name string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(read(name), part) {
				t.Errorf("%s lacks %q", name, part)
			}
		}
	}

	for page, parts := range map[string][]string{
		"index.html":  {"<title>" + textTitle.zh, textCheckout.zh, "skeleton"},
		"pay.html":    {"<title>" + textPayTitle.zh, "skeleton"},
		"result.html": {"<title>" + textResultTitle.zh, textConfirming.zh},
	} {
		contains(page, append(parts, `aria-hidden="true"`, notLoaded, `src="/app.js"`)...)
		if strings.Contains(read(page), "aria-hidden>") || strings.Contains(read(page), "user-scalable") {
			t.Errorf("%s: hidden things are not hidden, or nobody can zoom", page)
		}
		// The page waits for these to see an error or a place.
		if strings.Contains(read(page), "data-error") || strings.Contains(read(page), "data-outside") {
			t.Errorf("%s has an error before the program runs", page)
		}
	}
	contains("app-worker.js", siteVersionOf(t, out))
	if strings.Contains(read("app.js"), "crawler") {
		t.Error("phones with a bot in their name get no program")
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	toolchain, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"))
	if err != nil || read("wasm_exec.js") != string(toolchain) {
		t.Errorf("wasm_exec.js is not the toolchain's: %v", err)
	}

	// No asset from another host, and nothing of the machine that built it.
	hosts := regexp.MustCompile(`(?:https?:)?//[a-zA-Z0-9.-]+\.[a-z]{2,}[^"'\s)]*|127\.0\.0\.1`)
	err = filepath.WalkDir(out, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(name, "/web/") || filepath.Base(name) == "wasm_exec.js" {
			return err
		}
		b, err := os.ReadFile(name)
		for _, found := range hosts.FindAllString(string(b), -1) {
			if u, err := url.Parse(found); err == nil && u.Host == "www.w3.org" {
				continue
			}
			t.Errorf("%s refers to %s", filepath.Base(name), found)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The service worker keeps a site until its version changes.
func TestSiteVersion(t *testing.T) {
	out := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(out, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return siteVersionOf(t, out)
	}
	write("web/app.wasm", "one")
	first := write("web/products/tea.svg", "two")
	if again := write("web/app.wasm", "one"); again != first {
		t.Errorf("the same files have the versions %s and %s", first, again)
	}
	if other := write("index.html", "generated"); other != first {
		t.Error("what is generated changes the version it is given")
	}
	seen := map[string]bool{first: true}
	for _, changed := range []string{
		write("web/app.wasm", "ONE"), write("web/products/tea.svg", "TWO"), write("web/products/bun.svg", ""),
	} {
		if seen[changed] {
			t.Errorf("a change leaves the version at %s", changed)
		}
		seen[changed] = true
	}
}

func siteVersionOf(t *testing.T, out string) string {
	t.Helper()
	v, err := siteVersion(out)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
