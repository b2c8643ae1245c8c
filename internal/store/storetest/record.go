package storetest

import (
	"context"
	"database/sql/driver"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"

	"h5pay/internal/store/sqlite"
)

// Statement is a statement that a method of store.Store ran.
type Statement struct {
	SQL  string
	Args []driver.NamedValue
}

// recorded has the statements that methods of store.Store ran in this process.
var recorded struct {
	sync.Mutex
	statements map[string]Statement // by SQL
	methods    map[string]bool      // of store.Store
	log        []Statement          // in order, while logging
	logging    bool
}

const storeMethod = "h5pay/internal/store.(*Store)."

// record keeps a statement if a method of store.Store runs it. Tests also run their own SQL
// over the same database.
//
// It returns the arguments as D1 gets them. JavaScript has one type of number, so D1 binds a
// whole number as a REAL, and a division is not an integer division.
func record(query string, args []driver.NamedValue) []driver.NamedValue {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs[:])])
	method := ""
	for {
		frame, more := frames.Next()
		if name, ok := strings.CutPrefix(frame.Function, storeMethod); ok {
			method = name // the outermost method is the one that the product calls
		}
		if !more {
			break
		}
	}
	if method == "" {
		return args
	}
	s := Statement{query, slices.Clone(args)}
	for i, arg := range s.Args {
		if n, ok := arg.Value.(int64); ok {
			s.Args[i].Value = float64(n)
		}
	}
	recorded.Lock()
	defer recorded.Unlock()
	if recorded.statements == nil {
		recorded.statements, recorded.methods = map[string]Statement{}, map[string]bool{}
	}
	recorded.methods[method] = true
	if _, ok := recorded.statements[query]; !ok {
		recorded.statements[query] = s
	}
	if recorded.logging {
		recorded.log = append(recorded.log, s)
	}
	return s.Args
}

// Statements returns the statements that methods of store.Store ran during do, in order. No
// other test may run at the same time.
func Statements(do func()) []Statement {
	recorded.Lock()
	recorded.log, recorded.logging = nil, true
	recorded.Unlock()
	do()
	recorded.Lock()
	defer recorded.Unlock()
	recorded.logging = false
	return recorded.log
}

// database opens connections to one database of SQLite, as the product does. They also record the
// statements of store.Store, and count changes.
type database struct {
	*sqlite.Connector
	changes changes
}

func newDatabase(dsn string) *database { return &database{Connector: sqlite.NewConnector(dsn)} }

// Driver returns the database itself, so that Check finds its changes.
func (d *database) Driver() driver.Driver { return d }

// Batches marks a driver whose queries take a batch.
func (d *database) Batches() {}

func (d *database) counted() *changes { return &d.changes }

// Open is not used: sql.OpenDB calls Connect.
func (d *database) Open(string) (driver.Conn, error) { return d.Connect(context.Background()) }

func (d *database) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := d.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return recordingConn{conn, &d.changes, false}, nil
}

// recordingConn passes on every method of a connection that database/sql uses, except Prepare, which
// nobody calls.
type recordingConn struct {
	driver.Conn
	changes *changes
	// postgres means that whole numbers stay integers, and that rows are not counted.
	postgres bool
}

func (c recordingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, query, c.arguments(query, args))
	rows := int64(1)
	if err == nil {
		rows, _ = result.RowsAffected()
	}
	c.ran(query, rows > 0)
	return result, err
}

func (c recordingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if b, ok := batchOf(args); ok {
		return c.queryBatch(ctx, b)
	}
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, query, c.arguments(query, args))
	if err != nil || !writes.MatchString(query) {
		return rows, err
	}
	return &changingRows{Rows: rows, conn: c, query: query}, nil
}

// batch is the argument of a query that runs several statements: see package sqlite.
type batch interface {
	Batch() (queries []string, args [][]any)
}

func batchOf(args []driver.NamedValue) (batch, bool) {
	if len(args) != 1 {
		return nil, false
	}
	b, ok := args[0].Value.(batch)
	return b, ok
}

// recordedBatch is a batch with the arguments as D1 gets them.
type recordedBatch struct {
	queries []string
	args    [][]any
}

func (b recordedBatch) Batch() ([]string, [][]any) { return b.queries, b.args }

func (c recordingConn) queryBatch(ctx context.Context, b batch) (driver.Rows, error) {
	queries, all := b.Batch()
	as := recordedBatch{queries, make([][]any, len(queries))}
	for i, query := range queries {
		named := make([]driver.NamedValue, len(all[i]))
		for n, arg := range all[i] {
			v, err := driver.DefaultParameterConverter.ConvertValue(arg)
			if err != nil {
				return nil, err
			}
			named[n] = driver.NamedValue{Ordinal: n + 1, Value: v}
		}
		for _, arg := range c.arguments(query, named) {
			as.args[i] = append(as.args[i], arg.Value)
		}
	}
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, "", []driver.NamedValue{{Ordinal: 1, Value: as}})
	for _, query := range queries {
		c.ran(query, true)
	}
	return rows, err
}

// CheckNamedValue accepts a batch, where the connection takes one.
func (c recordingConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// arguments records a statement and returns its arguments as the database gets them.
func (c recordingConn) arguments(query string, args []driver.NamedValue) []driver.NamedValue {
	if asD1 := record(query, args); !c.postgres {
		return asD1
	}
	return args
}

func (c recordingConn) ResetSession(ctx context.Context) error {
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c recordingConn) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !ok || v.IsValid()
}

func (c recordingConn) Prepare(string) (driver.Stmt, error) {
	return nil, errors.New("storetest: prepared statements are not supported")
}

func (c recordingConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return changingTx{tx, c.changes}, nil
}

func (c recordingConn) Ping(ctx context.Context) error { return c.Conn.(driver.Pinger).Ping(ctx) }
