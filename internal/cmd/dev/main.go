// Command dev runs the shop and the WeChat simulator on this machine, for `make dev`. It requires a
// built tree (`make build`), prints one URL, and ends on Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"h5pay/internal/cleanup"
	"h5pay/internal/cmdflag"
	"h5pay/internal/demo"
	"h5pay/internal/envfile"
	"h5pay/internal/stack"
)

const (
	envFile    = ".dev.vars"
	envExample = ".dev.vars.example"
	logFile    = "build/wrangler.log"
)

// about begins the settings that ensureEnv writes.
const about = "The settings of `make dev`, which wrote this file at its first start and reads it at each start.\n" +
	"Without the file it writes another one. `make dev API=v2` and `npx wrangler dev` use APIv2."

func main() { cleanup.Main(program) }

// options are what the flags of the command set.
type options struct {
	ports demo.Ports
	state string // folder of the local D1 database
	api   string // of WeChat's: "v2" or "v3"
}

// parseFlags returns the options of a command line.
func parseFlags(args []string) (o options, err error) {
	flags := flag.NewFlagSet("make dev", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints the error
	ports := demo.NewPortFlags(flags)
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
	o.ports, err = ports.Parse(1, variable)
	return o, err
}

// variable returns the variable of make that sets a flag.
func variable(flag string) string { return strings.ToUpper(strings.ReplaceAll(flag, "-", "_")) }

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
	if name, port := o.ports.InUse(); port != 0 {
		return fmt.Errorf("%s: port %d is in use; end the program that uses it, or choose another port: make dev %[1]s=%d", variable(name), port, port+1000)
	}
	if err := ensureEnv(); err != nil {
		return err
	}
	env, err := envfile.Read(envFile)
	if err != nil {
		return err
	}
	log, err := os.Create(logFile)
	if err != nil {
		return err
	}
	defer log.Close()
	sim, err := demo.Start(demo.Config{
		Settings: env, ShopURL: fmt.Sprintf("http://localhost:%d", o.ports.Shop), Ports: o.ports, API: o.api, Out: os.Stdout,
	})
	if err != nil {
		return err
	}
	defer sim.Close()

	output := &wranglerOutput{log: log}
	fmt.Println("starting the shop under wrangler ...")
	shop, err := stack.StartShop(ctx, stack.ShopConfig{
		Dir:     ".",
		Port:    o.ports.Shop,
		State:   o.state,
		EnvFile: envFile,
		Vars:    sim.Vars,
		Output:  output,
	})
	if err != nil {
		return fmt.Errorf("%w; wrangler's output is in %s", err, filepath.FromSlash(logFile))
	}
	defer shop.Close()
	// The first minute is now, so that the doctor finds nothing wrong.
	if err := shop.Tick(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w; wrangler's output is in %s", err, filepath.FromSlash(logFile))
	}
	// One print, after the calls that are logged, so that no log stands between its lines.
	console := demo.ConsoleText(ctx, fmt.Sprintf("http://localhost:%d", o.ports.Shop), sim.PhoneURL, env["ADMIN_TOKEN"])
	fmt.Printf("\n  Open %s and pay. Press Ctrl-C to stop.\n  If something does not work: go run ./signer doctor -shop %s -config %s\n\n%s", sim.DeskURL, sim.PhoneURL, envFile, console)
	output.show.Store(true)
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	webhooks := &deliveryTrigger{ledger: sim.Ledger, shop: shop}
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
	return envfile.Write(envExample, envFile, about)
}
