// Package store keeps the shop's orders, payments, refunds and events over database/sql, each
// table in a file of its own.
//
// The same SQL runs on D1, on SQLite and, translated by package postgres, on PostgreSQL. Every
// change is one conditional statement, because D1 offers no transactions through
// database/sql. The triggers of migrations/ continue some of them inside the statement.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Store keeps products and orders in a database with the schema of
// migrations/. It is safe for concurrent use.
type Store struct {
	Bounds Bounds // of new orders; set before the first use

	db counted
}

// New returns a store over db: D1 in the Worker, SQLite or PostgreSQL elsewhere.
func New(db *sql.DB) *Store { return &Store{Bounds: DefaultBounds(), db: counted{db}} }

// ErrNotFound is returned for an order, a payment, a refund or an event that does not exist, and
// for an order of another owner.
var ErrNotFound = errors.New("no such order")

// run executes one statement and reports whether it changed anything. what is for the
// error.
func (s *Store) run(ctx context.Context, what, query string, args ...any) (bool, error) {
	res, err := s.db.ExecContext(ctx, query, args...)
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return n > 0, nil // D1 counts what triggers write too
}

// readAll runs a query and returns what scan makes of each row. what names the rows in
// an error.
func readAll[T any](ctx context.Context, s *Store, what string, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", what, err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	return all, nil
}

// milli is how a time is stored; the zero time as NULL.
func milli(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// text is how an optional text is stored; "" as NULL.
func text(v string) any {
	if v == "" {
		return nil
	}
	return v
}

// flag is how a bool is stored.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// fromMilli reads a stored time; 0 stands for NULL.
func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
