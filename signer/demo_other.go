//go:build !js

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"strings"
	"sync"
	"text/tabwriter"

	"h5pay"
	"h5pay/internal/demo"
	"h5pay/internal/envfile"
	"h5pay/internal/store"
)

// The files of the demo, in the working folder.
const (
	demoDatabase = "h5pay-demo.db"
	demoSettings = "h5pay-demo.env"
)

// aboutDemo begins the settings of the demo.
const aboutDemo = "The settings of the demo: `h5pay serve` without settings wrote this file at its first start, and reads it\n" +
	"at each start. Without the file it writes another one. `h5pay serve -api v2` uses APIv2."

// demoConfig describes a demo.
type demoConfig struct {
	ports demo.Ports
	api   string // version of WeChat's API
}

// runDemo serves a shop against its own simulator until ctx ends. The first run creates the database
// with the demo products, and the settings with generated secrets.
func runDemo(ctx context.Context, cfg demoConfig, c *console, log *slog.Logger) error {
	if _, complete := h5pay.Page(); !complete {
		return errors.New(noPage)
	}
	if _, err := os.Stat(defaultDatabase); err == nil {
		return fmt.Errorf("%s exists, but there are no settings: name their file with -config, or start the demo in another folder", defaultDatabase)
	}
	if name, port := cfg.ports.InUse(); port != 0 {
		return fmt.Errorf("port %d is in use: end the program that uses it, or choose another port: -%s %d", port, name, port+1000)
	}
	if err := envfile.Create(demoSettings, aboutDemo, h5pay.ExampleSettings); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("creating the settings of the demo: %w", err)
	}
	settings, err := envfile.Read(demoSettings)
	if err != nil {
		return fmt.Errorf("reading the settings of the demo: %w", err)
	}
	l, err := net.Listen("tcp", demo.Localhost(cfg.ports.Shop))
	if err != nil {
		return fmt.Errorf("-shop-port: %w", err)
	}
	defer l.Close()
	shopURL := "http://" + demo.Localhost(l.Addr().(*net.TCPAddr).Port)
	sim, err := demo.Start(demo.Config{Settings: settings, ShopURL: shopURL, Ports: cfg.ports, API: cfg.api, Out: c.stdout})
	if err != nil {
		return err
	}
	defer sim.Close()
	maps.Copy(settings, sim.Vars)
	settings[dbSetting] = demoDatabase
	settings[proxySetting] = "X-Forwarded-For" // the phone is a proxy
	getenv := func(name string) string { return settings[name] }
	if err := seedDemo(ctx, getenv); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var printed sync.WaitGroup
	defer printed.Wait()
	defer cancel()
	return serveShop(ctx, l, getenv, log, func() {
		// The shop answers calls once this function returns.
		printed.Go(func() {
			console := demo.ConsoleText(ctx, shopURL, sim.PhoneURL, settings["ADMIN_TOKEN"])
			if ctx.Err() == nil {
				fmt.Fprint(c.stdout, demoText(sim, shopURL)+console)
			}
		})
	})
}

// demoText returns what a person needs to use the demo. The caller prints it at once, after the calls that
// are logged, so that no log stands between its lines.
func demoText(sim *demo.Demo, shopURL string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n  Open %s and pay. Press Ctrl-C to stop.\n\n", sim.DeskURL)
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range [][3]string{
		{"desk", sim.DeskURL, "the phone, the messages, faults, the ledger"},
		{"phone", sim.PhoneURL, "the phone's browser, which plays the shop's domain"},
		{"WeChat", sim.URL, "the simulated WeChat"},
		{"shop", shopURL, "the shop itself"},
		{"doctor", "h5pay doctor -shop " + sim.PhoneURL + " -config " + demoSettings, "says why something does not work"},
		{"orders", absolute(demoDatabase), "the database; without it the demo starts anew"},
		{"secrets", absolute(demoSettings), "generated at the first start; ADMIN_TOKEN is for the operator's calls"},
	} {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", row[0], row[1], row[2])
	}
	t.Flush()
	text.WriteString("\n  WeChat is simulated here, and no money moves.\n\n")
	return text.String()
}

// seedDemo adds the demo products to a database without products.
func seedDemo(ctx context.Context, getenv func(string) string) error {
	db, err := openDatabase(ctx, getenv, plainOpener)
	if err != nil {
		return err
	}
	defer db.Close()
	products, err := store.New(db.DB).Products(ctx)
	if err != nil || len(products) > 0 {
		return err
	}
	return store.Seed(ctx, db.DB)
}
