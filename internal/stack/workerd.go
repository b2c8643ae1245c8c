package stack

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"h5pay/internal/cleanup"
)

// WorkerdConfig configures a Worker on workerd alone, without wrangler and its proxy. Benchmarks
// and tests of the entry use it. All fields except Vars, Services, Queue and Output are required.
type WorkerdConfig struct {
	Dir     string            // the project's root, with node_modules/
	Modules string            // folder of the Worker's modules: *.mjs, *.js, *.wasm
	Entry   string            // the module that exports the handlers
	D1      string            // address of the database that is bound as DB
	Vars    map[string]string // settings and secrets
	// Services maps binding names to servers. A binding's fetch always goes to its server, whatever
	// the URL is.
	Services map[string]Service
	Queue    string    // binding of a queue whose messages go to the same Worker; "" for none
	Output   io.Writer // workerd's output; nil discards it
}

// Service is a server that a Worker reaches through a binding. With Cert it works like Cloudflare's
// mTLS binding.
type Service struct {
	Address string // host:port
	// PEM texts of the client certificate, its key, and the CA of the server. Without Cert there is
	// no TLS.
	Cert, Key, Root string
}

// Workerd is a running Worker.
type Workerd struct {
	URL string // of the Worker itself
	// EventsURL accepts events: POST /scheduled?cron=PATTERN&due=UNIX_MS, and POST /queue?name=NAME
	// with messages as [{"id", "attempts", "body"}, ...]. The response is the Worker's result as
	// JSON.
	EventsURL string
	PID       int

	config string // folder
	cmd    *exec.Cmd
}

//go:embed events.mjs
var eventsModule string

// StartWorkerd starts workerd and waits until it listens. It sends no event to the Worker. If ctx
// ends, the start is cancelled. A running workerd does not depend on ctx.
func StartWorkerd(ctx context.Context, cfg WorkerdConfig) (*Workerd, error) {
	if err := cleanup.Check(); err != nil {
		return nil, err
	}
	config, err := writeWorkerdConfig(cfg)
	if err != nil {
		return nil, err
	}
	found, err := filepath.Glob(filepath.Join(cfg.Dir, "node_modules/@cloudflare/workerd-*/bin/workerd"))
	if err != nil || len(found) == 0 {
		return nil, errors.New("workerd is not installed: run `make build`")
	}
	w := &Workerd{config: config}
	var addrs [2]string
	for i := range addrs {
		port, err := FreePort()
		if err != nil {
			w.Close()
			return nil, err
		}
		addrs[i] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	// Sending events is experimental; the Worker itself uses no experimental feature.
	cmd := exec.Command(found[0], "serve", "--experimental", filepath.Join(config, "workerd.capnp"),
		"--socket-addr", "http="+addrs[0], "--socket-addr", "events="+addrs[1])
	cmd.Stdout, cmd.Stderr = cfg.Output, cfg.Output
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("starting workerd: %w", err)
	}
	w.URL, w.EventsURL, w.PID, w.cmd = "http://"+addrs[0], "http://"+addrs[1], cmd.Process.Pid, cmd
	for _, addr := range addrs {
		if err := waitListening(ctx, addr); err != nil {
			w.Close()
			return nil, fmt.Errorf("workerd does not listen: %w", err)
		}
	}
	return w, nil
}

// Close ends workerd.
func (w *Workerd) Close() {
	if w.cmd != nil {
		w.cmd.Process.Kill()
		w.cmd.Wait()
	}
	os.RemoveAll(w.config)
}

// writeWorkerdConfig creates a folder with workerd's configuration, which contains the secrets, and
// links to the modules, which workerd embeds by name.
func writeWorkerdConfig(cfg WorkerdConfig) (dir string, err error) {
	source, err := filepath.Abs(cfg.Modules)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(source)
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp("", "h5pay-workerd"); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	modules := []string{cfg.Entry} // the entry must be first
	for _, e := range entries {
		name := e.Name()
		if !slices.Contains([]string{".mjs", ".js", ".wasm"}, filepath.Ext(name)) {
			continue
		}
		if name != cfg.Entry {
			modules = append(modules, name)
		}
		if err := os.Symlink(filepath.Join(source, name), filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	return dir, os.WriteFile(filepath.Join(dir, "workerd.capnp"), []byte(workerdConfig(cfg, modules)), 0o600)
}

// workerdConfig returns workerd's configuration. The binding DB is the one that wrangler creates
// for D1. The database is in another process, as at Cloudflare. The isolate that sends events comes
// first, because workerd drops the compiled WebAssembly of all isolates when it creates another.
func workerdConfig(cfg WorkerdConfig, modules []string) string {
	var b strings.Builder
	b.WriteString("using Workerd = import \"/workerd/workerd.capnp\";\nconst config :Workerd.Config = (\n")
	b.WriteString("  services = [\n    (name = \"events\", worker = (\n")
	fmt.Fprintf(&b, "      modules = [(name = \"events.mjs\", esModule = %q)],\n", eventsModule)
	b.WriteString("      compatibilityDate = \"2026-10-20\",\n      compatibilityFlags = [\"service_binding_extra_handlers\"],\n")
	b.WriteString("      bindings = [(name = \"WORKER\", service = \"worker\")],\n    )),\n")
	b.WriteString("    (name = \"worker\", worker = (\n      modules = [\n")
	for _, name := range modules {
		kind := "esModule"
		if filepath.Ext(name) == ".wasm" {
			kind = "wasm"
		}
		fmt.Fprintf(&b, "        (name = %q, %s = embed %q),\n", name, kind, name)
	}
	b.WriteString("      ],\n      compatibilityDate = \"2026-10-20\",\n      globalOutbound = \"internet\",\n      bindings = [\n")
	b.WriteString("        (name = \"DB\", wrapped = (moduleName = \"cloudflare-internal:d1-api\", innerBindings = [(name = \"fetcher\", service = \"d1\")])),\n")
	for name, value := range cfg.Vars {
		fmt.Fprintf(&b, "        (name = %q, text = %q),\n", name, value)
	}
	for name := range cfg.Services {
		fmt.Fprintf(&b, "        (name = %q, service = %q),\n", name, name)
	}
	if cfg.Queue != "" {
		fmt.Fprintf(&b, "        (name = %q, queue = \"events\"),\n", cfg.Queue)
	}
	b.WriteString("      ],\n    )),\n")
	fmt.Fprintf(&b, "    (name = \"d1\", external = (address = %q, http = ())),\n", cfg.D1)
	for name, s := range cfg.Services {
		fmt.Fprintf(&b, "    (name = %q, external = (address = %q, %s)),\n", name, s.Address, s.transport())
	}
	b.WriteString("    (name = \"internet\", network = (allow = [\"public\", \"private\"])),\n  ],\n")
	b.WriteString("  sockets = [(name = \"http\", http = (), service = \"worker\"), (name = \"events\", http = (), service = \"events\")],\n);\n")
	return b.String()
}

// transport returns the protocol part of workerd's configuration for s.
func (s Service) transport() string {
	if s.Cert == "" {
		return "http = ()"
	}
	return fmt.Sprintf("https = (tlsOptions = (keypair = (privateKey = %q, certificateChain = %q), trustedCertificates = [%q]))", s.Key, s.Cert, s.Root)
}

func waitListening(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}
