// Command wasmbuild compiles a package for js/wasm the way h5pay ships it:
//
//	go run ./wasmbuild -for worker -o build/signer.wasm ./signer
//	go run ./wasmbuild -for page -o build/page/app.wasm ./wasm
//
// It is `go build` without symbols, with stand-ins for some packages of the
// standard library, with the result packed, and for a page without the lines of its
// source. All of that matters to the one who waits for the binary; the stand-ins
// are in folders beside this one, and each says what it leaves out, as do
// wasmbin.Strip and wasmbin.Pack. A plain `go build` makes a program that behaves
// the same and is much larger. docs/page.md has the figures.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"h5pay/internal/wasmbin"
)

func main() {
	name := flag.String("for", "", "what the program is, worker or page: that decides what is left out")
	out := flag.String("o", "", "the binary to write")
	flag.Parse()
	k, ok := kinds[*name]
	if !ok || *out == "" || flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: wasmbuild -for worker|page -o FILE PACKAGE")
		os.Exit(2)
	}
	if err := build(*out, k, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "wasmbuild:", err)
		os.Exit(1)
	}
}

func build(out string, k kind, pkg string) error {
	dir, err := os.MkdirTemp("", "h5pay-wasmbuild-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := findRoot(dir)
	if err != nil {
		return err
	}
	overlay, linked := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "linked.wasm")
	if err := writeOverlay(overlay, root, k.standIns); err != nil {
		return err
	}
	if err := compile(linked, root, overlay, pkg); err != nil {
		return err
	}
	b, err := os.ReadFile(linked)
	if err != nil {
		return err
	}
	if !k.lines {
		if b, err = wasmbin.Strip(b); err != nil {
			return fmt.Errorf("stripping %s: %w", pkg, err)
		}
	}
	packed, err := wasmbin.Pack(b)
	if err != nil {
		return fmt.Errorf("packing %s: %w", pkg, err)
	}
	return os.WriteFile(out, packed, 0o644)
}

// compile runs go build, of the Go in root. HTTP/2 is left out with a tag of
// net/http's own, which a page knows nothing of: it would need TLS.
func compile(out, root, overlay, pkg string) error {
	cmd := exec.Command(filepath.Join(root, "bin", "go"), "build", "-trimpath", "-ldflags=-s -w", "-tags=nethttpomithttp2", "-overlay="+overlay, "-o", out, pkg)
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "GOROOT="+root, "GOTOOLCHAIN=local")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return errors.New("go build failed, see above; when it misses something of a package that has a stand-in, " +
			"such as crypto/tls in wasmbuild/crypto/tls, add it there")
	}
	return nil
}
