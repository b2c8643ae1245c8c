package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kind is the purpose of a program. It decides what can be omitted.
type kind struct {
	// replacements are the standard packages to replace. The replacements have the same path within
	// this folder.
	replacements []string
	// lines reports whether traces have the file and the lines of a function.
	lines func(name string) bool
}

var kinds = map[string]kind{
	// The platform serves HTTP, and its fetch sends requests. The operator reads the traces in the
	// log. They have the lines of this project's functions, and only the names of others.
	"worker": {replacements: []string{"crypto/tls"}, lines: func(name string) bool {
		return strings.HasPrefix(name, "h5pay/") || strings.HasPrefix(name, "main.")
	}},
	// The page serves nothing, and the browser's fetch sends requests. Nobody reads its traces.
	"page": {lines: func(string) bool { return false }, replacements: []string{
		"crypto/aes", "crypto/cipher", "crypto/md5", "crypto/rand", "crypto/sha1",
		"net/http", "regexp", "text/template",
	}},
}

// findRoot returns the root of the toolchain. An overlay cannot replace files in Go's module cache,
// where downloaded toolchains are. For those it returns a link in dir.
func findRoot(dir string) (string, error) {
	out, err := goOutput("env", "GOROOT", "GOMODCACHE")
	if err != nil {
		return "", err
	}
	root, cache, _ := strings.Cut(out, "\n")
	if !strings.HasPrefix(root, cache+string(filepath.Separator)) {
		return root, nil
	}
	link := filepath.Join(dir, "goroot")
	return link, os.Symlink(root, link)
}

// writeOverlay writes the file for `go build -overlay` that replaces pkgs for this build.
func writeOverlay(name, root string, pkgs []string) error {
	replace := map[string]string{}
	for _, pkg := range pkgs {
		dir, err := goOutput("list", "-f", "{{.Dir}}", "h5pay/internal/cmd/wasmbuild/"+pkg)
		if err != nil {
			return err
		}
		if err := replacePackage(replace, filepath.Join(root, "src", filepath.FromSlash(pkg)), dir); err != nil {
			return fmt.Errorf("replacing package %s: %w", pkg, err)
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o644)
}

// replacePackage replaces all Go files of a folder with those of another, except tests.
func replacePackage(replace map[string]string, there, replacement string) error {
	for _, place := range []struct {
		dir string
		add func(name string)
	}{
		{there, func(name string) { replace[filepath.Join(there, name)] = "" }},
		{replacement, func(name string) { replace[filepath.Join(there, name)] = filepath.Join(replacement, name) }},
	} {
		names, err := filepath.Glob(filepath.Join(place.dir, "*.go"))
		if err != nil {
			return err
		}
		count := 0
		for _, name := range names {
			if !strings.HasSuffix(name, "_test.go") {
				place.add(filepath.Base(name))
				count++
			}
		}
		if count == 0 {
			return fmt.Errorf("no Go files in %s", place.dir)
		}
	}
	return nil
}

// goOutput runs the go command and returns its output.
func goOutput(args ...string) (string, error) {
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}
