// Command chaos is the fault campaign. It sends thousands of orders through the built signer on
// real workerd and real D1 while faults occur. WeChat loses, repeats, delays, reorders and forges
// notifications. It responds with errors, with wrong signatures or not at all. Connections to
// WeChat and D1 break and stall. workerd is killed between any two statements and restarts. Buyers
// tap twice, return days later and look at each other's orders. At the end the shop's orders must
// agree with WeChat's ledger, and no response may have contradicted it. docs/chaos.md has more.
//
//	go run ./e2e/chaos -seed 7 -orders 3000
//
// With -on postgres the signer is three native processes on one PostgreSQL. They are killed and
// stopped, and PostgreSQL crashes.
//
// The same seed gives the same plan. With -buyers 1 all steps run in sequence. -calm injects no
// faults, to measure the throughput.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"slices"

	"h5pay/internal/cleanup"
	"h5pay/internal/cmdflag"
)

func main() { cleanup.Main(program) }

func program() int {
	log.SetFlags(0)
	var o options
	flag.Uint64Var(&o.seed, "seed", 1, "`number` that decides the plan")
	cmdflag.Int(flag.CommandLine, &o.orders, "orders", 3000, 1, "`number` of orders")
	cmdflag.Int(flag.CommandLine, &o.atOnce, "buyers", 6, 1, "`number` of buyers that act in parallel")
	flag.StringVar(&o.api, "api", "v2", "`version` of WeChat's API: v2, v3, or move for v2 and then every change of version and keys")
	flag.StringVar(&o.on, "on", onWorkerd, "what the signer runs on: workerd, with D1, postgres: three nodes and one PostgreSQL, or sqlite: one node and its file")
	flag.BoolVar(&o.calm, "calm", false, "inject no faults: measure the throughput")
	output := flag.String("log", "", "`file` for the signer's log")
	flag.Parse()
	if err := cmdflag.NoArguments(flag.CommandLine); err != nil {
		log.Print("chaos: ", err)
		return 2
	}
	if o.api != "v2" && o.api != "v3" && o.api != "move" {
		log.Printf("chaos: -api %s: want v2, v3 or move", o.api)
		return 2
	}
	if !slices.Contains([]string{onWorkerd, onPostgres, onSQLite}, o.on) {
		log.Printf("chaos: -on %s: want workerd, postgres or sqlite", o.on)
		return 2
	}
	if least := minMoveOrders(len(migrations)); o.api == "move" && o.orders < least {
		log.Printf("chaos: -orders %d: a campaign with moves wants at least %d", o.orders, least)
		return 2
	}
	root, err := os.Getwd()
	if err != nil {
		log.Print("chaos: ", err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := run(ctx, root, o, *output)
	if err != nil {
		log.Print("chaos: ", err)
		return 1
	}
	r.print(os.Stdout)
	if len(r.findings) > 0 {
		return 1
	}
	return 0
}

// run runs a campaign and returns its report. It returns an error if the campaign could not run. dir is
// the project's root. The signer's log goes to logFile unless that is "".
func run(ctx context.Context, dir string, o options, logFile string) (*report, error) {
	if o.api == "move" {
		o.moves = moves()
	}
	p := newPlan(o)
	w, err := deploy(ctx, dir, o, boundsOf(p))
	if err != nil {
		return nil, err
	}
	defer w.close()
	r, err := newCampaign(w.world, o, p).run(ctx)
	if err != nil {
		return nil, err
	}
	if logFile != "" {
		if err := os.WriteFile(logFile, []byte(w.log.String()), 0o644); err != nil {
			return nil, err
		}
	}
	return r, nil
}
