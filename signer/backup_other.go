//go:build !js

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"h5pay/internal/disk"
	"h5pay/internal/fen"
	"h5pay/internal/store"
)

// backup is the command that writes a copy of the database, also while the server runs.
func backup(ctx context.Context, c *console, args []string) error {
	flags := newFlags("backup", "writes a copy of the database to a new file, also while the server runs.")
	config := configFlag(flags.FlagSet)
	to := flags.String("to", "", "`file` to write; it must not exist")
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
	if err := wantFile(getenv, "pg_dump"); err != nil {
		return err
	}
	from := databaseFile(getenv)
	if err := copyDatabase(ctx, from, *to); err != nil {
		return fmt.Errorf("copying %s to %s: %w", from, *to, err)
	}
	return c.describe(ctx, *to)
}

// restore is the command that makes a backup the database.
func restore(ctx context.Context, c *console, args []string) error {
	flags := newFlags("restore", "makes a backup the database. The server must not run, and the former database must be gone.")
	config := configFlag(flags.FlagSet)
	from := flags.String("from", "", "`file` that h5pay backup wrote")
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
	if err := wantFile(getenv, "pg_restore"); err != nil {
		return err
	}
	to := databaseFile(getenv)
	for _, file := range []string{to + "-wal", to + "-shm"} {
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists: stop the server, then move %s and its other files to another folder", file, to)
		}
	}
	if err := copyDatabase(ctx, *from, to); err != nil {
		return fmt.Errorf("copying %s to %s: %w", *from, to, err)
	}
	return c.describe(ctx, to)
}

// wantFile returns an error that names the tool of PostgreSQL if the database is no file.
func wantFile(getenv func(string) string, tool string) error {
	if getenv(urlSetting) == "" {
		return nil
	}
	return fmt.Errorf("%s is set, and this command is for files of SQLite: use %s of PostgreSQL, see docs/runbook.md", urlSetting, tool)
}

// copyDatabase copies a database to a new file, which is complete or not there. It checks the copy.
func copyDatabase(ctx context.Context, from, to string) (err error) {
	if _, err := os.Stat(from); err != nil {
		return err
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return errors.New("the file to write exists: move it to another folder first")
	}
	db, err := sql.Open("sqlite", store.SQLiteURI(from, "mode=ro&_pragma=busy_timeout(5000)"))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := schemaOf(ctx, db); err != nil {
		return fmt.Errorf("it is not a database of h5pay: %w", err)
	}
	partial := to + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := createPrivate(partial); err != nil {
		return err
	}
	defer os.Remove(partial) // after an error
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, partial); err != nil {
		return err
	}
	if err := checkDatabase(ctx, partial); err != nil {
		return err
	}
	if err := disk.Sync(partial); err != nil {
		return err
	}
	if err := os.Rename(partial, to); err != nil {
		return err
	}
	return disk.Sync(filepath.Dir(to))
}

// checkDatabase checks the structure of a database, and that this program knows its schema.
func checkDatabase(ctx context.Context, file string) error {
	db, err := sql.Open("sqlite", store.SQLiteURI(file, "mode=ro"))
	if err != nil {
		return err
	}
	defer db.Close()
	var result string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&result); err != nil {
		return fmt.Errorf("checking the copy: %w", err)
	}
	if result != "ok" {
		return fmt.Errorf("the copy is damaged: %s", result)
	}
	schema, err := schemaOf(ctx, db)
	if err != nil {
		return err
	}
	if newest := store.Schema(); schema > newest {
		return fmt.Errorf("the schema %s is newer than this program, which knows %s", schema, newest)
	}
	return nil
}

// describe prints what a database holds.
func (c *console) describe(ctx context.Context, file string) error {
	db, err := sql.Open("sqlite", store.SQLiteURI(file, "mode=ro"))
	if err != nil {
		return err
	}
	defer db.Close()
	schema, err := schemaOf(ctx, db)
	if err != nil {
		return err
	}
	var orders int
	var total fen.Fen
	if err := db.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(total), 0) FROM orders WHERE status IN ('paid', 'refunding', 'refunded')`).Scan(&orders, &total); err != nil {
		return fmt.Errorf("reading the orders: %w", err)
	}
	fmt.Fprintf(c.stdout, "%s: schema %s, %d paid orders, %s CNY\n", absolute(file), schema, orders, total)
	return nil
}
