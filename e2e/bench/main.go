// Command bench compares the signer with two alternatives: the same handlers behind the library's
// stock entry, and the same work written in JavaScript. All run on workerd with real D1, round by
// round in turn. `make bench` runs it; docs/benchmarks.md is its last report.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"

	"h5pay/e2e/proc"
	"h5pay/internal/cleanup"
	"h5pay/internal/cmdflag"
	"h5pay/internal/envfile"
	"h5pay/internal/stack"
	"h5pay/wechat"
)

func main() { cleanup.Main(program) }

func program() int {
	log.SetFlags(0)
	var p plan
	cmdflag.Int(flag.CommandLine, &p.requests, "n", 600, 1, "`number` of requests per round; the stock entry gets a fifth")
	cmdflag.Int(flag.CommandLine, &p.rounds, "rounds", 6, 2, "`number` of rounds; the first is for warming up")
	cmdflag.Int(flag.CommandLine, &p.colds, "cold", 7, 1, "`number` of cold starts")
	flag.DurationVar(&p.delay, "delay", 100*time.Millisecond, "delay of WeChat in the last setting")
	flag.StringVar(&p.before, "before", "", "`folder` with another build of the signer to measure, like build/")
	report := flag.String("o", "", "`folder` for benchmarks.md and benchmarks.svg")
	flag.Parse()
	if err := cmdflag.NoArguments(flag.CommandLine); err != nil {
		log.Print("bench: ", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, p, *report); err != nil {
		log.Print("bench: ", err)
		return 1
	}
	return 0
}

// plan is the extent of the measurement.
type plan struct {
	requests, rounds, colds int
	delay                   time.Duration
	before                  string // folder of another build of the signer, or ""
}

// setting is the load under which a flow is measured.
type setting struct {
	conns int
	delay time.Duration
}

// names are the Workers. Ratios in the report compare the first with the others.
var names = []string{"signer", signerV3, "stock", "javascript"}

// signerV3 is the signer with the settings of APIv3. The others use APIv2.
const signerV3 = "signer-v3"

func run(ctx context.Context, p plan, report string) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "h5pay-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	dirs := map[string]string{
		"signer":     filepath.Join(root, "build"),
		signerV3:     filepath.Join(root, "build"),
		"stock":      filepath.Join(tmp, "stock"),
		"javascript": filepath.Join(root, "e2e/bench/js"),
	}
	if p.before != "" {
		dirs["before"], dirs["before-v3"] = p.before, p.before
		names = append(names, "before", "before-v3")
	}
	if err := buildStock(ctx, dirs["stock"]); err != nil {
		return err
	}
	env, err := envfile.New(filepath.Join(root, ".dev.vars.example"))
	if err != nil {
		return err
	}
	v3, err := newV3Account()
	if err != nil {
		return err
	}
	up := startUpstream(account{env["WECHAT_APPID"], env["WECHAT_MCH_ID"], wechat.Secret(env["WECHAT_API_KEY"]), wechat.SignType(env["WECHAT_SIGN_TYPE"]), v3})
	defer up.Close()
	env["WECHAT_BASE_URL"] = up.URL
	env["UNPAID_LIMITS"] = "1000000,1000000,1000000,1000000" // a few buyers create all orders
	sql, err := stack.SchemaFiles(root)
	if err != nil {
		return err
	}
	d1, err := stack.StartD1(ctx, root, sql...)
	if err != nil {
		return err
	}
	defer d1.Close()
	start := func(name string) (*driver, error) {
		vars := maps.Clone(env)
		if usesV3(name) {
			maps.Copy(vars, v3.env)
		}
		w, err := stack.StartWorkerd(ctx, stack.WorkerdConfig{Dir: root, Modules: dirs[name], Entry: "worker.mjs", D1: d1.Address, Vars: vars})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return newDriver(name, w, up, env["SHOP_URL"]), nil
	}

	var drivers []*driver
	for _, name := range names {
		d, err := start(name)
		if err != nil {
			return err
		}
		defer d.close()
		drivers = append(drivers, d)
	}
	// All Workers have the same SESSION_KEY and accept the same cookie.
	cookie, err := drivers[0].signIn(ctx)
	if err != nil {
		return err
	}
	// They have the same database and accept the same API key.
	apiKey, err := drivers[0].createKey(ctx, env["ADMIN_TOKEN"])
	if err != nil {
		return err
	}
	for _, d := range drivers {
		d.cookie, d.apiKey = cookie, apiKey
	}

	r := newResults()
	for _, s := range []setting{{1, 0}, {8, 0}, {8, p.delay}} {
		up.delay.Store(int64(s.delay))
		for round := range p.rounds {
			for _, d := range drivers {
				log.Printf("%d connections, upstream %s: round %d of %d, %s", s.conns, s.delay, round+1, p.rounds, d.name)
				if err := d.round(ctx, p, s, round > 0, r); err != nil {
					return err
				}
			}
		}
	}
	for _, d := range drivers {
		if r.memory[d.name], err = proc.PeakMemory(d.PID); err != nil {
			return err
		}
	}
	up.delay.Store(0)
	if err := coldStarts(ctx, p, drivers, start, r); err != nil {
		return err
	}
	up.takePlaced()

	text := r.markdown(p)
	fmt.Print(text)
	if report == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(report, "benchmarks.svg"), []byte(r.plot()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(report, "benchmarks.md"), []byte(text), 0o644)
}

// round runs one round of the Worker's flows and adds its measurements to r.
func (d *driver) round(ctx context.Context, p plan, s setting, keep bool, r *results) error {
	n := p.requests
	if d.name == "stock" {
		n = max(n/5, s.conns)
	}
	created, err := d.run(ctx, n, s.conns, func(ctx context.Context, _ int) error { return d.order(ctx) })
	if err != nil {
		return err
	}
	orders := d.up.takePlaced()
	notified, err := d.run(ctx, len(orders), s.conns, func(ctx context.Context, i int) error { return d.notify(ctx, orders[i]) })
	if err != nil {
		return err
	}
	if keep {
		r.add(d.name, orderFlow, s, created)
		r.add(d.name, notificationFlow, s, notified)
	}
	if !has(d.name, backEndFlow) {
		return nil
	}
	created, err = d.run(ctx, n, s.conns, func(ctx context.Context, _ int) error { return d.backEndOrder(ctx) })
	if err == nil && keep {
		r.add(d.name, backEndFlow, s, created)
	}
	return err
}

// buildStock builds the Worker with the same handlers behind the library's entry.
func buildStock(ctx context.Context, dir string) error {
	for _, args := range [][]string{
		{"run", "github.com/syumai/workers/cmd/workers-assets-gen", "-mode=go", "-o", dir},
		{"build", "-tags", "stock", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "app.wasm"), "./signer"},
	} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Stderr = os.Stderr
		if args[0] == "build" {
			cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
		}
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("building the stock Worker: %w", err)
		}
	}
	return nil
}
