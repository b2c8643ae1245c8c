package order

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"h5pay/internal/api"
)

// What an operator does about a price that is wrong: stop selling, and close the
// orders that were made at it.

// OpenOrder is an order that is open.
type OpenOrder struct {
	ID         string
	OutTradeNo string
	Status     api.OrderStatus // created or pending
	CreatedAt  time.Time
	Matches    bool // it is one of those that the filter looks for
}

// OpenFilter says which open orders an operator wants to close.
type OpenFilter struct {
	Status    api.OrderStatus // created or pending
	ProductID string          // they hold this product; "" for any
	Before    time.Time       // they were made before
	AfterTime time.Time       // the list goes on after the order with this CreatedAt and ID
	AfterID   string
	Limit     int
}

// OpenOrders returns open orders of one status, oldest first, f.Limit at most. Those
// that do not match are there as well, so that a call reads f.Limit orders at most
// and the next call goes on after the last one.
func (s *Store) OpenOrders(ctx context.Context, f OpenFilter) ([]OpenOrder, error) {
	rows, err := s.db.QueryContext(ctx, `
		SELECT id, out_trade_no, status, created_at, (?1 = '' OR EXISTS (SELECT 1 FROM json_each(items) WHERE value ->> 'product_id' = ?1)) AS matches
		FROM orders WHERE status = ?2 AND created_at < ?3 AND (created_at, id) > (?4, ?5) ORDER BY created_at, id LIMIT ?6`,
		f.ProductID, string(f.Status), f.Before.UnixMilli(), f.AfterTime.UnixMilli(), f.AfterID, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("reading open orders: %w", err)
	}
	defer rows.Close()
	var orders []OpenOrder
	for rows.Next() {
		var o OpenOrder
		var created int64
		if err := rows.Scan(&o.ID, &o.OutTradeNo, &o.Status, &created, &o.Matches); err != nil {
			return nil, fmt.Errorf("reading an open order: %w", err)
		}
		o.CreatedAt = fromMilli(created)
		orders = append(orders, o)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading open orders: %w", err)
	}
	return orders, nil
}

// BeginCloseAll is BeginClose for many orders, in one statement: created or
// pending -> closing. It returns the IDs of those that it changed. The + keeps SQLite
// from reading every open order through the index of the statuses.
func (s *Store) BeginCloseAll(ctx context.Context, ids []string, now time.Time) (map[string]bool, error) {
	changed := map[string]bool{}
	if len(ids) == 0 {
		return changed, nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	args := []any{string(api.StatusClosing), now.UnixMilli(), MinCloseAge.Milliseconds(), now.UnixMilli(), string(list)}
	from := Sources(api.StatusClosing)
	for _, status := range from {
		args = append(args, string(status))
	}
	rows, err := s.db.QueryContext(ctx, `
		UPDATE orders SET status = ?, updated_at = MAX(updated_at, ?), network = NULL, due_at = MAX(created_at + ?, ?)
		WHERE id IN (SELECT value FROM json_each(?)) AND +status IN (`+strings.TrimSuffix(strings.Repeat(`?, `, len(from)), `, `)+`)
		RETURNING id`, args...)
	if err != nil {
		return nil, fmt.Errorf("closing %d orders: %w", len(ids), err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("closing %d orders: %w", len(ids), err)
		}
		changed[id] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("closing %d orders: %w", len(ids), err)
	}
	return changed, nil
}

// Selling reports whether the shop sells, and since when by an operator's call: the
// zero time when nobody ever made one.
func (s *Store) Selling(ctx context.Context) (selling bool, since time.Time, err error) {
	var at int64
	err = s.db.QueryRowContext(ctx, `
		SELECT COALESCE(MAX(value), 1), COALESCE(MAX(at), 0) FROM switches WHERE name = 'selling'`).Scan(&selling, &at)
	if err != nil {
		return false, time.Time{}, fmt.Errorf("reading whether the shop sells: %w", err)
	}
	return selling, fromMilli(at), nil
}

// SetSelling stops selling, or starts it again.
func (s *Store) SetSelling(ctx context.Context, selling bool, now time.Time) error {
	_, err := s.db.ExecContext(ctx, `
		INSERT INTO switches (name, value, at) VALUES ('selling', ?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = excluded.at WHERE value <> excluded.value`, flag(selling), now.UnixMilli())
	if err != nil {
		return fmt.Errorf("storing whether the shop sells: %w", err)
	}
	return nil
}
