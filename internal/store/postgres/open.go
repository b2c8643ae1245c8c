// Package postgres is a database for package store: PostgreSQL, for any number of nodes at once.
//
// # One text
//
// The statements and the schema are written once, in package store, for SQLite and D1. Translate
// and TranslateSchema make PostgreSQL's of them. The schema of PostgreSQL is generated into
// migrations/ of this package, and a test compares the two.
//
// # Concurrency
//
// SQLite has one writer, so the statements of package store run one after the other. Many of them
// depend on other rows than the one that they write: the number of an order's payments, the sum of
// its refunds, or a key that must be absent. In PostgreSQL's READ COMMITTED two of them may both
// find their condition true, and both write. So each statement that writes is, with its triggers, a
// SERIALIZABLE transaction of its own. PostgreSQL guarantees that the result is one that the
// statements could have had in sequence. If it cannot, it rolls one back (40001), and this package
// repeats the statement. A statement that is added later is as safe as the others. Distributed
// databases with PostgreSQL's protocol have the same isolation and error code.
//
// A deadlock (40P01), and a wait for a lock that may be one (55P03), are repeated too. A violation
// of a unique index (23505) is repeated a few times. PostgreSQL may report it in place of 40001,
// and then the repetition finds the row.
//
// Statements that only read see the rows that were committed when they began, and are not
// serializable. They hold no locks and are never rolled back for others.
//
// # Connections
//
// A statement that writes is sent together with its BEGIN and COMMIT, in one message. So a node
// that freezes or dies leaves no open transaction behind, and the change happened or did not. When
// a connection breaks, a statement is repeated only if nothing of it was sent, or if it only reads.
// A new connection waits up to three seconds for a server that restarts, or for the one that takes
// its place. In other cases the caller gets an error and does not know whether the change happened.
// As with D1, the timers then find and continue the work.
package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Config describes a database.
type Config struct {
	// URL is postgres://user:password@host:port/name?sslmode=verify-full, or another form that
	// libpq takes. pool_max_conns in it limits the connections, 10 by default.
	URL string
	// Retried is called before each repetition of a statement, with the code of PostgreSQL's error.
	// It may be nil.
	Retried func(code string)
}

// defaultConns is how many connections a node has at most.
const defaultConns = 10

// The parameters of each session.
var session = map[string]string{
	"application_name": "h5pay",
	// A statement of the store takes milliseconds.
	"statement_timeout": "15000",
	// Two payments of one order that are paid at once wait for each other. PostgreSQL looks for such a
	// deadlock after a second. The statement that waits too long is repeated.
	"lock_timeout":                        "200",
	"idle_in_transaction_session_timeout": "20000",
	"default_transaction_isolation":       "read committed",
	// Each statement uses an index, also before PostgreSQL has statistics. A statement that reads a
	// whole table would conflict with every statement that writes to it.
	"enable_seqscan": "off",
	// A plan does not depend on the arguments.
	"plan_cache_mode": "force_generic_plan",
	"jit":             "off",
}

// IsURL reports whether a setting names a database of PostgreSQL.
func IsURL(s string) bool {
	return strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://")
}

// Connector returns a connector of database/sql, and the most connections that it may open. It
// makes no connection. Its error has no password.
func Connector(c Config) (driver.Connector, int, error) {
	if !IsURL(c.URL) {
		return nil, 0, errors.New("want a URL that begins with postgres://")
	}
	config, err := pgconn.ParseConfig(c.URL)
	if err != nil {
		return nil, 0, parseError(c.URL, err)
	}
	if u, err := url.Parse(c.URL); err != nil || strings.Trim(u.Path, "/") == "" && !u.Query().Has("dbname") {
		return nil, 0, errors.New("want the name of a database behind the host, like postgres://h5pay@localhost/h5pay")
	}
	most := defaultConns
	if n, ok := config.RuntimeParams["pool_max_conns"]; ok {
		if most, err = strconv.Atoi(n); err != nil || most < 1 || most > 1000 {
			return nil, 0, errors.New("pool_max_conns: want a number from 1 to 1000")
		}
		delete(config.RuntimeParams, "pool_max_conns")
	}
	for name, value := range session {
		if _, ok := config.RuntimeParams[name]; !ok {
			config.RuntimeParams[name] = value
		}
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	return &connector{config: config, retried: c.Retried, turns: newTurns()}, most, nil
}

// parseError says what is wrong with a URL. Any part of a malformed URL may be a password. So only the
// reasons about parameters, which name no part of it, are in the text.
func parseError(databaseURL string, err error) error {
	if _, parse := url.Parse(databaseURL); parse != nil {
		return errors.New("want a URL like postgres://user:password@host:5432/name. The port is a number. Write %25 for % in the password, %2F for /, %40 for @, %23 for #, %3A for : and %3F for ? in it")
	}
	text := err.Error()
	if _, reason, ok := strings.Cut(text, "`: "); ok {
		text = reason
	}
	if strings.Contains(text, databaseURL) {
		text = "it cannot be parsed"
	}
	return fmt.Errorf("want a URL like postgres://user:password@host:5432/name: %s", text)
}

// Open returns a database. It makes no connection before the first statement.
func Open(c Config) (*sql.DB, error) {
	connector, most, err := Connector(c)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(time.Hour)
	return db, nil
}

// Now returns the time of the server's clock.
func Now(ctx context.Context, db *sql.DB) (time.Time, error) {
	var ms int64
	if err := db.QueryRowContext(ctx, `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint`).Scan(&ms); err != nil {
		return time.Time{}, fmt.Errorf("reading the clock of the database: %w", err)
	}
	return time.UnixMilli(ms).UTC(), nil
}

// Size returns how many bytes the database has.
func Size(ctx context.Context, db *sql.DB) (used int64, err error) {
	if err := db.QueryRowContext(ctx, `SELECT pg_database_size(current_database())`).Scan(&used); err != nil {
		return 0, fmt.Errorf("reading the size of the database: %w", err)
	}
	return used, nil
}
