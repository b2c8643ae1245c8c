package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

//go:generate go run h5pay/internal/cmd/pgschema

//go:embed migrations/*.sql
var migrations embed.FS

// names returns the names of the migrations, in their order.
func names() []string {
	all, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		panic(err)
	}
	for i, name := range all {
		all[i] = path.Base(name)
	}
	return all
}

// Migrate brings a database up to the schema of this build. If several nodes call it at once, one
// node does the work and the others wait. It changes nothing in a database whose schema is newer
// than this build.
func Migrate(ctx context.Context, cfg Config) error {
	connector, _, err := Connector(cfg)
	if err != nil {
		return err
	}
	c, err := connector.Connect(ctx)
	if err != nil {
		return err
	}
	pg := c.(*conn)
	defer pg.Close()
	// A user without the right to make tables may serve a database that needs none.
	last := names()[len(names())-1]
	results, err := pg.pg.Exec(ctx, `SELECT MAX(name) FROM h5pay_migrations`).ReadAll()
	if err == nil && string(results[0].Rows[0][0]) == last {
		return nil
	}
	if err != nil && codeOf(err) != noTable {
		return explain(err)
	}
	if encoding := pg.pg.ParameterStatus("server_encoding"); encoding != "UTF8" {
		return fmt.Errorf("the database has the encoding %s, which does not have every character: make another one with createdb -E UTF8 -T template0 -O USER NAME", encoding)
	}
	return pg.migrate(ctx)
}

// migrate applies the migrations that are not on record, all of them or none.
func (c *conn) migrate(ctx context.Context) (err error) {
	run := func(sql string) ([][][]byte, error) {
		results, err := c.pg.Exec(ctx, sql).ReadAll()
		if err != nil || len(results) == 0 {
			return nil, explain(err)
		}
		return results[len(results)-1].Rows, nil
	}
	// The lock has a number of its own, and ends with the transaction.
	if _, err := run(`BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(6853012);
		CREATE TABLE IF NOT EXISTS h5pay_migrations (name TEXT COLLATE "C" PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL DEFAULT now());` + nodeTables); err != nil {
		c.rollBack(err)
		return fmt.Errorf("preparing migrations: %w", err)
	}
	defer func() {
		if err != nil {
			c.rollBack(err)
		}
	}()
	applied, err := run(`SELECT name FROM h5pay_migrations ORDER BY name`)
	if err != nil {
		return fmt.Errorf("reading which migrations were applied: %w", err)
	}
	known := names()
	for _, row := range applied {
		if name := string(row[0]); !slices.Contains(known, name) {
			return &SchemaError{Database: name, Program: known[len(known)-1]}
		}
	}
	for _, name := range known {
		if slices.ContainsFunc(applied, func(row [][]byte) bool { return string(row[0]) == name }) {
			continue
		}
		text, err := migrations.ReadFile("migrations/" + name)
		if err != nil {
			return err
		}
		if _, err := run(string(text)); err != nil {
			return fmt.Errorf("applying %s: %w", name, err)
		}
		if _, err := run(`INSERT INTO h5pay_migrations (name) VALUES ('` + name + `')`); err != nil {
			return fmt.Errorf("noting %s: %w", name, err)
		}
	}
	_, err = run(`COMMIT`)
	return err
}

// SchemaError says that the schema of a database is not that of the program.
type SchemaError struct{ Database, Program string }

func (e *SchemaError) Error() string {
	if e.Database == "" {
		return "the database has no schema: run h5pay migrate"
	}
	if e.Database > e.Program {
		return fmt.Sprintf("the schema %s is newer than this program, which knows %s: run the newer h5pay", e.Database, e.Program)
	}
	return fmt.Sprintf("the schema %s is older than this program, which wants %s: run h5pay migrate", e.Database, e.Program)
}

// Schema returns the name of the last migration of a database, "" if it has none.
func Schema(ctx context.Context, db *sql.DB) (name string, err error) {
	err = db.QueryRowContext(ctx, `SELECT COALESCE(MAX(name), '') FROM h5pay_migrations`).Scan(&name)
	switch {
	case codeOf(err) == noTable:
		return "", nil
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return "", fmt.Errorf("reading the schema: %w", err)
	}
	return name, nil
}

// CheckSchema returns a SchemaError if the schema of a database is not that of this program.
func CheckSchema(ctx context.Context, db *sql.DB) error {
	name, err := Schema(ctx, db)
	if err != nil {
		return err
	}
	known := names()
	if last := known[len(known)-1]; name != last {
		return &SchemaError{Database: name, Program: last}
	}
	return nil
}
