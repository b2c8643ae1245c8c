// Command dev runs the whole payment on this machine, for `make dev`: the
// WeChat simulator and the shop under `wrangler dev`. It expects a built tree
// (`make build`), prints one URL, and ends both on Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"h5pay/internal/cleanup"
	"h5pay/internal/stack"
	"h5pay/simulator/server"
	"h5pay/wechat/wechattest"
)

const (
	envFile    = ".dev.vars"
	envExample = ".dev.vars.example"
	logFile    = "build/wrangler.log"
)

// ports of the four origins, all on localhost.
type ports struct{ shop, wechat, desk, phone int }

func main() { cleanup.Main(program) }

func program() int {
	var p ports
	flag.IntVar(&p.shop, "shop-port", 8787, "the shop, as wrangler serves it")
	flag.IntVar(&p.wechat, "wechat-port", 8800, "the simulated WeChat")
	flag.IntVar(&p.desk, "desk-port", 8801, "the desk with the phone")
	flag.IntVar(&p.phone, "phone-port", 8802, "the phone's browser")
	state := flag.String("state", ".wrangler/state", "folder of the local D1 database")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "make dev: takes flags only, not %q\n", flag.Arg(0))
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, p, *state); err != nil {
		fmt.Fprintln(os.Stderr, "make dev:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, p ports, state string) error {
	taken := map[int]string{}
	for _, port := range []struct {
		number   int
		variable string
	}{
		{p.shop, "SHOP_PORT"}, {p.wechat, "WECHAT_PORT"}, {p.desk, "DESK_PORT"}, {p.phone, "PHONE_PORT"},
	} {
		if port.number < 1 || port.number > 65535 {
			return fmt.Errorf("%s is %d, want 1 to 65535", port.variable, port.number)
		}
		if other := taken[port.number]; other != "" {
			return fmt.Errorf("%s and %s are both %d", other, port.variable, port.number)
		}
		taken[port.number] = port.variable
		if err := stack.CheckPort(port.number); err != nil {
			return fmt.Errorf("%w; end what listens there, or choose another: make dev %s=%d", err, port.variable, port.number+1000)
		}
	}
	if err := ensureEnv(); err != nil {
		return err
	}
	env, err := stack.ReadEnv(envFile)
	if err != nil {
		return err
	}
	sim, err := server.Listen(server.Config{WeChat: wechattest.Config{
		AppID:     env["WECHAT_APPID"],
		AppSecret: env["WECHAT_APPSECRET"],
		MchID:     env["WECHAT_MCH_ID"],
		APIKey:    env["WECHAT_API_KEY"],
		ShopName:  env["SHOP_NAME"],
		ShopURL:   origin(p.shop),

		RealTimeShop: true,
		PlainRefunds: true, // wrangler dev presents no certificate
	}, WeChatAddr: address(p.wechat), PhoneAddr: address(p.phone), DeskAddr: address(p.desk)})
	if err != nil {
		return err
	}
	defer sim.Close()

	log, err := os.Create(logFile)
	if err != nil {
		return err
	}
	defer log.Close()
	hooks, err := startBackEnd(env)
	if err != nil {
		return err
	}
	defer hooks.Close()
	vars := map[string]string{"SHOP_URL": sim.PhoneURL, "WECHAT_BASE_URL": sim.URL}
	maps.Copy(vars, hooks.vars())

	output := &wranglerOutput{log: log}
	fmt.Println("starting the shop under wrangler ...")
	shop, err := stack.StartShop(ctx, stack.ShopConfig{
		Dir:     ".",
		Port:    p.shop,
		State:   state,
		EnvFile: envFile,
		Vars:    vars,
		Output:  output,
	})
	if err != nil {
		return fmt.Errorf("%w; wrangler's output is in %s", err, filepath.FromSlash(logFile))
	}
	defer shop.Close()
	output.show.Store(true)
	fmt.Printf("\n  Open %s and pay. Ctrl-C ends everything.\n\n", sim.DeskURL)
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	webhooks := &deliverer{sim: sim, shop: shop}
	for {
		select {
		case <-second.C:
			if err := webhooks.look(ctx); err != nil && ctx.Err() == nil {
				fmt.Println(err)
			}
		case <-minute.C:
			if err := shop.Tick(ctx); err != nil && ctx.Err() == nil {
				fmt.Println(err)
			}
		case <-ctx.Done():
			fmt.Println("\nending")
			return nil
		case <-shop.Done():
			return errors.New("wrangler ended; its output is in " + filepath.FromSlash(logFile))
		}
	}
}

// wranglerOutput goes to the log file, and to the screen once the shop runs:
// from then on it is the signer's log and a line for each request.
type wranglerOutput struct {
	log  io.Writer
	show atomic.Bool
}

func (o *wranglerOutput) Write(p []byte) (int, error) {
	if o.show.Load() {
		os.Stdout.Write(p)
	}
	return o.log.Write(p)
}

// ensureEnv gives a fresh clone its local settings, with secrets of its own.
func ensureEnv() error {
	if _, err := os.Stat(envFile); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return stack.WriteEnv(envExample, envFile)
}

func address(port int) string { return "localhost:" + strconv.Itoa(port) }

func origin(port int) string { return "http://" + address(port) }
