package storetest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"h5pay/internal/pgtest"
	"h5pay/internal/store"
	"h5pay/internal/store/postgres"
)

// databaseVariable names the database of Open: sqlite or postgres.
const databaseVariable = "H5PAY_TEST_DATABASE"

// Postgres reports whether Open returns a database of PostgreSQL.
func Postgres() bool { return os.Getenv(databaseVariable) == "postgres" }

// server is the server of this process. It has the database template, which is that of
// the function template.
var server struct {
	sync.Mutex
	*pgtest.Server
	failed error // why it cannot start
	opened atomic.Int64
}

// startServer starts the server of this process unless it runs.
func startServer() (*pgtest.Server, error) {
	server.Lock()
	defer server.Unlock()
	if server.Server != nil || server.failed != nil {
		return server.Server, server.failed
	}
	s, err := startTemplate("synchronous_commit=off")
	server.Server, server.failed = s, err
	return s, err
}

// startTemplate starts a server with the database template.
func startTemplate(settings ...string) (*pgtest.Server, error) {
	s, err := pgtest.Start(append(settings, "fsync=off", "full_page_writes=off", "autovacuum=off", "max_pred_locks_per_transaction=512")...)
	if err != nil {
		return nil, err
	}
	if err := makeTemplate(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// stopServer ends the server of this process.
func stopServer() error {
	server.Lock()
	defer server.Unlock()
	if server.Server == nil {
		return nil
	}
	err := server.Close()
	server.Server = nil
	return err
}

// makeTemplate makes the database that OpenPostgres copies.
func makeTemplate(s *pgtest.Server) error {
	ctx := context.Background()
	if err := s.Exec(ctx, "postgres", "CREATE DATABASE template"); err != nil {
		return err
	}
	db, err := postgres.Open(postgres.Config{URL: s.URL("template")})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := errors.Join(postgres.Migrate(ctx, postgres.Config{URL: s.URL("template")}), store.Seed(ctx, db)); err != nil {
		return err
	}
	text, err := postgres.TranslateSchema(history + keepPayments + keepRefunds + keepEvents)
	if err != nil {
		return err
	}
	return s.Exec(ctx, "template", text)
}

// OpenPostgres is Open for tests about PostgreSQL.
func OpenPostgres(t testing.TB) *sql.DB {
	t.Helper()
	return OpenPostgresURL(t, PostgresURL(t))
}

// PostgresURL makes a database like that of Open and returns its URL. It lives as long as the test.
func PostgresURL(t testing.TB) string {
	t.Helper()
	s, err := startServer()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("shop%d", server.opened.Add(1))
	if err := s.Exec(context.Background(), "postgres", "CREATE DATABASE "+name+" TEMPLATE template STRATEGY file_copy"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Exec(context.Background(), "postgres", "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("removing the database: %v", err)
		}
	})
	return s.URL(name)
}

// OpenPostgresURL opens a database of PostgreSQL as one more node.
func OpenPostgresURL(t testing.TB, url string) *sql.DB {
	t.Helper()
	c, most, err := postgres.Connector(postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(&pgDatabase{of: c})
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	t.Cleanup(func() { db.Close() })
	return db
}

// pgDatabase is database for PostgreSQL.
type pgDatabase struct {
	of      driver.Connector
	changes changes
}

func (d *pgDatabase) Driver() driver.Driver { return d }

func (d *pgDatabase) counted() *changes { return &d.changes }

// Open is not used: sql.OpenDB calls Connect.
func (d *pgDatabase) Open(string) (driver.Conn, error) { return d.Connect(context.Background()) }

func (d *pgDatabase) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := d.of.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return recordingConn{conn, &d.changes, true}, nil
}

// StartPostgres starts a server for a test that stops it, and returns the URL of a database like that
// of Open.
func StartPostgres(t testing.TB) (*pgtest.Server, string) {
	t.Helper()
	s, err := startTemplate()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, s.URL("template")
}
