package store

import (
	"context"
	"fmt"
	"strings"
)

// Count adds to counters, for what no trigger can see.
func (s *Store) Count(ctx context.Context, counts map[string]int) error {
	var values []string
	var args []any
	for name, n := range counts {
		values = append(values, "(?, ?)")
		args = append(args, name, n)
	}
	if values == nil {
		return nil
	}
	_, err := s.db.ExecContext(ctx, `INSERT INTO counters (name, n) VALUES `+strings.Join(values, ", ")+`
		ON CONFLICT (name) DO UPDATE SET n = n + excluded.n`, args...)
	if err != nil {
		return fmt.Errorf("counting: %w", err)
	}
	return nil
}

// Counters returns all counters.
func (s *Store) Counters(ctx context.Context) (map[string]int64, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT name, n FROM counters`)
	if err != nil {
		return nil, fmt.Errorf("reading the counters: %w", err)
	}
	defer rows.Close()
	counters := map[string]int64{}
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return nil, fmt.Errorf("reading a counter: %w", err)
		}
		counters[name] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the counters: %w", err)
	}
	return counters, nil
}
