// Command vulncheck fails if a shipped program reaches a known vulnerability, for `make check`.
//
// The database is the module golang.org/x/vulndb from the module proxy. It is downloaded each time.
// Without a network the newest copy in the module cache is used. Without a copy the check fails in
// CI (CI=true) and is skipped elsewhere.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"h5pay/internal/cmdflag"
)

const (
	databaseModule = "golang.org/x/vulndb"
	fetchTimeout   = 90 * time.Second
)

// target is a platform and its programs.
type target struct {
	env      []string
	programs []string
}

var targets = []target{
	{programs: []string{"h5pay/signer", "h5pay/simulator", "h5pay/webhook", "h5pay/examples/webhook"}},
	{env: []string{"GOOS=js", "GOARCH=wasm"}, programs: []string{"h5pay/signer", "h5pay/wasm"}},
}

func main() {
	flag.Parse()
	if err := cmdflag.NoArguments(flag.CommandLine); err != nil {
		fmt.Fprintln(os.Stderr, "vulncheck:", err)
		os.Exit(2)
	}
	if err := run(context.Background(), os.Stdout, os.Getenv("CI") == "true"); err != nil {
		fmt.Fprintln(os.Stderr, "vulncheck:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, inCI bool) error {
	database, err := findDatabase(ctx)
	if err != nil {
		if inCI {
			return err
		}
		fmt.Fprintln(out, "vulncheck: NOT CHECKED:", err)
		return nil
	}
	for _, t := range targets {
		if err := scan(ctx, out, database, t); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "vulncheck: no known vulnerability is reachable; database %s\n", filepath.Base(database))
	return nil
}

// scan runs govulncheck on the programs of a target. It returns an error if one reaches a known
// vulnerability, or if the check fails.
func scan(ctx context.Context, out io.Writer, database string, t target) error {
	// By path, because GOOS must not apply to the tool itself.
	path, err := goCommand(ctx, "tool", "-n", "govulncheck").Output()
	if err != nil {
		return fmt.Errorf("building govulncheck: %w", withStderr(err))
	}
	args := append([]string{"-db", "file://" + filepath.ToSlash(filepath.Join(database, "data", "osv"))}, t.programs...)
	cmd := exec.CommandContext(ctx, strings.TrimSpace(string(path)), args...)
	cmd.Env = append(os.Environ(), t.env...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		out.Write(text)
		return fmt.Errorf("%s %s: %w", strings.Join(t.env, " "), strings.Join(t.programs, " "), err)
	}
	return nil
}

// findDatabase returns the folder of the newest available database.
func findDatabase(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	var module struct{ Dir, Error string }
	out, fetchErr := goCommand(ctx, "mod", "download", "-json", databaseModule+"@latest").Output()
	if err := json.Unmarshal(out, &module); err == nil && module.Dir != "" {
		return module.Dir, nil
	}
	if module.Error != "" {
		fetchErr = errors.New(module.Error)
	}
	cache, err := goCommand(ctx, "env", "GOMODCACHE").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module cache: %w", withStderr(err))
	}
	found, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(cache)), databaseModule+"@*"))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("downloading the vulnerability database %s: %w", databaseModule, withStderr(fetchErr))
	}
	return slices.Max(found), nil // the version begins with the date
}

func goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "GOOS=", "GOARCH=") // for this machine
	return cmd
}

// withStderr adds a command's standard error to its error.
func withStderr(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
