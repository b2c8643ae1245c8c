//go:build !js

package main

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// siteFiles are the parts of the site that are not made of screens.
//
//go:embed site
var siteFiles embed.FS

// assets are what pages are made of besides their screens.
//
// What the first paint waits for is part of every page, which saves a trip to the
// shop. Its hashes are in the policy of site/headers.txt, which lets nothing else of
// that kind run.
type assets struct {
	Check, First         template.JS // run before the body, in this order
	Style                template.CSS
	CheckHash, FirstHash string // "sha256-..."
	StyleHash            string

	// Addresses of files. Each has the hash of the content in it, so a browser
	// may keep it for ever.
	Start string // the script that starts the program
	Wasm  string
	Size  int // of the program, in bytes
}

// assetsDir is the folder of those files in the site. Nothing else is in it, and
// site/headers.txt tells browsers to keep what is.
const assetsDir = "assets"

// writeAssets makes the folder anew.
func (s *site) writeAssets() (a assets, err error) {
	for _, script := range []struct {
		text  *template.JS
		hash  *string
		files []string
	}{
		{&a.Check, &a.CheckHash, []string{"check.js"}},
		{&a.First, &a.FirstHash, []string{"compile.js", "first.js"}},
	} {
		text, err := inlineScript(script.files...)
		if err != nil {
			return a, err
		}
		*script.text, *script.hash = template.JS(text), policyHash(text)
	}
	style, err := s.styleSheet()
	if err != nil {
		return a, fmt.Errorf("making the style sheet: %w", err)
	}
	a.Style = template.CSS(style)
	a.StyleHash = policyHash(style)

	dir := filepath.Join(s.out, assetsDir)
	if err := os.RemoveAll(dir); err != nil {
		return a, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return a, err
	}
	for _, file := range []struct {
		name    string
		address *string
		read    func() ([]byte, error)
	}{
		{"start.js", &a.Start, startScript},
		{"app.wasm", &a.Wasm, func() ([]byte, error) {
			b, err := os.ReadFile(s.wasm)
			a.Size = len(b)
			return b, err
		}},
	} {
		b, err := file.read()
		if err != nil {
			return a, fmt.Errorf("making %s: %w", file.name, err)
		}
		name, ext, _ := strings.Cut(file.name, ".")
		name = name + "." + hash(b) + "." + ext
		*file.address = "/" + assetsDir + "/" + name
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return a, err
		}
	}
	return a, nil
}

// lineComment is a comment of a script, with its line.
var lineComment = regexp.MustCompile(`(?m)^\s*//.*\n`)

// indent is the white space before a line of a script. No script has a string of
// several lines.
var indent = regexp.MustCompile(`(?m)^[ \t]+`)

// policyHash is how a Content-Security-Policy names a text that stands in a page.
func policyHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// hash names a content, with 64 bits.
func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// inlineScript joins scripts of site/ that stand in the page, without their comments
// and indents.
func inlineScript(names ...string) (string, error) {
	var script strings.Builder
	for _, name := range names {
		part, err := siteFiles.ReadFile("site/" + name)
		if err != nil {
			return "", err
		}
		script.WriteString(indent.ReplaceAllString(lineComment.ReplaceAllString(string(part), ""), ""))
	}
	return script.String(), nil
}

// startScript is the loader behind the toolchain's own wasm_exec.js; the one that
// go-app brings is older and does not fit the binary.
func startScript() ([]byte, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("finding the toolchain: %w", err)
	}
	runtime, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return nil, fmt.Errorf("finding the toolchain's wasm_exec.js: %w", err)
	}
	start, err := siteFiles.ReadFile("site/start.js")
	return append(runtime, start...), err
}
