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

// catalogueHint names the commands that add products. They require only Go and may run while the
// server runs.
const catalogueHint = "go run ./signer -seed-demo adds the demo catalogue; go run ./signer -sql FILE runs your own INSERT statements, see README"

// loadProducts adds products to the database: the demo catalogue, or the result of a file's
// statements. All statements run in one transaction.
func loadProducts(ctx context.Context, demo bool, file string, stdin io.Reader, out io.Writer) error {
	if demo && strings.HasPrefix(os.Getenv("SHOP_URL"), "https:") {
		return errors.New("flag -seed-demo: want a local shop, but SHOP_URL is https; use -sql instead")
	}
	db, _, err := openDatabase(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if demo {
		if err := store.Seed(ctx, db); err != nil {
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
	products, err := store.New(db).Products(ctx)
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
