package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strings"
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

// session is a connection of database/sql. It is used by one goroutine at a time.
type session struct {
	of *Connector
	tx bool // whether it has the turn, because a transaction is open
}

// The kinds of statements.
type kind int

const (
	reads   kind = iota // one statement that changes nothing
	changes             // one statement that changes rows
	other               // several statements, or one that may not be part of a transaction
)

// changing matches a change after WITH.
var changing = regexp.MustCompile(`(?i)\b(INSERT|UPDATE|DELETE)\b`)

// kindOf returns the kind of a query. A reader rejects a change, so a mistake here loses nothing.
func kindOf(query string) kind {
	query = strings.TrimLeft(query, " \t\r\n")
	if strings.Contains(query, ";") || strings.Contains(query, "pragma_") { // a value of the writer's
		return other
	}
	switch word := strings.ToUpper(query[:min(len(query), 6)]); {
	case word == "SELECT":
		return reads
	case word == "INSERT" || word == "UPDATE" || word == "DELETE":
		return changes
	case strings.HasPrefix(word, "WITH"):
		if changing.MatchString(query) {
			return changes
		}
		return reads
	}
	return other
}

// batch is the argument of a query that runs several statements.
type batch interface {
	Batch() (queries []string, args [][]any)
}

// CheckNamedValue accepts a batch.
func (s *session) CheckNamedValue(v *driver.NamedValue) (err error) {
	if _, ok := v.Value.(batch); !ok {
		v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value)
	}
	return err
}

// statements returns the statements of a query.
func statements(query string, args []driver.NamedValue) ([]command, error) {
	if len(args) != 1 {
		return []command{{query, args}}, nil
	}
	b, ok := args[0].Value.(batch)
	if !ok {
		return []command{{query, args}}, nil
	}
	queries, values := b.Batch()
	all := make([]command, len(queries))
	for i := range all {
		all[i] = command{queries[i], make([]driver.NamedValue, len(values[i]))}
		for n, value := range values[i] {
			v, err := driver.DefaultParameterConverter.ConvertValue(value)
			if err != nil {
				return nil, fmt.Errorf("argument %d: %w", n+1, err)
			}
			all[i].args[n] = driver.NamedValue{Ordinal: n + 1, Value: v}
		}
	}
	return all, nil
}

func (s *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	switch k := kindOf(query); {
	case s.tx:
		return s.of.writer.ExecContext(ctx, query, args)
	case k == changes:
		c := &call{statements: []command{{query, args}}, exec: true}
		err := s.of.change(ctx, c)
		return c.result, err
	case k == reads:
		r, err := s.of.reader(ctx)
		if err != nil {
			return nil, err
		}
		defer s.of.release(r)
		return r.ExecContext(ctx, query, args)
	}
	if err := s.of.begin(ctx); err != nil {
		return nil, err
	}
	defer s.of.end()
	return s.of.writer.ExecContext(ctx, query, args)
}

func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	all, err := statements(query, args)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("sqlite: a batch without statements")
	}
	k := reads
	for _, st := range all {
		k = max(k, kindOf(st.query))
	}
	switch {
	case s.tx && len(all) == 1:
		return s.of.writer.QueryContext(ctx, query, args)
	case len(all) > 1 && (s.tx || k == other):
		return nil, errors.New("sqlite: a batch in a transaction, or with a statement that is neither SELECT, INSERT, UPDATE nor DELETE")
	case k == changes:
		c := &call{statements: all}
		if err := s.of.change(ctx, c); err != nil {
			return nil, err
		}
		return c.rows, nil
	case k == reads:
		return s.of.read(ctx, all)
	}
	if err := s.of.begin(ctx); err != nil {
		return nil, err
	}
	defer s.of.end()
	set, err := s.of.writer.set(ctx, all[0])
	return &sets{all: []resultSet{set}}, err
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

// lent are rows of a reader, which is free when they are closed.
type lent struct {
	driver.Rows
	back func()
}

func (l *lent) Close() error {
	err := l.Rows.Close()
	if l.back != nil {
		l.back()
		l.back = nil
	}
	return err
}

// BeginTx begins a transaction. Changes of other callers wait until it ends.
func (s *session) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := s.of.begin(ctx); err != nil {
		return nil, err
	}
	tx, err := s.of.writer.BeginTx(ctx, opts)
	if err != nil {
		s.of.end()
		return nil, err
	}
	s.tx = true
	return transaction{tx, s}, nil
}

type transaction struct {
	driver.Tx
	s *session
}

func (t transaction) Commit() error   { return t.ended(t.Tx.Commit) }
func (t transaction) Rollback() error { return t.ended(t.Tx.Rollback) }

func (t transaction) ended(how func() error) error {
	err := how()
	if err != nil { // a failed COMMIT may leave the transaction open
		t.Tx.Rollback()
	}
	t.s.tx = false
	t.s.of.end()
	return err
}

// Prepare is not used: database/sql calls ExecContext and QueryContext.
func (s *session) Prepare(string) (driver.Stmt, error) {
	return nil, errors.New("sqlite: use ExecContext and QueryContext, which prepare by themselves")
}

// Begin is not used: database/sql calls BeginTx.
func (s *session) Begin() (driver.Tx, error) {
	return s.BeginTx(context.Background(), driver.TxOptions{})
}

// Close ends nothing but the session.
func (s *session) Close() error { return nil }

// Ping reads from the file.
func (s *session) Ping(ctx context.Context) error {
	if s.tx {
		return nil
	}
	rows, err := s.of.read(ctx, []command{{"SELECT 1 FROM sqlite_schema LIMIT 1", nil}})
	if err != nil {
		return err
	}
	return rows.Close()
}

// resultSet are the rows of one statement.
type resultSet struct {
	columns []string
	rows    [][]driver.Value
}

// set runs a statement and reads all its rows.
func (c *conn) set(ctx context.Context, st command) (resultSet, error) {
	rows, err := c.QueryContext(ctx, st.query, st.args)
	if err != nil {
		return resultSet{}, err
	}
	s := resultSet{columns: rows.Columns()}
	for {
		row := make([]driver.Value, len(s.columns))
		if err = rows.Next(row); err != nil {
			break
		}
		s.rows = append(s.rows, row)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return s, errors.Join(err, rows.Close())
}

// sets are the rows of one or more statements, as driver.Rows.
type sets struct {
	all  []resultSet
	next int // row of the first set
}

func (s *sets) Columns() []string { return s.all[0].columns }
func (s *sets) Close() error      { return nil }

func (s *sets) Next(row []driver.Value) error {
	if s.next == len(s.all[0].rows) {
		return io.EOF
	}
	copy(row, s.all[0].rows[s.next])
	s.next++
	return nil
}

func (s *sets) HasNextResultSet() bool { return len(s.all) > 1 }

func (s *sets) NextResultSet() error {
	if len(s.all) < 2 {
		return io.EOF
	}
	s.all, s.next = s.all[1:], 0
	return nil
}
