package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"h5pay/internal/store"
	"h5pay/internal/store/sqlite"
)

func open(tb testing.TB, driver string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(driver, store.SQLiteURI(filepath.Join(tb.TempDir(), "test.db"), "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"))
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	change(tb, db, `CREATE TABLE numbers (n INTEGER PRIMARY KEY, name TEXT)`)
	return db
}

type queryer interface {
	Exec(query string, args ...any) (sql.Result, error)
	Query(query string, args ...any) (*sql.Rows, error)
}

// numbers returns the column of a query.
func numbers(tb testing.TB, db queryer, query string, args ...any) (list []int) {
	tb.Helper()
	rows, err := db.Query(query, args...)
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			tb.Fatal(err)
		}
		list = append(list, n)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return list
}

// A statement that is kept gets new arguments each time, and sees what others changed.
func TestKeptStatement(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Name)
	for n := range 5 {
		change(t, db, `INSERT INTO numbers (n, name) VALUES (?1, ?2)`, n, nil)
		if got := numbers(t, db, `SELECT n FROM numbers WHERE n >= ?1 ORDER BY n DESC`, n); len(got) != 1 || got[0] != n {
			t.Errorf("%v, want %d", got, n)
		}
	}
	if _, err := db.Exec(`INSERT INTO numbers (n, name) VALUES (?1, ?2)`, 4, nil); err == nil {
		t.Error("a key is there twice")
	}
	change(t, db, `INSERT INTO numbers (n, name) VALUES (?1, ?2)`, 5, "five")
	if got := numbers(t, db, `SELECT COUNT(*) FROM numbers`); got[0] != 6 {
		t.Errorf("%v numbers", got)
	}
}

// QueryRow closes the rows before the last one is read. The change is committed nevertheless.
func TestChangeThatReturnsARow(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Name)
	for n := range 3 {
		var got int
		if err := db.QueryRow(`INSERT INTO numbers (n) VALUES (?1), (?1 + 100) RETURNING n`, n).Scan(&got); err != nil || got != n {
			t.Fatalf("%d, %v", got, err)
		}
	}
	if got := numbers(t, db, `SELECT COUNT(*) FROM numbers`); got[0] != 6 {
		t.Errorf("%v numbers", got)
	}
}

// A statement runs again while its rows are open.
func TestStatementInsideItself(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Name)
	change(t, db, `INSERT INTO numbers (n) VALUES (1), (2), (3)`)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	const query = `SELECT n FROM numbers WHERE n > ?1 ORDER BY n`
	rows, err := tx.Query(query, 0)
	if err != nil {
		t.Fatal(err)
	}
	var outer, inner []int
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		outer, inner = append(outer, n), append(inner, numbers(t, tx, query, n)...)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(outer, inner) != "[1 2 3] [2 3 3]" {
		t.Errorf("%v and %v", outer, inner)
	}
}

// A statement that was prepared before a change of the schema sees the new schema.
func TestSchemaChanges(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Name)
	change(t, db, `INSERT INTO numbers (n) VALUES (1)`)
	columns := func() int {
		t.Helper()
		rows, err := db.Query(`SELECT * FROM numbers`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		if !rows.Next() {
			t.Fatal("no row: ", rows.Err())
		}
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	if n := columns(); n != 2 {
		t.Fatalf("%d columns", n)
	}
	change(t, db, `ALTER TABLE numbers ADD COLUMN more TEXT`)
	if n := columns(); n != 3 {
		t.Errorf("%d columns after the change", n)
	}
}

// A connection keeps a bounded number of statements.
func TestManyStatements(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Name)
	for i := range 1100 {
		if got := numbers(t, db, fmt.Sprintf(`SELECT %d`, i)); got[0] != i {
			t.Fatalf("%v, want %d", got, i)
		}
	}
}

// Several statements in one text run like one.
func TestScript(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Name)
	for range 2 {
		change(t, db, `DELETE FROM numbers; INSERT INTO numbers (n) VALUES (7); -- the end`)
	}
	if got := numbers(t, db, `SELECT n FROM numbers`); fmt.Sprint(got) != "[7]" {
		t.Errorf("%v", got)
	}
}

func BenchmarkInsert(b *testing.B) {
	for _, driver := range []string{"sqlite", sqlite.Name} {
		b.Run(driver, func(b *testing.B) {
			db := open(b, driver)
			change(b, db, `PRAGMA synchronous = OFF`)
			for n := 0; b.Loop(); n++ {
				change(b, db, `INSERT INTO numbers (n, name) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM numbers WHERE n = ?1) ON CONFLICT DO NOTHING`, n, "a name")
			}
		})
	}
}
