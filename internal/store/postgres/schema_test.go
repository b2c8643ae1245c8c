package postgres_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/storetest"
)

// The schema of PostgreSQL follows from that of SQLite.
func TestSchemaIsGenerated(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := postgres.TranslateMigration(filepath.Base(file), string(text))
		if err != nil {
			t.Errorf("%s: %v: write it so that internal/store/postgres/translate.go can translate it", file, err)
			continue
		}
		got, err := os.ReadFile(filepath.Join("migrations", filepath.Base(file)))
		if err != nil || string(got) != want {
			t.Errorf("migrations/%s is out of date (%v): run go generate ./internal/store/postgres\n%s", filepath.Base(file), err, cmp.Diff(want, string(got)))
		}
	}
	if ours, err := filepath.Glob("migrations/*.sql"); err != nil || len(ours) != len(files) {
		t.Errorf("migrations/ has %d files, want %d: %v", len(ours), len(files), err)
	}
}

// Both databases have the same tables, columns, indexes, views and triggers.
func TestBothSchemasHaveTheSame(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	lite, err := sql.Open("sqlite", store.SQLiteURI(filepath.Join(t.TempDir(), "shop.db"), ""))
	if err != nil {
		t.Fatal(err)
	}
	defer lite.Close()
	if err := store.Migrate(ctx, lite); err != nil {
		t.Fatal(err)
	}
	const inSQLite = `
		SELECT type || ' ' || name || ' of ' || tbl_name FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL AND tbl_name <> 'd1_migrations'
		UNION SELECT m.type || ' ' || m.name || ' has ' || c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c
		WHERE m.type IN ('table', 'view') AND m.name NOT IN ('d1_migrations', 'sqlite_sequence')`
	const inPostgres = `
		SELECT 'index ' || indexname || ' of ' || tablename FROM pg_indexes WHERE schemaname = 'public' AND indexdef NOT LIKE '%history%'
			AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname)
		UNION SELECT 'trigger ' || tgname || ' of ' || relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE NOT tgisinternal
			AND tgname NOT LIKE 'keep%' AND tgname NOT LIKE 'record%'
		UNION SELECT CASE table_type WHEN 'VIEW' THEN 'view ' ELSE 'table ' END || table_name || ' has ' || column_name
		FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
		WHERE table_schema = 'public' AND table_name NOT IN ('h5pay_migrations', 'h5pay_nodes', 'h5pay_turns', 'h5pay_leases', 'history', 'payment_history', 'refund_history', 'incomplete', 'without_payer')
			AND column_name NOT IN ('txid', 'rowid')`
	if d := cmp.Diff(lines(t, lite, inSQLite), lines(t, storetest.OpenPostgres(t), inPostgres)); d != "" {
		t.Errorf("SQLite and PostgreSQL differ (-SQLite +PostgreSQL):\n%s", d)
	}
}

// lines returns the only column of a query, sorted.
func lines(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.TrimSpace(line))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}
