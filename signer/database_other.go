//go:build !js

package main

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/sqlite"
)

// defaultDatabase is the database of a shop without DB_FILE.
const defaultDatabase = "h5pay.db"

// database is the database of a shop.
type database struct {
	*sql.DB
	name string         // for people
	file string         // of SQLite; "" for PostgreSQL
	node *postgres.Node // of PostgreSQL, after join; nil for SQLite
}

// opener opens databases, with measurements or without.
type opener struct {
	connector func(driver.Connector) *sql.DB
	retried   func(code string) // see postgres.Config
}

// plainOpener opens databases without measurements.
var plainOpener = opener{connector: sql.OpenDB}

// openDatabase opens the database of DATABASE_URL, or the file in DB_FILE, and creates its tables.
func openDatabase(ctx context.Context, getenv func(string) string, o opener) (*database, error) {
	if url := getenv(urlSetting); url != "" {
		if getenv(dbSetting) != "" {
			return nil, errTwoDatabases
		}
		return openPostgres(ctx, url, o)
	}
	file := databaseFile(getenv)
	db, err := openSQLiteWith(o, file)
	if err == nil {
		if err = store.Migrate(ctx, db); err != nil {
			db.Close()
		}
	}
	if newer := (*store.NewerSchemaError)(nil); errors.As(err, &newer) {
		return nil, fmt.Errorf("setting %s: %w", dbSetting, err)
	} else if err != nil {
		return nil, fmt.Errorf("setting %s: want a SQLite file that this user can write: %w", dbSetting, err)
	}
	return &database{DB: db, name: absolute(file), file: file}, nil
}

// errTwoDatabases is the error of settings that name a database and a file.
var errTwoDatabases = errors.New("settings " + urlSetting + " and " + dbSetting + ": want one of them")

func databaseURLError(err error) error { return fmt.Errorf("setting %s: %w", urlSetting, err) }

// openPostgres opens a database of PostgreSQL and creates its tables.
func openPostgres(ctx context.Context, url string, o opener) (*database, error) {
	if err := postgres.Migrate(ctx, postgres.Config{URL: url}); err != nil {
		return nil, databaseURLError(err)
	}
	return connectPostgres(url, o)
}

// connectPostgres opens a database of PostgreSQL and changes nothing in it.
func connectPostgres(url string, o opener) (*database, error) {
	c, most, err := postgres.Connector(postgres.Config{URL: url, Retried: o.retried})
	if err != nil {
		return nil, databaseURLError(err)
	}
	db := o.connector(c)
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(time.Hour)
	return &database{DB: db, name: postgres.Describe(url)}, nil
}

// schema returns the name of the last migration of the database.
func (d *database) schema(ctx context.Context) (string, error) {
	if d.file == "" {
		return postgres.Schema(ctx, d.DB)
	}
	return schemaOf(ctx, d.DB)
}

// size returns the function of the size of the database. PostgreSQL has no limit of its own.
func (d *database) size() func(context.Context) (store.Size, error) {
	if d.file != "" {
		return fileSize(d.DB, d.file)
	}
	return func(ctx context.Context) (store.Size, error) {
		used, err := postgres.Size(ctx, d.DB)
		return store.Size{Used: used}, err
	}
}

// databaseFile returns the file of the database.
func databaseFile(getenv func(string) string) string {
	return cmp.Or(getenv(dbSetting), defaultDatabase)
}

func openSQLite(name string) (*sql.DB, error) { return openSQLiteWith(plainOpener, name) }

// openSQLiteWith opens the database. Only the owner can read a new file, since it holds openids and
// addresses. SQLite uses the same mode for its other files.
func openSQLiteWith(o opener, name string) (*sql.DB, error) {
	if err := createPrivate(name); err != nil {
		return nil, fmt.Errorf("creating the database: %w", err)
	}
	db := o.connector(sqlite.NewConnector(store.SQLiteURI(name, "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")))
	db.SetMaxIdleConns(100) // they cost nothing: the connector bounds what is open
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

// absolute returns the whole path of a file, for people.
func absolute(name string) string {
	if path, err := filepath.Abs(name); err == nil {
		return path
	}
	return name
}
