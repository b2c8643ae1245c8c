package storetest

import (
	"database/sql"
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

// keepPayments records every change of a payment's status, and keeps what was sent to
// WeChat and what WeChat reported as it was. It also records the payments of which WeChat
// did not report the payer or the time.
const keepPayments = `
	CREATE TABLE payment_history (out_trade_no TEXT NOT NULL, was TEXT NOT NULL, became TEXT NOT NULL) STRICT;
	CREATE TRIGGER record_payment_history AFTER UPDATE OF status ON payments
	BEGIN INSERT INTO payment_history VALUES (NEW.out_trade_no, OLD.status, NEW.status); END;
	CREATE TRIGGER keep_payment BEFORE UPDATE ON payments
	WHEN OLD.out_trade_no <> NEW.out_trade_no OR OLD.order_id <> NEW.order_id OR OLD.guest <> NEW.guest OR OLD.appid <> NEW.appid
		OR OLD.mch_id <> NEW.mch_id OR OLD.api_version <> NEW.api_version OR OLD.trade_type <> NEW.trade_type
		OR OLD.openid <> NEW.openid AND (NEW.openid <> '' OR NEW.status IN ('created', 'pending'))
		OR OLD.total <> NEW.total OR OLD.currency <> NEW.currency OR OLD.shop_name <> NEW.shop_name OR OLD.body <> NEW.body
		OR OLD.client_ip <> NEW.client_ip AND (NEW.client_ip <> '' OR NEW.status IN ('created', 'pending'))
		OR OLD.notify_url <> NEW.notify_url OR OLD.created_at <> NEW.created_at OR OLD.expires_at <> NEW.expires_at
		OR (OLD.transaction_id IS NOT NULL AND OLD.transaction_id IS NOT NEW.transaction_id)
		OR (OLD.paid_at IS NOT NULL AND OLD.paid_at IS NOT NEW.paid_at)
		OR (OLD.payer IS NOT NULL AND OLD.payer IS NOT NEW.payer AND NEW.payer IS NOT '')
		OR OLD.duplicate > NEW.duplicate OR OLD.refunded > NEW.refunded OR OLD.simulated > NEW.simulated OR NEW.updated_at < OLD.updated_at
	BEGIN SELECT RAISE(ABORT, 'a column of a payment that never changes was changed'); END;
	CREATE TRIGGER keep_payments BEFORE DELETE ON payments WHEN EXISTS (SELECT 1 FROM orders WHERE id = OLD.order_id)
	BEGIN SELECT RAISE(ABORT, 'a payment was deleted'); END;
	CREATE TABLE incomplete (out_trade_no TEXT NOT NULL, paid_at INTEGER, payer TEXT) STRICT;
	CREATE TRIGGER record_incomplete AFTER UPDATE OF transaction_id ON payments WHEN NEW.paid_at IS NULL OR NEW.payer IS NULL
	BEGIN INSERT INTO incomplete VALUES (NEW.out_trade_no, NEW.paid_at, NEW.payer); END;`

// checkPayments fails the test when a payment does not agree with its order, or made a change
// that is not in the table of changes. Each query sees one moment.
func checkPayments(t testing.TB, db *sql.DB) {
	t.Helper()
	rows, err := db.Query(`SELECT payments.out_trade_no, orders.id, payments.status, payments.trade_type, openid, COALESCE(owner, ''), COALESCE(pay_url, ''),
		prepay_id IS NOT NULL, transaction_id IS NOT NULL, claimed_until IS NOT NULL, client_ip <> '', COALESCE(payer, ''), COALESCE(failure, ''),
		duplicate, COALESCE(paid_by, '') = payments.out_trade_no, orders.total = payments.total AND orders.currency = payments.currency
			AND orders.expires_at = payments.expires_at AND orders.description = body,
		payments.refunded, (SELECT COALESCE(SUM(amount), 0) FROM refunds WHERE refunds.out_trade_no = payments.out_trade_no AND refunds.status = 'succeeded'),
		(SELECT COUNT(*) FROM refunds WHERE refunds.id = 'DUP' || payments.out_trade_no AND refunds.out_trade_no = payments.out_trade_no
			AND refunds.order_id = payments.order_id AND amount = payments.total AND refund_key IS NOT NULL AND notify_url LIKE '%/api/notify/refund'),
		COALESCE((SELECT group_concat(was || '>' || became, ' ' ORDER BY rowid) FROM payment_history WHERE payment_history.out_trade_no = payments.out_trade_no), '')
		FROM payments JOIN orders ON orders.id = payments.order_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var number, id, status, tradeType, openid, owner, payURL, payer, failure, history string
		var prepaid, paid, asking, located, duplicate, pays, same bool
		var refunded, returned int64
		var refunds int
		if err := rows.Scan(&number, &id, &status, &tradeType, &openid, &owner, &payURL, &prepaid, &paid, &asking, &located, &payer, &failure,
			&duplicate, &pays, &same, &refunded, &returned, &refunds, &history); err != nil {
			t.Fatal(err)
		}
		for what, broken := range map[string]bool{
			"out_trade_no contains the public id of the order":            strings.Contains(number, strings.ToUpper(id)),
			"out_trade_no is not 32 characters":                           len(number) != 32,
			"created, but has a prepay_id":                                status == "created" && prepaid,
			"pending without a prepay_id":                                 status == "pending" && !prepaid,
			"paid without a transaction, or the reverse":                  (status == "paid") != paid,
			"failed without a code":                                       status == "failed" && failure == "",
			"its history does not lead to its status":                     !paymentLeads(strings.Fields(history), status),
			"a JSAPI payment of a guest":                                  tradeType == "JSAPI" && order.IsGuest(owner),
			"a JSAPI payment without an openid":                           tradeType == "JSAPI" && openid == "" && (status == "created" || status == "pending"),
			"pay_url does not fit the trade type":                         (payURL != "") != (prepaid && tradeType != "JSAPI"),
			"a JSAPI payment is claimed":                                  tradeType == "JSAPI" && asking,
			"it has ended and still has client_ip":                        located && (paid || status == "closed" || status == "failed"),
			"its owner is erased, but a person's data is left":            order.IsErased(owner) && (located || openid != "" || payer != "" && tradeType == "JSAPI"),
			"it is paid, but neither pays its order nor is a duplicate":   paid && pays == duplicate,
			"it is not paid, but pays its order or is a duplicate":        !paid && (pays || duplicate),
			"it differs from its order":                                   !same,
			"refunded is not the sum of its refunds":                      refunded != returned,
			"a duplicate without one refund of its total":                 duplicate && refunds != 1,
			"a refund of a duplicate, but the payment is not a duplicate": !duplicate && refunds != 0,
		} {
			if broken {
				t.Errorf("payment %s of order %s (%s, history %q): %s", number, id, status, history, what)
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	report(t, db, `SELECT 'order ' || order_id, 'two of its payments are offered to the same payer' FROM payments
		WHERE status IN ('created', 'pending') GROUP BY order_id, trade_type, openid HAVING COUNT(*) > 1
		UNION ALL
		SELECT 'payment ' || out_trade_no, 'own is not whether its owner is to pay it' FROM payments JOIN orders ON orders.id = order_id
		WHERE openid <> '' AND own <> IIF(COALESCE(owner, '') = openid, 1, 0)`)
}

// paymentLeads is leads for payments.
func paymentLeads(history []string, status string) bool {
	at := string(api.PaymentCreated)
	for _, change := range history {
		was, became, _ := strings.Cut(change, ">")
		if was != at || !order.PaymentCanBecome(api.PaymentStatus(was), api.PaymentStatus(became)) {
			return false
		}
		at = became
	}
	return at == status
}
