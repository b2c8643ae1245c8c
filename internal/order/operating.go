package order

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// What the operator looks at (migrations/0001_schema.sql, "Operating").

// Vitals tell whether a shop is well.
type Vitals struct {
	Reconciled    time.Time // when the timer last asked WeChat about all it had to; zero before the first time
	ForSale       bool      // whether there is anything to buy
	OldestPending time.Time // when the oldest event that is not delivered was made, zero when none is
	Dead          int       // events that were given up
	Foreign       int       // unpaid orders that were made for another merchant
	Stuck         int       // refunds that WeChat declined for a reason that a retry does not cure
	Abnormal      int       // refunds that have to be paid out at the merchant platform
	Unbalanced    int       // of the last BillDays bills, those that differ from the books or cannot be had
}

// maxLooked bounds what the vitals cost: no more events are looked at, pending
// or dead, and no more orders counted. With more of them something is wrong in any case.
const maxLooked = 1000

// Vitals reads the vitals of the shop of a merchant, in one statement.
func (s *Store) Vitals(ctx context.Context, mchID string) (Vitals, error) {
	var v Vitals
	var reconciled, oldest int64
	// A dead event that was never tried is from before there was an outbox.
	err := s.db.QueryRowContext(ctx, `SELECT
		COALESCE((SELECT at FROM timers WHERE name = 'reconcile'), 0),
		EXISTS (SELECT 1 FROM products WHERE for_sale = 1),
		COALESCE((SELECT MIN(created_at) FROM (SELECT created_at FROM events WHERE status = 'pending' ORDER BY next_at LIMIT ?1)), 0),
		(SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE status = 'dead' AND attempts > 0 LIMIT ?1)),
		(SELECT COUNT(*) FROM (SELECT 1 FROM orders WHERE status IN ('created', 'pending', 'closing') AND mch_id <> ?3 LIMIT ?1)),
		(SELECT COUNT(*) FROM (SELECT 1 FROM refunds WHERE stuck = 1 LIMIT ?1)),
		(SELECT COUNT(*) FROM (SELECT 1 FROM refunds WHERE status = 'abnormal' LIMIT ?1)),
		(SELECT COUNT(*) FROM (SELECT status FROM bill_checks ORDER BY date DESC LIMIT ?2) WHERE status IN ('differs', 'failed'))`, maxLooked, BillDays, mchID).
		Scan(&reconciled, &v.ForSale, &oldest, &v.Dead, &v.Foreign, &v.Stuck, &v.Abnormal, &v.Unbalanced)
	if err != nil {
		return Vitals{}, fmt.Errorf("reading the vitals: %w", err)
	}
	v.Reconciled, v.OldestPending = fromMilli(reconciled), fromMilli(oldest)
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
