// Command dev runs the shop and the WeChat simulator on this machine, for `make dev`. It requires a
// built tree (`make build`), prints one URL, and ends on Ctrl-C.
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
	"h5pay/internal/cmdflag"
	"h5pay/internal/envfile"
	"h5pay/internal/stack"
	"h5pay/simulator/server"
	"h5pay/wechat/wechattest"
)

const (
	envFile    = ".dev.vars"
	envExample = ".dev.vars.example"
	logFile    = "build/wrangler.log"
)

// ports are the ports of the four origins on localhost.
type ports struct{ shop, wechat, desk, phone int }

// portSetting is a port that a variable of make and a flag set.
type portSetting struct {
	port                  *int
	flag, variable, usage string
	standard              int
}

func (p *ports) settings() []portSetting {
	return []portSetting{
		{&p.shop, "shop-port", "SHOP_PORT", "`port` of the shop under wrangler", 8787},
		{&p.wechat, "wechat-port", "WECHAT_PORT", "`port` of the simulated WeChat", 8800},
		{&p.desk, "desk-port", "DESK_PORT", "`port` of the desk with the phone", 8801},
		{&p.phone, "phone-port", "PHONE_PORT", "`port` of the phone's browser", 8802},
	}
}

func main() { cleanup.Main(program) }

// options are what the flags of the command set.
type options struct {
	ports ports
	state string // folder of the local D1 database
	api   string // of WeChat's: "v2" or "v3"
}

// parseFlags returns the options of a command line.
func parseFlags(args []string) (o options, err error) {
	flags := flag.NewFlagSet("make dev", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints the error
	var texts []*string
	for _, s := range o.ports.settings() {
		texts = append(texts, flags.String(s.flag, strconv.Itoa(s.standard), s.usage))
	}
	flags.StringVar(&o.api, "api", "v3", "`version` of WeChat's API: v2 or v3")
	flags.StringVar(&o.state, "state", ".wrangler/state", "folder of the local D1 database")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(os.Stderr)
			flags.PrintDefaults()
		}
		return o, err
	}
	if err := cmdflag.NoArguments(flags); err != nil {
		return o, err
	}
	if o.api != "v2" && o.api != "v3" {
		return o, fmt.Errorf("API=%s: want v2 or v3", o.api)
	}
	used := map[int]string{}
	for i, s := range o.ports.settings() {
		n, err := strconv.Atoi(*texts[i])
		if err != nil || n < 1 || n > 65535 {
			return o, fmt.Errorf("%s=%s: want a port number from 1 to 65535", s.variable, *texts[i])
		}
		if other := used[n]; other != "" {
			return o, fmt.Errorf("%s and %s are both %d: want different ports", other, s.variable, n)
		}
		used[n], *s.port = s.variable, n
	}
	return o, nil
}

func program() int {
	o, err := parseFlags(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "make dev:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "make dev:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, o options) error {
	p := o.ports
	for _, s := range p.settings() {
		if err := stack.CheckPort(*s.port); err != nil {
			return fmt.Errorf("%s: %w; end the program that uses it, or choose another port: make dev %s=%d", s.variable, err, s.variable, *s.port+1000)
		}
	}
	if err := ensureEnv(); err != nil {
		return err
	}
	env, err := envfile.Read(envFile)
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
	hooks, err := startWebhookReceiver(env)
	if err != nil {
		return err
	}
	defer hooks.Close()
	vars := map[string]string{"SHOP_URL": sim.PhoneURL, "WECHAT_BASE_URL": sim.URL}
	maps.Copy(vars, hooks.vars())
	if o.api == "v3" {
		maps.Copy(vars, stack.APIv3Vars(sim.V3()))
	}

	output := &wranglerOutput{log: log}
	fmt.Println("starting the shop under wrangler ...")
	shop, err := stack.StartShop(ctx, stack.ShopConfig{
		Dir:     ".",
		Port:    p.shop,
		State:   o.state,
		EnvFile: envFile,
		Vars:    vars,
		Output:  output,
	})
	if err != nil {
		return fmt.Errorf("%w; wrangler's output is in %s", err, filepath.FromSlash(logFile))
	}
	defer shop.Close()
	output.show.Store(true)
	fmt.Printf("\n  Open %s and pay. Press Ctrl-C to stop.\n\n", sim.DeskURL)
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	webhooks := &deliveryTrigger{sim: sim, shop: shop}
	for {
		select {
		case <-second.C:
			if err := webhooks.poll(ctx); err != nil && ctx.Err() == nil {
				fmt.Println(err)
			}
		case <-minute.C:
			if err := shop.Tick(ctx); err != nil && ctx.Err() == nil {
				fmt.Println(err)
			}
		case <-ctx.Done():
			fmt.Println("\nstopping")
			return nil
		case <-shop.Done():
			return errors.New("wrangler exited; its output is in " + filepath.FromSlash(logFile))
		}
	}
}

// wranglerOutput writes to the log file. After the shop has started it also writes to the terminal,
// where it shows the signer's log and one line per request.
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

// ensureEnv creates local settings with generated secrets if there are none.
func ensureEnv() error {
	if _, err := os.Stat(envFile); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return envfile.Write(envExample, envFile)
}

func address(port int) string { return "localhost:" + strconv.Itoa(port) }

func origin(port int) string { return "http://" + address(port) }
