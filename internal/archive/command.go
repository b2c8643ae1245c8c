package archive

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"h5pay/internal/cmdflag"
	"h5pay/internal/cst"
	"h5pay/internal/order"
	"h5pay/internal/remote"
)

// usage is the text of -help above the flags.
const usage = `h5pay archive writes the orders of a running shop that ended into files, month by month.

  H5PAY_KEY=h5pay_... h5pay archive -shop https://shop.example.com -to archive/

orders-2025-09.jsonl has each order with its payments, refunds and steps, one JSON object a line.
orders-2025-09.csv is a table for Excel and WPS. With -delete the orders are deleted from the shop after
their files are written: 400 days after they were made, since WeChat refunds a payment for a year.

H5PAY_KEY is an API key with the scope read, and admin for -delete. H5PAY_URL may name the shop, like
-shop. The files name payers: keep them as you keep your books.

`

// Main runs the command and returns the exit status: 2 for a wrong command line.
func Main(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("h5pay archive", flag.ContinueOnError)
	shop := flags.String("shop", cmp.Or(getenv("H5PAY_URL"), "http://localhost:8802"), "the `address` of the shop")
	to := flags.String("to", "", "the `folder` of the files; it must exist; required")
	before := flags.String("before", "", "the orders that were made before this `day` of Beijing, like 2025-10-01 (default: 400 days ago)")
	remove := flags.Bool("delete", false, "delete the orders from the shop once their files are written")
	err := cmdflag.Parse(flags, args, usage, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var cfg Config
	if err == nil {
		cfg, err = configure(*shop, getenv("H5PAY_KEY"), *to, *before, *remove, time.Now())
	}
	if err != nil {
		fmt.Fprintf(stderr, "h5pay archive: %v; h5pay archive -help lists the flags\n", err)
		return 2
	}
	cfg.Out = stdout
	if err := Run(ctx, cfg); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted; run it again for what is left")
		}
		fmt.Fprintln(stderr, "h5pay archive:", err)
		return 1
	}
	return 0
}

// configure checks the flags. The error names the wrong one.
func configure(shop, key, to, before string, remove bool, now time.Time) (cfg Config, err error) {
	if shop, err = remote.ParseShop(shop); err != nil {
		return cfg, fmt.Errorf("-shop: %w", err)
	}
	scopes := "read"
	if remove {
		scopes = "read and admin"
	}
	if key == "" {
		return cfg, fmt.Errorf("H5PAY_KEY is missing: set it to an API key of the shop with the scope %s, which POST /v1/keys makes", scopes)
	}
	if to == "" {
		return cfg, errors.New("want -to FOLDER")
	}
	if info, err := os.Stat(to); err != nil || !info.IsDir() {
		return cfg, fmt.Errorf("-to: want a folder that exists, not %s", to)
	}
	oldest := cst.Day(now.Add(-order.MinKeep))
	cfg = Config{Dir: to, Delete: remove, Before: oldest, Shop: &remote.Shop{URL: shop, Key: key, Scopes: scopes, Agent: "h5pay archive", Timeout: 30 * time.Second}}
	if before != "" {
		if cfg.Before, err = cst.ParseDay(before); err != nil {
			return cfg, fmt.Errorf("-before: %w", err)
		}
	}
	if remove && cfg.Before.After(oldest) {
		return cfg, fmt.Errorf("-before: the shop deletes no order of the last 400 days: want %s or earlier with -delete", oldest.Format(time.DateOnly))
	}
	return cfg, nil
}
