// Command chaos is the fault campaign: thousands of orders go through the built
// signer on real workerd and real D1 while everything around it goes wrong that
// can. WeChat loses, doubles, delays, reorders and forges notifications, answers
// errors, wrongly signed or not at all; connections to WeChat and D1 break and
// stall; workerd is killed between any two statements and starts again; buyers
// tap twice, come back days later and look at each other's orders. In the end
// the shop's books must say what WeChat's say, and all along nobody may be told
// anything else. docs/chaos.md has more.
//
//	go run ./e2e/chaos -seed 7 -orders 3000
//
// The same seed makes the same plan. With -buyers 1 everything happens one after
// the other. -calm lets nothing go wrong, to measure what the stack holds.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"

	"h5pay/internal/cleanup"
)

func main() { cleanup.Main(program) }

func program() int {
	log.SetFlags(0)
	var o options
	flag.Uint64Var(&o.seed, "seed", 1, "what makes the plan")
	flag.IntVar(&o.orders, "orders", 3000, "how many orders")
	flag.IntVar(&o.atOnce, "buyers", 6, "how many buyers are at work at once")
	flag.BoolVar(&o.calm, "calm", false, "let nothing go wrong: measure the load")
	output := flag.String("log", "", "file for the Worker's log")
	flag.Parse()
	if o.orders < 1 || o.atOnce < 1 {
		log.Print("chaos: -orders and -buyers are at least 1")
		return 1
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
