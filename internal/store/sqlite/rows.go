package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

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
