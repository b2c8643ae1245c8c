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

// database opens connections to one database of SQLite. They also record the
// statements of store.Store, and count changes.
type database struct {
	dsn     string
	changes changes
}

// Driver returns the database itself, so that Check finds its changes.
func (d *database) Driver() driver.Driver { return d }

func (d *database) counted() *changes { return &d.changes }

// Open is not used: sql.OpenDB calls Connect.
func (d *database) Open(string) (driver.Conn, error) { return d.Connect(context.Background()) }

func (d *database) Connect(context.Context) (driver.Conn, error) {
	conn, err := sqlite.Driver{}.Open(d.dsn)
	if err != nil {
		return nil, err
	}
	return recordingConn{conn, &d.changes, new(int64), false}, nil
}

// recordingConn passes on every method of a connection to SQLite that database/sql uses, except
// Prepare, which nobody calls.
type recordingConn struct {
	driver.Conn
	changes *changes
	total   *int64 // rows written so far, in SQLite
	// postgres means that whole numbers stay integers, and that rows are not counted.
	postgres bool
}

func (c recordingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	defer c.ran(ctx, query)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, c.arguments(query, args))
}

func (c recordingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, query, c.arguments(query, args))
	if err != nil || !writes.MatchString(query) {
		return rows, err
	}
	return changingRows{rows, c, query}, nil
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
