package store_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/pgtest"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/sqlite"
	"h5pay/internal/store/storetest"
)

// BenchmarkLifeOfAnOrder measures the database alone: an order of a guest from its insertion to the
// delivery of its event, 7 statements that write. Both databases write through to the disk.
//
//	go test -run '^$' -bench Life -benchtime 5s ./internal/store
func BenchmarkLifeOfAnOrder(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) {
		db := sql.OpenDB(sqlite.NewConnector(store.SQLiteURI(filepath.Join(b.TempDir(), "shop.db"), "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")))
		defer db.Close()
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
			if err := storetest.Life(ctx, nodes[int(i)%len(nodes)], i, storetest.LifeOptions{Guest: true}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "orders/s")
}
