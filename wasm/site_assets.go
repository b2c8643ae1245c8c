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

// siteFiles are the authored parts of the site.
//
//go:embed site
var siteFiles embed.FS

// assets are the scripts, the style and the files that the pages use.
//
// Everything that the first paint needs is inlined into each page, which saves a request. Its
// hashes are in the Content-Security-Policy of site/headers.txt, which allows no other inline code.
type assets struct {
	Check, First         template.JS // run before the body, in this order
	Style                template.CSS
	CheckHash, FirstHash string // "sha256-..."
	StyleHash            string
	ConsoleStyleHash     string // of the console's style
	Version              string // of the shop's pages, set when all are written

	// Addresses of files. Each contains the hash of the file's content, so browsers may keep the
	// file forever.
	Start string // the script that starts the program
	Wasm  string
	Size  int // of the program, in bytes
}

// assetsDir is the folder of those files. It contains nothing else, because site/headers.txt lets
// browsers keep its files forever.
const assetsDir = "assets"

// writeAssets recreates the folder.
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

// lineComment matches a comment line of a script.
var lineComment = regexp.MustCompile(`(?m)^\s*//.*\n`)

// indent matches the white space before a line of a script. No script has a string of several
// lines.
var indent = regexp.MustCompile(`(?m)^[ \t]+`)

// policyHash returns the hash that a Content-Security-Policy uses for an inline text.
func policyHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// hash returns 64 bits of a content hash, in hexadecimal.
func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// inlineScript joins scripts of site/ for inlining, without comment lines and indentation.
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

// startScript is the toolchain's own wasm_exec.js followed by start.js. The wasm_exec.js in go-app
// is older and does not match the binary.
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
