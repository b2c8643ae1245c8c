// Command pgschema generates the migrations for PostgreSQL from those for SQLite and D1. Run it
// after a change of the schema: go generate ./internal/store/postgres
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"h5pay/internal/store/postgres"
)

func main() {
	if err := generate("../migrations", "migrations"); err != nil {
		fmt.Fprintln(os.Stderr, "pgschema:", err)
		os.Exit(1)
	}
}

// generate translates the files of a folder into another one.
func generate(from, to string) error {
	names, err := filepath.Glob(filepath.Join(from, "*.sql"))
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		out, err := postgres.TranslateMigration(filepath.Base(name), string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(name)), []byte(out), 0o644); err != nil {
			return err
		}
	}
	return nil
}
