package move

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"h5pay/internal/store"
)

// header is the first line of a file.
type header struct {
	Format string `json:"h5pay_export"` // "1"
	Schema string `json:"schema"`       // the last migration
	At     string `json:"at"`
}

// line is another line: a row of a table, or at the end the summary.
type line struct {
	Table   string         `json:"table,omitempty"`
	Row     map[string]any `json:"row,omitempty"`
	Summary *Summary       `json:"summary,omitempty"`
}

// Summary describes the content of a file or a database.
type Summary struct {
	Rows map[string]int `json:"rows"` // by table
	Sums []string       `json:"sums"` // such as "orders paid: 3, 20400, 600": number, fen, fen refunded
}

// page is how many rows one statement reads or writes.
const page = 500

// Export writes a file with all data. The data is of one moment, even while the shop runs.
// Export fails if the data breaks an invariant.
func Export(ctx context.Context, db Database, w io.Writer) (Summary, error) {
	s, err := readSchema(ctx)
	if err != nil {
		return Summary{}, err
	}
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(header{Format: "1", Schema: store.Schema(), At: time.Now().UTC().Format(time.RFC3339)}); err != nil {
		return Summary{}, err
	}
	sum, err := db.read(ctx, s, func(t table, row map[string]any) error {
		return enc.Encode(line{Table: t.name, Row: row})
	})
	if err != nil {
		return Summary{}, err
	}
	if err := enc.Encode(line{Summary: &sum}); err != nil {
		return Summary{}, err
	}
	return sum, out.Flush()
}

// ExportD1 writes a file of SQL for an empty D1 with the schema of this program: wrangler d1
// execute runs it. The file drops the triggers first and creates them again at the end. The table
// h5pay_pieces exists only while the file runs: insertD1 puts long texts together there.
func ExportD1(ctx context.Context, db Database, w io.Writer) (Summary, error) {
	s, err := readSchema(ctx)
	if err != nil {
		return Summary{}, err
	}
	out := bufio.NewWriter(w)
	for name := range s.triggers {
		fmt.Fprintf(out, "DROP TRIGGER %s;\n", name)
	}
	for _, t := range s.tables {
		fmt.Fprintf(out, "DELETE FROM %s;\n", t.name)
	}
	fmt.Fprintln(out, "CREATE TABLE h5pay_pieces (n INTEGER NOT NULL PRIMARY KEY, value TEXT NOT NULL);")
	sum, err := db.read(ctx, s, func(t table, row map[string]any) error {
		return insertD1(out, t, row)
	})
	if err != nil {
		return Summary{}, err
	}
	fmt.Fprintln(out, "DROP TABLE h5pay_pieces;")
	for _, text := range s.triggers {
		fmt.Fprintf(out, "%s;\n", text)
	}
	return sum, out.Flush()
}

// D1 takes 100,000 bytes in a statement. A photo has up to 266,668.
const (
	maxStatement = 90_000
	maxPiece     = 40_000 // of a text; quotes may double it
)

// insertD1 writes the statements that store a row. If one statement is too long, the longest texts
// are stored in pieces first. They are put together in another table than t: a part of a JSON text
// would break a CHECK of t.
func insertD1(out *bufio.Writer, t table, row map[string]any) error {
	columns := strings.Split(t.list(), ", ")
	values := make([]string, len(columns)) // in SQL
	for i, column := range columns {
		switch v := row[column].(type) {
		case nil:
			values[i] = "NULL"
		case int64:
			values[i] = fmt.Sprint(v)
		case string:
			values[i] = quote(v)
		default:
			return fmt.Errorf("table %s: column %s has a %T", t.name, column, v)
		}
	}
	statement := func() string {
		return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s);\n", t.name, t.list(), strings.Join(values, ", "))
	}
	apart := 0
	for len(statement()) > maxStatement && apart < len(columns) {
		longest := 0
		for i, v := range values {
			if len(v) > len(values[longest]) {
				longest = i
			}
		}
		apart++
		text, _ := row[columns[longest]].(string)
		fmt.Fprintf(out, "INSERT INTO h5pay_pieces (n, value) VALUES (%d, '');\n", apart)
		for text != "" {
			var piece string
			piece, text = cut(text, maxPiece)
			fmt.Fprintf(out, "UPDATE h5pay_pieces SET value = value || %s WHERE n = %d;\n", quote(piece), apart)
		}
		values[longest] = fmt.Sprintf("(SELECT value FROM h5pay_pieces WHERE n = %d)", apart)
	}
	fmt.Fprint(out, statement())
	if apart > 0 {
		fmt.Fprintln(out, "DELETE FROM h5pay_pieces;")
	}
	return nil // Flush returns the errors of out
}

// quote returns a text as a literal of SQL.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// cut cuts a text after at most most bytes, between two characters.
func cut(s string, most int) (before, after string) {
	if len(s) <= most {
		return s, ""
	}
	for most > 1 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most], s[most:]
}

// read calls each with all rows, in one read transaction.
func (db Database) read(ctx context.Context, s schema, each func(table, map[string]any) error) (sum Summary, err error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: db.Postgres, Isolation: db.snapshot()})
	if err != nil {
		return sum, err
	}
	defer tx.Rollback()
	if err := db.prepare(ctx, tx); err != nil {
		return sum, err
	}
	if err := checkRules(ctx, tx); err != nil {
		return sum, err
	}
	sum.Rows = map[string]int{}
	for _, t := range s.tables {
		n, err := t.read(ctx, tx, func(row map[string]any) error { return each(t, row) })
		if err != nil {
			return sum, fmt.Errorf("reading table %s: %w", t.name, err)
		}
		sum.Rows[t.name] = n
	}
	sum.Sums, err = readSums(ctx, tx)
	return sum, err
}

func (db Database) snapshot() sql.IsolationLevel {
	if db.Postgres {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

// prepare removes the time limits of a transaction's statements.
func (db Database) prepare(ctx context.Context, tx *sql.Tx) error {
	if !db.Postgres {
		return nil
	}
	for _, setting := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		if _, err := tx.ExecContext(ctx, "SET LOCAL "+setting+" = 0"); err != nil {
			return err
		}
	}
	return nil
}

// read calls each with the rows of a table in the order of its key.
func (t table) read(ctx context.Context, tx *sql.Tx, each func(map[string]any) error) (n int, err error) {
	columns := strings.Split(t.list(), ", ")
	key := strings.Join(t.key, ", ")
	where, args := "", []any{}
	for {
		read := 0
		last := make([]any, len(t.key))
		err := query(ctx, tx, fmt.Sprintf("SELECT %s FROM %s %s ORDER BY %s LIMIT %d", t.list(), t.name, where, key, page), args, func(values []any) error {
			read++
			row := map[string]any{}
			for i, column := range columns {
				row[column] = values[i]
			}
			for i, column := range t.key {
				last[i] = row[column]
			}
			return each(row)
		})
		n += read
		if err != nil || read < page {
			return n, err
		}
		where = "WHERE (" + key + ") > (" + strings.TrimSuffix(strings.Repeat("?, ", len(t.key)), ", ") + ")"
		args = last
	}
}
