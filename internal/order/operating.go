package order

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// What the operator looks at (migrations/0001_schema.sql, "Operating").

// Vitals tell whether a shop is well.
type Vitals struct {
	Reconciled    time.Time // when the timer last asked WeChat about all it had to; zero before the first time
	ForSale       bool      // whether there is anything to buy
	OldestPending time.Time // when the oldest pending event about money was made, zero when none is
	OldestClosed  time.Time // the same for order.closed
	Dead          int       // events that were given up, MaxCounted at most
	Gone          bool      // the receiver wants no events any more: none is sent
	Foreign       int       // unpaid orders that were made for another merchant, MaxCounted at most
	Stuck         int       // refunds that WeChat declined for a reason that a retry does not cure, MaxCounted at most
	Abnormal      int       // refunds that have to be paid out at the merchant platform, MaxCounted at most
	Unbalanced    int       // of the last BillDays bills, those that differ from the books or cannot be had
	Size          Size      // of the database, as the timer last saw it
	OpenGuests    int       // orders of guests that wait for a payment
}

// MaxCounted is how far the vitals count, so that they read a constant number of rows.
const MaxCounted = 100

// Vitals reads the vitals of the shop of a merchant, in one statement. It reads about
// MaxCounted rows of each kind at most, whatever is open or pending.
func (s *Store) Vitals(ctx context.Context, mchID string) (Vitals, error) {
	var v Vitals
	var reconciled, oldest, closed int64
	const pending = `(SELECT MIN(created_at) FROM (SELECT created_at FROM events INDEXED BY events_due
		WHERE status = 'pending' AND blocked = 0 AND (type = 'order.closed') = `
	const unpaid = `(SELECT COUNT(*) FROM (SELECT 1 FROM orders INDEXED BY orders_due WHERE due_at IS NOT NULL AND mch_id `
	// An operator may have marked a dead event that was never tried.
	err := s.db.QueryRowContext(ctx, `SELECT
		COALESCE((SELECT at FROM timers WHERE name = 'reconcile'), 0),
		EXISTS (SELECT 1 FROM products WHERE for_sale = 1),
		COALESCE(`+pending+`0 ORDER BY next_at LIMIT ?1)), 0),
		COALESCE(`+pending+`1 ORDER BY next_at LIMIT ?1)), 0),
		(SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE status = 'dead' AND attempts > 0 LIMIT ?1)),
		`+receiverGone+`,
		MIN(?1, `+unpaid+`< ?3 LIMIT ?1)) + `+unpaid+`> ?3 LIMIT ?1))),
		(SELECT COUNT(*) FROM (SELECT 1 FROM refunds WHERE status = 'created' AND stuck = 1 LIMIT ?1)),
		(SELECT COUNT(*) FROM (SELECT 1 FROM refunds WHERE status = 'abnormal' LIMIT ?1)),
		(SELECT COUNT(*) FROM (SELECT status FROM bill_checks ORDER BY date DESC LIMIT ?2) WHERE status IN ('differs', 'failed')),
		COALESCE((SELECT used FROM database_size WHERE one = 1), 0), COALESCE((SELECT capacity FROM database_size WHERE one = 1), 0),
		(SELECT n FROM guests_open WHERE one = 1)`, MaxCounted, BillDays, mchID).
		Scan(&reconciled, &v.ForSale, &oldest, &closed, &v.Dead, &v.Gone, &v.Foreign, &v.Stuck, &v.Abnormal, &v.Unbalanced, &v.Size.Used, &v.Size.Capacity, &v.OpenGuests)
	if err != nil {
		return Vitals{}, fmt.Errorf("reading the vitals: %w", err)
	}
	v.Reconciled, v.OldestPending, v.OldestClosed = fromMilli(reconciled), fromMilli(oldest), fromMilli(closed)
	return v, nil
}

// Reconciled notes that the timer did all that it had to.
func (s *Store) Reconciled(ctx context.Context, now time.Time) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO timers (name, at) VALUES ('reconcile', ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at`, now.UnixMilli())
	if err != nil {
		return fmt.Errorf("noting the time: %w", err)
	}
	return nil
}

// Count adds to counters, for what leaves no row of its own.
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

// MaxOrdersCounted is how many orders Counters reads, the newest ones. An operator's
// call then costs at most about ten times as many rows, whatever the shop has sold.
const MaxOrdersCounted = 10_000

// Counters returns all counters: those of Count, and those of the newest orders, their
// payments, refunds and events.
func (s *Store) Counters(ctx context.Context) (map[string]int64, error) {
	// Columns and no UNION, of which D1 takes five terms.
	const counts = `(SELECT json_group_object(name, n) FROM (SELECT `
	var groups [5]string
	var late int64
	err := s.db.QueryRowContext(ctx, `
		WITH newest AS (SELECT id, status, settled_by, transaction_id IS NOT NULL AS paid FROM orders ORDER BY created_at DESC, id DESC LIMIT ?)
		SELECT (SELECT json_group_object(name, n) FROM counters),
		`+counts+`'orders.' || status AS name, COUNT(*) AS n FROM newest GROUP BY status)),
		`+counts+`'settled.' || COALESCE(settled_by, 'unknown') AS name, COUNT(*) AS n FROM newest WHERE paid GROUP BY settled_by)),
		`+counts+`'refunds.' || refunds.status AS name, COUNT(*) AS n FROM newest JOIN refunds ON order_id = newest.id WHERE paid GROUP BY refunds.status)),
		`+counts+`'events.' || events.status AS name, COUNT(*) AS n FROM newest JOIN events ON order_id = newest.id GROUP BY events.status)),
		(SELECT COUNT(*) FROM newest WHERE paid AND EXISTS
			(SELECT 1 FROM order_steps WHERE order_id = newest.id AND order_steps.status IN ('closing', 'closed', 'failed')))`, MaxOrdersCounted).
		Scan(&groups[0], &groups[1], &groups[2], &groups[3], &groups[4], &late)
	if err != nil {
		return nil, fmt.Errorf("reading the counters: %w", err)
	}
	counters := map[string]int64{}
	for _, group := range groups {
		if err := json.Unmarshal([]byte(group), &counters); err != nil {
			return nil, fmt.Errorf("reading the counters: %w", err)
		}
	}
	if late > 0 {
		counters["orders.paid_late"] = late
	}
	return counters, nil
}
