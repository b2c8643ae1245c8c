package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/pgtest"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/storetest"
)

// FillPostgres stores the same rows as the product's calls, in every table.
func TestFillIsWhatTheProductStores(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const orders = 2_100 // of two hours
	server, err := pgtest.Start("fsync=off", "full_page_writes=off", "autovacuum=off", "synchronous_commit=off")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	open := func(name string) *sql.DB {
		t.Helper()
		cfg := postgres.Config{URL: server.URL(name)}
		if err := errors.Join(server.Exec(ctx, "postgres", "CREATE DATABASE "+name), postgres.Migrate(ctx, cfg)); err != nil {
			t.Fatal(err)
		}
		db, err := postgres.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	filled, made := open("filled"), open("made")
	indexes := allIndexes(t, filled)
	if err := storetest.FillPostgres(ctx, server.URL("filled"), orders, nil); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(indexes, allIndexes(t, filled)); d != "" {
		t.Errorf("the indexes differ after the fill (-before +after):\n%s", d)
	}
	s := store.New(made)
	s.Bounds = store.Bounds{Buyer: orders, Guest: orders, NetworkGuests: orders, Guests: orders}
	for i := 1; i <= orders; i++ {
		if err := likeFilled(ctx, s, i); err != nil {
			t.Fatalf("order %d: %v", i, err)
		}
	}
	last := storetest.FirstFilled.Add(orders * time.Second)
	if err := s.DeleteHours(ctx, last); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"orders", "order_changes", "payments", "refunds", "events", "deliveries", "endpoints", "guests_open", "guests_by_hour", "takings"} {
		a, b := rowsOf(t, made, table), rowsOf(t, filled, table)
		if len(a) == 0 || len(a) != len(b) {
			t.Errorf("%s has %d rows, want %d", table, len(b), len(a))
		}
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Errorf("row %d of %s:\n%s, want\n%s", i, table, b[i], a[i])
				break
			}
		}
	}
}

// likeFilled makes order i of FillPostgres with the calls of the product.
func likeFilled(ctx context.Context, s *store.Store, i int) error {
	const mchID, notify = "1900000109", "https://shop.example.com/api/notify/pay"
	at := storetest.FirstFilled.Add(time.Duration(i) * time.Second)
	id, no := storetest.FilledOrder(i), storetest.FilledPayment(i)
	o := order.Order{
		ID: id, Token: storetest.FilledToken(i), Source: order.SourceShop, Reference: fmt.Sprint("A-", i), Owner: storetest.FilledOwner(i), Network: fmt.Sprintf("198.51.%d.%d", i%250, i%99),
		ClientKey: fmt.Sprint("key-", i), Fingerprint: "f", Shop: "https://shop.example.com", AppID: "wx", MchID: mchID,
		Lines: []order.Line{{ProductID: "tea", Name: "tea", Price: 100, Quantity: 1}}, Total: 100, Currency: order.Currency, Description: "tea", CreatedAt: at, ExpiresAt: at.Add(order.Lifetime),
	}
	if i%10 == 3 {
		o.Metadata = `{"table":"7"}`
	}
	if _, err := s.Insert(ctx, o); err != nil {
		return err
	}
	did := func(what string, ok bool, err error) error {
		if err == nil && !ok {
			err = fmt.Errorf("%s changed nothing", what)
		}
		return err
	}
	ok, err := s.InsertPayment(ctx, order.Payment{OutTradeNo: no, OrderID: id, AppID: "wx", MchID: mchID, APIVersion: "v3", TradeType: api.TradeNative, NotifyURL: notify, CreatedAt: at}, time.Time{})
	if err := did("InsertPayment", ok, err); err != nil {
		return err
	}
	ok, err = s.SetPrepay(ctx, no, order.Prepay{ID: fmt.Sprint("wx", i), URL: fmt.Sprint("weixin://", i), SignType: "RSA"}, at)
	if err := did("SetPrepay", ok, err); err != nil || i%20 == 0 {
		return err
	}
	// deliver delivers one event, or fails to.
	deliver := func(at time.Time) error {
		events, err := s.ClaimEvents(ctx, order.SettingsEndpoint, at, 10, 5)
		if err != nil || len(events) != 1 {
			return errors.Join(err, fmt.Errorf("%d events are due", len(events)))
		}
		if i%97 == 0 {
			_, ok, err := s.FailDelivery(ctx, events[0], order.Failure{Why: "HTTP 500", Status: 500, NotBefore: storetest.LastFilled})
			return did("FailDelivery", ok, err)
		}
		events[0].LastStatus = 200
		ok, _, err := s.Deliver(ctx, events[0], at)
		return did("Deliver", ok, err)
	}
	if i%5 == 0 {
		if _, _, err := s.CloseWhole(ctx, id, at); err != nil {
			return err
		}
		at = at.Add(order.MinCloseAge)
		ok, err := s.Close(ctx, no, at)
		return errors.Join(did("Close", ok, err), deliver(at))
	}
	_, ok, err = s.ClaimNotified(ctx, order.Notified{OutTradeNo: no, APIVersion: "v3", AppID: "wx", MchID: mchID, Total: 100, Currency: order.Currency}, nil, 3*time.Second, at)
	if err := did("ClaimNotified", ok, err); err != nil {
		return err
	}
	ok, err = s.Pay(ctx, no, order.Paid{TransactionID: storetest.FilledTransaction(i), Payer: fmt.Sprint("payer", i/7), PaidAt: at, Source: "notify"}, at)
	if err := did("Pay", ok, err); err != nil {
		return err
	}
	if err := deliver(at); err != nil || i%10 != 1 {
		return err
	}
	refund := storetest.FilledRefund(i)
	ok, err = s.InsertRefund(ctx, order.Refund{ID: refund, OrderID: id, OutTradeNo: no, Key: "key", Amount: 10, CreatedAt: at}, 0)
	if err := did("InsertRefund", ok, err); err != nil {
		return err
	}
	_, ok, err = s.MoveRefund(ctx, refund, api.RefundSucceeded, "50"+refund, at, at)
	if err := did("MoveRefund", ok, err); err != nil || i%97 == 0 {
		return err
	}
	return deliver(at)
}

// rowsOf returns the rows of a table as JSON, in order. The number of the transaction that stored an
// event differs.
func rowsOf(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	return texts(t, db, `SELECT (to_jsonb(of) - 'txid')::text FROM `+table+` AS of ORDER BY 1`)
}

// allIndexes returns the definitions of indexes and constraints.
func allIndexes(t *testing.T, db *sql.DB) []string {
	t.Helper()
	return texts(t, db, `SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL
		SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1`)
}

func texts(t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
