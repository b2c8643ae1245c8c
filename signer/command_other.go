//go:build !js

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"h5pay/internal/archive"
	"h5pay/internal/demo"
	eventlisten "h5pay/internal/listen"
	"h5pay/simulator/command"
)

// serve runs the command line and exits.
func serve() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	c := &console{getenv: os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(c.run(ctx, os.Args[1:]))
}

// subcommand is a command of h5pay. It has run, or main, which prints its errors itself and returns the
// exit status.
type subcommand struct {
	name, does string
	run        func(ctx context.Context, c *console, args []string) error
	main       func(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int
}

func simulate(ctx context.Context, args []string, _ func(string) string, stdout, stderr io.Writer) int {
	return command.Main(ctx, args, stdout, stderr)
}

func subcommands() []subcommand {
	return []subcommand{
		{name: "serve", does: "run the shop; without settings run the demo with a simulated WeChat", run: serveCommand},
		{name: "simulator", does: "run the simulated WeChat by itself, for a shop in any language", main: simulate},
		{name: "doctor", does: "find out why a shop does not work, and how to repair it", run: doctorCommand},
		{name: "migrate", does: "create or update the tables of the database", run: migrate},
		{name: "backup", does: "write a copy of the database, also while the server runs", run: backup},
		{name: "restore", does: "make a backup the database", run: restore},
		{name: "export", does: "write a file with everything, to move to another database", run: export},
		{name: "import", does: "fill an empty database from such a file", run: importFile},
		{name: "archive", does: "write the orders of a running shop into files; delete those of more than a year ago", main: archive.Main},
		{name: "products", does: "add products to the database", run: products},
		{name: "listen", does: "forward the events of a running shop to a program on this machine", main: eventlisten.Main},
		{name: "version", does: "print the version", run: version},
	}
}

// run runs a command line and returns the exit status.
func (c *console) run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		c.usage(c.stderr)
		return 2
	}
	name, args := args[0], args[1:]
	if name == "help" || name == "-h" || name == "-help" || name == "--help" {
		c.usage(c.stdout)
		return 0
	}
	for _, s := range subcommands() {
		if s.name != name {
			continue
		}
		if s.main != nil {
			return s.main(ctx, args, c.getenv, c.stdout, c.stderr)
		}
		err := s.run(ctx, c, args)
		var wrong usageError
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.As(err, &wrong):
			fmt.Fprintf(c.stderr, "h5pay %s: %v; h5pay %[1]s -help lists the flags\n", name, err)
			return 2
		}
		fmt.Fprintf(c.stderr, "h5pay %s: %v\n", name, err)
		return 1
	}
	fmt.Fprintf(c.stderr, "h5pay: unknown command %q; h5pay help lists the commands\n", name)
	return 2
}

func (c *console) usage(w io.Writer) {
	fmt.Fprint(w, "h5pay takes payments with WeChat Pay on web pages.\n\n  h5pay COMMAND [flags]\n\n")
	for _, s := range append(subcommands(), subcommand{name: "help", does: "print this text"}) {
		fmt.Fprintf(w, "  %-10s %s\n", s.name, s.does)
	}
	fmt.Fprint(w, "\nh5pay COMMAND -help lists the flags of a command. docs/settings.md explains each\nsetting, README.md (\"Without Cloudflare\") those of the server.\n")
}

// serveCommand runs the shop, or the demo if there are no settings.
func serveCommand(ctx context.Context, c *console, args []string) error {
	flags := newFlags("serve", "runs the shop until it is interrupted.\nWithout settings it runs a demo against its own simulator.")
	config := configFlag(flags.FlagSet)
	ports := demo.NewPortFlags(flags.FlagSet)
	version := flags.String("api", "v3", "demo: `version` of WeChat's API, v2 or v3")
	if err := c.parse(flags, args); err != nil {
		return err
	}
	if *config == "" && !hasSettings(c.getenv) {
		if *version != "v2" && *version != "v3" {
			return usageError("-api " + *version + ": want v2 or v3")
		}
		p, err := ports.Parse(0, func(flag string) string { return "-" + flag })
		if err != nil {
			return usageError(err.Error())
		}
		log := slog.New(slog.NewTextHandler(c.stderr, nil))
		return runDemo(ctx, demoConfig{ports: p, api: *version}, c, log)
	}
	var wrong error
	flags.Visit(func(f *flag.Flag) {
		if f.Name != "config" {
			wrong = usageError("-" + f.Name + " is for the demo, and there are settings")
		}
	})
	if wrong != nil {
		return wrong
	}
	getenv, err := loadConfig(*config, c.getenv)
	if getenv == nil {
		return err
	}
	if err := startError(getenv, err); err != nil {
		return err
	}
	log, err := newLog(getenv, c.stderr)
	if err != nil {
		return err
	}
	return listen(ctx, getenv, log)
}

// migrate creates or updates the tables of the database. serve does it too.
func migrate(ctx context.Context, c *console, args []string) error {
	flags := newFlags("migrate", "creates or updates the tables of the database. h5pay serve does it at its start too.")
	config := configFlag(flags.FlagSet)
	if err := c.parse(flags, args); err != nil {
		return err
	}
	getenv, err := loadConfig(*config, c.getenv)
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx, getenv, plainOpener)
	if err != nil {
		return err
	}
	defer db.Close()
	schema, err := db.schema(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s has the schema %s\n", db.name, schema)
	return db.Close()
}
