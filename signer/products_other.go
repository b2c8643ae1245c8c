//go:build !js

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"h5pay/internal/store"
)

// catalogueHint names the commands that add products. They may run while the server runs.
const catalogueHint = "h5pay products -demo adds the demo catalogue; h5pay products -sql FILE runs your own INSERT statements, see README"

// products is the command that adds products to the database.
func products(ctx context.Context, c *console, args []string) error {
	flags := newFlags("products", "adds products to the database, also while the server runs.")
	config := configFlag(flags.FlagSet)
	demo := flags.Bool("demo", false, "add the demo catalogue")
	file := flags.String("sql", "", "run the SQL statements of this `file`; - reads standard input")
	if err := c.parse(flags, args); err != nil {
		return err
	}
	if !*demo && *file == "" {
		return usageError("want -demo or -sql FILE")
	}
	getenv, err := loadConfig(*config, c.getenv)
	if err != nil {
		return err
	}
	return loadProducts(ctx, getenv, *demo, *file, c.stdin, c.stdout)
}

// loadProducts adds products to the database: the demo catalogue, or the result of a file's
// statements. All statements run in one transaction.
func loadProducts(ctx context.Context, getenv func(string) string, demo bool, file string, stdin io.Reader, out io.Writer) error {
	if demo && strings.HasPrefix(getenv("SHOP_URL"), "https:") {
		return errors.New("flag -demo: want a local shop, but SHOP_URL is https; use -sql instead")
	}
	db, err := openDatabase(ctx, getenv, plainOpener)
	if err != nil {
		return err
	}
	defer db.Close()
	if demo {
		if err := store.Seed(ctx, db.DB); err != nil {
			return err
		}
	}
	if file != "" {
		text, err := readSQL(file, stdin)
		if err != nil {
			return err
		}
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("running %s: %w", file, err)
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	products, err := store.New(db.DB).Products(ctx)
	if err != nil {
		return err
	}
	verb := "products are"
	if len(products) == 1 {
		verb = "product is"
	}
	fmt.Fprintf(out, "%d %s for sale\n", len(products), verb)
	return nil
}

func readSQL(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
}
