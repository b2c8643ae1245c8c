package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// connector opens connections for database/sql.
type connector struct {
	config *pgconn.Config
	// translated are the statements that were translated so far, by their text.
	translated sync.Map
	retried    func(code string) // called before each repetition; may be nil
	turns      *turns
}

// statement is a translated statement.
type statement struct {
	sql    string
	writes bool
	err    error
}

func (c *connector) translate(query string) statement {
	if s, ok := c.translated.Load(query); ok {
		return s.(statement)
	}
	var s statement
	s.sql, s.err = Translate(query)
	s.writes = writes(s.sql)
	c.translated.Store(query, s)
	return s
}

// writes reports whether a statement may change rows.
func writes(sql string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	switch strings.ToUpper(first) {
	case "SELECT", "VALUES", "SHOW", "EXPLAIN":
		return false
	case "WITH":
		all, err := tokens(sql)
		for _, t := range all {
			if t.is("INSERT", "UPDATE", "DELETE") {
				return true
			}
		}
		return err != nil
	}
	return true
}

// failover is how long a caller waits for a server that takes no connections: it restarts, or another
// one takes its place.
const failover = 3 * time.Second

// isDown reports whether a server does not run, or does not take connections yet.
func isDown(err error) bool {
	code := codeOf(err)
	return code == startingUp || code == shuttingDown || code == crashShutdown ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Driver returns the connector itself, because nobody opens connections by name.
func (c *connector) Driver() driver.Driver { return c }

func (c *connector) Open(string) (driver.Conn, error) { return c.Connect(context.Background()) }

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	pg, err := pgconn.ConnectConfig(ctx, c.config)
	for began := time.Now(); err != nil && isDown(err) && time.Since(began) < failover && ctx.Err() == nil; {
		if pauseErr := pause(ctx, maxTries); pauseErr != nil {
			break
		}
		pg, err = pgconn.ConnectConfig(ctx, c.config)
	}
	if err != nil {
		return nil, explain(oneLine{err})
	}
	return &conn{pg: pg, of: c, prepared: map[string]string{}, used: time.Now()}, nil
}

// conn is a connection. database/sql gives it to one caller at a time.
type conn struct {
	pg       *pgconn.PgConn
	of       *connector
	prepared map[string]string // the names of prepared statements by their SQL and types
	names    int               // how many names were given; none is given twice
	stale    bool              // the server and prepared may differ: prepare begins anew
	inTx     bool
	used     time.Time // when a statement last ended
}

// maxPrepared is how many statements a connection keeps prepared.
const maxPrepared = 500

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return nil, errors.New("postgres: use ExecContext and QueryContext, which prepare by themselves")
}

func (c *conn) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return c.pg.Close(ctx)
}

func (c *conn) IsValid() bool { return !c.pg.IsClosed() }

// ResetSession drops a connection that the server has closed while it was not in use.
func (c *conn) ResetSession(ctx context.Context) error {
	if c.pg.IsClosed() || closedByServer(c.pg.Conn()) || time.Since(c.used) > 10*time.Second && c.Ping(ctx) != nil {
		return driver.ErrBadConn
	}
	return nil
}

func (c *conn) Ping(ctx context.Context) error {
	_, err := c.simple(ctx, "SELECT 1")
	return err
}

func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx begins a transaction. It is serializable, or sees the data of one moment if it only reads.
// Its statements are not repeated.
func (c *conn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	sql := begin
	if options.ReadOnly {
		sql = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
	}
	if _, err := c.simple(ctx, sql); err != nil {
		return nil, err
	}
	c.inTx = true
	return tx{c}, nil
}

type tx struct{ c *conn }

func (t tx) Commit() error   { return t.end("COMMIT") }
func (t tx) Rollback() error { return t.end("ROLLBACK") }

func (t tx) end(sql string) error {
	t.c.inTx = false
	tag, err := t.c.simple(context.Background(), sql)
	if err == nil && sql == "COMMIT" && tag == "ROLLBACK" {
		err = errors.New("the transaction was rolled back, because a statement in it failed")
	}
	return err
}

// simple runs statements without arguments, and returns the tag of the last one.
func (c *conn) simple(ctx context.Context, sql string) (tag string, err error) {
	results, err := c.pg.Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", c.lost(err)
	}
	if len(results) > 0 {
		tag = results[len(results)-1].CommandTag.String()
	}
	return tag, nil
}

// lost returns driver.ErrBadConn, after which database/sql repeats the statement on another
// connection, if the connection broke before anything was sent.
func (c *conn) lost(err error) error {
	if pgconn.SafeToRetry(err) {
		return driver.ErrBadConn
	}
	return explain(err)
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.run(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return driver.RowsAffected(r.CommandTag.RowsAffected()), nil
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := c.run(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return &rows{result: r}, nil
}

// The isolation of a statement that writes.
const begin = "BEGIN ISOLATION LEVEL SERIALIZABLE"

// maxTries is how often a statement is tried if PostgreSQL rolls it back because of others.
const maxTries = 50

// run runs a statement, and repeats it while PostgreSQL rolls it back because of other
// transactions. It repeats a statement once if what was prepared no longer fits.
func (c *conn) run(ctx context.Context, query string, args []driver.NamedValue) (*pgconn.Result, error) {
	s := c.of.translate(query)
	if s.err != nil {
		return nil, s.err
	}
	defer func() { c.used = time.Now() }()
	inTurn := false
	enter := func() error {
		if inTurn || c.inTx || !s.writes {
			return nil
		}
		err := c.of.turns.wait(ctx)
		inTurn = err == nil
		return err
	}
	defer func() {
		if inTurn {
			c.of.turns.end()
		}
	}()
	if s.writes && c.of.turns.needed(query) {
		if err := enter(); err != nil {
			return nil, err
		}
	}
	renewed := false
	for try := 1; ; try++ {
		r, err := c.once(ctx, s, args, inTurn)
		if err == nil {
			return r, nil
		}
		code := codeOf(err)
		outdated := (code == undefinedStatement || code == changedPlan) && !renewed
		if outdated {
			renewed, c.stale = true, true
		}
		again := outdated || code == serializationFailure || code == deadlock || code == lockTimeout || code == uniqueViolation && try < 4
		switch {
		case again && !c.inTx && try < maxTries && ctx.Err() == nil:
			if c.of.retried != nil {
				c.of.retried(code)
			}
			if outdated {
				continue
			}
			c.of.turns.require(query)
			if err := errors.Join(pause(ctx, try), enter()); err != nil {
				return nil, err
			}
		case code == failedTransaction && !c.inTx: // of a statement before this one, which did not run
			c.Close()
			return nil, driver.ErrBadConn
		case !s.writes && !c.inTx && c.pg.IsClosed() && ctx.Err() == nil:
			return nil, driver.ErrBadConn // a read may run twice
		default:
			return nil, c.lost(err)
		}
	}
}

// pause waits before a repetition: up to 2 ms after the first try, up to 64 ms after many. The time
// is random, so that statements that conflicted do not conflict again.
func pause(ctx context.Context, try int) error {
	most := 2 * time.Millisecond << min(try-1, 5)
	t := time.NewTimer(rand.N(most))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// once runs a statement once. A statement that writes is sent together with BEGIN and COMMIT. So it
// takes one round trip, and a program that stops in between leaves no transaction open.
func (c *conn) once(ctx context.Context, s statement, args []driver.NamedValue, inTurn bool) (*pgconn.Result, error) {
	if len(args) == 0 && strings.Contains(strings.TrimRight(strings.TrimSpace(s.sql), ";"), ";") {
		results, err := c.pg.Exec(ctx, s.sql).ReadAll() // several statements are one transaction
		if err != nil || len(results) == 0 {
			return &pgconn.Result{}, err
		}
		return results[len(results)-1], nil
	}
	values, types, err := encode(args)
	if err != nil {
		return nil, err
	}
	name, err := c.prepare(ctx, s.sql, types)
	if err != nil {
		return nil, err
	}
	if !s.writes || c.inTx {
		r := c.pg.ExecPrepared(ctx, name, values, nil, nil).Read()
		return r, r.Err
	}
	batch := &pgconn.Batch{}
	batch.ExecParams(begin, nil, nil, nil, nil)
	at := 1 // of the statement's result
	if inTurn {
		batch.ExecParams(lockTurns, nil, nil, nil, nil)
		at = 2
	}
	batch.ExecPrepared(name, values, nil, nil)
	batch.ExecParams("COMMIT", nil, nil, nil, nil)
	results, err := c.pg.ExecBatch(ctx, batch).ReadAll()
	if err == nil && len(results) != at+2 {
		err = fmt.Errorf("postgres: %d results where %d were expected", len(results), at+2)
	}
	if err == nil && results[at+1].CommandTag.String() != "COMMIT" {
		err = errors.New("postgres: the statement was not committed")
	}
	if err != nil {
		c.rollBack(err)
		return nil, err
	}
	return results[at], nil
}

// rollBack ends the transaction of a statement that failed.
func (c *conn) rollBack(err error) {
	if c.pg.IsClosed() || c.pg.TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := c.pg.Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
		c.pg.Close(ctx)
	}
}

// prepare returns the name of a prepared statement. In a transaction that has failed it fails, and the
// next one begins anew.
func (c *conn) prepare(ctx context.Context, sql string, types []uint32) (string, error) {
	key := fmt.Sprint(types, sql)
	if name, ok := c.prepared[key]; ok && !c.stale {
		return name, nil
	}
	if c.stale || len(c.prepared) >= maxPrepared {
		if _, err := c.pg.Exec(ctx, "DEALLOCATE ALL").ReadAll(); err != nil {
			return "", err
		}
		clear(c.prepared)
		c.stale = false
	}
	name := "h5pay" + strconv.Itoa(c.names)
	c.names++
	if _, err := c.pg.Prepare(ctx, name, sql, types); err != nil {
		return "", err
	}
	c.prepared[key] = name
	return name, nil
}

// The types that arguments and results have.
const (
	oidBool   = 16
	oidInt8   = 20
	oidInt2   = 21
	oidInt4   = 23
	oidText   = 25
	oidFloat4 = 700
	oidFloat8 = 701
)

// encode returns arguments in PostgreSQL's text format, with the types that they have in Go. NULL
// has the type that PostgreSQL finds for it.
func encode(args []driver.NamedValue) (values [][]byte, types []uint32, err error) {
	values, types = make([][]byte, len(args)), make([]uint32, len(args))
	for i, arg := range args {
		switch v := arg.Value.(type) {
		case nil:
		case int64:
			values[i], types[i] = strconv.AppendInt(nil, v, 10), oidInt8
		case float64:
			values[i], types[i] = strconv.AppendFloat(nil, v, 'g', -1, 64), oidFloat8
		case bool:
			values[i], types[i] = strconv.AppendBool(nil, v), oidBool
		case string:
			values[i], types[i] = []byte(v), oidText
		default:
			return nil, nil, fmt.Errorf("postgres: argument %d is a %T: want an int64, a float64, a bool or a string", arg.Ordinal, v)
		}
	}
	return values, types, nil
}

// rows is a result that has arrived completely.
type rows struct {
	result *pgconn.Result
	at     int
}

func (r *rows) Columns() []string {
	names := make([]string, len(r.result.FieldDescriptions))
	for i, f := range r.result.FieldDescriptions {
		names[i] = f.Name
	}
	return names
}

func (r *rows) Close() error { return nil }

func (r *rows) Next(dest []driver.Value) error {
	if r.at == len(r.result.Rows) {
		return io.EOF
	}
	for i, value := range r.result.Rows[r.at] {
		v, err := decode(value, r.result.FieldDescriptions[i].DataTypeOID)
		if err != nil {
			return err
		}
		dest[i] = v
	}
	r.at++
	return nil
}

// decode returns a value of a result. Other types than numbers and booleans are texts.
func decode(value []byte, oid uint32) (driver.Value, error) {
	if value == nil {
		return nil, nil
	}
	s := string(value)
	switch oid {
	case oidBool:
		return s == "t", nil
	case oidInt8, oidInt4, oidInt2:
		return strconv.ParseInt(s, 10, 64)
	case oidFloat4, oidFloat8:
		return strconv.ParseFloat(s, 64)
	}
	return s, nil
}
