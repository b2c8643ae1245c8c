package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"h5pay/internal/api"
)

// The changes of an order that do not follow from a payment or a refund. Each is one
// conditional statement with the table of internal/order/status.go. If it changed nothing,
// the order had another status by then.
//
// The clock of the machine that made the previous change may be ahead. Then updated_at,
// and with it the time of the step, is that of the previous change.
//
// The trigger order_goes_on stores the step, and order_closes marks the payments of the order as
// closing. guest_order_ends frees the place of a guest's order that no longer waits for a payment.
// link_order_ends frees the place of a link's order, stock_comes_back gives back what a closed order
// took of the stock, and event_order_closed makes the event.

// endOpen is SQL that ends open orders at ?1: open -> closing while one of their payments can
// be paid at WeChat, else open -> closed.
const endOpen = `UPDATE orders SET
	status = IIF(EXISTS (SELECT 1 FROM payments WHERE order_id = orders.id AND payments.status IN ('created', 'pending', 'closing')), 'closing', 'closed'),
	updated_at = MAX(updated_at, ?1), network = NULL, due_at = NULL `

// BeginCloseAll is CloseWhole for many orders, in one statement. It returns the new status
// of the orders that it changed. The + keeps SQLite from reading every open order through
// the index of the statuses.
func (s *Store) BeginCloseAll(ctx context.Context, ids []string, now time.Time) (map[string]api.OrderStatus, error) {
	if len(ids) == 0 {
		return map[string]api.OrderStatus{}, nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	return s.ended(ctx, `WHERE id IN (SELECT value FROM json_each(?2)) AND +status = 'open'`, now.UnixMilli(), string(list))
}

// Expire is BeginCloseAll for at most limit orders that have expired, the earliest first. An order
// with a payment that can be paid has some minutes more: the timer closes the payment at WeChat
// by then, and the trigger payment_ends closes the order with it, which writes fewer rows.
func (s *Store) Expire(ctx context.Context, now time.Time, limit int) (map[string]api.OrderStatus, error) {
	return s.ended(ctx, `WHERE id IN (`+expired+` ORDER BY due_at LIMIT ?2) AND +status = 'open'`, now.UnixMilli(), limit)
}

// expired is SQL for the IDs of the orders that Expire ends at ?1.
const expired = `SELECT id FROM orders INDEXED BY orders_due WHERE due_at <= ?1 AND (due_at <= ?1 - 600000 OR NOT EXISTS
	(SELECT 1 FROM payments WHERE order_id = orders.id AND payments.status IN ('created', 'pending', 'closing')))`

// ended runs endOpen for the orders of where, and returns their new status by ID.
func (s *Store) ended(ctx context.Context, where string, args ...any) (map[string]api.OrderStatus, error) {
	type change struct {
		id     string
		status api.OrderStatus
	}
	all, err := readAll(ctx, s, "the orders that are closing", func(rows *sql.Rows) (c change, err error) {
		err = rows.Scan(&c.id, &c.status)
		return c, err
	}, endOpen+where+` RETURNING id, status`, args...)
	if err != nil {
		return nil, err
	}
	changed := make(map[string]api.OrderStatus, len(all))
	for _, c := range all {
		changed[c.id] = c.status
	}
	return changed, nil
}
