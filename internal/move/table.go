// Package move takes a shop from one database to another: SQLite, PostgreSQL or D1.
//
// Export writes all data of one moment into a file. Import stores it in an empty database, in
// one transaction. Before the transaction ends, it checks the rows of each table, the sums of
// money, and the invariants of orders, payments, refunds and events.
package move

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // reads the schema

	"h5pay/internal/store"
)

// Database is a database of a shop. It has the schema of this program.
type Database struct {
	*sql.DB
	Postgres bool
}

// table is a table of the schema.
type table struct {
	name    string
	columns []string
	key     []string // the primary key, or rowid
	drawn   string   // the column whose values the database generates: seq or rowid, "" if there is none
}

// list returns the columns of a table, and rowid where it is the key.
func (t table) list() string {
	columns := t.columns
	if t.drawn == "rowid" {
		columns = append([]string{"rowid"}, columns...)
	}
	return strings.Join(columns, ", ")
}

// schema is the schema that the migrations of this program make.
type schema struct {
	tables   []table
	triggers map[string]string // the statements for SQLite by their names
}

// readSchema returns the schema of this program.
func readSchema(ctx context.Context) (s schema, err error) {
	dir, err := os.MkdirTemp("", "schema")
	if err != nil {
		return s, err
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", store.SQLiteURI(filepath.Join(dir, "schema.db"), ""))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := store.Migrate(ctx, db); err != nil {
		return s, err
	}
	rows, err := db.QueryContext(ctx, `SELECT m.name, c.name, c.pk, c.type FROM sqlite_master AS m, pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'd1_migrations' ORDER BY m.name, c.cid`)
	if err != nil {
		return s, fmt.Errorf("reading the schema: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, column, kind string
		var key int
		if err := rows.Scan(&name, &column, &key, &kind); err != nil {
			return s, err
		}
		if len(s.tables) == 0 || s.tables[len(s.tables)-1].name != name {
			s.tables = append(s.tables, table{name: name})
		}
		t := &s.tables[len(s.tables)-1]
		t.columns = append(t.columns, column)
		if key > 0 {
			t.key = append(t.key, column)
		}
		if column == "seq" {
			t.drawn = column
		}
	}
	if err := rows.Err(); err != nil {
		return s, err
	}
	for i := range s.tables {
		if t := &s.tables[i]; len(t.key) == 0 {
			t.key, t.drawn = []string{"rowid"}, "rowid"
		}
	}
	s.triggers, err = readTriggers(ctx, db)
	return s, err
}

func readTriggers(ctx context.Context, db *sql.DB) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, `SELECT name, sql FROM sqlite_master WHERE type = 'trigger'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		all[name] = text
	}
	return all, rows.Err()
}

// query runs SQL that returns texts and whole numbers, and calls each with its rows.
func query(ctx context.Context, tx *sql.Tx, sql string, args []any, each func(row []any) error) error {
	rows, err := tx.QueryContext(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		row := make([]any, len(columns))
		fields := make([]any, len(columns))
		for i := range row {
			fields[i] = &row[i]
		}
		if err := rows.Scan(fields...); err != nil {
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}
