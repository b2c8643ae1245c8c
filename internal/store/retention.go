package store

import (
	"context"
	"fmt"
	"time"
)

// DeleteUnpaid deletes orders that ended without a payment and were made before a
// time, at most limit, and returns how many. The trigger order_is_deleted deletes their
// steps and events in the same statement. An order whose payment was notified since
// that time stays.
func (s *Store) DeleteUnpaid(ctx context.Context, before time.Time, limit int) (int, error) {
	rows, err := s.db.QueryContext(ctx, `
		DELETE FROM orders WHERE transaction_id IS NULL AND (told_at IS NULL OR told_at < ?1) AND rowid IN (
			SELECT rowid FROM orders INDEXED BY orders_by_status
			WHERE status IN ('closed', 'failed') AND created_at < ?1 AND (told_at IS NULL OR told_at < ?1) LIMIT ?2)
		RETURNING 1`, before.UnixMilli(), limit)
	if err != nil {
		return 0, fmt.Errorf("deleting unpaid orders: %w", err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("deleting unpaid orders: %w", err)
	}
	return n, nil
}
