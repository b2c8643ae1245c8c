package storetest

import (
	"database/sql"
	"testing"
)

// failures counts the faults that a check reports.
type failures struct {
	testing.TB
	n int
}

func (f *failures) Errorf(string, ...any) { f.n++ }

// Check finds a broken invariant whichever way the database was changed, although an earlier call
// found none.
func TestCheckFollowsEveryChange(t *testing.T) {
	t.Parallel()
	exec := func(query string) func(*testing.T, *sql.DB) {
		return func(t *testing.T, db *sql.DB) { Exec(t, db, query) }
	}
	for name, change := range map[string]func(*testing.T, *sql.DB){
		"a statement":        exec(`UPDATE guests_open SET n = 5`),
		"one with WITH":      exec(`WITH five AS (SELECT 5 AS n) UPDATE guests_open SET n = (SELECT n FROM five)`),
		"a trigger":          exec(`INSERT INTO used_states (state, expires_at) VALUES ('state', 1)`),
		"several statements": exec(`SELECT 1; UPDATE guests_open SET n = 5`),
		"rows": func(t *testing.T, db *sql.DB) {
			var n int
			if err := db.QueryRow(`UPDATE guests_open SET n = 5 RETURNING n`).Scan(&n); err != nil || n != 5 {
				t.Fatal(n, err)
			}
		},
		"a transaction": func(t *testing.T, db *sql.DB) {
			tx, err := db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(`UPDATE guests_open SET n = 5`); err != nil {
				t.Fatal(err)
			}
			Check(t, db) // does not see the change yet
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := Open(t)
			Exec(t, db, `CREATE TRIGGER more AFTER INSERT ON used_states BEGIN UPDATE guests_open SET n = 5; END`)
			Check(t, db)
			change(t, db)
			f := &failures{TB: t}
			if Check(f, db); f.n == 0 {
				t.Error("the check does not follow the change")
			}
		})
	}
}

// A check is not repeated if no table that it reads has changed.
func TestCheckIsNotRepeated(t *testing.T) {
	t.Parallel()
	db := Open(t)
	Check(t, db)
	if rows, err := db.Query(`DELETE FROM orders WHERE FALSE RETURNING id`); err != nil || rows.Next() || rows.Close() != nil {
		t.Fatal(err)
	}
	Exec(t, db, `INSERT INTO timers (name, at) VALUES ('reconcile', 1) ON CONFLICT (name) DO UPDATE SET at = excluded.at`)
	Exec(t, db, `UPDATE guests_open SET n = 5 WHERE n = 7`)
	Exec(t, db, `SELECT COUNT(*) FROM orders`)
	if _, changed := db.Driver().(*database).changes.begin(); changed {
		t.Error("something counts as a change")
	}
}
