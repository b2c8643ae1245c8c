package store

import (
	"context"
	"fmt"
	"time"
)

// UseState marks the state of a sign-in as used. It returns false if the state was used
// before. The row can be deleted after expires, which is the same in every call with the state.
func (s *Store) UseState(ctx context.Context, state string, expires time.Time) (bool, error) {
	res, err := s.db.ExecContext(ctx, `INSERT INTO used_states (state, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING`, state, expires.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("marking a state as used: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("marking a state as used: %w", err)
	}
	return n == 1, nil
}

// DeleteStates deletes states that have expired, at most limit and those that expired in the same
// second as the last one.
func (s *Store) DeleteStates(ctx context.Context, now time.Time, limit int) error {
	_, err := s.db.ExecContext(ctx, `DELETE FROM used_states WHERE expires_at <=
		(SELECT MAX(expires_at) FROM (SELECT expires_at FROM used_states WHERE expires_at <= ? ORDER BY expires_at LIMIT ?))`, now.UnixMilli(), limit)
	if err != nil {
		return fmt.Errorf("deleting states: %w", err)
	}
	return nil
}
