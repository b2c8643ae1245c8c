package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/storetest"
)

func settings(key, old string) postgres.Settings {
	return postgres.Settings{Same: map[string]string{"SHOP_URL": "https://shop.example.com"}, KeyName: "SESSION_KEY", Key: key, OldKey: old}
}

func join(t *testing.T, db *sql.DB, id string, s postgres.Settings) *postgres.Node {
	t.Helper()
	n, err := postgres.Join(t.Context(), db, id, "v1", s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A node with other secrets is rejected, unless the keys are being replaced.
func TestNodesHaveTheSameSettings(t *testing.T) {
	t.Parallel()
	db := storetest.OpenPostgres(t)
	join(t, db, "a", settings("key-1", ""))
	for name, test := range map[string]struct {
		s       postgres.Settings
		setting string
	}{
		"the same":           {settings("key-1", ""), ""},
		"a newer key":        {settings("key-2", "key-1"), ""},
		"another key":        {settings("key-3", ""), "SESSION_KEY"},
		"another key, twice": {settings("key-3", "key-4"), "SESSION_KEY"},
		"another shop":       {postgres.Settings{Same: map[string]string{"SHOP_URL": "https://other.example.com"}, KeyName: "SESSION_KEY", Key: "key-1"}, "SHOP_URL"},
	} {
		n, err := postgres.Join(t.Context(), db, name, "v1", test.s)
		var wrong *postgres.SettingError
		switch {
		case test.setting == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.setting != "" && (!errors.As(err, &wrong) || wrong.Setting != test.setting || wrong.Node != "a"):
			t.Errorf("%s: %v", name, err)
		}
		if n != nil {
			if err := n.Leave(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	var stored string
	if err := db.QueryRow(`SELECT settings FROM h5pay_nodes`).Scan(&stored); err != nil || strings.Contains(stored, "key-1") || strings.Contains(stored, "example") {
		t.Errorf("%s, %v", stored, err)
	}
	// A node that is dead for a minute does not count.
	storetest.Exec(t, db, `UPDATE h5pay_nodes SET seen_at = seen_at - 61000`)
	join(t, db, "b", settings("key-9", ""))
}

// If nodes with different settings start at once, one is accepted. Nodes with the same settings are
// all accepted.
func TestNodesThatStartAtOnce(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	dbs := []*sql.DB{storetest.OpenPostgresURL(t, url), storetest.OpenPostgresURL(t, url), storetest.OpenPostgresURL(t, url)}
	for round := range 12 {
		same := round%3 == 0
		var wg sync.WaitGroup
		errs := make([]error, len(dbs))
		for i, db := range dbs {
			key := "key-1"
			if !same {
				key = fmt.Sprint("key-", i)
			}
			wg.Go(func() {
				_, errs[i] = postgres.Join(t.Context(), db, fmt.Sprint("node-", i), "v1", settings(key, ""))
			})
		}
		wg.Wait()
		accepted := 0
		for _, err := range errs {
			var wrong *postgres.SettingError
			switch {
			case err == nil:
				accepted++
			case same || !errors.As(err, &wrong) || wrong.Setting != "SESSION_KEY":
				t.Error(err)
			}
		}
		if want := map[bool]int{true: len(dbs), false: 1}[same]; accepted != want {
			t.Errorf("%d nodes were accepted, want %d", accepted, want)
		}
		storetest.Exec(t, dbs[0], `DELETE FROM h5pay_nodes`)
	}
}

// One of many nodes runs a job, once in its period, whatever their clocks are.
func TestOneNodeRunsAJob(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	var running, runs atomic.Int64
	var wg sync.WaitGroup
	var nodes []*postgres.Node
	for _, id := range []string{"a", "b", "c"} {
		nodes = append(nodes, join(t, storetest.OpenPostgresURL(t, url), id, settings("key-1", "")))
	}
	for range 4 {
		for _, n := range nodes {
			wg.Go(func() {
				_, err := n.Once(context.Background(), "reconcile", time.Hour, func(context.Context) error {
					if running.Add(1) != 1 {
						t.Error("two nodes run the job at once")
					}
					time.Sleep(20 * time.Millisecond)
					running.Add(-1)
					runs.Add(1)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if runs.Load() != 1 {
		t.Errorf("the job ran %d times", runs.Load())
	}
}

// A job that failed is due again at once, and the job of a node that died after its lease.
func TestJobsAreTakenOver(t *testing.T) {
	t.Parallel()
	db := storetest.OpenPostgres(t)
	a, b := join(t, db, "a", settings("key-1", "")), join(t, db, "b", settings("key-1", ""))
	failed := errors.New("failed")
	if ran, err := a.Once(t.Context(), "reconcile", time.Hour, func(context.Context) error { return failed }); !ran || !errors.Is(err, failed) {
		t.Fatal(ran, err)
	}
	ok := func(context.Context) error { return nil }
	if ran, err := b.Once(t.Context(), "reconcile", time.Hour, ok); !ran || err != nil {
		t.Errorf("after a failure: %t, %v", ran, err)
	}
	// The lease of a node that died: nobody renews it.
	storetest.Exec(t, db, `UPDATE h5pay_leases SET holder = 'dead', until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + 60000, next_at = 0`)
	if ran, err := b.Once(t.Context(), "reconcile", time.Hour, ok); ran || err != nil {
		t.Errorf("during the lease of another: %t, %v", ran, err)
	}
	storetest.Exec(t, db, `UPDATE h5pay_leases SET until = until - 60001`)
	if ran, err := b.Once(t.Context(), "reconcile", time.Hour, ok); !ran || err != nil {
		t.Errorf("after the lease: %t, %v", ran, err)
	}
}

func TestSchemaOfAnotherVersion(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	db := storetest.OpenPostgresURL(t, url)
	var wrong *postgres.SchemaError
	storetest.Exec(t, db, `INSERT INTO h5pay_migrations (name) VALUES ('9999_later.sql')`)
	for name, err := range map[string]error{
		"migrate": postgres.Migrate(t.Context(), postgres.Config{URL: url}), "check": postgres.CheckSchema(t.Context(), db),
	} {
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "newer than this program") {
			t.Errorf("%s of a newer schema: %v", name, err)
		}
	}
	storetest.Exec(t, db, `DELETE FROM h5pay_migrations`)
	if err := postgres.CheckSchema(t.Context(), db); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "h5pay migrate") {
		t.Errorf("no schema: %v", err)
	}
}

// An error of the URL says what is wrong and shows no password.
func TestWrongURLs(t *testing.T) {
	t.Parallel()
	good := storetest.PostgresURL(t)
	for url, want := range map[string]string{
		"":                                      "postgres://",
		"mysql://h5pay:hunter2@localhost/h5pay": "postgres://",
		"postgres://h5pay:hunter2@localhost":    "name of a database",
		"postgres://h5pay:hunter2@localhost:port/h5pay":               "port",
		"postgres://h5pay:hunter2@localhost/h5pay?pool_max_conns=lot": "pool_max_conns",
		"postgres://h5pay:hunter2@localhost/h5pay?sslmode=maybe":      "sslmode",
		"postgres://h5pay:hun%ter2@localhost/h5pay":                   "%25 for %",
		"postgres://h5pay:hun#ter/2@localhost/h5pay":                  "%2F for /",
		"postgres://h5pay:hun/ter2@localhost/h5pay":                   "%2F for /",
		"postgres://h5pay:hunter2@nothing.invalid/h5pay":              "correct the host",
		"postgres://h5pay:hunter2@localhost:1/h5pay":                  "start PostgreSQL there",
		strings.Replace(good, "/shop", "/nothing", 1):                 "createdb",
		strings.Replace(good, "h5pay@", "hunter2@", 1):                "does not exist",
	} {
		err := postgres.Migrate(t.Context(), postgres.Config{URL: url})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hun") && !strings.Contains(url, "hunter2@/") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A database that cannot hold a shop stays as it is, and the error says what to do.
func TestUnsuitableDatabases(t *testing.T) {
	t.Parallel()
	server, _ := storetest.StartPostgres(t)
	for name, test := range map[string]struct{ options, change, want string }{
		"latin":  {"ENCODING 'LATIN1' TEMPLATE template0", "", "createdb -E UTF8"},
		"bytes":  {"ENCODING 'SQL_ASCII' TEMPLATE template0", "", "createdb -E UTF8"},
		"theirs": {"", "CREATE TABLE orders (id int)", "name an empty database"},
	} {
		if err := errors.Join(server.Exec(t.Context(), "postgres", "CREATE DATABASE "+name+" "+test.options), server.Exec(t.Context(), name, test.change)); err != nil {
			t.Fatal(err)
		}
		cfg := postgres.Config{URL: server.URL(name)}
		if err := postgres.Migrate(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
		db, err := postgres.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var tables int
		if err := db.QueryRow(`SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'orders'`).Scan(&tables); err != nil || tables != 0 {
			t.Errorf("%s: %d tables were made, %v", name, tables, err)
		}
	}
}

// The error of a user without rights says so.
func TestMissingRights(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	db := storetest.OpenPostgresURL(t, url)
	role := "reader_" + strings.ToLower(url[strings.Index(url, "/shop")+1:strings.Index(url, "?")])
	storetest.Exec(t, db, `CREATE ROLE `+role+` LOGIN`)
	t.Cleanup(func() { db.Exec(`DROP ROLE ` + role) })
	poor := strings.Replace(url, "h5pay@", role+"@", 1)
	if err := postgres.Migrate(t.Context(), postgres.Config{URL: poor}); err == nil || !strings.Contains(err.Error(), "rights") {
		t.Errorf("%v", err)
	}
}

// A node whose clock differs from the server's by more than MaxSkew does not enter.
func TestClockOfANode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ move, want string }{
		"behind":   {"+ interval ''9 s''", "behind that of the database"},
		"ahead":    {"- interval ''9 s''", "ahead of that of the database"},
		"a second": {"+ interval ''1 s''", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := storetest.OpenPostgres(t)
			storetest.Exec(t, db, `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.clock_timestamp() `+test.move+`'`)
			storetest.Exec(t, db, `DO 'BEGIN EXECUTE format(''ALTER DATABASE %I SET search_path = public, pg_catalog'', current_database()); END'`)
			db.SetMaxIdleConns(0) // new connections have the other clock
			_, err := postgres.Join(t.Context(), db, "a", "v1", settings("key-1", ""))
			var clock *postgres.ClockError
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.As(err, &clock) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "NTP") {
				t.Errorf("%v", err)
			}
			var n int
			if err := db.QueryRow(`SELECT COUNT(*) FROM h5pay_nodes`).Scan(&n); err != nil || n != 0 {
				t.Errorf("%d nodes have entered, %v", n, err)
			}
		})
	}
}

// A statement runs on another connection if an earlier one left its transaction open.
func TestOpenTransactionFailsNoOtherStatement(t *testing.T) {
	t.Parallel()
	db := storetest.OpenPostgres(t)
	db.SetMaxOpenConns(1)
	for range 3 {
		if _, err := db.Exec(`BEGIN; SELECT 1/0; SELECT 1`); err == nil {
			t.Fatal("a division by zero succeeded")
		}
		if _, err := db.Exec(`UPDATE h5pay_nodes SET id = id WHERE id = 'none'`); err != nil {
			t.Error(err)
		}
		var n int
		if _, err := db.Exec(`BEGIN; SELECT 1/0; SELECT 1`); err == nil {
			t.Fatal("a division by zero succeeded")
		}
		if err := db.QueryRow(`SELECT COUNT(*) FROM h5pay_nodes`).Scan(&n); err != nil {
			t.Error(err)
		}
	}
}

// When the disk of the server is full, an order is not stored, and the error says what to do. The
// order is stored when there is space.
func TestFullDiskOfTheServer(t *testing.T) {
	t.Parallel()
	db := storetest.OpenPostgres(t)
	// The trigger raises what PostgreSQL raises when it cannot extend a file.
	storetest.Exec(t, db, `CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''could not extend file: No space left on device'' USING ERRCODE = ''disk_full''; END'`)
	storetest.Exec(t, db, `DO 'BEGIN CREATE TRIGGER no_space BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION no_space(); END'`)
	s := store.New(db)
	if err := storetest.Life(t.Context(), s, 1, storetest.LifeOptions{}); err == nil || !strings.Contains(err.Error(), "free space on the disk of PostgreSQL") {
		t.Errorf("%v", err)
	}
	var n int
	if err := db.QueryRow(`SELECT COUNT(*) FROM orders`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d orders are stored, %v", n, err)
	}
	storetest.Exec(t, db, `DO 'BEGIN DROP TRIGGER no_space ON orders; END'`)
	if err := storetest.Life(t.Context(), s, 1, storetest.LifeOptions{}); err != nil {
		t.Error(err)
	}
}
