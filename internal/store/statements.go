package store

import (
	"context"
	"database/sql"
	"sync/atomic"
)

// counted is a database that counts the statements that run under a context of
// [CountStatements]. Every statement of a Store goes through it.
type counted struct{ *sql.DB }

type counterKey struct{}

// CountStatements returns a context under which each statement of a Store adds one to
// the counter. D1 limits the statements of one invocation.
func CountStatements(ctx context.Context) (context.Context, *atomic.Int64) {
	n := new(atomic.Int64)
	return context.WithValue(ctx, counterKey{}, n), n
}

func count(ctx context.Context) {
	if n, ok := ctx.Value(counterKey{}).(*atomic.Int64); ok {
		n.Add(1)
	}
}

func (d counted) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	count(ctx)
	return d.DB.ExecContext(ctx, query, args...)
}

func (d counted) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	count(ctx)
	return d.DB.QueryContext(ctx, query, args...)
}

func (d counted) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	count(ctx)
	return d.DB.QueryRowContext(ctx, query, args...)
}
