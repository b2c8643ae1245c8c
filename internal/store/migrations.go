package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

//go:embed seed.sql
var seed string

// Migrate brings a SQLite database up to the schema of this build. In the
// Worker `wrangler d1 migrations apply` does the same with the same files and
// keeps its record in the same table. Of a database whose schema is newer than this build it returns
// a NewerSchemaError, and changes nothing.
func Migrate(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, `
		CREATE TABLE IF NOT EXISTS d1_migrations (
			id INTEGER PRIMARY KEY AUTOINCREMENT,
			name TEXT UNIQUE,
			applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
		)`); err != nil {
		return fmt.Errorf("preparing migrations: %w", err)
	}
	var last string
	if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(name), '') FROM d1_migrations`).Scan(&last); err != nil {
		return fmt.Errorf("reading which migrations were applied: %w", err)
	}
	if last > schema {
		return &NewerSchemaError{Database: last}
	}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := migrate(ctx, db, name); err != nil {
			return fmt.Errorf("applying %s: %w", name, err)
		}
	}
	return nil
}

// NewerSchemaError says that a newer version of the program has changed the schema.
type NewerSchemaError struct{ Database string }

func (e *NewerSchemaError) Error() string {
	return fmt.Sprintf("the schema %s is newer than this program, which knows %s: run the newer h5pay", e.Database, schema)
}

// migrate applies a file and records it, in one transaction. It does nothing if the file is
// recorded.
func migrate(ctx context.Context, db *sql.DB, name string) error {
	text, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	res, err := tx.ExecContext(ctx, `INSERT INTO d1_migrations (name) VALUES (?) ON CONFLICT DO NOTHING`, name[len("migrations/"):])
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if _, err := tx.ExecContext(ctx, string(text)); err != nil {
		return err
	}
	return tx.Commit()
}

// Seed fills the catalogue of a SQLite database with the demo products.
func Seed(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, seed); err != nil {
		return fmt.Errorf("seeding the catalogue: %w", err)
	}
	return nil
}
