package listen

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"h5pay/internal/cmdflag"
	"h5pay/webhook"
)

// The errors of settings. Their values are secret.
var (
	errNoKey  = errors.New("H5PAY_KEY is missing: set it to an API key of the shop with the scope read, which POST /v1/keys makes")
	errSecret = errors.New("WEBHOOK_SECRET: want whsec_ and the base64 of 24 to 64 bytes, or nothing, and a new one is generated")
)

// usage is the text of -help above the flags.
const usage = `h5pay listen forwards the events of a running shop to a program on this machine.

  H5PAY_KEY=h5pay_... h5pay listen -forward http://localhost:3000/webhook

H5PAY_KEY is an API key with the scope read. WEBHOOK_SECRET signs the events, as the shop signs
its webhooks; without it a secret is generated and printed. H5PAY_URL may name the shop, like -shop.

`

// Main runs the command until ctx ends, and returns the exit status: 2 for a wrong command line.
func Main(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("h5pay listen", flag.ContinueOnError)
	cfg := Config{Key: getenv("H5PAY_KEY"), Secret: getenv("WEBHOOK_SECRET"), Out: stdout}
	flags.StringVar(&cfg.Forward, "forward", "", "the `URL` that takes the events; required")
	flags.StringVar(&cfg.Shop, "shop", cmp.Or(getenv("H5PAY_URL"), "http://localhost:8802"), "the `address` of the shop")
	flags.StringVar(&cfg.After, "after", "", "the ID of the `event` after which to begin (default: begin with what is new)")
	err := cmdflag.Parse(flags, args, usage, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	generated := cfg.Secret == ""
	if generated {
		cfg.Secret = webhook.NewSecret()
	}
	var l *Listener
	if err == nil {
		l, err = New(cfg)
	}
	if err != nil {
		fmt.Fprintf(stderr, "h5pay listen: %v; h5pay listen -help lists the flags\n", err)
		return 2
	}
	if err := l.Start(ctx); err != nil {
		if ctx.Err() != nil {
			return 0
		}
		fmt.Fprintln(stderr, "h5pay listen:", err)
		return 1
	}
	if generated {
		fmt.Fprintf(stdout, "the webhook secret of this run: %s\n", cfg.Secret)
	} else {
		fmt.Fprintln(stdout, "the webhook secret is WEBHOOK_SECRET")
	}
	fmt.Fprintf(stdout, "events of %s go to %s; press Ctrl-C to stop\n", l.cfg.Shop, l.cfg.Forward)
	err = l.Run(ctx)
	if l.Last() != "" {
		fmt.Fprintf(stdout, "stopped; to continue: -after %s\n", l.Last())
	} else {
		fmt.Fprintln(stdout, "stopped")
	}
	if err != nil {
		fmt.Fprintln(stderr, "h5pay listen:", err)
		return 1
	}
	return 0
}
