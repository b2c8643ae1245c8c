package move

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"h5pay/internal/store"
)

// ErrNotEmpty means that the database of Import has data.
var ErrNotEmpty = errors.New("the database has data: import into an empty one")

// Import stores a file of Export, or of wrangler d1 export, in an empty database. If the data
// breaks an invariant, or anything fails, nothing is stored.
func Import(ctx context.Context, db Database, r io.Reader) (Summary, error) {
	in := bufio.NewReader(r)
	first, err := in.Peek(1)
	if err != nil {
		return Summary{}, fmt.Errorf("reading the file: %w", err)
	}
	if first[0] != '{' {
		return importSQL(ctx, db, in)
	}
	s, err := readSchema(ctx)
	if err != nil {
		return Summary{}, err
	}
	dec := json.NewDecoder(in)
	dec.UseNumber()
	var h header
	if err := dec.Decode(&h); err != nil || h.Format != "1" {
		return Summary{}, errors.New("want a file of h5pay export")
	}
	if h.Schema != store.Schema() {
		return Summary{}, fmt.Errorf("the file has the schema %s, and this program knows %s: export and import with the same version of h5pay", h.Schema, store.Schema())
	}
	return db.write(ctx, s, func(insert func(table string, row map[string]any) error) (*Summary, error) {
		for {
			var l line
			if err := dec.Decode(&l); err != nil {
				return nil, fmt.Errorf("the file has no last line: %w", err)
			}
			if l.Summary != nil {
				return l.Summary, nil
			}
			if err := insert(l.Table, l.Row); err != nil {
				return nil, err
			}
		}
	})
}

// importSQL runs a file of SQL in a new SQLite, and imports that database.
func importSQL(ctx context.Context, to Database, r io.Reader) (Summary, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return Summary{}, err
	}
	dir, err := os.MkdirTemp("", "import")
	if err != nil {
		return Summary{}, err
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", store.SQLiteURI(filepath.Join(dir, "shop.db"), "_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)"))
	if err != nil {
		return Summary{}, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, string(text)); err != nil {
		return Summary{}, fmt.Errorf("running the SQL of the file: %w", err)
	}
	var schema string
	if err := db.QueryRowContext(ctx, `SELECT MAX(name) FROM d1_migrations`).Scan(&schema); err != nil {
		return Summary{}, errors.New("want a file of h5pay export or of wrangler d1 export")
	}
	if schema != store.Schema() {
		return Summary{}, fmt.Errorf("the file has the schema %s, and this program knows %s: run the migrations of this version first", schema, store.Schema())
	}
	var file bytes.Buffer
	if _, err := Export(ctx, Database{DB: db}, &file); err != nil {
		return Summary{}, err
	}
	return Import(ctx, to, &file)
}

// write calls rows to store all rows, in one transaction.
func (db Database) write(ctx context.Context, s schema, rows func(insert func(string, map[string]any) error) (*Summary, error)) (sum Summary, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return sum, err
	}
	defer tx.Rollback()
	if err := db.prepare(ctx, tx); err != nil {
		return sum, err
	}
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM orders) + (SELECT COUNT(*) FROM payments) + (SELECT COUNT(*) FROM events) + (SELECT COUNT(*) FROM products)`).Scan(&n); err != nil {
		return sum, fmt.Errorf("checking whether the database is empty: %w", err)
	}
	if n > 0 {
		return sum, ErrNotEmpty
	}
	if err := db.setTriggers(ctx, tx, s, false); err != nil {
		return sum, err
	}
	for _, t := range s.tables {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+t.name); err != nil { // the schema makes a row of guests_open
			return sum, err
		}
	}
	w := &writer{db: db, tx: tx, tables: s.tables, n: map[string]int{}}
	want, err := rows(func(name string, row map[string]any) error { return w.insert(ctx, name, row) })
	if err != nil {
		return sum, err
	}
	if err := w.flush(ctx); err != nil {
		return sum, err
	}
	if err := db.setTriggers(ctx, tx, s, true); err != nil {
		return sum, err
	}
	for _, t := range s.tables {
		if db.Postgres && t.drawn != "" {
			if _, err := tx.ExecContext(ctx, fmt.Sprintf("SELECT setval(pg_get_serial_sequence('%s', '%s'), (SELECT COALESCE(MAX(%[2]s), 0) + 1 FROM %[1]s), false)", t.name, t.drawn)); err != nil {
				return sum, err
			}
		}
	}
	sum = Summary{Rows: map[string]int{}}
	for _, t := range s.tables {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+t.name).Scan(&n); err != nil {
			return sum, err
		}
		if sum.Rows[t.name] = n; n != w.n[t.name] || n != want.Rows[t.name] {
			return sum, fmt.Errorf("table %s: %d rows are stored, %d were in the file, which says %d", t.name, n, w.n[t.name], want.Rows[t.name])
		}
	}
	if sum.Sums, err = readSums(ctx, tx); err != nil {
		return sum, err
	}
	if !slices.Equal(sum.Sums, want.Sums) {
		return sum, fmt.Errorf("the sums differ: stored %q, in the file %q", sum.Sums, want.Sums)
	}
	if err := checkRules(ctx, tx); err != nil {
		return sum, err
	}
	return sum, tx.Commit()
}

// setTriggers switches the triggers on or off. Their results are already in the rows.
func (db Database) setTriggers(ctx context.Context, tx *sql.Tx, s schema, on bool) error {
	if db.Postgres {
		verb := "DISABLE"
		if on {
			verb = "ENABLE"
		}
		for _, t := range s.tables {
			if _, err := tx.ExecContext(ctx, "ALTER TABLE "+t.name+" "+verb+" TRIGGER USER"); err != nil {
				return fmt.Errorf("switching the triggers of %s: %w", t.name, err)
			}
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.triggers)) {
		text := "DROP TRIGGER " + name
		if on {
			text = s.triggers[name]
		}
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("switching the trigger %s: %w", name, err)
		}
	}
	return nil
}

// writer stores rows, many with one statement.
type writer struct {
	db     Database
	tx     *sql.Tx
	tables []table
	n      map[string]int // rows by table

	waiting []map[string]any
	of      *table // of the rows that wait
}

func (w *writer) insert(ctx context.Context, name string, row map[string]any) error {
	if w.of == nil || w.of.name != name {
		if err := w.flush(ctx); err != nil {
			return err
		}
		i := slices.IndexFunc(w.tables, func(t table) bool { return t.name == name })
		if i < 0 {
			return fmt.Errorf("the file has a table %q that this program does not know", name)
		}
		w.of = &w.tables[i]
	}
	for _, column := range strings.Split(w.of.list(), ", ") {
		if _, ok := row[column]; !ok {
			return fmt.Errorf("table %s: row %d has no column %s", name, w.n[name]+1, column)
		}
	}
	w.waiting = append(w.waiting, row)
	w.n[name]++
	if len(w.waiting) < page {
		return nil
	}
	return w.flush(ctx)
}

// flush stores the rows that wait.
func (w *writer) flush(ctx context.Context) error {
	if len(w.waiting) == 0 {
		return nil
	}
	list, err := json.Marshal(w.waiting)
	if err != nil {
		return err
	}
	w.waiting = w.waiting[:0]
	columns := w.of.list()
	statement := "INSERT INTO " + w.of.name + " (" + columns + ") SELECT "
	if w.db.Postgres {
		statement += columns + " FROM jsonb_populate_recordset(NULL::" + w.of.name + ", ?1::jsonb)"
	} else {
		for i, column := range strings.Split(columns, ", ") {
			if i > 0 {
				statement += ", "
			}
			statement += "value ->> '" + column + "'"
		}
		statement += " FROM json_each(?1)"
	}
	if _, err := w.tx.ExecContext(ctx, statement, string(list)); err != nil {
		return fmt.Errorf("storing rows of %s: %w", w.of.name, err)
	}
	return nil
}
