// Command wasmbuild compiles a package for js/wasm the way h5pay ships it:
//
//	go run ./wasmbuild -o build/signer.wasm ./signer
//
// It is `go build` without symbols and with the result packed; wasmbin.Pack says
// what that does.
package main

import (
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
	linked := filepath.Join(dir, "linked.wasm")
	if err := compile(linked, pkg); err != nil {
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

// compile runs go build.
func compile(out, pkg string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
