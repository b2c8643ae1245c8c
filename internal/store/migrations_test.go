package store_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

func TestMigrateAndSeedAgainChangeNothing(t *testing.T) {
	t.Parallel()
	db := storetest.OpenSQLite(t)
	insert(t, store.New(db), "alice", "key-1")
	before := storetest.Dump(t, db)
	if err := store.Migrate(ctx, db); err != nil {
		t.Fatal(err)
	}
	if err := store.Seed(ctx, db); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, storetest.Dump(t, db)); d != "" {
		t.Error(d)
	}
}

func TestSchemaRejectsNonsense(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	for _, query := range []string{
		`UPDATE orders SET status = 'paid' WHERE id = ?`, // by nothing
		`UPDATE orders SET paid_by = 'x' WHERE id = ?`,
		`UPDATE orders SET owner = NULL WHERE id = ?`,
		`UPDATE orders SET due_at = NULL WHERE id = ?`,
		`UPDATE orders SET total = 0 WHERE id = ?`,
		`UPDATE orders SET created_at = '2026-11-23' WHERE id = ?`,
		`UPDATE payments SET status = 'paid' WHERE order_id = ?`, // without a transaction
		`UPDATE payments SET transaction_id = 'x' WHERE order_id = ?`,
		`UPDATE payments SET paid_at = 1 WHERE order_id = ?`,
		`UPDATE payments SET payer = 'x' WHERE order_id = ?`,
		`UPDATE payments SET duplicate = 1 WHERE order_id = ?`,
		`UPDATE payments SET refunded = 1 WHERE order_id = ?`,
		`UPDATE payments SET settled_at = 1 WHERE order_id = ?`,
		`UPDATE payments SET prepay_id = 'x' WHERE order_id = ?`,
		`UPDATE payments SET due_at = NULL WHERE order_id = ?`,
		`UPDATE payments SET total = 0 WHERE order_id = ?`,
		`UPDATE products SET price = 0 WHERE 'x' <> ?`,
		`UPDATE products SET min_price = 1 WHERE 'x' <> ? AND id = 'tea'`, // without the other
		`UPDATE products SET max_price = 1 WHERE 'x' <> ? AND id = 'tea'`,
		`UPDATE products SET min_price = 0, max_price = 1 WHERE 'x' <> ?`,
		`UPDATE products SET min_price = 2, max_price = 1 WHERE 'x' <> ?`,
	} {
		if _, err := db.Exec(query, o.ID); err == nil {
			t.Errorf("accepted: %s", query)
		}
	}
	storetest.Check(t, db)
}

// Migrate records migrations in the form that wrangler reads.
func TestMigrationsAreRecordedAsWranglerDoes(t *testing.T) {
	t.Parallel()
	db := storetest.OpenSQLite(t)
	var name sql.NullString
	if err := db.QueryRow(`SELECT name FROM d1_migrations`).Scan(&name); err != nil || name.String != "0001_schema.sql" {
		t.Errorf("%v, %v", name, err)
	}
}

// A database that a newer version of the program has changed stays as it is.
func TestNewerSchemaIsRejected(t *testing.T) {
	t.Parallel()
	db := storetest.OpenSQLite(t)
	storetest.Exec(t, db, `INSERT INTO d1_migrations (name) VALUES ('9999_later.sql')`)
	var newer *store.NewerSchemaError
	if err := store.Migrate(t.Context(), db); !errors.As(err, &newer) || !strings.Contains(err.Error(), "9999_later.sql is newer than this program") {
		t.Errorf("%v", err)
	}
	var n int
	if err := db.QueryRow(`SELECT COUNT(*) FROM d1_migrations`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d migrations are on record, %v", n, err)
	}
}

// Schema returns the name of the last migration.
func TestSchemaIsTheLastMigration(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(names) == 0 || filepath.Base(names[len(names)-1]) != store.Schema() {
		t.Errorf("%v, %v, and the program has %s", names, err, store.Schema())
	}
	if got, err := store.New(storetest.Open(t)).AppliedSchema(t.Context()); err != nil || got != store.Schema() {
		t.Errorf("the database has %s, %v", got, err)
	}
}
