// Package stack runs the shop on this machine for `make dev` and the end-to-end tests. It runs the
// built Worker and page under `wrangler dev`, which uses real workerd and real D1.
package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"h5pay/internal/cleanup"
	"h5pay/internal/job"
)

// ShopConfig configures a shop. Dir, Port, State and EnvFile are required.
type ShopConfig struct {
	Dir     string            // the project's root, with build/, public/ and node_modules/
	Port    int               // for http://localhost:Port
	State   string            // folder of the local D1 database; created if missing
	EnvFile string            // settings and secrets, in the form of .dev.vars
	Vars    map[string]string // settings that override those in EnvFile
	Output  io.Writer         // wrangler's output; nil discards it
}

// Shop is a running `wrangler dev`.
type Shop struct {
	URL string // http://localhost:8787

	cmd  *exec.Cmd
	done chan struct{}
	err  error // of the process; valid after done is closed
}

// startTimeout limits the start of wrangler, which takes two to five seconds on an idle machine.
const startTimeout = 90 * time.Second

// closeTimeout is the time that wrangler and workerd get to exit before they are killed.
const closeTimeout = 5 * time.Second

// StartShop applies the migrations, starts wrangler and waits until the shop responds. If ctx ends,
// the start is cancelled. A running shop does not depend on ctx.
func StartShop(ctx context.Context, cfg ShopConfig) (*Shop, error) {
	if err := cleanup.Check(); err != nil {
		return nil, err
	}
	if cfg.Output == nil {
		cfg.Output = io.Discard
	}
	if err := checkBuilt(cfg.Dir); err != nil {
		return nil, err
	}
	// A killed wrangler leaves temporary files here.
	tree, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if err := cleanup.Scratch(tree, filepath.Join(tree, ".wrangler", "tmp")); err != nil {
		return nil, err
	}
	if err := migrate(ctx, cfg); err != nil {
		return nil, err
	}
	inspector, err := FreePort()
	if err != nil {
		return nil, err
	}
	overrides := filepath.Join(cfg.State, "overrides.env")
	if err := writeVars(overrides, cfg.Vars); err != nil {
		return nil, err
	}
	args := []string{
		"dev",
		"--port", strconv.Itoa(cfg.Port),
		"--inspector-port", strconv.Itoa(inspector),
		"--persist-to", cfg.State,
		"--env-file", cfg.EnvFile,
		"--env-file", overrides,
		"--show-interactive-dev-session=false",
	}
	s := &Shop{
		URL:  "http://localhost:" + strconv.Itoa(cfg.Port),
		cmd:  wrangler(context.Background(), cfg, args...),
		done: make(chan struct{}),
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting wrangler: %w", err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.waitReady(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// writeVars writes settings into a private file. Every user of the machine can read the arguments of
// a command, and some settings are secrets.
func writeVars(file string, vars map[string]string) error {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if strings.ContainsAny(vars[name], "'$") { // wrangler ends the value, or expands a variable
			return fmt.Errorf("setting %s: a setting of a local shop contains no ' and no $", name)
		}
		fmt.Fprintf(&text, "%s='%s'\n", name, vars[name])
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) { // it may have another mode
		return err
	}
	return os.WriteFile(file, []byte(text.String()), 0o600)
}

// Tick runs the jobs of every minute in turn, because wrangler fires no cron triggers. It returns
// an error if a job fails.
func (s *Shop) Tick(ctx context.Context) error {
	return errors.Join(s.runJob(ctx, job.Reconcile), s.Deliver(ctx))
}

// Deliver runs the job that delivers webhooks.
func (s *Shop) Deliver(ctx context.Context) error { return s.runJob(ctx, job.Deliver) }

// CheckBills runs the job that compares the orders with WeChat's bill. Only tests use it, because a
// restarted simulator has no bill of the previous day.
func (s *Shop) CheckBills(ctx context.Context) error { return s.runJob(ctx, job.CheckBills) }

func (s *Shop) runJob(ctx context.Context, j job.Job) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/cdn-cgi/handler/scheduled?cron="+url.QueryEscape(j.Cron()), nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("running the job %s: %w", j, err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(io.LimitReader(res.Body, 1000)); err != nil || res.StatusCode != http.StatusOK || string(text) != "ok" {
		return fmt.Errorf("running the job %s: status %s: %.100q", j, res.Status, text)
	}
	return nil
}

// Done returns a channel that is closed when wrangler has ended.
func (s *Shop) Done() <-chan struct{} { return s.done }

// Close ends wrangler and workerd and waits for them.
func (s *Shop) Close() {
	// Signal the group, because wrangler's workerd is a grandchild.
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(closeTimeout):
	}
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.done
}

func (s *Shop) waitReady(ctx context.Context) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/api/config", nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			// Any response is enough; a misconfigured shop responds too.
			res.Body.Close()
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("wrangler exited before the shop responded: %v", s.err)
		case <-ctx.Done():
			return fmt.Errorf("no response from the shop at %s: %w", s.URL, context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// wrangler returns a wrangler command in its own process group, with the project's Node first in
// PATH.
func wrangler(ctx context.Context, cfg ShopConfig, args ...string) *exec.Cmd {
	bin := filepath.Join(cfg.Dir, "node_modules", ".bin")
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "wrangler"), args...)
	cmd.Dir = cfg.Dir
	cmd.Env = append(os.Environ(),
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"WRANGLER_SEND_METRICS=false",
		"H5PAY_BUILT=1",             // otherwise wrangler.toml builds
		"WRANGLER_WRITE_LOGS=false", // otherwise each run leaves a file in the home folder
		"WRANGLER_REGISTRY_PATH="+filepath.Join(cfg.State, "registry"),
		"NO_COLOR=1",
	)
	cmd.Stdout = cfg.Output
	cmd.Stderr = cfg.Output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// The command starts another Node, which keeps the output open after the command is killed.
	cmd.WaitDelay = closeTimeout
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// checkBuilt returns an error if `make build` has not run.
func checkBuilt(dir string) error {
	for _, name := range []string{
		"node_modules/.bin/wrangler",
		"build/worker.mjs", "build/signer.wasm",
		"public/index.html",
	} {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s is missing: run `make build` first", name)
		}
	}
	return nil
}

// FreePort returns a free TCP port of this machine.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
