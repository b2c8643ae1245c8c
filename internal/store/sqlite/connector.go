package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Connector opens a file of SQLite for [database/sql.OpenDB]. Its connections share one connection
// to SQLite that writes and a few that read, so any number of them costs nothing.
//
// Statements that change rows are committed in groups, see group.go. A call returns after the
// commit. A statement that reads sees everything that was committed before it began, so a caller
// reads its own changes, and those of every call that has returned. It sees nothing that is not
// committed. The file has to be in WAL mode: else readers wait for the writer.
//
// The argument of a query may be a batch: several statements that are one transaction. Each
// result is a result set. A batch that only reads sees the data of one moment.
type Connector struct {
	source string
	turn   chan struct{} // holds one value while a goroutine uses the writer
	idle   chan *conn    // readers that are not used; nil for one that is not open yet

	writer *conn // nil until it is open; of the goroutine that has the turn

	opened atomic.Bool   // whether the writer was opened
	closed chan struct{} // closed by Close, under mu

	mu    sync.Mutex
	queue []*call // calls that no group has taken

	groupTime time.Duration // see group.go
	groups    atomic.Int64  // for tests: how many transactions were begun for calls
}

// NewConnector returns a connector. The source is that of modernc.org/sqlite and names a file.
func NewConnector(source string) *Connector {
	readers := max(4, runtime.GOMAXPROCS(0)) // a long list may keep one for a while
	c := &Connector{source: source, turn: make(chan struct{}, 1), idle: make(chan *conn, readers), closed: make(chan struct{}), groupTime: groupTime}
	for range readers {
		c.idle <- nil
	}
	return c
}

// errClosed is the error of a call after Close.
var errClosed = errors.New("sqlite: the database is closed")

// Connect implements driver.Connector. It opens the file if it is not open.
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	if !c.opened.Load() || c.isClosed() {
		if err := c.begin(ctx); err != nil {
			return nil, err
		}
		c.end()
	}
	return &session{of: c}, nil
}

// Driver implements driver.Connector.
func (c *Connector) Driver() driver.Driver { return connectorDriver{c} }

type connectorDriver struct{ c *Connector }

// Batches marks a driver whose queries take a batch.
func (connectorDriver) Batches() {}

// Open opens a connection to the file of the connector, whatever the name is.
func (d connectorDriver) Open(string) (driver.Conn, error) { return d.c.Connect(context.Background()) }

// Close waits for the group under way and closes the file. database/sql calls it. A reader whose
// rows are open is closed with them.
func (c *Connector) Close() error {
	c.turn <- struct{}{}
	defer c.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return nil
	}
	close(c.closed)
	var err error
	for range len(c.idle) {
		if r := <-c.idle; r != nil {
			err = errors.Join(err, r.Close())
		}
	}
	if c.writer != nil {
		err = errors.Join(err, c.writer.Close())
		c.writer = nil
	}
	return err
}

func (c *Connector) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// begin gets the turn and opens the writer. Without an error the caller calls end.
func (c *Connector) begin(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := c.ready(); err != nil {
		c.end()
		return err
	}
	return nil
}

func (c *Connector) end() { <-c.turn }

// ready opens the writer if it is not open. The caller has the turn.
func (c *Connector) ready() error {
	if c.isClosed() {
		return errClosed
	}
	if c.writer != nil {
		return nil
	}
	w, err := open(c.source)
	if err != nil {
		return err
	}
	c.writer = w
	c.opened.Store(true)
	return nil
}

// reader returns a connection that reads. release takes it back.
func (c *Connector) reader(ctx context.Context) (*conn, error) {
	var r *conn
	select {
	case r = <-c.idle:
	case <-c.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r != nil {
		return r, nil
	}
	r, err := open(c.source)
	if err == nil {
		if err = r.exec("PRAGMA query_only = 1"); err != nil {
			err = errors.Join(err, r.Close())
		}
	}
	if err != nil {
		c.release(nil)
		return nil, fmt.Errorf("opening another connection: %w", err)
	}
	return r, nil
}

func (c *Connector) release(r *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isClosed() {
		c.idle <- r
	} else if r != nil {
		r.Close()
	}
}

// read runs statements that read. The rows of a single one are read one by one.
func (c *Connector) read(ctx context.Context, all []command) (_ driver.Rows, err error) {
	r, err := c.reader(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) == 1 {
		rows, err := r.QueryContext(ctx, all[0].query, all[0].args)
		if err != nil {
			c.release(r)
			return nil, err
		}
		return &lent{Rows: rows, back: func() { c.release(r) }}, nil
	}
	defer c.release(r)
	quiet := context.WithoutCancel(ctx)
	if _, err := r.ExecContext(quiet, "BEGIN", nil); err != nil {
		return nil, err
	}
	defer func() {
		_, endErr := r.ExecContext(quiet, "COMMIT", nil)
		err = errors.Join(err, endErr)
	}()
	result := &sets{}
	for _, st := range all {
		set, err := r.set(ctx, st)
		if err != nil {
			return nil, err
		}
		result.all = append(result.all, set)
	}
	return result, nil
}
