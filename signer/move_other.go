//go:build !js

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"h5pay/internal/disk"
	"h5pay/internal/move"
)

// export is the command that writes everything that is stored into a file, also while the server
// runs.
func export(ctx context.Context, c *console, args []string) error {
	flags := newFlags("export", "writes everything that is stored into a new file, for h5pay import or for D1.\nThe file holds openids and addresses.")
	config := configFlag(flags.FlagSet)
	to := flags.String("to", "", "`file` to write; it must not exist")
	d1 := flags.Bool("d1", false, "write SQL for an empty D1: wrangler d1 execute DB --remote --file FILE")
	if err := c.parse(flags, args); err != nil {
		return err
	}
	if *to == "" {
		return usageError("want -to FILE")
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
	write := move.Export
	if *d1 {
		write = move.ExportD1
	}
	sum, err := writeNew(*to, func(w io.Writer) (move.Summary, error) { return write(ctx, db.moved(), w) })
	if err != nil {
		return fmt.Errorf("exporting %s: %w", db.name, err)
	}
	printSummary(c.stdout, fmt.Sprintf("%s has what %s had", absolute(*to), db.name), sum)
	return nil
}

// importFile is the command that stores an exported file in an empty database.
func importFile(ctx context.Context, c *console, args []string) error {
	flags := newFlags("import", "stores a file of h5pay export, or of wrangler d1 export, in an empty database.\nIt checks every sum. All of the file is stored, or nothing.")
	config := configFlag(flags.FlagSet)
	from := flags.String("from", "", "`file` to read")
	if err := c.parse(flags, args); err != nil {
		return err
	}
	if *from == "" {
		return usageError("want -from FILE")
	}
	getenv, err := loadConfig(*config, c.getenv)
	if err != nil {
		return err
	}
	f, err := os.Open(*from)
	if err != nil {
		return err
	}
	defer f.Close()
	db, err := openDatabase(ctx, getenv, plainOpener)
	if err != nil {
		return err
	}
	defer db.Close()
	sum, err := move.Import(ctx, db.moved(), f)
	if err != nil {
		return fmt.Errorf("importing %s into %s: %w", *from, db.name, err)
	}
	printSummary(c.stdout, fmt.Sprintf("%s has what %s had", db.name, absolute(*from)), sum)
	return nil
}

// moved is the database for package move.
func (d *database) moved() move.Database { return move.Database{DB: d.DB, Postgres: d.file == ""} }

// writeNew writes a new file that only its owner can read. After an error there is none.
func writeNew(name string, write func(io.Writer) (move.Summary, error)) (sum move.Summary, err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return sum, err
	}
	sum, err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(name)
		return sum, err
	}
	return sum, disk.Sync(filepath.Dir(name))
}

func printSummary(w io.Writer, what string, sum move.Summary) {
	fmt.Fprintln(w, what+":")
	for _, line := range sum.Sums {
		fmt.Fprintln(w, "  "+line)
	}
}
