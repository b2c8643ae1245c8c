package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/outbox"
	"h5pay/internal/payment"
	"h5pay/internal/pgtest"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// bytesOfAnOrder is about how much of the disk FillPostgres uses for an order, its log included.
const bytesOfAnOrder = 2500

// The times of storetest.FillPostgres: order i is made i seconds after the first one, and nothing is
// due before that.
var firstOrder = time.UnixMilli(1763800000000).UTC()

// fill fills a database of PostgreSQL with orders, and writes how long the calls of the operator, of
// a buyer and of an idle minute take.
func fill(ctx context.Context, w io.Writer, orders int) (err error) {
	if err := enoughDisk(orders); err != nil {
		return err
	}
	server, err := pgtest.Start("fsync=off", "full_page_writes=off", "autovacuum=off", "max_wal_size=512MB", "wal_level=minimal", "max_wal_senders=0",
		"maintenance_work_mem=512MB", "shared_buffers=1GB")
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := server.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := server.Exec(ctx, "postgres", "CREATE DATABASE shop"); err != nil {
		return err
	}
	cfg := postgres.Config{URL: server.URL("shop")}
	if err := postgres.Migrate(ctx, cfg); err != nil {
		return err
	}
	began := time.Now()
	if err := storetest.FillPostgres(ctx, server, "shop", orders); err != nil {
		return err
	}
	db, err := postgres.Open(cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // its statistics are those of everything
	size, err := postgres.Size(ctx, db)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d orders were stored in %v, %.2f GB, %d bytes an order\n", orders, time.Since(began).Round(time.Second), float64(size)/1e9, size/int64(orders))
	s := store.New(db)
	minute, err := newMinute(s)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "\n| call | pages of 8 KB read | median ms | slowest ms of 200 |\n|---|--:|--:|--:|")
	for _, c := range calls(s, orders, minute) {
		times := make([]time.Duration, 200)
		before, err := pagesRead(ctx, db)
		if err != nil {
			return err
		}
		for i := range times {
			began := time.Now()
			if err := c.run(ctx, i); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			times[i] = time.Since(began)
		}
		after, err := pagesRead(ctx, db)
		if err != nil {
			return err
		}
		slices.Sort(times)
		fmt.Fprintf(w, "| %s | %d | %.1f | %.1f |\n", c.name, (after-before)/int64(len(times)), ms(times[len(times)/2]), ms(times[len(times)-1]))
	}
	return nil
}

// pagesRead returns how many pages of tables and indexes were read so far, from the disk or from
// memory. Other programs on the machine do not change it.
func pagesRead(ctx context.Context, db *sql.DB) (n int64, err error) {
	if _, err := db.ExecContext(ctx, `SELECT pg_stat_force_next_flush()`); err != nil {
		return 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT COALESCE(SUM(COALESCE(heap_blks_read, 0) + COALESCE(heap_blks_hit, 0) + COALESCE(idx_blks_read, 0) + COALESCE(idx_blks_hit, 0)), 0)::bigint
		FROM pg_statio_user_tables`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("reading the statistics: %w", err)
	}
	return n, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// enoughDisk returns an error if the orders do not fit the disk of the temporary folder.
func enoughDisk(orders int) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(os.TempDir(), &fs); err != nil {
		return err
	}
	free, want := int64(fs.Bavail)*int64(fs.Bsize), int64(orders)*bytesOfAnOrder+1<<30
	if free < want {
		return fmt.Errorf("%d orders need about %d GB in %s, and %d GB are free: set TMPDIR to a larger disk, or ORDERS to a smaller number", orders, want>>30, os.TempDir(), free>>30)
	}
	return nil
}

// call is a call that is measured. The i-th run is about another order.
type call struct {
	name string
	run  func(ctx context.Context, i int) error
}

// calls are the calls of an operator, of a buyer and of the timers.
func calls(s *store.Store, orders int, minute *minute) []call {
	pick := func(i int) int { return 1 + i*7919%(orders-1) }
	search := func(want int, f func(i int) store.WindowFilter) func(context.Context, int) error {
		return func(ctx context.Context, i int) error {
			filter := f(i)
			filter.Limit = 20
			found, _, err := s.SearchWindow(ctx, filter)
			if err == nil && len(found) < want {
				err = fmt.Errorf("%d orders were found, want %d", len(found), want)
			}
			return err
		}
	}
	return []call{
		{"list, the newest 20", search(20, func(int) store.WindowFilter { return store.WindowFilter{} })},
		{"list, 20 from the middle", search(20, func(i int) store.WindowFilter {
			return store.WindowFilter{BeforeTime: firstOrder.Add(time.Duration(pick(i)/2+100) * time.Second), BeforeID: "x"}
		})},
		{"list, the newest 20 paid", search(20, func(int) store.WindowFilter { return store.WindowFilter{Status: api.StatusPaid} })},
		{"list, the newest 20 open", search(20, func(int) store.WindowFilter { return store.WindowFilter{Status: api.StatusOpen} })},
		{"search, any number", search(1, func(i int) store.WindowFilter { return store.WindowFilter{Number: fmt.Sprint("P", pick(i))} })},
		{"search, reference", search(1, func(i int) store.WindowFilter { return store.WindowFilter{Reference: fmt.Sprint("A-", pick(i))} })},
		{"search, WeChat's transaction", search(1, func(i int) store.WindowFilter {
			return store.WindowFilter{TransactionID: fmt.Sprint("4200", pick(i)/5*5+1)}
		})},
		{"search, in the 1,000 newest (metadata)", search(0, func(int) store.WindowFilter { return store.WindowFilter{MetaKey: "a", MetaValue: "b"} })},
		{"orders of a buyer", func(ctx context.Context, i int) error {
			_, err := s.List(ctx, fmt.Sprint("guest:", pick(i)/5), 20)
			return err
		}},
		{"orders of a person, by the payer", func(ctx context.Context, i int) error {
			_, err := s.PersonOrders(ctx, fmt.Sprint("payer", pick(i)/7), time.Time{}, "", 15)
			return err
		}},
		{"an order with payments and refunds", func(ctx context.Context, i int) error {
			_, err := s.WholeByID(ctx, fmt.Sprintf("%024d", pick(i)))
			return err
		}},
		{"events, the newest 20", func(ctx context.Context, _ int) error {
			_, _, err := s.Events(ctx, store.EventPage{Limit: 20})
			return err
		}},
		{"health page", func(ctx context.Context, _ int) error {
			_, err := s.Health(ctx, "1900000109")
			return err
		}},
		{"a paid order, " + fmt.Sprint(storetest.LifeStatements) + " statements that write", func(ctx context.Context, _ int) error {
			return storetest.Life(ctx, s, lives.Add(1), storetest.LifeOptions{})
		}},
		{"idle minute of the timer", minute.reconcile},
		{"idle minute of the deliveries", minute.deliver},
		{"counters", func(ctx context.Context, _ int) error {
			_, err := s.Counters(ctx)
			return err
		}},
	}
}

// minute runs the timers at a time at which nothing is due.
type minute struct {
	payments *payment.Service
	events   *outbox.Sender
}

func newMinute(s *store.Store) (*minute, error) {
	now := func() time.Time { return firstOrder }
	log := slog.New(slog.DiscardHandler)
	payments, err := payment.New(payment.Config{
		ShopName: "shop", ShopURL: "https://shop.example.com", TradeTypes: []api.TradeType{api.TradeJSAPI}, AppID: "wx", MchID: "1900000109",
		Store: s, WeChat: noWeChat{}, Log: log, Now: now,
	})
	if err != nil {
		return nil, err
	}
	events, err := outbox.New(outbox.Config{Store: s, EndpointDoer: http.DefaultClient, SessionKey: wechat.Secret(strings.Repeat("k", 32)), Log: log, Now: now, Origin: outbox.Origin{Shop: "https://shop.example.com", AppID: "wx", MchID: "1900000109"}})
	return &minute{payments, events}, err
}

func (m *minute) reconcile(ctx context.Context, _ int) error { return m.payments.Reconcile(ctx) }
func (m *minute) deliver(ctx context.Context, _ int) error   { return m.events.Deliver(ctx) }

// noWeChat has the methods of WeChat Pay. An idle minute calls none of them.
type noWeChat struct{ *wechat.Client }
