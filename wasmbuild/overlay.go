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

// kind is what a program is for, which decides what it can do without.
type kind struct {
	// standIns are packages of the standard library that have a stand-in, in this
	// module under the path that they have there.
	standIns []string
	// lines keeps files and line numbers for traces. A Worker's traces are in its
	// log, for the operator; those of a page are in a shopper's phone.
	lines bool
}

var kinds = map[string]kind{
	// HTTP is served, by the platform, and called, by its fetch.
	"worker": {standIns: []string{"crypto/tls"}, lines: true},
	// A page of go-app's: nothing serves HTTP, and what calls it is the browser.
	"page": {standIns: []string{
		"crypto/aes", "crypto/cipher", "crypto/md5", "crypto/rand", "crypto/sha1",
		"net/http", "regexp", "text/template",
	}},
}

// findRoot returns Go's own folder. Go replaces no file beneath its module
// cache, and a Go that was fetched for go.mod's sake lives there: then the folder
// is a link in dir.
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

// writeOverlay writes the file for `go build -overlay` that puts the stand-ins
// for pkgs in place: the Go in root then reads their files instead of its own, in
// this one build.
func writeOverlay(name, root string, pkgs []string) error {
	replace := map[string]string{}
	for _, pkg := range pkgs {
		dir, err := goOutput("list", "-f", "{{.Dir}}", "h5pay/wasmbuild/"+pkg)
		if err != nil {
			return err
		}
		if err := replacePackage(replace, filepath.Join(root, "src", filepath.FromSlash(pkg)), dir); err != nil {
			return fmt.Errorf("the stand-in for %s: %w", pkg, err)
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o644)
}

// replacePackage takes all Go files of a folder away and puts those of another
// there, tests aside.
func replacePackage(replace map[string]string, there, standIn string) error {
	for _, place := range []struct {
		dir string
		add func(name string)
	}{
		{there, func(name string) { replace[filepath.Join(there, name)] = "" }},
		{standIn, func(name string) { replace[filepath.Join(there, name)] = filepath.Join(standIn, name) }},
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

// goOutput runs the go command and returns what it prints.
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
