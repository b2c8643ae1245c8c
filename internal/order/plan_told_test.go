package order_test

import (
	"strings"
	"testing"

	"h5pay/internal/order/ordertest"
)

// The statements of told orders and of refunds that wait for the operator read an
// index of those rows alone, however many orders there are.
func TestPlansOfToldOrdersAndStuckRefunds(t *testing.T) {
	db := ordertest.Open(t)
	for query, index := range map[string]string{
		`SELECT id FROM orders INDEXED BY told_orders WHERE told_at IS NOT NULL AND transaction_id IS NULL AND queried_at <= 5 AND mch_id = 'm'
			AND queried_at + (queried_at - told_at) / 2 <= 5 AND told_at > 3 ORDER BY queried_at LIMIT 5`: "told_orders",
		`UPDATE orders SET told_at = 1, queried_at = 1 WHERE out_trade_no = 'x' AND transaction_id IS NULL AND appid = 'a'
			AND (told_at IS NULL OR told_at <= 1)`: "out_trade_no=?",
		`SELECT COUNT(*) FROM (SELECT 1 FROM refunds WHERE stuck = 1 LIMIT 1000)`:           "stuck_refunds",
		`SELECT COUNT(*) FROM (SELECT 1 FROM refunds WHERE status = 'abnormal' LIMIT 1000)`: "abnormal_refunds",
	} {
		rows, err := db.Query(`EXPLAIN QUERY PLAN ` + query)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(plan, "; "); !strings.Contains(text, index) || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s\nplan: %s, want %s", query, text, index)
		}
	}
}
