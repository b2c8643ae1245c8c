package move

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// sums is SQL for the sums of a shop, by their names. It runs on every database.
var sums = []struct{ what, sql string }{
	{"orders", `SELECT status, COUNT(*), CAST(COALESCE(SUM(total), 0) AS INTEGER), CAST(COALESCE(SUM(refunded), 0) AS INTEGER) FROM orders GROUP BY status ORDER BY status`},
	{"payments", `SELECT status || ' ' || duplicate, COUNT(*), CAST(COALESCE(SUM(total), 0) AS INTEGER), CAST(COALESCE(SUM(refunded), 0) AS INTEGER) FROM payments GROUP BY status, duplicate ORDER BY status, duplicate`},
	{"refunds", `SELECT status, COUNT(*), CAST(COALESCE(SUM(amount), 0) AS INTEGER), 0 FROM refunds GROUP BY status ORDER BY status`},
	{"events", `SELECT type, COUNT(*), CAST(COALESCE(SUM(seq), 0) AS INTEGER), 0 FROM events GROUP BY type ORDER BY type`},
	{"deliveries", `SELECT endpoint_id || ' ' || status, COUNT(*), CAST(COALESCE(SUM(event_seq), 0) AS INTEGER), CAST(COALESCE(SUM(attempts), 0) AS INTEGER)
		FROM deliveries GROUP BY endpoint_id, status ORDER BY endpoint_id, status`},
	{"links", `SELECT id || ' ' || deleted || ' ' || deleted_amount, orders, paid, paid_amount FROM links ORDER BY id`},
}

// readSums returns the sums as lines, such as "orders paid: 3, 20400, 600".
func readSums(ctx context.Context, tx *sql.Tx) (lines []string, err error) {
	for _, s := range sums {
		err := query(ctx, tx, s.sql, nil, func(row []any) error {
			lines = append(lines, fmt.Sprintf("%s %v: %v, %v, %v", s.what, row[0], row[1], row[2], row[3]))
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("summing the %s: %w", s.what, err)
		}
	}
	return lines, nil
}

// rules are the invariants of a shop in SQL. Each selects the rows that break it.
var rules = []struct{ what, sql string }{
	{"an order is paid by a payment that is not its own, or is not paid", `SELECT orders.id FROM orders LEFT JOIN payments ON payments.out_trade_no = paid_by
		WHERE paid_by IS NOT NULL AND (payments.order_id IS NULL OR payments.order_id <> orders.id OR payments.status <> 'paid' OR payments.duplicate = 1)`},
	{"a payment is paid, but neither pays its order nor is a duplicate", `SELECT out_trade_no FROM payments JOIN orders ON orders.id = order_id
		WHERE payments.status = 'paid' AND IIF(COALESCE(paid_by, '') = out_trade_no, 1, 0) = duplicate`},
	{"a payment has no order", `SELECT out_trade_no FROM payments WHERE NOT EXISTS (SELECT 1 FROM orders WHERE orders.id = order_id)`},
	{"a refund has no payment", `SELECT id FROM refunds WHERE NOT EXISTS (SELECT 1 FROM payments WHERE payments.out_trade_no = refunds.out_trade_no AND payments.order_id = refunds.order_id)`},
	{"the refunded amount of a payment is not the sum of its refunds", `SELECT out_trade_no FROM payments
		WHERE refunded <> (SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE refunds.out_trade_no = payments.out_trade_no AND refunds.status = 'succeeded')`},
	{"the refunded amount of an order is not that of its payment", `SELECT orders.id FROM orders JOIN payments ON out_trade_no = paid_by WHERE orders.refunded <> payments.refunded`},
	{"refunds exceed the payment", `SELECT out_trade_no FROM payments
		WHERE total < (SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE refunds.out_trade_no = payments.out_trade_no AND refunds.status IN ('processing', 'succeeded', 'abnormal'))`},
	{"a duplicate has no refund", `SELECT out_trade_no FROM payments WHERE duplicate = 1 AND NOT EXISTS (SELECT 1 FROM refunds WHERE refunds.out_trade_no = payments.out_trade_no)`},
	// An operator may delete the events of more than 30 days ago (docs/runbook.md).
	{"a paid order has no event, or two", `SELECT id FROM orders WHERE paid_by IS NOT NULL
		AND (SELECT COUNT(*) FROM events WHERE type = 'order.paid' AND subject = orders.id) NOT BETWEEN IIF(updated_at > (SELECT MAX(created_at) FROM events) - 2592000000, 1, 0) AND 1`},
	{"a delivery has no event or no endpoint", `SELECT event_seq FROM deliveries WHERE NOT EXISTS (SELECT 1 FROM events WHERE seq = event_seq) OR NOT EXISTS (SELECT 1 FROM endpoints WHERE endpoints.id = endpoint_id)`},
	{"the sums of a link are wrong", `SELECT id FROM links WHERE paid <> deleted + (SELECT COUNT(*) FROM orders WHERE link_id = links.id AND paid_by IS NOT NULL)
		OR paid_amount <> deleted_amount + (SELECT COALESCE(SUM(total), 0) FROM orders WHERE link_id = links.id AND paid_by IS NOT NULL)`},
	{"a closed order can be paid", `SELECT id FROM orders WHERE status = 'closed' AND EXISTS (SELECT 1 FROM payments WHERE order_id = orders.id AND payments.status IN ('created', 'pending', 'closing'))`},
	{"the last step of an order is not its status", `SELECT id FROM orders WHERE status <> COALESCE((SELECT step.status FROM order_changes AS step WHERE step.order_id = orders.id ORDER BY step.n DESC LIMIT 1), 'open')`},
	{"the count of open guest orders is wrong", `SELECT n FROM guests_open WHERE n <> (SELECT COUNT(*) FROM orders WHERE guest = 1 AND status = 'open')`},
}

// checkRules returns an error that names the first row that breaks each rule.
func checkRules(ctx context.Context, tx *sql.Tx) error {
	var broken []string
	for _, r := range rules {
		err := query(ctx, tx, r.sql+" LIMIT 1", nil, func(row []any) error {
			broken = append(broken, fmt.Sprintf("%s: %v", r.what, row[0]))
			return nil
		})
		if err != nil {
			return fmt.Errorf("checking whether %s: %w", r.what, err)
		}
	}
	if len(broken) > 0 {
		return fmt.Errorf("the data breaks an invariant: %s", strings.Join(broken, "; "))
	}
	return nil
}
