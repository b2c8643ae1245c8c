// Command release builds the native command h5pay for every platform, for `make release`.
//
// It builds a clone of the commit in a folder of its own, so that neither changed files nor local
// settings get into a binary. The same commit gives the same bytes on every machine. Beside the
// binaries it writes SHA256SUMS, and a software bill of materials (CycloneDX) of the command and of
// the page inside it.
package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"h5pay"
	"h5pay/internal/cmdflag"
)

// platforms are those of a release.
const platforms = "linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet("release", flag.ExitOnError)
	var r release
	flags.StringVar(&r.out, "o", "build/release", "`folder` to write into")
	flags.StringVar(&r.modules, "modules", "node_modules", "`folder` of the installed npm packages")
	flags.BoolVar(&r.uncommitted, "uncommitted", false, "build the last commit although files are changed")
	list := flags.String("platforms", platforms, "`list` of GOOS/GOARCH to build for")
	flags.Parse(os.Args[1:])
	err := cmdflag.NoArguments(flags)
	if err == nil {
		err = r.build(ctx, strings.Fields(*list))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// release is a release under construction.
type release struct {
	out     string // folder of the result
	modules string // folder of npm packages
	source  string // folder of the clone

	uncommitted bool // files may differ from the commit
}

// build builds the release of the current commit. It replaces an earlier one.
func (r *release) build(ctx context.Context, platforms []string) (err error) {
	for _, folder := range []*string{&r.out, &r.modules} {
		if *folder, err = filepath.Abs(*folder); err != nil {
			return err
		}
	}
	if changed, err := output(ctx, ".", nil, "git", "status", "--porcelain"); err != nil {
		return err
	} else if changed != "" && !r.uncommitted {
		return fmt.Errorf("commit the changed files first:\n%s", changed)
	}
	root, err := output(ctx, ".", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	version, err := output(ctx, ".", nil, "git", "describe", "--tags", "--always")
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "h5pay-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	r.source = filepath.Join(temporary, "h5pay")
	if _, err := output(ctx, ".", nil, "git", "clone", "--quiet", root, r.source); err != nil {
		return err
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	if err := r.page(ctx); err != nil {
		return fmt.Errorf("building the page: %w", err)
	}
	for _, platform := range platforms {
		if err := r.binary(ctx, version, platform); err != nil {
			return fmt.Errorf("building for %s: %w", platform, err)
		}
	}
	if err := r.bills(ctx, version); err != nil {
		return fmt.Errorf("writing the bill of materials: %w", err)
	}
	return r.sums()
}

// page builds the page and the console in the clone, with h5pay.PageName as the shop's name.
func (r *release) page(ctx context.Context) error {
	settings := filepath.Join(r.source, ".wrangler", "release.env")
	program, console := filepath.Join(r.source, "build", "page", "app.wasm"), filepath.Join(r.source, "build", "console", "app.wasm")
	for _, name := range []string{settings, program, console} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(settings, fmt.Appendf(nil, "SHOP_NAME = %q\n", h5pay.PageName), 0o644); err != nil {
		return err
	}
	for file, pkg := range map[string]string{program: "./wasm", console: "./wasm/console"} {
		if _, err := output(ctx, r.source, nil, "go", "run", "./internal/cmd/wasmbuild", "-for", "page", "-o", file, pkg); err != nil {
			return err
		}
	}
	if _, err := output(ctx, r.source, nil, "go", "run", "./wasm", "-out", "public", "-wasm", program, "-console", console, "-modules", r.modules, "-settings", settings); err != nil {
		return err
	}
	_, err := output(ctx, r.source, nil, filepath.Join(r.modules, ".bin", "node"), "internal/cmd/compress/compress.mjs", "public/assets")
	return err
}

// binary builds the command for a platform, "linux/amd64". The Go command writes the version and the
// commit into it.
func (r *release) binary(ctx context.Context, version, platform string) error {
	system, processor, ok := strings.Cut(platform, "/")
	if !ok {
		return fmt.Errorf("platform %q: want GOOS/GOARCH", platform)
	}
	name := strings.Join([]string{"h5pay", version, system, processor}, "-")
	if system == "windows" {
		name += ".exe"
	}
	env := []string{"GOOS=" + system, "GOARCH=" + processor, "CGO_ENABLED=0", "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0"}
	_, err := output(ctx, r.source, env, "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", filepath.Join(r.out, name), "./signer")
	return err
}

// bills writes the bills of materials: the modules of the command on Linux, and those of the page.
func (r *release) bills(ctx context.Context, version string) error {
	for _, bill := range []struct{ name, main, system, processor string }{
		{"h5pay", "signer", "linux", "amd64"},
		{"page", "wasm", "js", "wasm"},
	} {
		tool, err := output(ctx, filepath.Join(r.source, "internal", "cmd", "release", "sbom"), nil, "go", "tool", "-n", "cyclonedx-gomod")
		if err != nil {
			return err
		}
		env := []string{"GOOS=" + bill.system, "GOARCH=" + bill.processor, "CGO_ENABLED=0", "GOFLAGS="}
		file := filepath.Join(r.out, strings.Join([]string{bill.name, version, "cdx.json"}, "-"))
		if _, err := output(ctx, r.source, env, tool, "app", "-json", "-std", "-noserial", "-notimestamp", "-main", bill.main, "-output", file, "."); err != nil {
			return err
		}
	}
	return nil
}

// sums writes SHA256SUMS, which `sha256sum -c` reads.
func (r *release) sums() error {
	entries, err := os.ReadDir(r.out)
	if err != nil {
		return err
	}
	var lines []string
	for _, e := range entries {
		sum, err := sumOf(filepath.Join(r.out, e.Name()))
		if err != nil {
			return err
		}
		lines = append(lines, sum+"  "+e.Name()+"\n")
		fmt.Print(lines[len(lines)-1])
	}
	return os.WriteFile(filepath.Join(r.out, "SHA256SUMS"), []byte(strings.Join(lines, "")), 0o644)
}

func sumOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// output runs a command in a folder and returns its standard output without white space around it.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, slices.Concat(os.Environ(), env), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
