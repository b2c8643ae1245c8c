package store

import (
	"context"
	"fmt"
	"time"
)

// An operator stops selling when a price is wrong, and closes the orders that have it:
// OpenOrders and BeginCloseAll.

// Selling reports whether the shop sells, and when an operator last changed that. The time is
// zero if nobody did.
func (s *Store) Selling(ctx context.Context) (selling bool, since time.Time, err error) {
	var at int64
	err = s.db.QueryRowContext(ctx, `
		SELECT COALESCE(MAX(value), 1), COALESCE(MAX(at), 0) FROM switches WHERE name = 'selling'`).Scan(&selling, &at)
	if err != nil {
		return false, time.Time{}, fmt.Errorf("reading whether the shop sells: %w", err)
	}
	return selling, fromMilli(at), nil
}

// SetSelling stops or starts selling.
func (s *Store) SetSelling(ctx context.Context, selling bool, now time.Time) error {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO switches (name, value, at) VALUES ('selling', ?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = excluded.at WHERE switches.value <> excluded.value`, flag(selling), now.UnixMilli())
	if err != nil {
		return fmt.Errorf("storing whether the shop sells: %w", err)
	}
	return nil
}
