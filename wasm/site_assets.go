//go:build !js

package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// siteFiles are the parts of the site that are not made of screens.
//
//go:embed site
var siteFiles embed.FS

// assets are the addresses of the files that pages refer to. Each has the hash of
// its content in it, so a browser may keep it for ever.
type assets struct {
	First, Start string // scripts: before the body, and with the program
	Style        string
	Wasm         string
	Size         int // of the program, in bytes
}

// assetsDir is their folder in the site. Nothing else is in it, and public/_headers
// tells browsers to keep what is.
const assetsDir = "assets"

// writeAssets makes the folder anew.
func writeAssets(out, wasm string) (a assets, err error) {
	dir := filepath.Join(out, assetsDir)
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
		{"first.js", &a.First, func() ([]byte, error) { return siteFiles.ReadFile("site/first.js") }},
		{"start.js", &a.Start, startScript},
		{"page.css", &a.Style, func() ([]byte, error) { return styleSheet(out) }},
		{"app.wasm", &a.Wasm, func() ([]byte, error) {
			b, err := os.ReadFile(wasm)
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

// hash names a content, with 64 bits.
func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
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

// sourceFiles are where the page gets the names of its classes from.
//
//go:embed *.go site
var sourceFiles embed.FS

// styleSheet joins the style sheets of the site: what is needed of WeUI's, and
// over it those of the shop.
func styleSheet(out string) ([]byte, error) {
	const base = "weui.css"
	names, err := filepath.Glob(filepath.Join(out, "web", "*.css"))
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(names, func(name string) bool { return filepath.Base(name) == base })
	if at < 0 {
		return nil, errors.New("no " + base)
	}
	names[0], names[at] = names[at], names[0]
	slices.Sort(names[1:])
	var all []string
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, string(b))
	}
	var sources strings.Builder
	err = fs.WalkDir(sourceFiles, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, "_test.go") {
			return err
		}
		b, err := sourceFiles.ReadFile(name)
		sources.Write(b)
		return err
	})
	if err != nil {
		return nil, err
	}
	over := strings.Join(all[1:], "\n")
	return []byte(prune(all[0], over, usedNames(sources.String())) + "\n" + over), nil
}
