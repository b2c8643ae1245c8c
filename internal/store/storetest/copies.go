package storetest

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
)

// Copy stores n copies of a row. change is SQL for the columns that differ, in which n counts
// from 1. The database sets the columns in drawn.
func Copy(t testing.TB, db *sql.DB, table, where string, n int, change map[string]string, drawn ...string) {
	t.Helper()
	rows, err := db.Query(`SELECT * FROM ` + table + ` WHERE ` + where)
	if err != nil {
		t.Fatal(err)
	}
	all, err := rows.Columns()
	if err := errors.Join(err, rows.Close()); err != nil {
		t.Fatal(err)
	}
	var columns, values []string
	for _, column := range all {
		if slices.Contains(drawn, column) || column == "txid" {
			continue
		}
		value := column
		if sql, ok := change[column]; ok {
			value = sql
		}
		columns, values = append(columns, column), append(values, value)
	}
	Exec(t, db, `WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
		INSERT INTO `+table+` (`+strings.Join(columns, ", ")+`) SELECT `+strings.Join(values, ", ")+` FROM `+table+`, numbers WHERE `+where, n)
}
