package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

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
