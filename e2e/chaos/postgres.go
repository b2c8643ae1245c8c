package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"h5pay/internal/paytest"
	"h5pay/internal/paytest/campaign"
	"h5pay/internal/pgtest"
	"h5pay/internal/store/postgres"
)

// postgresDatabase is PostgreSQL. It may crash at any time and then recovers.
type postgresDatabase struct {
	*deployment
	server *pgtest.Server
	db     *sql.DB // of the campaign itself, without injected failures
	socket string  // file

	mu        sync.Mutex
	down      bool
	restarted chan struct{} // closed after the restart
	closed    bool
	deaths    int
}

// startPostgres starts PostgreSQL with an empty shop and the demo catalogue. dir is the project's
// root.
func (w *deployment) startPostgres(ctx context.Context, dir string) (*postgresDatabase, error) {
	// A process that ends, in whatever way, leaves what it has written. Only a machine without power
	// would need fsync.
	server, err := pgtest.Start("fsync=off")
	if err != nil {
		return nil, err
	}
	p := &postgresDatabase{deployment: w, server: server, restarted: make(chan struct{})}
	close(p.restarted)
	if err := p.prepare(ctx, dir); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *postgresDatabase) prepare(ctx context.Context, dir string) error {
	const name = "shop"
	if err := p.server.Exec(ctx, "postgres", "CREATE DATABASE "+name); err != nil {
		return err
	}
	config := postgres.Config{URL: p.server.URL(name)}
	if err := postgres.Migrate(ctx, config); err != nil {
		return err
	}
	u, err := url.Parse(config.URL)
	if err != nil {
		return err
	}
	p.socket = filepath.Join(u.Query().Get("host"), ".s.PGSQL.5432")
	if p.db, err = postgres.Open(config); err != nil {
		return err
	}
	seed, err := os.ReadFile(filepath.Join(dir, "internal/store/seed.sql"))
	if err != nil {
		return err
	}
	_, err = p.db.ExecContext(ctx, string(seed))
	return err
}

// kill crashes PostgreSQL and restarts it. Of several concurrent calls only the first has an effect.
func (p *postgresDatabase) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down || p.closed {
		return
	}
	p.down, p.restarted = true, make(chan struct{})
	p.deaths++
	p.worker.allow500(campaign.AtDatabase)
	if err := p.server.Stop(); err != nil {
		p.Note(campaign.Wrong, "", "PostgreSQL does not stop: %v", err)
	}
	go p.restart()
}

func (p *postgresDatabase) restart() {
	err := p.server.Run()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.Note(campaign.Wrong, "", "PostgreSQL does not restart: %v", err)
	}
	p.down = false
	close(p.restarted)
}

func (p *postgresDatabase) await() {
	p.mu.Lock()
	back := p.restarted
	p.mu.Unlock()
	<-back
}

func (p *postgresDatabase) restarts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.deaths
}

func (p *postgresDatabase) name() string { return "PostgreSQL" }

func (p *postgresDatabase) close() {
	p.await()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.db != nil {
		p.db.Close()
	}
	p.server.Close()
}

// query runs a statement of SQLite, translated as those of the shop are.
func (p *postgresDatabase) query(statement string, args ...any) (json.RawMessage, error) {
	rows, err := p.db.Query(statement, args...)
	if err != nil {
		return nil, p.why(err)
	}
	defer rows.Close()
	all, err := paytest.Objects(rows)
	if err != nil {
		return nil, p.why(err)
	}
	return all, nil
}

// why returns errNoResponse if the server ended, or if it starts.
func (p *postgresDatabase) why(err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code[:2] != "57" {
		return fmt.Errorf("reading PostgreSQL: %w", err)
	}
	return campaign.ErrNoResponse
}
