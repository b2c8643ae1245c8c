package paytest

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"h5pay/internal/stack"
	"h5pay/wechat"
)

// Cost is what a part of the work cost at D1: the round trips, and the rows that D1 counts and
// bills. A written row counts once, and once for each of its index entries that are written.
type Cost struct {
	Trips, Read, Written int
	Statements           []string // the beginning of each, with its round trip and rows
	Results              []Result // of the statements
}

// D1 is the real local D1 as a database of database/sql. It counts what it costs.
type D1 struct {
	*sql.DB
	address string
	client  http.Client

	mu   sync.Mutex
	cost Cost
}

// Result is what D1 returned for a statement.
type Result struct {
	SQL     string
	Changes int64
	Columns []string
	Rows    [][]any // of strings, nil and json.Number
}

// StartD1 starts an empty D1 with the schema and the demo catalogue. root is the project's root. It
// ends with the test.
func StartD1(t testing.TB, root string) *D1 {
	t.Helper()
	root, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	files, err := stack.SchemaFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	server, err := stack.StartD1(t.Context(), root, files...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	d := &D1{address: server.Address}
	d.DB = sql.OpenDB(d)
	t.Cleanup(func() {
		d.DB.Close()
		d.client.CloseIdleConnections()
	})
	return d
}

// OpenOnD1 makes another signer over a D1 without orders. Calls and notifications go to it from
// then on. Shop.DB stays what it was, so that Check sees no order.
func (s *Shop) OpenOnD1(d *D1, change func(*Settings, *wechat.Config)) {
	s.T.Helper()
	was := s.DB
	s.DB = d.DB
	s.Reopen(change)
	s.DB = was
}

// Take returns what the work since the last call of Take cost.
func (d *D1) Take() Cost {
	d.mu.Lock()
	defer d.mu.Unlock()
	cost := d.cost
	d.cost = Cost{}
	return cost
}

// Trips returns the round trips since the last call of Take.
func (d *D1) Trips() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cost.Trips
}

// Connect implements driver.Connector.
func (d *D1) Connect(context.Context) (driver.Conn, error) { return d1Conn{d}, nil }

// Driver implements driver.Connector.
func (d *D1) Driver() driver.Driver { return d1Driver{d} }

type d1Driver struct{ d *D1 }

func (d d1Driver) Open(string) (driver.Conn, error) { return d1Conn(d), nil }

type d1Conn struct{ d *D1 }

func (d1Conn) Prepare(string) (driver.Stmt, error) {
	return nil, errors.New("D1 has no prepared statements")
}
func (d1Conn) Begin() (driver.Tx, error) { return nil, errors.New("D1 has no transactions") }
func (d1Conn) Close() error              { return nil }

func (c d1Conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	results, err := c.d.run(ctx, d1Statement{query, values(args)})
	if err != nil {
		return nil, err
	}
	return driver.RowsAffected(results[0].Meta.Changes), nil
}

// batch is the argument of a query that runs several statements, as in signer/warm.
type batch interface {
	Batch() (queries []string, args [][]any)
}

// Batches marks a driver whose queries take a batch.
func (d1Driver) Batches() {}

// CheckNamedValue accepts a batch.
func (d1Conn) CheckNamedValue(v *driver.NamedValue) (err error) {
	if _, ok := v.Value.(batch); !ok {
		v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value)
	}
	return err
}

func (c d1Conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	statements := []d1Statement{{query, values(args)}}
	if len(args) == 1 {
		if b, ok := args[0].Value.(batch); ok {
			queries, args := b.Batch()
			statements = make([]d1Statement, len(queries))
			for i := range statements {
				statements[i] = d1Statement{queries[i], make([]any, len(args[i]))}
				for n, arg := range args[i] {
					var err error
					if statements[i].Params[n], err = driver.DefaultParameterConverter.ConvertValue(arg); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	results, err := c.d.run(ctx, statements...)
	if err != nil {
		return nil, err
	}
	return &d1Rows{results: results}, nil
}

func values(args []driver.NamedValue) []any {
	all := make([]any, len(args))
	for i, arg := range args {
		all[i] = arg.Value
	}
	return all
}

type d1Statement struct {
	SQL    string `json:"sql"`
	Params []any  `json:"params"`
}

type d1Result struct {
	Results struct {
		Columns []string `json:"columns"`
		Rows    [][]any  `json:"rows"`
	} `json:"results"`
	Meta struct {
		Changes     int64 `json:"changes"`
		RowsRead    int   `json:"rows_read"`
		RowsWritten int   `json:"rows_written"`
	} `json:"meta"`
}

// run runs statements in one round trip, and counts it.
func (d *D1) run(ctx context.Context, statements ...d1Statement) ([]d1Result, error) {
	body, err := json.Marshal(statements)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+d.address+"/query?resultsFormat=ROWS_AND_COLUMNS", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := d.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	var results []d1Result
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&results); err != nil || len(results) != len(statements) {
		return nil, fmt.Errorf("D1: %s", text)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cost.Trips++
	for i, r := range results {
		d.cost.Results = append(d.cost.Results, Result{statements[i].SQL, r.Meta.Changes, r.Results.Columns, r.Results.Rows})
		d.cost.Read += r.Meta.RowsRead
		d.cost.Written += r.Meta.RowsWritten
		text := strings.Join(strings.Fields(statements[i].SQL), " ")
		d.cost.Statements = append(d.cost.Statements, fmt.Sprintf("trip %d reads %d and writes %d: %.150s", d.cost.Trips, r.Meta.RowsRead, r.Meta.RowsWritten, text))
	}
	return results, nil
}

// d1Rows are the rows of the results of one round trip.
type d1Rows struct {
	results []d1Result
	next    int // row of the first result
}

func (r *d1Rows) Columns() []string { return r.results[0].Results.Columns }
func (r *d1Rows) Close() error      { return nil }

func (r *d1Rows) HasNextResultSet() bool { return len(r.results) > 1 }

func (r *d1Rows) NextResultSet() error {
	if len(r.results) < 2 {
		return io.EOF
	}
	r.results, r.next = r.results[1:], 0
	return nil
}

func (r *d1Rows) Next(row []driver.Value) error {
	rows := r.results[0].Results.Rows
	if r.next == len(rows) {
		return io.EOF
	}
	for i, v := range rows[r.next] {
		if number, ok := v.(json.Number); ok {
			if n, err := number.Int64(); err == nil {
				v = n
			} else if v, err = number.Float64(); err != nil {
				return err
			}
		}
		row[i] = v
	}
	r.next++
	return nil
}
