package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
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

type changesKey struct{}

// NoteChanges returns a context under which a statement of a Store that changes a row sets changed.
// Statements about the audit list do not.
func NoteChanges(ctx context.Context) (noting context.Context, changed *atomic.Bool) {
	changed = new(atomic.Bool)
	return context.WithValue(ctx, changesKey{}, changed), changed
}

// IgnoreChanges ends the effect of NoteChanges.
func IgnoreChanges(ctx context.Context) context.Context {
	return context.WithValue(ctx, changesKey{}, (*atomic.Bool)(nil))
}

// noteRow notes a row that a statement returned, if the statement writes.
func noteRow(ctx context.Context, query string) {
	if changed, ok := ctx.Value(changesKey{}).(*atomic.Bool); ok && changed != nil && writes(query) {
		changed.Store(true)
	}
}

// writes reports whether a statement writes to a table that is not of the audit list.
func writes(query string) bool {
	words := strings.Fields(query[:min(len(query), 200)])
	switch {
	case len(words) < 3:
		return false
	case words[0] == "INSERT", words[0] == "DELETE":
		return !strings.HasPrefix(words[2], "audit")
	}
	return words[0] == "UPDATE"
}

func (d counted) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	count(ctx)
	res, err := d.DB.ExecContext(ctx, query, args...)
	if err == nil {
		if n, err := res.RowsAffected(); err == nil && n > 0 {
			noteRow(ctx, query)
		}
	}
	return res, err
}

func (d counted) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	count(ctx)
	return d.DB.QueryContext(ctx, query, args...)
}

func (d counted) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	count(ctx)
	return d.DB.QueryRowContext(ctx, query, args...)
}

// setting is the SET of an UPDATE that changes some columns, and the arguments of the statement.
type setting struct {
	columns string
	args    []any
}

// add sets one more column, "title = ".
func (s *setting) add(column string, value any) {
	s.args = append(s.args, value)
	s.columns += `, ` + column + `?` + strconv.Itoa(len(s.args))
}

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

// readAll runs a query and returns the value that scan reads from each row. what names the
// rows in an error.
func readAll[T any](ctx context.Context, s *Store, what string, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		noteRow(ctx, query)
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

// one returns the only row of a result. The error is ErrNotFound if there is none.
func one[T any](rows []T, err error) (T, error) {
	var none T
	if err != nil {
		return none, err
	}
	if len(rows) != 1 {
		if len(rows) > 1 {
			return none, fmt.Errorf("%d rows where one was expected", len(rows))
		}
		return none, ErrNotFound
	}
	return rows[0], nil
}
