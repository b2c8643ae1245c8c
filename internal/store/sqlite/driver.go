// Package sqlite is a driver of SQLite for database/sql. It prepares each statement once per
// connection. The driver of modernc.org/sqlite, which it calls, prepares it at every run, and that
// takes about as long as the run. A [Connector] also commits the changes of concurrent callers
// together.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	_ "modernc.org/sqlite"
)

// Name is the name of the driver for sql.Open. The source is that of modernc.org/sqlite.
const Name = "sqlite-prepared"

// maxKept bounds the prepared statements of a connection. The store has fewer. Some of them depend
// on the request: a list has a statement for each set of filters.
const maxKept = 500

func init() { sql.Register(Name, Driver{}) }

// modernc is the driver of modernc.org/sqlite.
var modernc = func() driver.Driver {
	db, err := sql.Open("sqlite", "")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	return db.Driver()
}()

// Driver opens connections that keep their prepared statements.
type Driver struct{}

// Open opens a connection.
func (Driver) Open(source string) (driver.Conn, error) { return open(source) }

func open(source string) (*conn, error) {
	c, err := modernc.Open(source)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, kept: map[string]*statement{}}, nil
}

// conn passes on every method of modernc's connection that database/sql uses. It is used by one
// goroutine at a time.
type conn struct {
	driver.Conn
	kept map[string]*statement
}

// statement is a prepared statement.
type statement struct {
	driver.Stmt
	reading bool // whether rows of it are open: then it cannot run again
}

// statement returns the prepared statement of a query, or nil if rows of it are open.
func (c *conn) statement(ctx context.Context, query string) (*statement, error) {
	if s, ok := c.kept[query]; ok {
		if s.reading {
			return nil, nil
		}
		return s, nil
	}
	prepared, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if len(c.kept) >= maxKept {
		if err := c.forget(); err != nil {
			return nil, errors.Join(err, prepared.Close())
		}
	}
	s := &statement{Stmt: prepared}
	c.kept[query] = s
	return s, nil
}

// forget closes the prepared statements without open rows.
func (c *conn) forget() (err error) {
	for query, s := range c.kept {
		if !s.reading {
			delete(c.kept, query)
			err = errors.Join(err, s.Close())
		}
	}
	return err
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
	}
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
	}
	read, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.reading = true
	return rows{read, s}, nil
}

// rows are the rows of a kept statement.
type rows struct {
	driver.Rows
	of *statement
}

func (r rows) Close() error {
	r.of.reading = false
	return r.Rows.Close()
}

// Close closes the statements before the connection, as SQLite requires.
func (c *conn) Close() error {
	var err error
	for _, s := range c.kept {
		err = errors.Join(err, s.Close())
	}
	clear(c.kept)
	return errors.Join(err, c.Conn.Close())
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

func (c *conn) Ping(ctx context.Context) error { return c.Conn.(driver.Pinger).Ping(ctx) }

func (c *conn) ResetSession(ctx context.Context) error {
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

func (c *conn) IsValid() bool { return c.Conn.(driver.Validator).IsValid() }
