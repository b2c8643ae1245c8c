package store

import (
	"context"
	"fmt"
	"time"

	"h5pay/internal/order"
)

// The data of the health page (migrations/0001_schema.sql, "Operating").

// Health holds the facts that the health page judges.
type Health struct {
	Reconciled time.Time // when the timer last completed a run; zero before the first time
	ForSale    bool      // whether a product is for sale
	BackEnd    bool      // whether a back end makes orders: an API key exists, or the newest order is not of the shop's page
	Foreign    int       // unpaid payments that were made for another merchant, MaxCounted at most
	OpenV2     int       // unpaid payments of the merchant, and refunds that have not ended, of APIv2, MaxCounted of each at most
	OpenV3     int       // the same of APIv3
	Stuck      int       // refunds that WeChat declined for a reason that a retry does not repair, MaxCounted at most
	Duplicates int       // duplicate payments that are neither refunded nor being refunded, MaxCounted at most
	Abnormal   int       // refunds that have to be paid out at the merchant platform, MaxCounted at most
	Unbalanced int       // of the last BillDays bills, those that differ from the books or failed to download
	Size       Size      // of the database, as the timer last measured it
	OpenGuests int       // open orders of guests
}

// MaxCounted is the largest count in Health and EndpointHealth. It bounds the rows that they
// read.
const MaxCounted = 100

// Health reads the health data of the shop of a merchant, in one statement. It reads about
// MaxCounted rows of each kind at most, whatever is open or pending.
func (s *Store) Health(ctx context.Context, mchID string) (Health, error) {
	var v Health
	var reconciled int64
	const unpaid = `(SELECT COUNT(*) FROM (SELECT 1 FROM payments INDEXED BY payments_due WHERE due_at IS NOT NULL AND mch_id `
	open := func(version string) string {
		return `(SELECT COUNT(*) FROM (SELECT 1 FROM payments INDEXED BY payments_due WHERE due_at IS NOT NULL AND mch_id = ?3 AND api_version = '` + version + `' LIMIT ?1))
		+ (SELECT COUNT(*) FROM (SELECT api_version FROM refunds INDEXED BY open_refunds WHERE status IN ('created', 'processing', 'abnormal') LIMIT ?1)
			WHERE api_version = '` + version + `')`
	}
	err := s.db.QueryRowContext(ctx, `SELECT
		COALESCE((SELECT at FROM timers WHERE name = 'reconcile'), 0),
		EXISTS (SELECT 1 FROM products WHERE for_sale = 1),
		EXISTS (SELECT 1 FROM keys WHERE revoked_at IS NULL) OR EXISTS (SELECT 1 FROM (SELECT source FROM orders ORDER BY orders.created_at DESC, orders.id DESC LIMIT 1) WHERE source <> 'shop'),
		MIN(?1, `+unpaid+`< ?3 LIMIT ?1)) + `+unpaid+`> ?3 LIMIT ?1))),
		`+open("v2")+`, `+open("v3")+`,
		(SELECT COUNT(*) FROM (SELECT 1 FROM refunds WHERE status = 'created' AND stuck = 1 LIMIT ?1)),
		(SELECT COUNT(*) FROM (SELECT 1 FROM refunds WHERE status = 'abnormal' LIMIT ?1)),
		(SELECT COUNT(*) FROM (SELECT order_id, out_trade_no FROM payments INDEXED BY unreturned_payments WHERE duplicate = 1 AND refunded < total LIMIT ?1) AS twice
			WHERE NOT EXISTS (SELECT 1 FROM refunds WHERE order_id = twice.order_id AND refunds.out_trade_no = twice.out_trade_no AND status IN ('created', 'processing', 'abnormal'))),
		(SELECT COUNT(*) FROM (SELECT status FROM bill_checks ORDER BY date DESC LIMIT ?2) WHERE status IN ('differs', 'failed')),
		COALESCE((SELECT used FROM database_size WHERE one = 1), 0), COALESCE((SELECT capacity FROM database_size WHERE one = 1), 0),
		(SELECT n FROM guests_open WHERE one = 1)`, MaxCounted, order.BillDays, mchID).
		Scan(&reconciled, &v.ForSale, &v.BackEnd, &v.Foreign, &v.OpenV2, &v.OpenV3, &v.Stuck, &v.Abnormal, &v.Duplicates, &v.Unbalanced, &v.Size.Used, &v.Size.Capacity, &v.OpenGuests)
	if err != nil {
		return Health{}, fmt.Errorf("reading the health data: %w", err)
	}
	v.Reconciled = fromMilli(reconciled)
	return v, nil
}

// Reconciled stores that the timer completed a run, and adds to its counters the payments about
// which it queried WeChat and the queries that failed. The trigger timer_ends deletes API keys
// that ended KeepEndedKeys ago.
func (s *Store) Reconciled(ctx context.Context, now time.Time, queried, failed int) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO timers (name, at, queried, failed) VALUES ('reconcile', ?, ?, ?) ON CONFLICT (name) DO UPDATE
		SET at = excluded.at, queried = timers.queried + excluded.queried, failed = timers.failed + excluded.failed`, now.UnixMilli(), queried, failed)
	if err != nil {
		return fmt.Errorf("storing the time of the timer's run: %w", err)
	}
	return nil
}

// ClaimChecks claims a run of the checks that make calls. One caller gets true, and none until window
// has passed.
func (s *Store) ClaimChecks(ctx context.Context, window time.Duration, now time.Time) (bool, error) {
	return s.run(ctx, "claiming the checks", `INSERT INTO timers (name, at) VALUES ('checks', ?1)
		ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE timers.at <= ?2 OR timers.at > ?1`, now.UnixMilli(), now.Add(-window).UnixMilli())
}
