package order

import (
	"context"
	"fmt"
	"time"
)

// MinKeepUnpaid is the least time that an order without a payment is kept. An order can
// be paid for Lifetime. WeChat reports a payment for a day after it, and a timer
// compares the bills of the last BillDays days.
const MinKeepUnpaid = Lifetime + 24*time.Hour + (BillDays+1)*24*time.Hour

// DeleteUnpaid deletes orders that ended without a payment and were made before a
// time, at most limit, and returns how many. A trigger deletes their steps and events
// in the same statement. An order whose payment was notified since that time stays.
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

// Size is how large a database is and may become, in bytes. The zero Size is unknown.
type Size struct{ Used, Capacity int64 }

// Full reports whether no new order is taken: the last tenth is for payments, refunds
// and webhooks of the orders that exist. Insert asks the same in SQL.
func (s Size) Full() bool { return s.Capacity > 0 && s.Used >= s.Capacity/10*9 }

// NoteSize stores the size of the database for Insert and Vitals. It writes nothing
// when size and capacity have changed by less than a thousandth of the capacity.
func (s *Store) NoteSize(ctx context.Context, size Size) error {
	_, err := s.run(ctx, "noting the size of the database", `
		INSERT INTO database_size (one, used, capacity) VALUES (1, ?, ?)
		ON CONFLICT (one) DO UPDATE SET used = excluded.used, capacity = excluded.capacity
		WHERE ABS(excluded.capacity - capacity) >= capacity / 1000 OR ABS(excluded.used - used) >= capacity / 1000`, size.Used, size.Capacity)
	return err
}

// SQLiteSize returns the size of a SQLite database. Capacity is SQLite's own limit.
// Pages that a deletion has freed do not count as used.
func (s *Store) SQLiteSize(ctx context.Context) (Size, error) {
	var size Size
	err := s.db.QueryRowContext(ctx, `SELECT (page_count - freelist_count) * page_size, max_page_count * page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size, pragma_max_page_count`).Scan(&size.Used, &size.Capacity)
	if err != nil {
		return Size{}, fmt.Errorf("reading the size of the database: %w", err)
	}
	return size, nil
}
