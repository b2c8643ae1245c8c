package storetest

import (
	"database/sql"
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// keepRefunds records every change of a refund's status, and keeps what was sent
// to WeChat as it was.
const keepRefunds = `
	CREATE TABLE refund_history (refund_id TEXT NOT NULL, was TEXT NOT NULL, became TEXT NOT NULL) STRICT;
	CREATE TRIGGER record_refund_history AFTER UPDATE OF status ON refunds
	BEGIN INSERT INTO refund_history VALUES (NEW.id, OLD.status, NEW.status); END;
	CREATE TRIGGER keep_refund BEFORE UPDATE ON refunds
	WHEN OLD.id <> NEW.id OR OLD.order_id <> NEW.order_id OR OLD.out_trade_no <> NEW.out_trade_no OR OLD.refund_key IS NOT NEW.refund_key OR OLD.api_version <> NEW.api_version OR OLD.amount <> NEW.amount
		OR OLD.reason <> NEW.reason OR OLD.notify_url <> NEW.notify_url OR OLD.created_at <> NEW.created_at
		OR OLD.from_balance <> NEW.from_balance AND OLD.status <> 'created'
		OR (OLD.refund_id IS NOT NULL AND OLD.refund_id IS NOT NEW.refund_id)
		OR (OLD.accepted_at IS NOT NULL AND OLD.accepted_at IS NOT NEW.accepted_at) OR NEW.updated_at < OLD.updated_at
	BEGIN SELECT RAISE(ABORT, 'a column that never changes was changed'); END;
	CREATE TRIGGER keep_refunds BEFORE DELETE ON refunds WHEN EXISTS (SELECT 1 FROM orders WHERE id = OLD.order_id)
	BEGIN SELECT RAISE(ABORT, 'a refund was deleted'); END;`

// checkRefunds fails the test when refunds, payments and orders do not agree. Each query sees
// one moment.
func checkRefunds(t testing.TB, db *sql.DB) {
	t.Helper()
	rows, err := db.Query(`SELECT payments.out_trade_no, IIF(duplicate = 1, 'duplicate', orders.status), payments.total, IIF(duplicate = 1, payments.refunded, orders.refunded),
		(SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE refunds.out_trade_no = payments.out_trade_no AND status = 'succeeded'),
		(SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE refunds.out_trade_no = payments.out_trade_no AND status IN ('processing', 'succeeded', 'abnormal')),
		(SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE refunds.out_trade_no = payments.out_trade_no AND status NOT IN ('failed', 'closed')),
		(SELECT COUNT(*) FROM refunds WHERE refunds.out_trade_no = payments.out_trade_no AND status IN ('created', 'processing', 'abnormal')),
		(SELECT COUNT(*) FROM refunds WHERE refunds.out_trade_no = payments.out_trade_no AND refund_key IS NULL)
		FROM payments JOIN orders ON orders.id = order_id
		WHERE duplicate = 1 OR payments.out_trade_no = COALESCE(paid_by, payments.out_trade_no)`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, status string
		var total, refunded, succeeded, accepted, live, open, foreign int64
		if err := rows.Scan(&id, &status, &total, &refunded, &succeeded, &accepted, &live, &open, &foreign); err != nil {
			t.Fatal(err)
		}
		for what, broken := range map[string]bool{
			"refunded is not the sum of its refunds":                 refunded != succeeded,
			"more than the total is refunded":                        accepted > total,
			"refunds that may succeed exceed the total":              live > total && foreign == 0,
			"refunds of an unpaid payment":                           live > 0 && status != "duplicate" && !order.WasPaid(api.OrderStatus(status)),
			"refunding without a refund under way":                   status == "refunding" && open == 0,
			"a refund is under way, but the status is not refunding": status != "refunding" && status != "duplicate" && open > 0,
			"the status is refunded, but not the total":              status == "refunded" && refunded != total,
			"the total is refunded, but the status is paid":          status == "paid" && refunded == total,
			"an unpaid payment has a refunded amount":                refunded > 0 && status != "duplicate" && !order.WasPaid(api.OrderStatus(status)),
			"more refunds are under way than WeChat allows":          open > order.MaxRefunds,
		} {
			if broken {
				t.Errorf("payment %s (%s, total %d, refunded %d, succeeded %d, accepted %d, live %d, open %d): %s",
					id, status, total, refunded, succeeded, accepted, live, open, what)
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	checkRefundHistory(t, db)
}

// checkRefundHistory fails the test if a refund made a change that is not in the table of changes.
// It also fails if the fields of a refund do not fit its status.
func checkRefundHistory(t testing.TB, db *sql.DB) {
	t.Helper()
	rows, err := db.Query(`SELECT id, status, refund_key IS NOT NULL, refund_id IS NOT NULL, ended_at IS NOT NULL, COALESCE(failure, ''),
		COALESCE((SELECT group_concat(was || '>' || became, ' ' ORDER BY rowid) FROM refund_history WHERE refund_id = refunds.id), '')
		FROM refunds`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, status, failure, history string
		var made, accepted, ended bool
		if err := rows.Scan(&id, &status, &made, &accepted, &ended, &failure, &history); err != nil {
			t.Fatal(err)
		}
		at := string(api.RefundCreated)
		if !made {
			at = string(api.RefundProcessing)
			if history == "" && status == string(api.RefundClosed) { // recorded when it was closed already
				at = status
			}
		}
		for change := range strings.FieldsSeq(history) {
			was, became, _ := strings.Cut(change, ">")
			if was != at || !order.RefundCanBecome(api.RefundStatus(was), api.RefundStatus(became)) {
				at = "nowhere"
				break
			}
			at = became
		}
		s := api.RefundStatus(status)
		for what, broken := range map[string]bool{
			"its history does not lead to its status": at != status,
			"accepted_at does not fit the status":     accepted != (s != api.RefundCreated && s != api.RefundFailed),
			"ended_at does not fit the status":        ended != (s == api.RefundSucceeded || s == api.RefundClosed || s == api.RefundFailed),
			"it failed without a code":                s == api.RefundFailed && failure == "",
			"it was accepted and has a failure":       accepted && failure != "",
		} {
			if broken {
				t.Errorf("refund %s (%s, history %q): %s", id, status, history, what)
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
