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
	"h5pay/internal/paytest/campaign"
)

func main() { cleanup.Main(program) }

func program() int {
	log.SetFlags(0)
	var o campaign.Options
	flag.Uint64Var(&o.Seed, "seed", 1, "`number` that decides the plan")
	cmdflag.Int(flag.CommandLine, &o.Orders, "orders", 3000, 1, "`number` of orders")
	cmdflag.Int(flag.CommandLine, &o.AtOnce, "buyers", 6, 1, "`number` of buyers that act in parallel")
	flag.StringVar(&o.API, "api", "v2", "`version` of WeChat's API: v2, v3, or move for v2 and then every change of version and keys")
	flag.StringVar(&o.On, "on", campaign.OnWorkerd, "what the signer runs on: workerd, with D1, postgres: three nodes and one PostgreSQL, or sqlite: one node and its file")
	flag.BoolVar(&o.Calm, "calm", false, "inject no faults: measure the throughput")
	output := flag.String("log", "", "`file` for the signer's log")
	flag.Parse()
	if err := cmdflag.NoArguments(flag.CommandLine); err != nil {
		log.Print("chaos: ", err)
		return 2
	}
	if o.API != "v2" && o.API != "v3" && o.API != "move" {
		log.Printf("chaos: -api %s: want v2, v3 or move", o.API)
		return 2
	}
	if !slices.Contains([]string{campaign.OnWorkerd, campaign.OnPostgres, campaign.OnSQLite}, o.On) {
		log.Printf("chaos: -on %s: want workerd, postgres or sqlite", o.On)
		return 2
	}
	if least := campaign.MinMoveOrders(len(migrations)); o.API == "move" && o.Orders < least {
		log.Printf("chaos: -orders %d: a campaign with moves wants at least %d", o.Orders, least)
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
	r.Print(os.Stdout)
	if len(r.Findings) > 0 {
		return 1
	}
	return 0
}

// run runs a campaign and returns its report. It returns an error if the campaign could not run. dir is
// the project's root. The signer's log goes to logFile unless that is "".
func run(ctx context.Context, dir string, o campaign.Options, logFile string) (*campaign.Report, error) {
	if o.API == "move" {
		o.Moves = moves()
	}
	o.Progress = log.Printf
	p := campaign.NewPlan(o)
	w, err := deploy(ctx, dir, o, campaign.BoundsOf(p))
	if err != nil {
		return nil, err
	}
	defer w.close()
	r, err := campaign.New(w.World, o, p).Run(ctx)
	if err != nil {
		return nil, err
	}
	if logFile != "" {
		if err := os.WriteFile(logFile, []byte(w.Log.String()), 0o644); err != nil {
			return nil, err
		}
	}
	return r, nil
}
