package store_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/pgtest"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/sqlite"
)

// BenchmarkLifeOfAnOrder measures the database alone: an order of a guest from its insertion to the
// delivery of its event, 7 statements that write. Both databases write through to the disk.
//
//	go test -run '^$' -bench Life -benchtime 5s ./internal/store
func BenchmarkLifeOfAnOrder(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) {
		db, err := sql.Open(sqlite.Name, store.SQLiteURI(filepath.Join(b.TempDir(), "shop.db"), "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"))
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1) // as the product
		if err := store.Migrate(ctx, db); err != nil {
			b.Fatal(err)
		}
		lives(b, []*store.Store{store.New(db)})
	})
	for _, n := range []int{1, 2, 3} {
		b.Run(fmt.Sprintf("PostgreSQL, nodes %d", n), func(b *testing.B) {
			server, err := pgtest.Start()
			if err != nil {
				b.Fatal(err)
			}
			defer func() {
				if err := server.Close(); err != nil {
					b.Error(err)
				}
			}()
			if err := server.Exec(ctx, "postgres", "CREATE DATABASE shop"); err != nil {
				b.Fatal(err)
			}
			var again atomic.Int64
			cfg := postgres.Config{URL: server.URL("shop"), Retried: func(string) { again.Add(1) }}
			if err := postgres.Migrate(ctx, cfg); err != nil {
				b.Fatal(err)
			}
			var nodes []*store.Store
			for range n {
				db, err := postgres.Open(cfg)
				if err != nil {
					b.Fatal(err)
				}
				defer db.Close()
				nodes = append(nodes, store.New(db))
			}
			lives(b, nodes)
			b.ReportMetric(float64(again.Load())/float64(b.N), "repeated/op")
		})
	}
}

var life atomic.Int64

// lives runs whole orders on the nodes, eight at once on each.
func lives(b *testing.B, nodes []*store.Store) {
	for _, s := range nodes {
		s.Bounds = store.Bounds{Buyer: 1e9, Guest: 1e9, NetworkGuests: 1e9, Guests: 1e9}
	}
	began := time.Now()
	b.SetParallelism(4 * len(nodes)) // times two cores
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := life.Add(1)
			if err := oneLife(nodes[int(i)%len(nodes)], i); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "orders/s")
}

func oneLife(s *store.Store, i int64) error {
	id, no := fmt.Sprintf("%024x", i*2654435761%(1<<40)), fmt.Sprintf("%032x", i*2654435761%(1<<40))
	_, err := s.Insert(ctx, order.Order{
		ID: id, Source: order.SourceShop, Owner: fmt.Sprint("guest:", i), ClientKey: "key", Fingerprint: "f", Shop: "https://shop.example.com", AppID: "wx", MchID: mchID,
		Lines: []order.Line{{ProductID: "tea", Name: "tea", Price: 100, Quantity: 1}}, Total: 100, Currency: order.Currency, Description: "tea", CreatedAt: now, ExpiresAt: now.Add(order.Lifetime),
	})
	if err != nil {
		return err
	}
	did := func(what string, ok bool, err error) error {
		if err == nil && !ok {
			err = fmt.Errorf("%s changed nothing", what)
		}
		return err
	}
	ok, err := s.InsertPayment(ctx, order.Payment{OutTradeNo: no, OrderID: id, AppID: "wx", MchID: mchID, APIVersion: "v3", TradeType: api.TradeNative, NotifyURL: "https://shop.example.com/api/notify/pay", CreatedAt: now}, time.Time{})
	if err := did("InsertPayment", ok, err); err != nil {
		return err
	}
	ok, err = s.SetPrepay(ctx, no, order.Prepay{ID: "wx", URL: "weixin://", SignType: "RSA"}, now)
	if err := did("SetPrepay", ok, err); err != nil {
		return err
	}
	_, ok, err = s.ClaimNotified(ctx, order.Notified{OutTradeNo: no, APIVersion: "v3", AppID: "wx", MchID: mchID, Total: 100, Currency: order.Currency}, 3*time.Second, now)
	if err := did("ClaimNotified", ok, err); err != nil {
		return err
	}
	ok, err = s.Pay(ctx, no, order.Paid{TransactionID: "T" + no, PaidAt: now}, now)
	if err := did("Pay", ok, err); err != nil {
		return err
	}
	events, err := s.ClaimEvents(ctx, order.SettingsEndpoint, now, 1, 2)
	if err != nil {
		return err
	}
	for _, e := range events {
		if _, _, err := s.Deliver(ctx, e, now); err != nil {
			return err
		}
	}
	return nil
}
