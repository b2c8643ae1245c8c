package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/pgtest"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/storetest"
)

// The database has many orders. An order from its beginning to its refund, and a minute of the
// timer, read no table completely, triggers included.
func TestNoTableIsReadFromEndToEnd(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	server, err := pgtest.Start("fsync=off", "autovacuum=off")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := server.Exec(ctx, "postgres", "CREATE DATABASE shop"); err != nil {
		t.Fatal(err)
	}
	cfg := postgres.Config{URL: server.URL("shop")}
	if err := postgres.Migrate(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	if err := storetest.FillPostgres(ctx, server.URL("shop"), 25_000, nil); err != nil {
		t.Fatal(err)
	}
	db, err := postgres.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // its statistics are those of everything
	if _, err := db.Exec(`SELECT pg_stat_reset()`); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 3, 4, 5, 0, time.UTC)
	s := store.New(db)
	s.Bounds = store.Bounds{Buyer: 1000, Guest: 1000, NetworkGuests: 100_000, Guests: 100_000}
	for i := range 3 {
		aLife(t, s, i, now)
	}
	for _, step := range []func() error{
		func() error { _, err := s.Due(ctx, "1900000109", now, 25); return err },
		func() error {
			_, err := s.Minute(ctx, store.MinuteFilter{MchID: "1900000109", Now: now, Unpaid: now.AddDate(0, 0, -30), Refunds: 25, Notified: 25, Payments: 25})
			return err
		},
		func() error { _, err := s.Health(ctx, "1900000109"); return err },
		func() error { _, err := s.Unnotified(ctx, time.Minute, now); return err },
		func() error {
			_, err := s.Expire(ctx, storetest.FirstFilled.Add(order.Lifetime+100*time.Second), 100)
			return err
		},
		func() error {
			_, err := s.DeleteUnpaid(ctx, storetest.FirstFilled.Add(100*time.Second), 100)
			return err
		},
		func() error { _, err := s.ClaimEvents(ctx, order.SettingsEndpoint, now, 10, 2); return err },
		func() error { _, err := s.Waiting(ctx, false); return err },
		func() error {
			_, _, err := s.DeleteOld(ctx, []string{storetest.FilledOrder(21), storetest.FilledOrder(22)}, now, now, false)
			return err
		},
		func() error { return s.RemovePayers(ctx, storetest.FirstFilled.Add(100*time.Second), true, 10) },
		func() error { return s.ErasePerson(ctx, "payer3", []string{storetest.FilledOrder(21)}) },
	} {
		if err := step(); err != nil {
			t.Error(err)
		}
	}
	if _, err := db.Exec(`SELECT pg_stat_force_next_flush()`); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(`SELECT relname, seq_scan, seq_tup_read, idx_tup_fetch FROM pg_stat_user_tables
		WHERE relname IN ('orders', 'payments', 'refunds', 'events', 'deliveries', 'order_changes', 'used_states')`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	read := 0
	for rows.Next() {
		var table string
		var scans, scanned, fetched int
		if err := rows.Scan(&table, &scans, &scanned, &fetched); err != nil {
			t.Fatal(err)
		}
		read += fetched
		if scans > 0 || fetched > 3000 {
			t.Errorf("%s is read from end to end %d times, %d rows, and %d rows by index", table, scans, scanned, fetched)
		}
	}
	if read < 100 {
		t.Errorf("%d rows were read: nothing was measured", read)
	}
}

// aLife makes an order, pays it twice, refunds it and delivers its events.
func aLife(t *testing.T, s *store.Store, i int, now time.Time) {
	t.Helper()
	must := func(ok bool, err error) {
		t.Helper()
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	ctx := t.Context()
	id := fmt.Sprintf("life%020d", i)
	_, err := s.Insert(ctx, order.Order{
		ID: id, Source: order.SourceShop, Owner: "guest:life", Network: "203.0.113.7", ClientKey: fmt.Sprint("key-", i), Fingerprint: "f", Shop: "https://shop.example.com", AppID: "wx", MchID: "1900000109",
		Lines: []order.Line{{ProductID: "tea", Name: "tea", Price: 100, Quantity: 1}}, Total: 100, Currency: order.Currency, Description: "tea", CreatedAt: now, ExpiresAt: now.Add(order.Lifetime),
	})
	must(err == nil, err)
	for n, trade := range []api.TradeType{api.TradeNative, api.TradeMWEB} {
		no := fmt.Sprintf("LIFE%d-%d", i, n)
		must(s.InsertPayment(ctx, order.Payment{OutTradeNo: no, OrderID: id, AppID: "wx", MchID: "1900000109", APIVersion: "v3", TradeType: trade, NotifyURL: "https://shop.example.com/api/notify/pay", CreatedAt: now}, time.Time{}))
		must(s.SetPrepay(ctx, no, order.Prepay{ID: "wx", URL: "weixin://", SignType: "RSA"}, now))
	}
	for n := range 2 {
		no := fmt.Sprintf("LIFE%d-%d", i, n)
		must(s.ClaimQuery(ctx, no, time.Second, now))
		must(s.Pay(ctx, no, order.Paid{TransactionID: "T" + no, Payer: "payer", PaidAt: now}, now))
	}
	refund := fmt.Sprint("LIFE-R", i)
	must(s.InsertRefund(ctx, order.Refund{ID: refund, OrderID: id, OutTradeNo: fmt.Sprintf("LIFE%d-0", i), Key: "key", Amount: 10, CreatedAt: now}, 0))
	must(moved(s.MoveRefund(ctx, refund, api.RefundSucceeded, "50"+refund, now, now)))
	events, err := s.EventsOf(ctx, id)
	must(len(events) == 3, err)
	for _, e := range events {
		e.EndpointID = order.SettingsEndpoint
		marked, _, err := s.Deliver(ctx, e, now)
		must(marked, err)
	}
	_, err = s.ByID(ctx, id)
	must(err == nil, err)
}

// moved reports whether MoveRefund changed a refund.
func moved(_ order.Refund, ok bool, err error) (bool, error) { return ok, err }
