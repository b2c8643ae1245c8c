package warm

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync/atomic"
)

// database is a database/sql driver for D1. The library's own driver leaks a js.Func with every
// statement. D1 has no transactions.
type database struct {
	calls   caller
	binding string
	size    *atomic.Int64 // in bytes, from the last statement that reported it
}

func newDatabase(calls caller, binding string) database {
	return database{calls, binding, new(atomic.Int64)}
}

// DatabaseSize returns the size in bytes that D1 reported with the last ExecContext or batch, 0
// before the first one.
func DatabaseSize(db *sql.DB) int64 {
	if d, ok := db.Driver().(database); ok {
		return d.size.Load()
	}
	return 0
}

// Connect returns a connection. It needs no resources.
func (d database) Connect(context.Context) (driver.Conn, error) { return conn(d), nil }

// Driver implements driver.Connector.
func (d database) Driver() driver.Driver { return d }

// Open implements driver.Driver.
func (d database) Open(string) (driver.Conn, error) { return conn(d), nil }

type conn database

var (
	_ driver.ExecerContext  = conn{}
	_ driver.QueryerContext = conn{}

	errPrepare = errors.New("warm: prepared statements are not supported")
	errBegin   = errors.New("warm: D1 has no transactions")
)

func (conn) Prepare(string) (driver.Stmt, error) { return nil, errPrepare }
func (conn) Begin() (driver.Tx, error)           { return nil, errBegin }
func (conn) Close() error                        { return nil }

// ExecContext runs one statement and returns the number of changed rows.
func (c conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.run(ctx, opExec, query, args)
	if err != nil {
		return nil, err
	}
	res := result{changes: int64(r.int()), lastID: int64(r.int())}
	if size := r.int(); size > 0 {
		c.size.Store(int64(size))
	}
	return res, r.err
}

// QueryContext runs one statement and returns its rows. With a batch as its only argument it runs
// the statements of the batch.
func (c conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if len(args) == 1 {
		if b, ok := args[0].Value.(batch); ok {
			return c.runBatch(ctx, b)
		}
	}
	r, err := c.run(ctx, opQuery, query, args)
	if err != nil {
		return nil, err
	}
	columns := make([]string, r.count())
	for i := range columns {
		columns[i] = r.string()
	}
	return &rows{columns: columns, cells: r}, r.err
}

func (c conn) run(ctx context.Context, op op, query string, args []driver.NamedValue) (*reader, error) {
	m := newMessage().add(c.binding).add(query).addInt(len(args))
	for _, arg := range args {
		m.addValue(arg.Value)
	}
	return c.calls.call(ctx, op, m)
}

// batch is the argument of a query that runs several statements in one round trip and one
// transaction. The rows of each statement are a result set.
type batch interface {
	Batch() (queries []string, args [][]any)
}

// Batches marks a driver whose queries take a batch.
func (database) Batches() {}

func (c conn) runBatch(ctx context.Context, b batch) (driver.Rows, error) {
	queries, args := b.Batch()
	m := newMessage().add(c.binding).addInt(len(queries))
	for i, query := range queries {
		m.add(query).addInt(len(args[i]))
		for n, value := range args[i] {
			arg := driver.NamedValue{Ordinal: n + 1, Value: value}
			if err := c.CheckNamedValue(&arg); err != nil {
				return nil, err
			}
			m.addValue(arg.Value)
		}
	}
	r, err := c.calls.call(ctx, opBatch, m)
	if err != nil {
		return nil, err
	}
	if size := r.int(); size > 0 {
		c.size.Store(int64(size))
	}
	sets := &batchRows{cells: r, sets: len(queries)}
	return sets, sets.NextResultSet()
}

// batchRows are the result sets of a batch.
type batchRows struct {
	cells   *reader
	sets    int // that follow
	columns []string
	rows    int // of the current set that follow
}

func (r *batchRows) Columns() []string      { return r.columns }
func (r *batchRows) Close() error           { return nil }
func (r *batchRows) HasNextResultSet() bool { return r.sets > 0 }

func (r *batchRows) NextResultSet() error {
	if r.sets == 0 {
		return io.EOF
	}
	for ; r.rows > 0; r.rows-- {
		for range r.columns {
			r.cells.string()
		}
	}
	r.sets--
	r.columns = make([]string, r.cells.count())
	for i := range r.columns {
		r.columns[i] = r.cells.string()
	}
	r.rows = r.cells.int()
	return r.cells.err
}

func (r *batchRows) Next(row []driver.Value) error {
	if r.rows == 0 {
		return io.EOF
	}
	r.rows--
	for i := range row {
		row[i] = r.cells.value()
	}
	return r.cells.err
}

type result struct{ changes, lastID int64 }

func (r result) LastInsertId() (int64, error) { return r.lastID, nil }
func (r result) RowsAffected() (int64, error) { return r.changes, nil }

// rows decodes its cells on demand.
type rows struct {
	columns []string
	cells   *reader
}

func (r *rows) Columns() []string { return r.columns }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(row []driver.Value) error {
	if r.cells.remaining() == 0 {
		return io.EOF
	}
	for i := range row {
		row[i] = r.cells.value()
	}
	return r.cells.err
}

// The first byte of a value's field is the value's type.
const (
	valueNull  = 'n'
	valueText  = 's'
	valueInt   = 'i' // decimal
	valueFloat = 'f' // decimal
)

// maxSafeInteger is the largest integer that JavaScript, and so D1's binding, represents exactly.
const maxSafeInteger = 1<<53 - 1

func (m *message) addValue(v driver.Value) *message {
	switch v := v.(type) {
	case string:
		return m.add(string(valueText) + v)
	case int64:
		return m.add(string(valueInt) + strconv.FormatInt(v, 10))
	case float64:
		return m.add(string(valueFloat) + strconv.FormatFloat(v, 'g', -1, 64))
	case bool:
		if v {
			return m.add(string(valueInt) + "1")
		}
		return m.add(string(valueInt) + "0")
	}
	return m.add(string(valueNull))
}

func (r *reader) value() driver.Value {
	field := r.string()
	if field == "" {
		r.fail()
		return nil
	}
	text := field[1:]
	var v driver.Value
	var err error
	switch field[0] {
	case valueNull:
	case valueText:
		v = text
	case valueInt:
		v, err = strconv.ParseInt(text, 10, 64)
	case valueFloat:
		v, err = strconv.ParseFloat(text, 64)
	default:
		err = errMessage
	}
	if err != nil {
		r.fail()
		return nil
	}
	return v
}

// CheckNamedValue rejects values that D1 would store as something else.
func (conn) CheckNamedValue(v *driver.NamedValue) error {
	if _, ok := v.Value.(batch); ok {
		return nil
	}
	if v.Name != "" {
		return errors.New("warm: named argument: want positional arguments")
	}
	value, err := driver.DefaultParameterConverter.ConvertValue(v.Value)
	if err != nil {
		return err
	}
	switch value := value.(type) {
	case int64:
		if value > maxSafeInteger || value < -maxSafeInteger {
			return errors.New("warm: integer out of range: want an absolute value below 2^53")
		}
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return errors.New("warm: NaN or infinity: want a finite number")
		}
	case nil, string, bool:
	default:
		// Store a time as Unix milliseconds and a []byte as text.
		return fmt.Errorf("warm: unsupported type %T: want an integer, a float, a bool, a string or nil", value)
	}
	v.Value = value
	return nil
}
