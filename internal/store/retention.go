package store

import (
	"context"
	"fmt"
	"time"
)

// DeleteUnpaid deletes at most limit orders that ended without a payment and were made before
// a time, and returns how many. The trigger order_is_deleted deletes their steps, payments
// and events in the same statement, and event_is_deleted the deliveries. An order stays if
// one of its payments was notified since that time.
func (s *Store) DeleteUnpaid(ctx context.Context, before time.Time, limit int) (int, error) {
	rows, err := s.db.QueryContext(ctx, `
		DELETE FROM orders WHERE +paid_by IS NULL AND id IN (`+oldUnpaid(`?1`)+` LIMIT ?2)
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

// oldUnpaid is SQL for the IDs of the orders that DeleteUnpaid deletes. before is a parameter.
// OFFSET keeps PostgreSQL from reading all payments.
func oldUnpaid(before string) string {
	return `SELECT id FROM orders INDEXED BY orders_by_status
		WHERE status = 'closed' AND status <> 'paid' AND created_at < ` + before + `
		AND NOT EXISTS (SELECT 1 FROM payments WHERE order_id = orders.id AND notified_at >= ` + before + ` LIMIT 1 OFFSET 0)`
}
