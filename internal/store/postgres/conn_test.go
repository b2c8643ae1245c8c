package postgres_test

import (
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"h5pay/internal/store/postgres"
	"h5pay/internal/store/storetest"
)

// oneConnection returns a database that uses one connection, and counts its repetitions.
func oneConnection(t *testing.T, url string) (db *sql.DB, repeated *atomic.Int32) {
	t.Helper()
	repeated = new(atomic.Int32)
	db, err := postgres.Open(postgres.Config{URL: url, Retried: func(string) { repeated.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db, repeated
}

// session returns the server's process of the connection.
func session(t *testing.T, db *sql.DB) (pid int) {
	t.Helper()
	if err := db.QueryRow(`SELECT pg_backend_pid()`).Scan(&pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

// preparedAs returns the name of the prepared statement that has one of two texts.
func preparedAs(t *testing.T, db *sql.DB, text, other string) (name string) {
	t.Helper()
	if err := db.QueryRow(`SELECT name FROM pg_prepared_statements WHERE strpos(statement, ?) + strpos(statement, ?) > 0`, text, other).Scan(&name); err != nil {
		t.Fatal(err)
	}
	return name
}

// A connection continues if its prepared statements no longer fit: after a change of the schema, and
// after they were deallocated. The statement is repeated once, and others run as before.
func TestPreparedStatementsAreOutdated(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"another type":    `ALTER TABLE things ALTER COLUMN n TYPE TEXT`,
		"all deallocated": `DEALLOCATE ALL`,
		"one deallocated": ``,
	} {
		for _, write := range []bool{false, true} {
			url := storetest.PostgresURL(t)
			db, repeated := oneConnection(t, url)
			storetest.Exec(t, db, `CREATE TABLE things (id INTEGER NOT NULL PRIMARY KEY, n INTEGER NOT NULL)`)
			storetest.Exec(t, db, `INSERT INTO things (id, n) VALUES (?, ?)`, 1, 2)
			query := `SELECT n FROM things WHERE id = ?`
			if write {
				query = `UPDATE things SET n = n WHERE id = ? RETURNING n`
			}
			read := func() {
				t.Helper()
				var n string
				if err := db.QueryRow(query, 1).Scan(&n); err != nil || n != "2" {
					t.Errorf("%s, write %t: %q, %v", name, write, n, err)
				}
				var one int
				if err := db.QueryRow(`SELECT 1 WHERE 1 = ?`, 1).Scan(&one); err != nil {
					t.Errorf("%s, write %t: another statement: %v", name, write, err)
				}
			}
			read()
			before, pid := repeated.Load(), session(t, db)
			if change == "" {
				change = `DEALLOCATE ` + preparedAs(t, db, "FROM things", "UPDATE things")
			}
			storetest.Exec(t, db, change+`; SELECT 1`) // several statements are not prepared
			for range 3 {
				read()
			}
			storetest.Exec(t, db, `INSERT INTO things (id, n) VALUES (?, ?)`, 2, 2)
			if n := repeated.Load() - before; n != 1 || session(t, db) != pid {
				t.Errorf("%s, write %t: %d statements were repeated, on the same connection %t", name, write, n, session(t, db) == pid)
			}
		}
	}
}

// In a transaction nothing is repeated. The next one works.
func TestPreparedStatementsAreOutdatedInATransaction(t *testing.T) {
	t.Parallel()
	db, repeated := oneConnection(t, storetest.PostgresURL(t))
	read := func() error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		var n int
		if err := tx.QueryRow(`SELECT 1 WHERE 1 = ?`, 1).Scan(&n); err != nil {
			return err
		}
		return tx.Commit()
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	pid := session(t, db)
	storetest.Exec(t, db, `DEALLOCATE ALL; SELECT 1`)
	if err := read(); err == nil {
		t.Error("a transaction uses a statement that was deallocated")
	}
	for range 2 {
		if err := read(); err != nil {
			t.Error(err)
		}
	}
	if repeated.Load() != 0 || session(t, db) != pid {
		t.Errorf("%d statements were repeated, on the same connection %t", repeated.Load(), session(t, db) == pid)
	}
}

// What PostgreSQL does not support has the code of a changed plan. It is repeated once.
func TestUnsupportedStatement(t *testing.T) {
	t.Parallel()
	db, repeated := oneConnection(t, storetest.PostgresURL(t))
	_, err := db.Exec(`SELECT COUNT(*) FROM orders FOR UPDATE`)
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != "0A000" {
		t.Fatalf("%v, want 0A000", err)
	}
	if n := repeated.Load(); n != 1 {
		t.Errorf("the statement was repeated %d times", n)
	}
	var one int
	if err := db.QueryRow(`SELECT 1 WHERE 1 = ?`, 1).Scan(&one); err != nil {
		t.Error(err)
	}
}
