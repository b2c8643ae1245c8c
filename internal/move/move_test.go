package move_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/move"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m, false)) }

var (
	ctx = context.Background()
	now = time.Date(2026, 11, 23, 3, 4, 5, 678e6, time.UTC)
)

// sqlite returns an empty database of SQLite with the schema.
func sqlite(t *testing.T) move.Database {
	t.Helper()
	db, err := sql.Open("sqlite", store.SQLiteURI(filepath.Join(t.TempDir(), "shop.db"), "_pragma=busy_timeout(5000)"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	if err := store.Migrate(ctx, db); err != nil {
		t.Fatal(err)
	}
	return move.Database{DB: db}
}

// postgreSQL returns an empty database of PostgreSQL with the schema.
func postgreSQL(t *testing.T) move.Database {
	t.Helper()
	db, err := postgres.Open(postgres.Config{URL: storetest.PostgresURL(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	storetest.Exec(t, db, `DELETE FROM products`)
	return move.Database{DB: db, Postgres: true}
}

// trade fills a shop: orders in many statuses, a payment that is a duplicate, refunds and events.
func trade(t *testing.T, db *sql.DB, orders int) {
	t.Helper()
	if err := store.Seed(ctx, db); err != nil {
		t.Fatal(err)
	}
	s := store.New(db)
	must := func(ok bool, err error) {
		t.Helper()
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	for i := range orders {
		id, owner := fmt.Sprintf("order%019d", i), fmt.Sprint("buyer-", i)
		if i%3 == 0 {
			owner = fmt.Sprint("guest:", i)
		}
		o := order.Order{
			ID: id, Source: order.SourceShop, Owner: owner, ClientKey: "key", Fingerprint: "f", Shop: "https://shop.example.com", AppID: "wx", MchID: "1900000109",
			Lines: []order.Line{{ProductID: "tea", Name: "高山'乌龙\"茶\\", Price: 100, Quantity: 1}}, Total: 100, Currency: order.Currency, Description: "茶 👍", CreatedAt: now, ExpiresAt: now.Add(order.Lifetime),
		}
		_, err := s.Insert(ctx, o)
		must(err == nil, err)
		if i >= 60 {
			continue
		}
		var numbers []string
		for n, trade := range []api.TradeType{api.TradeNative, api.TradeMWEB} {
			no := fmt.Sprintf("P%d-%d", i, n)
			must(s.InsertPayment(ctx, order.Payment{OutTradeNo: no, OrderID: id, AppID: "wx", MchID: "1900000109", APIVersion: "v3", TradeType: trade, NotifyURL: "https://shop.example.com/api/notify/pay", CreatedAt: now}, time.Time{}))
			numbers = append(numbers, no)
		}
		for n, no := range numbers[:i%3] { // none, one, or a second one that is a duplicate
			must(s.Pay(ctx, no, order.Paid{TransactionID: fmt.Sprintf("T%d-%d", i, n), Payer: "payer", PaidAt: now}, now))
		}
		if i%3 == 1 {
			must(s.InsertRefund(ctx, order.Refund{ID: fmt.Sprint("R", i), OrderID: id, OutTradeNo: numbers[0], Key: "key", Amount: 30, CreatedAt: now}, 0))
			must(moved(s.MoveRefund(ctx, fmt.Sprint("R", i), api.RefundSucceeded, fmt.Sprint("50", i), now, now)))
		}
		if i%5 == 0 {
			_, _, err := s.CloseWhole(ctx, id, now)
			must(err == nil, err)
		}
	}
	must(true, s.Count(ctx, map[string]int{"forged": 3}))
	must(s.InsertPhoto(ctx, strings.Repeat("a1", 16), "image/jpeg", strings.Repeat("AbC+", 266_668/4), now)) // the largest
}

// A shop moves from SQLite to PostgreSQL and back without a change. In each database it
// continues: generated values do not restart.
func TestShopMovesThereAndBack(t *testing.T) {
	t.Parallel()
	from, there, back := sqlite(t), postgreSQL(t), sqlite(t)
	trade(t, from.DB, 520) // more than a page
	var first, second bytes.Buffer
	sum, err := move.Export(ctx, from, &first)
	if err != nil || sum.Rows["orders"] != 520 || sum.Rows["refunds"] == 0 {
		t.Fatal(sum, err)
	}
	if got, err := move.Import(ctx, there, bytes.NewReader(first.Bytes())); err != nil || cmp.Diff(sum, got) != "" {
		t.Fatal(err, cmp.Diff(sum, got))
	}
	if got, err := move.Export(ctx, there, &second); err != nil || cmp.Diff(sum, got) != "" {
		t.Fatal(err, cmp.Diff(sum, got))
	}
	if got, err := move.Import(ctx, back, bytes.NewReader(second.Bytes())); err != nil || cmp.Diff(sum, got) != "" {
		t.Fatal(err, cmp.Diff(sum, got))
	}
	if d := cmp.Diff(content(t, from.DB), content(t, back.DB)); d != "" {
		t.Errorf("the shop has changed (-before +after):\n%.2000s", d)
	}
	// The shop continues in PostgreSQL.
	s := store.New(there.DB)
	if ok, err := s.Pay(ctx, "P3-0", order.Paid{TransactionID: "T-late", PaidAt: now}, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	events, _, err := s.Events(ctx, store.EventPage{Limit: 2})
	if err != nil || len(events) != 2 || events[0].OrderID != fmt.Sprintf("order%019d", 3) || events[0].Seq <= events[1].Seq {
		t.Errorf("%+v, %v", events, err)
	}
}

// content returns all rows of a SQLite database, without those of the migrations.
func content(t *testing.T, db *sql.DB) (all []string) {
	t.Helper()
	for _, table := range []string{"products", "orders", "payments", "refunds", "events", "deliveries", "endpoints", "links", "order_changes", "guests_open", "guests_by_hour", "counters", "product_photos"} {
		rows, err := db.Query(`SELECT * FROM ` + table + ` ORDER BY rowid`)
		if key := map[string]string{"guests_by_hour": "hour, network", "deliveries": "endpoint_id, event_seq", "orders": "id", "payments": "out_trade_no", "refunds": "id", "order_changes": "order_id, n"}[table]; key != "" { // without a rowid
			rows, err = db.Query(`SELECT * FROM ` + table + ` ORDER BY ` + key)
		}
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for rows.Next() {
			row, fields := make([]any, len(columns)), make([]any, len(columns))
			for i := range row {
				fields[i] = &row[i]
			}
			if err := rows.Scan(fields...); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprint(table, row))
		}
		if table == "orders" || table == "payments" || table == "refunds" || table == "products" {
			lines = sorted(lines) // their rowid is not kept
		}
		all = append(all, lines...)
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// A file that was cut, changed or made by another version changes nothing.
func TestImportRejects(t *testing.T) {
	t.Parallel()
	from := sqlite(t)
	trade(t, from.DB, 70)
	var file bytes.Buffer
	if _, err := move.Export(ctx, from, &file); err != nil {
		t.Fatal(err)
	}
	whole := file.String()
	lines := strings.SplitAfter(whole, "\n")
	for name, test := range map[string]struct{ text, want string }{
		"nothing":           {"", "reading the file"},
		"another file":      {`{"a": 1}`, "want a file of h5pay export"},
		"SQL of others":     {"CREATE TABLE t (n INTEGER);", "want a file of h5pay export"},
		"another version":   {strings.Replace(whole, store.Schema(), "9999_later.sql", 1), "same version"},
		"a file that ends":  {strings.Join(lines[:len(lines)/2], ""), "has no last line"},
		"a lost row":        {strings.Join(append(append([]string{}, lines[:50]...), lines[51:]...), ""), "rows"},
		"another amount":    {strings.Replace(whole, `"amount":30`, `"amount":31`, 1), "sums differ"},
		"an unknown table":  {strings.Replace(whole, `"table":"orders"`, `"table":"others"`, 1), "does not know"},
		"an unknown column": {strings.Replace(whole, `"paid_by"`, `"paid_to"`, 1), "no column paid_by"},
	} {
		for _, to := range []move.Database{sqlite(t), postgreSQL(t)} {
			if _, err := move.Import(ctx, to, strings.NewReader(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v", name, err)
			}
			var n int
			if err := to.QueryRow(`SELECT (SELECT COUNT(*) FROM orders) + (SELECT COUNT(*) FROM products)`).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s: %d rows are stored, %v", name, n, err)
			}
			// The triggers exist again.
			if _, err := store.New(to.DB).Insert(ctx, order.Order{ID: "x", Source: order.SourceAPI, KeyID: "k", ClientKey: "k", Fingerprint: "f", Total: 1, CreatedAt: now, ExpiresAt: now}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if steps, err := store.New(to.DB).Timeline(ctx, "x"); err != nil || len(steps) != 1 {
				t.Errorf("%s: %d steps, %v", name, len(steps), err)
			}
		}
	}
	if _, err := move.Import(ctx, from, strings.NewReader(whole)); !errors.Is(err, move.ErrNotEmpty) {
		t.Errorf("into a database with data: %v", err)
	}
}

// A shop whose data breaks an invariant is not exported.
func TestExportRejectsBrokenInvariants(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"the refunded amount": `UPDATE orders SET refunded = 29 WHERE refunded = 30`,
		"has no event":        `DELETE FROM events WHERE type = 'order.paid'`,
		"count of open guest": `UPDATE guests_open SET n = n + 1`,
		"has no order":        `UPDATE payments SET order_id = 'none' WHERE out_trade_no = 'P0-0'`,
	} {
		db := sqlite(t)
		trade(t, db.DB, 20)
		storetest.Exec(t, db.DB, change)
		if _, err := move.Export(ctx, db, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The SQL for D1 runs there, and Import reads it back in the form of wrangler's export.
func TestFilesOfD1(t *testing.T) {
	t.Parallel()
	from, d1, to := postgreSQL(t), sqlite(t), postgreSQL(t)
	trade(t, from.DB, 70)
	// Other texts may be long too: one with a CHECK, two in a row, and quotes, which are doubled.
	const id = "order-with-long-texts"
	if _, err := store.New(from.DB).Insert(ctx, order.Order{
		ID: id, Source: order.SourceAPI, KeyID: "k", ClientKey: "k", Fingerprint: "f", Total: 1, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		Metadata: `{"note": "` + strings.Repeat("茶'' 👍", 20_000) + `"}`, Description: strings.Repeat("'", 150_000),
	}); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	sum, err := move.ExportD1(ctx, from, &file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(file.String()) {
		if len(line) > 100_000 {
			t.Errorf("a statement has %d bytes, and D1 takes 100,000", len(line))
		}
	}
	if _, err := d1.ExecContext(ctx, file.String()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(texts(t, from.DB, id), texts(t, d1.DB, id)); d != "" {
		t.Errorf("long texts differ (-before +after):\n%.2000s", d)
	}
	var again bytes.Buffer
	if got, err := move.Export(ctx, d1, &again); err != nil || cmp.Diff(sum, got) != "" {
		t.Fatal(err, cmp.Diff(sum, got))
	}
	if got, err := move.Import(ctx, to, strings.NewReader(dump(t, d1.DB))); err != nil || cmp.Diff(sum, got) != "" {
		t.Fatal(err, cmp.Diff(sum, got))
	}
}

// texts returns the long texts of a shop.
func texts(t *testing.T, db *sql.DB, id string) (all [3]string) {
	t.Helper()
	if err := db.QueryRow(`SELECT metadata, description, (SELECT data FROM product_photos) FROM orders WHERE id = ?`, id).Scan(&all[0], &all[1], &all[2]); err != nil {
		t.Fatal(err)
	}
	return all
}

// dump returns the SQL of a SQLite, as wrangler d1 export does: tables, rows, and then the rest.
func dump(t *testing.T, db *sql.DB) string {
	t.Helper()
	read := func(query string) (all []string) {
		t.Helper()
		rows, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		return all
	}
	var b strings.Builder
	b.WriteString("PRAGMA defer_foreign_keys=TRUE;\n")
	for _, table := range read(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`) {
		b.WriteString(read(`SELECT sql FROM sqlite_master WHERE name = '` + table + `'`)[0] + ";\n")
		columns := strings.Join(read(`SELECT name FROM pragma_table_info('`+table+`')`), ", ")
		quoted := strings.Join(read(`SELECT 'quote(' || name || ')' FROM pragma_table_info('`+table+`')`), " || ', ' || ")
		for _, row := range read(`SELECT ` + quoted + ` FROM ` + table) {
			b.WriteString("INSERT INTO " + table + " (" + columns + ") VALUES (" + row + ");\n")
		}
	}
	for _, s := range read(`SELECT sql FROM sqlite_master WHERE type IN ('index', 'view', 'trigger') AND sql IS NOT NULL ORDER BY type = 'trigger'`) {
		b.WriteString(s + ";\n")
	}
	return b.String()
}

func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}

// moved reports whether MoveRefund changed a refund.
func moved(_ order.Refund, ok bool, err error) (bool, error) { return ok, err }
