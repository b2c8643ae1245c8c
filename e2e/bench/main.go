// Command bench compares the signer with what it could have been: the same
// handlers behind the library's stock entry, and the same work written by hand
// in JavaScript. All run on workerd with real D1, side by side.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"h5pay/internal/stack"
	"h5pay/internal/wechat"
)

func main() {
	only := flag.String("only", "", "run one Worker: signer, stock or javascript")
	n := flag.Int("n", 1000, "requests a round")
	rounds := flag.Int("rounds", 3, "rounds")
	conns := flag.Int("c", 8, "connections")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *n, *rounds, *conns); err != nil {
		log.Fatal(err)
	}
}

type worker struct{ name, dir string }

func run(ctx context.Context, only string, n, rounds, conns int) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	env, err := stack.ReadEnv(filepath.Join(root, ".dev.vars.example"))
	if err != nil {
		return err
	}
	up := startUpstream(account{env["WECHAT_APPID"], env["WECHAT_MCH_ID"], wechat.Secret(env["WECHAT_API_KEY"]), wechat.SignType(env["WECHAT_SIGN_TYPE"])})
	defer up.Close()
	env["WECHAT_BASE_URL"] = up.URL
	tmp, err := os.MkdirTemp("", "h5pay-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	sql, err := stack.SchemaFiles(root)
	if err != nil {
		return err
	}
	d1, err := stack.StartD1(ctx, root, sql...)
	if err != nil {
		return err
	}
	defer d1.Close()
	workers := []worker{{"signer", cmp.Or(os.Getenv("BENCH_DIR"), filepath.Join(root, "build"))}}
	if only != "signer" {
		dir := filepath.Join(tmp, "stock")
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
				return err
			}
		}
		workers = append(workers, worker{"stock", dir})
		workers = append(workers, worker{"javascript", cmp.Or(os.Getenv("BENCH_JS"), filepath.Join(root, "e2e/bench/js"))})
	}
	var out io.Writer
	if os.Getenv("BENCH_LOG") != "" {
		out = os.Stderr
	}
	var drivers []*driver
	cookie := ""
	for _, w := range workers {
		if only != "" && !strings.Contains(only, w.name) {
			continue
		}
		h, err := stack.StartWorkerd(ctx, stack.WorkerdConfig{Dir: root, Modules: w.dir, Entry: "worker.mjs", D1: d1.Address, Vars: env, Output: out})
		if err != nil {
			return err
		}
		d := newDriver(w.name, h, up, env["SHOP_URL"])
		defer d.close()
		if cookie == "" && d.name != "javascript" {
			if cookie, err = d.signIn(ctx); err != nil {
				return err
			}
		}
		d.cookie = cookie
		drivers = append(drivers, d)
	}
	base := 0
	for range rounds {
		for _, d := range drivers {
			n := n
			if d.name == "stock" {
				n = max(n/5, conns)
			}
			created, err := d.run(ctx, n, conns, func(ctx context.Context, _ int) error { return d.createOrder(ctx) })
			if err != nil {
				return err
			}
			orders := up.take()
			base += 1_000_000
			notified, err := d.run(ctx, len(orders), conns, func(ctx context.Context, i int) error { return d.notify(ctx, orders[i], base+i) })
			if err != nil {
				return err
			}
			for name, l := range map[string]load{"create": created, "notify": notified} {
				now, peak, _ := memory(d.PID)
				fmt.Printf("%-10s %-7s p50 %6.2f ms  p99 %6.2f ms  %6.0f req/s  cpu %6.3f ms  rss %d MiB peak %d MiB\n", d.name, name,
					float64(percentile(l.latencies, 0.5))/1e6, float64(percentile(l.latencies, 0.99))/1e6,
					float64(len(l.latencies))/l.elapsed.Seconds(), float64(l.cpu)/1e6/float64(len(l.latencies)), now>>20, peak>>20)
			}
		}
	}
	_ = time.Now
	return nil
}
