package storetest

import (
	"database/sql"
	"testing"
)

// report fails the test for each row of a query. A row has a subject and its fault.
func report(t testing.TB, db *sql.DB, query string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var what, problem string
		if err := rows.Scan(&what, &problem); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s: %s", what, problem)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
