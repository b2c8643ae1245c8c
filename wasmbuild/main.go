// Command wasmbuild compiles a package for js/wasm the way h5pay ships it:
//
//	go run ./wasmbuild -o build/signer.wasm ./signer
//
// It is `go build` without symbols, with a stand-in for crypto/tls, and with the
// result packed. Both matter to the one who waits for the binary; package
// h5pay/wasmbuild/crypto/tls and wasmbin.Pack say what they do. A plain `go build`
// makes a program that behaves the same and is a third larger, compressed.
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
	out := flag.String("o", "", "the binary to write")
	flag.Parse()
	if *out == "" || flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: wasmbuild -o FILE PACKAGE")
		os.Exit(2)
	}
	if err := build(*out, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "wasmbuild:", err)
		os.Exit(1)
	}
}

func build(out, pkg string) error {
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
	if err := writeOverlay(overlay, root); err != nil {
		return err
	}
	if err := compile(linked, root, overlay, pkg); err != nil {
		return err
	}
	b, err := os.ReadFile(linked)
	if err != nil {
		return err
	}
	packed, err := wasmbin.Pack(b)
	if err != nil {
		return fmt.Errorf("packing %s: %w", pkg, err)
	}
	return os.WriteFile(out, packed, 0o644)
}

// compile runs go build, of the Go in root. HTTP/2 is left out with a tag of
// net/http's own: it would need TLS.
func compile(out, root, overlay, pkg string) error {
	cmd := exec.Command(filepath.Join(root, "bin", "go"), "build", "-trimpath", "-ldflags=-s -w", "-tags=nethttpomithttp2", "-overlay="+overlay, "-o", out, pkg)
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "GOROOT="+root, "GOTOOLCHAIN=local")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return errors.New("go build failed, see above; when its complaint is about net/http and tls, " +
			"this Go uses something of crypto/tls that wasmbuild/crypto/tls lacks: add it there")
	}
	return nil
}
