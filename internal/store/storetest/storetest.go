// Package storetest opens databases for tests, SQLite or PostgreSQL, with the shop's schema and the
// demo catalogue. Check checks the invariants that must hold after every step.
package storetest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
)

// template returns the file of a database without orders: the migrations take longer than
// most tests. A trigger writes every change of an order's status to the table history. Tests
// then also see changes that were undone between two reads. Another one records the payments
// of which WeChat did not report the payer or the time.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "template")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "shop.db")
	db := sql.OpenDB(newDatabase(dsn(file)))
	ctx := context.Background()
	err = errors.Join(store.Migrate(ctx, db), store.Seed(ctx, db))
	if err == nil {
		_, err = db.ExecContext(ctx, history+keepPayments+keepRefunds+keepEvents)
	}
	// The last connection writes everything into the file when it closes.
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// history records every change of an order's status, and rejects changes of the columns that
// never change.
const history = `
	CREATE TABLE history (order_id TEXT NOT NULL, was TEXT NOT NULL, became TEXT NOT NULL) STRICT;
	CREATE TRIGGER record_history AFTER UPDATE OF status ON orders WHEN OLD.status <> NEW.status
	BEGIN INSERT INTO history VALUES (NEW.id, OLD.status, NEW.status); END;
	CREATE TRIGGER keep_order BEFORE UPDATE ON orders
	WHEN OLD.id <> NEW.id OR OLD.token IS NOT NEW.token OR OLD.source <> NEW.source OR OLD.reference IS NOT NEW.reference OR OLD.key_id IS NOT NEW.key_id OR OLD.link_id IS NOT NEW.link_id
		OR OLD.owner IS NOT NEW.owner AND NEW.owner IS NOT 'erased:' || NEW.id
		OR OLD.client_key IS NOT NEW.client_key OR OLD.fingerprint <> NEW.fingerprint OR OLD.shop <> NEW.shop OR OLD.appid <> NEW.appid
		OR OLD.mch_id <> NEW.mch_id OR OLD.items <> NEW.items OR OLD.total <> NEW.total OR OLD.currency <> NEW.currency
		OR OLD.description <> NEW.description OR OLD.metadata IS NOT NEW.metadata OR OLD.return_url IS NOT NEW.return_url
		OR OLD.trade_types IS NOT NEW.trade_types OR OLD.taken IS NOT NEW.taken OR OLD.created_at <> NEW.created_at OR OLD.expires_at <> NEW.expires_at
		OR OLD.paid_by IS NOT NULL AND OLD.paid_by IS NOT NEW.paid_by OR NEW.refunded < OLD.refunded OR NEW.simulated < OLD.simulated
	BEGIN SELECT RAISE(ABORT, 'a column of an order that never changes was changed'); END;
	CREATE TRIGGER keep_time BEFORE UPDATE ON orders WHEN NEW.updated_at < OLD.updated_at
	BEGIN SELECT RAISE(ABORT, 'updated_at went back'); END;`

// Open returns a migrated and seeded database that lives as long as the test: SQLite, or
// PostgreSQL if the environment has H5PAY_TEST_DATABASE=postgres.
func Open(t testing.TB) *sql.DB {
	t.Helper()
	if Postgres() {
		return OpenPostgres(t)
	}
	return OpenSQLite(t)
}

// OpenSQLite is Open for tests about SQLite.
func OpenSQLite(t testing.TB) *sql.DB {
	t.Helper()
	empty, err := template()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "shop.db")
	if err := os.WriteFile(file, empty, 0o600); err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(newDatabase(dsn(file)))
	t.Cleanup(func() { db.Close() })
	return db
}

func dsn(file string) string {
	return store.SQLiteURI(file, "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_txlock=immediate")
}

// Exec runs SQL. An error fails the test.
func Exec(t testing.TB, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// Check fails the test when an invariant of the stored orders, refunds or events does not
// hold. It may be called while others change them. It does nothing if the database has not
// changed since the last call.
func Check(t testing.TB, db *sql.DB) {
	t.Helper()
	if d, ok := db.Driver().(interface{ counted() *changes }); ok {
		n, changed := d.counted().begin()
		if !changed {
			return
		}
		defer d.counted().end(n)
	}
	checkRefunds(t, db)
	checkPayments(t, db)
	// One statement, so that it sees orders and their history at one moment.
	rows, err := db.Query(`SELECT id, status, items, total, currency, created_at, expires_at, updated_at, COALESCE(owner, ''), source,
		COALESCE((SELECT group_concat(was || '>' || became, ' ' ORDER BY rowid) FROM history WHERE order_id = orders.id), ''),
		COALESCE((SELECT group_concat(status, ' ' ORDER BY n) FROM order_steps WHERE order_id = orders.id), ''),
		COALESCE((SELECT group_concat(status, ' ' ORDER BY out_trade_no) FROM payments WHERE order_id = orders.id), ''),
		paid_by IS NOT NULL, (SELECT COUNT(*) FROM payments WHERE order_id = orders.id AND transaction_id IS NOT NULL AND duplicate = 0),
		EXISTS (SELECT 1 FROM payments WHERE order_id = orders.id AND out_trade_no = paid_by AND status = 'paid' AND duplicate = 0)
		FROM orders`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, status, items, currency, owner, source, history, steps, payments string
		var total, created, expires, updated int64
		var paying int
		var paid, paidBy bool
		if err := rows.Scan(&id, &status, &items, &total, &currency, &created, &expires, &updated, &owner, &source,
			&history, &steps, &payments, &paid, &paying, &paidBy); err != nil {
			t.Fatal(err)
		}
		var lines []order.Line
		if err := json.Unmarshal([]byte(items), &lines); err != nil || len(lines) == 0 && source == "shop" {
			t.Errorf("order %s: items %s: %v", id, items, err)
		}
		var sum int64
		for _, l := range lines {
			sum += int64(l.Price) * int64(l.Quantity)
		}
		live, all := 0, strings.Fields(payments)
		for _, p := range all {
			if !order.PaymentEnded(api.PaymentStatus(p)) {
				live++
			}
		}
		offered := strings.Contains(payments, "created") || strings.Contains(payments, "pending")
		for what, broken := range map[string]bool{
			"the total is not the sum of the lines":            sum != total && len(lines) > 0,
			"the total is out of range":                        total < 1 || total > int64(order.MaxTotal),
			"the currency is not CNY":                          currency != "CNY",
			"the lifetime is not 24 hours":                     source == "shop" && expires-created != order.Lifetime.Milliseconds(),
			"it was updated before it was created":             updated < created,
			"paid without a payment, or the reverse":           order.WasPaid(api.OrderStatus(status)) != paid,
			"not exactly one payment pays it":                  paid && (paying != 1 || !paidBy),
			"a payment that is paid does not pay it":           !paid && paying != 0,
			"it is not open, but a payment is offered":         status != "open" && offered,
			"it is closed, but can be paid at WeChat":          status == "closed" && live > 0,
			"it is closing, but no payment can be paid":        status == "closing" && live == 0,
			"too many of its payments can be paid at WeChat":   live > order.MaxLive,
			"it has too many payments":                         len(all) > order.MaxPayments+order.MaxFailed+order.MaxLive,
			"its history does not lead to its status":          !leads(strings.Fields(history), status),
			"its steps differ from its history":                steps != stepsOf(strings.Fields(history)),
			"the owner is erased, but a person's data is left": order.IsErased(owner) && (owner != "erased:"+id || status == "open"),
		} {
			if broken {
				t.Errorf("order %s (%s, history %q, payments %q): %s", id, status, history, payments, what)
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	checkEvents(t, db)
	report(t, db, brokenTimes)
}

// brokenTimes lists every step that is earlier than the previous one.
const brokenTimes = `
	SELECT 'order ' || order_id, 'it was ' || status || ' at ' || at || ', after a step at ' || before
	FROM (SELECT order_id, status, at, LAG(at) OVER (PARTITION BY order_id ORDER BY n) AS before FROM order_steps) WHERE at < before
	UNION ALL
	SELECT 'order ' || id, 'updated at ' || updated_at || ', its last step is later' FROM orders
	WHERE updated_at < (SELECT MAX(at) FROM order_steps WHERE order_id = id)
	UNION ALL
	SELECT 'payment ' || payments.out_trade_no, 'created before its order, or updated before it was created' FROM payments JOIN orders ON orders.id = order_id
	WHERE payments.created_at < orders.created_at OR payments.updated_at < payments.created_at OR settled_at < payments.created_at
	UNION ALL
	SELECT 'refund ' || refunds.id, 'created ' || refunds.created_at || ', accepted ' || COALESCE(accepted_at, 0) || ', ended ' || COALESCE(ended_at, 0)
		|| ', updated ' || refunds.updated_at
	FROM refunds WHERE accepted_at < created_at OR ended_at < created_at OR updated_at < created_at OR updated_at < accepted_at
	UNION ALL
	SELECT 'event ' || id, 'created at ' || created_at || ', after one of ' || before
	FROM (SELECT id, created_at, LAG(created_at) OVER (PARTITION BY order_id ORDER BY seq) AS before FROM events) WHERE created_at < before
	UNION ALL
	SELECT 'event ' || event_seq, 'delivered before it was created' FROM deliveries WHERE delivered_at < created_at`

// leads reports whether the changes lead from open to status. Each must be allowed and begin
// where the previous one ended.
func leads(history []string, status string) bool {
	at := string(api.StatusOpen)
	for _, change := range history {
		was, became, _ := strings.Cut(change, ">")
		if was != at || !order.CanBecome(api.OrderStatus(was), api.OrderStatus(became)) {
			return false
		}
		at = became
	}
	return at == status
}

// stepsOf returns the steps that belong to a history.
func stepsOf(history []string) string {
	steps := string(api.StatusOpen)
	for _, change := range history {
		_, became, _ := strings.Cut(change, ">")
		steps += " " + became
	}
	return steps
}

// Transitions returns the changes of status of an order so far, as "was>became".
func Transitions(t testing.TB, db *sql.DB, id string) []string {
	t.Helper()
	rows, err := db.Query(`SELECT was || '>' || became FROM history WHERE order_id = ? ORDER BY rowid`, id)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// Dump returns the rows of most tables, so that a test can compare them before and after.
func Dump(t testing.TB, db *sql.DB) string {
	t.Helper()
	return dump(t, db, "products", "orders", "order_steps", "history", "payments", "payment_history", "refunds", "refund_history", "events", "bill_checks", "bill_differences", "switches",
		"(SELECT id, hash, name, scopes, revoked_at FROM keys) AS keys")
}

// DumpAll is Dump for every table but those of the audit list.
func DumpAll(t testing.TB, db *sql.DB) string {
	t.Helper()
	query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'audit%' ORDER BY name`
	if Postgres() {
		query = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema AND tablename NOT LIKE 'audit%' ORDER BY tablename`
	}
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	return dump(t, db, tables...)
}

func dump(t testing.TB, db *sql.DB, tables ...string) string {
	t.Helper()
	var b strings.Builder
	for _, table := range tables {
		rows, err := db.Query(`SELECT * FROM ` + table + ` ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			b.WriteString(table)
			for i, v := range values {
				fmt.Fprintf(&b, " %s=%v", columns[i], *v.(*any))
			}
			b.WriteByte('\n')
		}
		rows.Close()
	}
	return b.String()
}
