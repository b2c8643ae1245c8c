package warm

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"math"
	"strconv"
	"sync/atomic"
)

// database is D1 as a driver of database/sql. The library's own driver leaks a
// js.Func with every statement. As D1 has none, there are no transactions.
type database struct {
	calls   caller
	binding string
	size    *atomic.Int64 // in bytes, as of the last statement that said it
}

func newDatabase(calls caller, binding string) database {
	return database{calls, binding, new(atomic.Int64)}
}

// DatabaseSize returns the size in bytes that D1 reported with the last statement of
// ExecContext, 0 before the first one.
func DatabaseSize(db *sql.DB) int64 {
	if d, ok := db.Driver().(database); ok {
		return d.size.Load()
	}
	return 0
}

// Connect opens a connection, which costs nothing and holds nothing.
func (d database) Connect(context.Context) (driver.Conn, error) { return conn(d), nil }

// Driver is there for sql.OpenDB.
func (d database) Driver() driver.Driver { return d }

// Open is there for Driver.
func (d database) Open(string) (driver.Conn, error) { return conn(d), nil }

type conn database

var (
	_ driver.ExecerContext  = conn{}
	_ driver.QueryerContext = conn{}

	errPrepare = errors.New("warm: D1 prepares each statement itself")
	errBegin   = errors.New("warm: D1 has no transactions")
)

func (conn) Prepare(string) (driver.Stmt, error) { return nil, errPrepare }
func (conn) Begin() (driver.Tx, error)           { return nil, errBegin }
func (conn) Close() error                        { return nil }

// ExecContext runs one statement for its effect.
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

// QueryContext runs one statement for its rows.
func (c conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
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

type result struct{ changes, lastID int64 }

func (r result) LastInsertId() (int64, error) { return r.lastID, nil }
func (r result) RowsAffected() (int64, error) { return r.changes, nil }

// rows reads its cells as they are asked for.
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

// The first byte of a value's field says what the rest is.
const (
	valueNull  = 'n'
	valueText  = 's'
	valueInt   = 'i' // decimal
	valueFloat = 'f' // decimal
)

// maxSafeInteger is the largest integer that survives JavaScript, in which D1's
// binding is written.
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

// CheckNamedValue refuses what D1 would store as something else.
func (conn) CheckNamedValue(v *driver.NamedValue) error {
	if v.Name != "" {
		return errors.New("warm: D1 takes positional arguments only")
	}
	value, err := driver.DefaultParameterConverter.ConvertValue(v.Value)
	if err != nil {
		return err
	}
	switch value := value.(type) {
	case int64:
		if value > maxSafeInteger || value < -maxSafeInteger {
			return errors.New("warm: an integer from 2^53 on may be rounded")
		}
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return errors.New("warm: not a number that D1 can store")
		}
	case nil, string, bool:
	default:
		// A time above all: store Unix milliseconds. A []byte: store text.
		return errors.New("warm: a type that D1 cannot store")
	}
	v.Value = value
	return nil
}
