//go:build !js

package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	_ "modernc.org/sqlite"

	"h5pay/internal/store"
)

// defaultDatabase is the database of a shop without DB_FILE.
const defaultDatabase = "h5pay.db"

// openDatabase opens the file in DB_FILE, creates its tables, and returns its name too.
func openDatabase(ctx context.Context, getenv func(string) string, open openFunc) (db *sql.DB, file string, err error) {
	file = databaseFile(getenv)
	if db, err = openSQLiteWith(open, file); err == nil {
		if err = store.Migrate(ctx, db); err != nil {
			db.Close()
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("setting %s: want a SQLite file that this user can write: %w", dbSetting, err)
	}
	return db, file, nil
}

// databaseFile returns the file of the database.
func databaseFile(getenv func(string) string) string {
	return cmp.Or(getenv(dbSetting), defaultDatabase)
}

// openFunc opens a database, as sql.Open does.
type openFunc func(driver, source string) (*sql.DB, error)

func openSQLite(name string) (*sql.DB, error) { return openSQLiteWith(sql.Open, name) }

// openSQLiteWith opens the database with one connection, because SQLite allows one writer. Only the
// owner can read a new file, since it holds openids and addresses. SQLite uses the same mode for
// its other files.
func openSQLiteWith(open openFunc, name string) (*sql.DB, error) {
	if err := createPrivate(name); err != nil {
		return nil, fmt.Errorf("creating the database: %w", err)
	}
	db, err := open("sqlite", store.SQLiteURI(name, "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// createPrivate creates an empty file with mode 0600, whatever the umask is. It does not change an
// existing file.
func createPrivate(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// schemaOf returns the name of the last migration of a database.
func schemaOf(ctx context.Context, db *sql.DB) (name string, err error) {
	err = db.QueryRowContext(ctx, `SELECT name FROM d1_migrations ORDER BY id DESC LIMIT 1`).Scan(&name)
	if err != nil {
		return "", fmt.Errorf("querying the schema: %w", err)
	}
	return name, nil
}
