package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Count adds to the counters of things that no other table stores.
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
		ON CONFLICT (name) DO UPDATE SET n = counters.n + excluded.n`, args...)
	if err != nil {
		return fmt.Errorf("counting: %w", err)
	}
	return nil
}

// MaxOrdersCounted is how many orders Counters reads, the newest ones. An operator's
// call then costs at most about ten times as many rows, whatever the shop has sold.
const MaxOrdersCounted = 10_000

// Counters returns all counters: those of Count and Reconciled, and those of the newest orders,
// their payments, refunds and deliveries of events.
func (s *Store) Counters(ctx context.Context) (map[string]int64, error) {
	// Columns instead of a UNION, because D1 allows a UNION five terms. CROSS JOIN makes
	// SQLite read the newest orders first.
	const counts = `(SELECT json_group_object(name, n) FROM (SELECT `
	var groups [5]string
	var late, duplicates, queried, failed int64
	err := s.db.QueryRowContext(ctx, `
		WITH newest AS (SELECT id, status, paid_by FROM orders ORDER BY created_at DESC, id DESC LIMIT `+strconv.Itoa(MaxOrdersCounted)+`)
		SELECT (SELECT json_group_object(name, n) FROM counters),
		`+counts+`'orders.' || status AS name, COUNT(*) AS n FROM newest GROUP BY status)),
		`+counts+`'settled.' || COALESCE(settled_by, 'unknown') AS name, COUNT(*) AS n FROM newest CROSS JOIN payments ON order_id = newest.id WHERE transaction_id IS NOT NULL GROUP BY settled_by)),
		`+counts+`'refunds.' || refunds.status AS name, COUNT(*) AS n FROM newest JOIN refunds ON order_id = newest.id WHERE paid_by IS NOT NULL GROUP BY refunds.status)),
		`+counts+`'deliveries.' || deliveries.status AS name, COUNT(*) AS n FROM newest CROSS JOIN events ON order_id = newest.id CROSS JOIN endpoints
			CROSS JOIN deliveries ON endpoint_id = endpoints.id AND event_seq = seq GROUP BY deliveries.status)),
		(SELECT COUNT(*) FROM newest WHERE paid_by IS NOT NULL AND EXISTS
			(SELECT 1 FROM order_changes WHERE order_id = newest.id AND order_changes.status IN ('closing', 'closed'))),
		(SELECT COUNT(*) FROM newest CROSS JOIN payments ON order_id = newest.id WHERE duplicate = 1),
		COALESCE((SELECT queried FROM timers WHERE name = 'reconcile'), 0), COALESCE((SELECT failed FROM timers WHERE name = 'reconcile'), 0)`).
		Scan(&groups[0], &groups[1], &groups[2], &groups[3], &groups[4], &late, &duplicates, &queried, &failed)
	if err != nil {
		return nil, fmt.Errorf("reading the counters: %w", err)
	}
	counters := map[string]int64{}
	for _, group := range groups {
		if err := json.Unmarshal([]byte(group), &counters); err != nil {
			return nil, fmt.Errorf("reading the counters: %w", err)
		}
	}
	for name, n := range map[string]int64{
		"orders.paid_late": late, "payments.duplicate": duplicates, "reconciled.queried": queried, "reconciled.failed": failed,
	} {
		if n > 0 {
			counters[name] = n
		}
	}
	return counters, nil
}
