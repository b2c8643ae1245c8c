//go:build !js

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
	"h5pay/internal/store/storetest"
)

// nodeEnv is the environment of a node on a database of PostgreSQL.
func nodeEnv(t *testing.T, url string) map[string]string {
	t.Helper()
	env := maps.Clone(exampleEnv(t))
	env[urlSetting] = url
	return env
}

// startNode serves a shop until the test ends. It returns its URL, and a function that ends it.
func startNode(t *testing.T, env map[string]string, log *slog.Logger) (url string, stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- serveShop(ctx, l, lookup(env), log, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("the node did not start: %v", err)
	}
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String(), stop
}

// health calls the health page of a node as the operator.
func health(t *testing.T, url, token string) (all map[string]api.HealthCheck) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url+"/api/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var page api.Health
	if err := json.NewDecoder(res.Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	all = map[string]api.HealthCheck{}
	for _, c := range page.Checks {
		all[c.Name] = c
	}
	return all
}

// Two nodes serve one shop from one database. A third one with another session key does not start,
// and nothing that it would need is there afterwards.
func TestTwoNodesServeOneShop(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	db := storetest.OpenPostgresURL(t, url)
	env := nodeEnv(t, url)
	first, stopFirst := startNode(t, env, discardLog())
	second, _ := startNode(t, env, discardLog())
	for _, node := range []string{first, second} {
		res, err := http.Get(node + "/api/products")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if checks := health(t, node, env["ADMIN_TOKEN"]); res.StatusCode != http.StatusOK || !checks["database"].OK || !checks["nodes"].OK {
			t.Errorf("%s: %s, %+v", node, res.Status, checks)
		}
	}
	nodes := func() (n int) {
		t.Helper()
		if err := db.QueryRow(`SELECT COUNT(*) FROM h5pay_nodes`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := nodes(); n != 2 {
		t.Errorf("%d nodes are in the database, want 2", n)
	}
	other := maps.Clone(env)
	other["SESSION_KEY"] = strings.Repeat("another session key ", 3)
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	err = serveShop(t.Context(), l, lookup(other), discardLog(), func() { t.Error("the third node serves") })
	if err == nil || !strings.Contains(err.Error(), "SESSION_KEY differs") || strings.Contains(err.Error(), "another session key") {
		t.Errorf("another session key: %v", err)
	}
	if n := nodes(); n != 2 {
		t.Errorf("%d nodes are in the database, want 2", n)
	}
	if err := stopFirst(); err != nil {
		t.Error(err)
	}
	if n := nodes(); n != 1 {
		t.Errorf("%d nodes are in the database after one has stopped, want 1", n)
	}
}

// The commands name the database, and say what is wrong with the settings.
func TestCommandsWithPostgres(t *testing.T) {
	t.Parallel()
	url := storetest.PostgresURL(t)
	for _, test := range []struct {
		line   string
		env    map[string]string
		status int
		want   string
	}{
		{"migrate", map[string]string{urlSetting: url}, 0, "PostgreSQL shop"},
		{"products -demo", map[string]string{urlSetting: url}, 0, "7 products are for sale"},
		{"migrate", map[string]string{urlSetting: url, dbSetting: "h5pay.db"}, 1, "settings DATABASE_URL and DB_FILE: want one of them"},
		{"migrate", map[string]string{urlSetting: "localhost"}, 1, "setting DATABASE_URL: want a URL that begins with postgres://"},
		{"backup -to " + filepath.Join(t.TempDir(), "copy.db"), map[string]string{urlSetting: url}, 1, "pg_dump"},
		{"restore -from copy.db", map[string]string{urlSetting: url}, 1, "pg_restore"},
	} {
		status, stdout, stderr := runCommand(t, test.env, strings.Fields(test.line)...)
		if status != test.status || !strings.Contains(stdout+stderr, test.want) {
			t.Errorf("h5pay %s: %d\n%s%s", test.line, status, stdout, stderr)
		}
	}
	if products, err := store.New(storetest.OpenPostgresURL(t, url)).Products(t.Context()); err != nil || len(products) != 7 {
		t.Errorf("%d products, %v", len(products), err)
	}
}

// The log says which database is open, and no password.
func TestLogNamesTheDatabase(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	url := strings.Replace(storetest.PostgresURL(t), "h5pay@", "h5pay:hunter2@", 1)
	_, stop := startNode(t, nodeEnv(t, url), slog.New(slog.NewTextHandler(&log, nil)))
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "PostgreSQL shop") || strings.Contains(log.String(), "hunter2") {
		t.Error(log.String())
	}
}

// A shop goes from a file to PostgreSQL by two commands.
func TestMoveCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lite := map[string]string{dbSetting: filepath.Join(dir, "h5pay.db")}
	url := storetest.PostgresURL(t)
	storetest.Exec(t, storetest.OpenPostgresURL(t, url), `DELETE FROM products`)
	file := filepath.Join(dir, "shop.export")
	for _, test := range []struct {
		line   string
		env    map[string]string
		status int
		want   string
	}{
		{"products -demo", lite, 0, "7 products"},
		{"export", lite, 2, "want -to FILE"},
		{"export -to " + file, lite, 0, "has what"},
		{"export -to " + file, lite, 1, "exists"},
		{"export -d1 -to " + filepath.Join(dir, "shop.sql"), lite, 0, "has what"},
		{"import", map[string]string{urlSetting: url}, 2, "want -from FILE"},
		{"import -from " + file + ".none", map[string]string{urlSetting: url}, 1, "no such file"},
		{"import -from " + file, map[string]string{urlSetting: url}, 0, "PostgreSQL shop"},
		{"import -from " + file, map[string]string{urlSetting: url}, 1, "import into an empty one"},
	} {
		status, stdout, stderr := runCommand(t, test.env, strings.Fields(test.line)...)
		if status != test.status || !strings.Contains(stdout+stderr, test.want) {
			t.Errorf("h5pay %s: %d\n%s%s", test.line, status, stdout, stderr)
		}
	}
	if products, err := store.New(storetest.OpenPostgresURL(t, url)).Products(t.Context()); err != nil || len(products) != 7 {
		t.Errorf("%d products, %v", len(products), err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// serve does not start on a database, or beside nodes, with which it cannot work. It says what to do,
// names no secret, and stops listening.
func TestServeRejectsAWrongDatabase(t *testing.T) {
	t.Parallel()
	newPostgres := func(t *testing.T, changes ...string) map[string]string {
		t.Helper()
		url := storetest.PostgresURL(t)
		for _, change := range changes {
			storetest.Exec(t, storetest.OpenPostgresURL(t, url), change)
		}
		return nodeEnv(t, url)
	}
	for name, test := range map[string]struct {
		env  func(t *testing.T) map[string]string
		want string
	}{
		"a URL of another database": {func(t *testing.T) map[string]string {
			return nodeEnv(t, "mysql://h5pay:hunter2@localhost/h5pay")
		}, "setting DATABASE_URL: want a URL that begins with postgres://"},
		"nobody listens": {func(t *testing.T) map[string]string {
			return nodeEnv(t, "postgres://h5pay:hunter2@localhost:1/h5pay")
		}, "setting DATABASE_URL: "},
		"no such database": {func(t *testing.T) map[string]string {
			return nodeEnv(t, strings.Replace(storetest.PostgresURL(t), "/shop", "/nothing", 1))
		}, "make the database first: createdb"},
		"a user who may only read": {func(t *testing.T) map[string]string {
			env := newPostgres(t)
			db := storetest.OpenPostgresURL(t, env[urlSetting])
			storetest.Exec(t, db, `CREATE ROLE only_reads LOGIN`)
			storetest.Exec(t, db, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO only_reads`)
			t.Cleanup(func() {
				storetest.Exec(t, db, `DROP OWNED BY only_reads`)
				storetest.Exec(t, db, `DROP ROLE only_reads`)
			})
			env[urlSetting] = strings.Replace(env[urlSetting], "h5pay@", "only_reads@", 1)
			return env
		}, "give the user of DATABASE_URL the rights"},
		"a newer schema": {func(t *testing.T) map[string]string {
			return newPostgres(t, `INSERT INTO h5pay_migrations (name) VALUES ('9999_later.sql')`)
		}, "the schema 9999_later.sql is newer than this program"},
		"a newer schema in a file": {func(t *testing.T) map[string]string {
			env := maps.Clone(exampleEnv(t))
			env[dbSetting] = filepath.Join(t.TempDir(), "h5pay.db")
			if status, _, stderr := runCommand(t, map[string]string{dbSetting: env[dbSetting]}, "migrate"); status != 0 {
				t.Fatal(stderr)
			}
			db, err := openSQLite(env[dbSetting])
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			storetest.Exec(t, db, `INSERT INTO d1_migrations (name) VALUES ('9999_later.sql')`)
			return env
		}, "setting DB_FILE: the schema 9999_later.sql is newer than this program"},
		"a clock that differs from the database's": {func(t *testing.T) map[string]string {
			return newPostgres(t,
				`CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.clock_timestamp() + interval ''9 s'''`,
				`DO 'BEGIN EXECUTE format(''ALTER DATABASE %I SET search_path = public, pg_catalog'', current_database()); END'`)
		}, "behind that of the database: set both by NTP"},
		"another shop on the database": {func(t *testing.T) map[string]string {
			env := newPostgres(t)
			startNode(t, env, discardLog())
			other := maps.Clone(env)
			other["SHOP_URL"] = "http://localhost:9999"
			return other
		}, "setting SHOP_URL differs from that of node"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := test.env(t)
			l, err := net.Listen("tcp", "localhost:0")
			if err != nil {
				t.Fatal(err)
			}
			err = serveShop(t.Context(), l, lookup(env), discardLog(), func() { t.Error("it serves") })
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v, want %s", err, test.want)
			}
			if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
				c.Close()
				t.Error("it still listens")
			}
		})
	}
}

// faultsOfNodes are those of nodes that share a database.
func faultsOfNodes(t *testing.T, all *produced) {
	t.Run("nodes", func(t *testing.T) {
		t.Parallel()
		url := storetest.PostgresURL(t)
		db := storetest.OpenPostgresURL(t, url)
		d := &database{DB: db, name: postgres.Describe(url)}
		leave, err := d.join(t.Context(), settings{}, discardLog())
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		if c := d.check(t.Context()); !c.OK || c.Cause != "" {
			t.Errorf("one node: %+v", c)
		}
		storetest.Exec(t, db, `INSERT INTO h5pay_nodes (id, version, settings, started_at, seen_at) SELECT 'other', 'v0', settings, started_at, seen_at FROM h5pay_nodes`)
		if c := d.check(t.Context()); !c.OK || c.Cause != string(cause.NodeVersion) || !strings.Contains(c.Problem, "v0") {
			t.Errorf("another version: %+v", c)
		}
		all.note(cause.NodeVersion)
		// The database's clock goes ahead for new connections.
		storetest.Exec(t, db, `CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT pg_catalog.clock_timestamp() + interval ''9 s'''`)
		storetest.Exec(t, db, `DO 'BEGIN EXECUTE format(''ALTER DATABASE %I SET search_path = public, pg_catalog'', current_database()); END'`)
		db.SetMaxIdleConns(0)
		if c := d.check(t.Context()); c.OK || c.Cause != string(cause.NodeClock) {
			t.Errorf("another time: %+v", c)
		}
		all.note(cause.NodeClock)
	})
}
