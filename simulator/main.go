// Command simulator is WeChat on this machine. It has the servers that a merchant's server calls
// and the phone that opens the shop and pays. On the desk a developer watches and controls both. It
// needs no account and no network.
//
//	go run ./simulator -shop http://localhost:8787
//
// then open the desk's URL. All options are flags; see -help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"h5pay/simulator/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
