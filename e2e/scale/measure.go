package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"h5pay/internal/pgtest"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/sqlite"
	"h5pay/internal/store/storetest"
)

// engine is a database that is measured.
type engine struct {
	name  string
	guest bool // orders of guests, who all change one count
	open  func() (*sql.DB, func() error, error)
}

var engines = []engine{
	{"SQLite", true, openSQLite},
	{"PostgreSQL, guests", true, openPostgres},
	{"PostgreSQL, signed in", false, openPostgres},
}

// openSQLite opens a file with one connection, which commits each statement by itself: the product
// commits those of concurrent calls together. It writes through to the disk.
func openSQLite() (*sql.DB, func() error, error) {
	dir, err := os.MkdirTemp("", "scale-")
	if err != nil {
		return nil, nil, err
	}
	end := func() error { return os.RemoveAll(dir) }
	db, err := sql.Open(sqlite.Name, store.SQLiteURI(filepath.Join(dir, "shop.db"), "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"))
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	db.SetMaxOpenConns(1)
	if err := store.Migrate(context.Background(), db); err != nil {
		return nil, nil, errors.Join(err, db.Close(), end())
	}
	return db, func() error { return errors.Join(db.Close(), end()) }, nil
}

// openPostgres starts a server that writes through to the disk.
func openPostgres() (*sql.DB, func() error, error) {
	server, err := pgtest.Start()
	if err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	cfg := postgres.Config{URL: server.URL("shop") + "&pool_max_conns=64"}
	if err := errors.Join(server.Exec(ctx, "postgres", "CREATE DATABASE shop"), postgres.Migrate(ctx, cfg)); err != nil {
		return nil, nil, errors.Join(err, server.Close())
	}
	db, err := postgres.Open(cfg)
	if err != nil {
		return nil, nil, errors.Join(err, server.Close())
	}
	return db, func() error { return errors.Join(db.Close(), server.Close()) }, nil
}

// lives is the number of the last order that storetest.Life made.
var lives atomic.Int64

// run lets clients make orders for some time, one after the other, and waits before each statement
// as for a network. It returns the orders a second, and the ms of one.
func run(db *sql.DB, guest bool, clients int, latency, period time.Duration) (rate, ms float64, err error) {
	s := store.New(db)
	s.Bounds = store.Bounds{Buyer: 1e9, Guest: 1e9, NetworkGuests: 1e9, Guests: 1e9}
	options := storetest.LifeOptions{Guest: guest}
	if latency > 0 {
		options.Before = func() { time.Sleep(latency) }
	}
	var wg sync.WaitGroup
	var orders, spent atomic.Int64
	failed := make(chan error, clients)
	began := time.Now()
	for range clients {
		wg.Go(func() {
			for time.Since(began) < period {
				start := time.Now()
				if err := storetest.Life(context.Background(), s, lives.Add(1), options); err != nil {
					failed <- err
					return
				}
				orders.Add(1)
				spent.Add(int64(time.Since(start)))
			}
		})
	}
	wg.Wait()
	close(failed)
	if err := <-failed; err != nil {
		return 0, 0, err
	}
	n := float64(orders.Load())
	return n / time.Since(began).Seconds(), float64(spent.Load()) / 1e6 / n, nil
}

// setting is a measurement: a number of clients, and the way to the database.
type setting struct {
	clients int
	latency time.Duration
}

// The model is calibrated with these two, and predicts the others.
var (
	alone   = setting{1, 0}
	crowded = setting{32, 0}
	others  = []setting{
		{4, 0}, {16, 0}, {1, 2 * time.Millisecond}, {4, 2 * time.Millisecond}, {16, 2 * time.Millisecond},
		{1, 10 * time.Millisecond}, {4, 10 * time.Millisecond}, {16, 10 * time.Millisecond}, {4, 50 * time.Millisecond}, {16, 50 * time.Millisecond},
	}
)

// rounds is how often each setting is measured. The settings take turns, because other programs may
// use the machine, and the median counts.
const rounds = 5

// measure compares the model with each database of this machine.
func measure(w io.Writer, period time.Duration) error {
	fmt.Fprintln(w, "| database | clients | ms of a round trip | orders a second, measured | computed | ms of an order, measured | computed |\n|---|--:|--:|--:|--:|--:|--:|")
	for _, e := range engines {
		if err := e.measure(w, period); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return nil
}

func (e engine) measure(w io.Writer, period time.Duration) (err error) {
	db, end, err := e.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if _, _, err := run(db, e.guest, 4, 0, period); err != nil { // opens the connections
		return err
	}
	rates, times := map[setting][]float64{}, map[setting][]float64{}
	for range rounds {
		for _, s := range append([]setting{alone, crowded}, others...) {
			rate, ms, err := run(db, e.guest, s.clients, s.latency, period)
			if err != nil {
				return err
			}
			rates[s], times[s] = append(rates[s], rate), append(times[s], ms)
		}
	}
	order := median(times[alone])
	one := min(1000/median(rates[crowded]), order)
	fmt.Fprintf(os.Stderr, "%s: an order that is alone takes %.1f ms, and %.1f ms of them are one after the other\n", e.name, order, one)
	for _, s := range others {
		network := part{name: "network", demand: storetest.LifeStatements * float64(s.latency) / 1e6}
		rate, ms := closed([]part{network, {name: "database", servers: 1, demand: one}, {name: "rest", demand: order - one}}, s.clients)
		fmt.Fprintf(w, "| %s | %d | %.0f | %.0f | %.0f | %.0f | %.0f |\n", e.name, s.clients, float64(s.latency)/1e6, median(rates[s]), rate, median(times[s]), ms)
	}
	return nil
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
