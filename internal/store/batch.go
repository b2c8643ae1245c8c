package store

import (
	"context"
	"database/sql"
	"fmt"
)

// A round trip to D1 takes 50 to 250 ms where the database is far from the Worker. So the
// statements that one request knows at the same time go together.

// statement is one of several that go together.
type statement struct {
	what  string // for the error
	query string
	args  []any
	row   func(*sql.Rows) error // gets each row
}

// reading returns a statement that appends what scan makes of each row to a list.
func reading[T any](to *[]T, what string, scan func(*sql.Rows) (T, error), query string, args ...any) statement {
	return statement{"reading " + what, query, args, func(rows *sql.Rows) error {
		one, err := scan(rows)
		if err == nil {
			*to = append(*to, one)
		}
		return err
	}}
}

// writing returns a statement that reports whether it changed a row. The statement has no
// RETURNING of its own.
func writing(changed *bool, what, query string, args ...any) statement {
	return statement{what, query + ` RETURNING 1 AS changed`, args, func(*sql.Rows) error {
		*changed = true
		return nil
	}}
}

// together runs statements in this order. At D1 and SQLite they are one round trip and one
// transaction, so that none is kept if one fails. At PostgreSQL each is committed by itself, and those
// after one that fails do not run. So each has to be complete by itself.
func (s *Store) together(ctx context.Context, statements ...statement) error {
	if s.batches() && len(statements) > 1 {
		return s.batch(ctx, statements)
	}
	for _, st := range statements {
		rows, err := s.db.QueryContext(ctx, st.query, st.args...)
		if err != nil {
			return fmt.Errorf("%s: %w", st.what, err)
		}
		for err == nil && rows.Next() {
			noteRow(ctx, st.query)
			err = st.row(rows)
		}
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
		if err == nil {
			err = rows.Err()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", st.what, err)
		}
	}
	return nil
}

// batches reports whether the database runs several statements in one round trip.
func (s *Store) batches() bool {
	_, ok := s.db.Driver().(interface{ Batches() })
	return ok
}

// batch is the argument of a query that runs several statements: see signer/warm/d1.go and
// internal/store/sqlite.
type batch []statement

func (b batch) Batch() (queries []string, args [][]any) {
	for _, st := range b {
		queries, args = append(queries, st.query), append(args, st.args)
	}
	return queries, args
}

func (s *Store) batch(ctx context.Context, statements []statement) error {
	for range statements[1:] {
		count(ctx) // QueryContext counts one
	}
	rows, err := s.db.QueryContext(ctx, "", batch(statements))
	if err != nil {
		return fmt.Errorf("%s, with %d other statements: %w", statements[0].what, len(statements)-1, err)
	}
	defer rows.Close()
	for i, st := range statements {
		if i > 0 && !rows.NextResultSet() {
			return fmt.Errorf("%s: no result: %w", st.what, rows.Err())
		}
		for rows.Next() {
			noteRow(ctx, st.query)
			if err := st.row(rows); err != nil {
				return fmt.Errorf("%s: %w", st.what, err)
			}
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("%s: %w", st.what, err)
		}
	}
	return nil
}
