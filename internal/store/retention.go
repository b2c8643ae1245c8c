package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// DeleteUnpaid deletes at most limit orders that ended without a payment and were made before
// a time, and returns how many. The trigger order_is_deleted deletes their steps, payments
// and events in the same statement, and event_is_deleted the deliveries. An order stays if
// one of its payments was notified since that time, or if it has the newest event of the shop.
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
		AND NOT EXISTS (SELECT 1 FROM payments WHERE order_id = orders.id AND notified_at >= ` + before + ` LIMIT 1 OFFSET 0)` + notNewest
}

// notNewest is SQL for an order without the newest event. SQLite would give the number of that event
// to the next one, and a back end that reads events from a position on would miss it.
const notNewest = ` AND NOT EXISTS (SELECT 1 FROM events WHERE order_id = orders.id AND seq = (SELECT MAX(seq) FROM events))`

// DeleteOld deletes those orders of ids that were made before made and did not change since
// changed, with all that belongs to them. It returns their IDs, and the IDs of those that are still
// there. An order stays if one of its payments or refunds has not ended, if one of its events may
// still be delivered (waitsAt), or if it has the newest event of the shop.
//
// A delivery that waits at a disabled endpoint does not keep an order, although the operator may enable
// the endpoint again: an endpoint that is left disabled would keep its orders for ever.
//
// The triggers order_is_deleted and paid_order_is_deleted delete the rest, event_is_deleted the
// deliveries. The takings and the settlements of the days stay, and the sums of a link.
func (s *Store) DeleteOld(ctx context.Context, ids []string, made, changed time.Time, unset bool) (deleted, kept []string, err error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, nil, err
	}
	err = s.together(ctx,
		statement{"deleting old orders", `
			DELETE FROM orders WHERE id IN (SELECT value FROM json_each(?1)) AND created_at < ?2 AND updated_at < ?3
			AND +status IN ('paid', 'refunded', 'closed')
			AND NOT EXISTS (SELECT 1 FROM payments WHERE order_id = orders.id AND (payments.due_at IS NOT NULL OR duplicate = 1 AND payments.refunded < payments.total))
			AND NOT EXISTS (SELECT 1 FROM refunds WHERE order_id = orders.id AND refunds.status IN ('created', 'processing', 'abnormal'))
			AND NOT EXISTS (SELECT 1 FROM refund_requests WHERE order_id = orders.id AND refund_requests.status = 'waiting')
			AND NOT EXISTS (SELECT 1 FROM events JOIN deliveries ON event_seq = seq JOIN endpoints ON endpoints.id = endpoint_id
				WHERE order_id = orders.id AND deliveries.status = 'pending' AND ` + waitsAt(`?4`) + `)` + notNewest + `
			RETURNING id`, []any{string(list), made.UnixMilli(), changed.UnixMilli(), flag(unset)}, func(rows *sql.Rows) error {
			id, err := scanID(rows)
			deleted = append(deleted, id)
			return err
		}},
		reading(&kept, "the old orders that stay", scanID, `SELECT id FROM orders WHERE id IN (SELECT value FROM json_each(?1))`, string(list)))
	return deleted, kept, err
}

func scanID(rows *sql.Rows) (id string, err error) {
	err = rows.Scan(&id)
	return id, err
}
