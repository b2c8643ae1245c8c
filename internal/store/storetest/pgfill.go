package storetest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"h5pay/internal/order"
)

// The orders of FillPostgres. Order i, from 1, is a guest's and was made i seconds after FirstFilled.
// Every fifth order is closed, but every twentieth is open. The others are paid, and every tenth was
// refunded in part. The first delivery of every 97th order waits for its next try, at LastFilled.
// TestFillIsWhatTheProductStores has the calls that make such orders.
var (
	FirstFilled = time.UnixMilli(1763800000000).UTC()
	LastFilled  = time.UnixMilli(1863800000000).UTC()
)

// FilledOrder returns the ID of order i.
func FilledOrder(i int) string { return digest("", i)[:24] }

// FilledToken returns the token of order i.
func FilledToken(i int) string { return digest("token", i) }

// FilledOwner returns the owner of order i. A guest has five orders.
func FilledOwner(i int) string { return "guest:" + digest("", i/5)[:26] }

// FilledPayment returns the out_trade_no of order i.
func FilledPayment(i int) string { return filledDay(i) + strings.ToUpper(digest("P", i)[:24]) }

// FilledTransaction returns the number of WeChat's that is on the payer's receipt of order i.
func FilledTransaction(i int) string { return "4200" + filledDay(i) + fmt.Sprintf("%016d", i) }

// FilledRefund returns the out_refund_no of order i.
func FilledRefund(i int) string { return filledDay(i) + strings.ToUpper(digest("R", i)[:24]) }

// filledDay has the form of a day, such as 20000001, and changes each day.
func filledDay(i int) string { return fmt.Sprint(20000000 + i/86400) }

func digest(prefix string, i int) string {
	sum := md5.Sum(fmt.Append([]byte(prefix), i))
	return hex.EncodeToString(sum[:])
}

// filled is the FROM of a statement that computes the orders. Their events are numbered in the order
// of the orders.
const filled = ` FROM generate_series(1::bigint, ORDERS) AS i
	CROSS JOIN LATERAL (SELECT FIRST + i * 1000 AS t, (i / 86400 + 20000000)::text AS day, i % 20 = 0 AS open, i % 5 = 0 AND i % 20 <> 0 AS closed,
		i % 5 <> 0 AS paid, i % 10 = 1 AS back, i % 97 = 0 AS waits, i - (i - 1) / 20 + (i + 8) / 10 AS seq) AS o
	CROSS JOIN LATERAL (SELECT substr(md5(i::text), 1, 24) AS id, '198.51.' || i % 250 || '.' || i % 99 AS network, day || upper(substr(md5('P' || i), 1, 24)) AS no,
		'4200' || day || lpad(i::text, 16, '0') AS transaction, day || upper(substr(md5('R' || i), 1, 24)) AS refund) AS names `

// eventsOf follows filled: a row for each event. It is the first one of the order, or the second.
const eventsOf = `CROSS JOIN LATERAL (SELECT 0 AS second WHERE i % 20 <> 0 UNION ALL SELECT 1 WHERE i % 10 = 1) AS event `

// snapshot is SQL for an order as an event has it.
const snapshot = `'{"order": {"id": "' || id || '", "items": [{"name": "tea", "price": 100, "quantity": 1, "product_id": "tea"}], "total": 100, "source": "shop", "status": "'
	|| CASE WHEN closed THEN 'closed' ELSE 'paid' END || '", "link_id": null, "currency": "CNY", "metadata": ' || CASE WHEN i % 10 = 3 THEN '{"table": "7"}' ELSE 'null' END
	|| ', "refunded": ' || second * 10 || ', "reference": "A-' || i || '", "created_at": ' || t || ', "expires_at": ' || t + 86400000 || ', "description": "tea"}'
	|| CASE WHEN second = 1 THEN ', "refund": {"id": "' || refund || '", "amount": 10, "reason": "", "ended_at": ' || t || ', "refund_id": "50' || refund || '", "created_at": ' || t || '}' ELSE '' END
	|| CASE WHEN closed THEN '' ELSE ', "payment": {"appid": "wx", "payer": "payer' || i / 7 || '", "mch_id": "1900000109", "paid_at": ' || t
	|| ', "trade_type": "NATIVE", "api_version": "v3", "out_trade_no": "' || no || '", "transaction_id": "' || transaction || '"}' END || '}'`

// fills are the statements that store the rows of large tables, the longest first.
var fills = []struct{ table, sql string }{
	{"events", `INSERT INTO events (seq, id, type, order_id, subject, data, created_at)
		SELECT seq + second, CASE WHEN second = 1 THEN 'evt_refunded_' || refund WHEN closed THEN 'evt_closed_' || id ELSE 'evt_paid_' || id END,
			CASE WHEN second = 1 THEN 'order.refunded' WHEN closed THEN 'order.closed' ELSE 'order.paid' END, id, CASE WHEN second = 1 THEN refund ELSE id END,
			` + snapshot + `, t + CASE WHEN closed THEN 315000 ELSE 0 END` + filled + eventsOf},
	{"orders", `INSERT INTO orders (id, token, source, reference, owner, guest, client_key, fingerprint, shop, appid, mch_id, items, total, currency, description, metadata,
			created_at, expires_at, status, paid_by, refunded, due_at, network, updated_at)
		SELECT id, md5('token' || i), 'shop', 'A-' || i, 'guest:' || substr(md5((i / 5)::text), 1, 26), 1, 'key-' || i, 'f', 'https://shop.example.com', 'wx', '1900000109',
			'[{"product_id":"tea","name":"tea","price":100,"quantity":1}]', 100, 'CNY', 'tea', CASE WHEN i % 10 = 3 THEN '{"table":"7"}' END, t, t + 86400000,
			CASE WHEN open THEN 'open' WHEN closed THEN 'closed' ELSE 'paid' END, CASE WHEN paid THEN no END, CASE WHEN back THEN 10 ELSE 0 END,
			CASE WHEN open THEN t + 86400000 + GRACE END, CASE WHEN open THEN network END, t + CASE WHEN closed THEN 315000 ELSE 0 END` + filled},
	{"order_changes", `INSERT INTO order_changes (order_id, n, status, at)
		SELECT id, change.n, change.status, t + CASE WHEN change.status = 'closed' THEN 315000 ELSE 0 END` + filled + `
		CROSS JOIN LATERAL (SELECT 1 AS n, CASE WHEN closed THEN 'closing' ELSE 'paid' END AS status WHERE NOT open
			UNION ALL SELECT 2, CASE WHEN closed THEN 'closed' ELSE 'refunding' END WHERE closed OR back UNION ALL SELECT 3, 'paid' WHERE back) AS change`},
	{"payments", `INSERT INTO payments (out_trade_no, order_id, guest, appid, mch_id, api_version, trade_type, openid, total, currency, shop_name, body, client_ip, notify_url,
			created_at, expires_at, status, closing, prepay_id, prepay_at, sign_type, pay_url, queried_at, notified_at, due_at, transaction_id, payer, paid_at, settled_at, settled_by,
			refunded, updated_at)
		SELECT no, id, 1, 'wx', '1900000109', 'v3', 'NATIVE', '', 100, 'CNY', '', 'tea', '', 'https://shop.example.com/api/notify/pay',
			t, t + 86400000, CASE WHEN open THEN 'pending' WHEN closed THEN 'closed' ELSE 'paid' END, CASE WHEN closed THEN 1 ELSE 0 END, 'wx' || i, t, 'RSA', 'weixin://' || i,
			CASE WHEN paid THEN t END, CASE WHEN paid THEN t END, CASE WHEN open THEN t + 60000 END, CASE WHEN paid THEN transaction END,
			CASE WHEN paid THEN 'payer' || i / 7 END, CASE WHEN paid THEN t END, CASE WHEN paid THEN t END, CASE WHEN paid THEN 'notify' END,
			CASE WHEN back THEN 10 ELSE 0 END, t + CASE WHEN closed THEN 315000 ELSE 0 END` + filled},
	{"refunds", `INSERT INTO refunds (id, order_id, out_trade_no, refund_key, api_version, amount, reason, notify_url, created_at, status, refund_id, accepted_at, ended_at, updated_at)
		SELECT refund, id, no, 'key', 'v3', 10, '', '', t, 'succeeded', '50' || refund, t, t, t` + filled + `WHERE back`},
	{"deliveries", `INSERT INTO deliveries (endpoint_id, event_seq, closed, created_at, status, attempts, tries, tried_at, next_at, blocked, delivered_at, last_status, last_error)
		SELECT 'settings', seq + second, CASE WHEN closed THEN 1 ELSE 0 END, at, CASE WHEN waits THEN 'pending' ELSE 'delivered' END, CASE WHEN waiting THEN 0 ELSE 1 END,
			CASE WHEN waiting THEN 0 ELSE 1 END, CASE WHEN waiting THEN NULL ELSE at END, CASE WHEN waits AND second = 0 THEN LAST ELSE at END, CASE WHEN waiting THEN 1 ELSE 0 END,
			CASE WHEN waits THEN NULL ELSE at END, CASE WHEN waiting THEN NULL WHEN waits THEN 500 ELSE 200 END, CASE WHEN waits AND second = 0 THEN 'HTTP 500' END` +
		filled + eventsOf + `CROSS JOIN LATERAL (SELECT t + CASE WHEN closed THEN 315000 ELSE 0 END AS at, waits AND second = 1 AS waiting) AS delivery`},
}

// fillRest stores what follows from the rows of the large tables. It has the bounds and the sign-ins
// of the last hour, because the timer deletes the earlier ones.
const fillRest = `
	SELECT setval(pg_get_serial_sequence('events', 'seq'), (SELECT MAX(seq) FROM events));
	UPDATE endpoints SET attempts = made.n, failures = made.failed, last_success_at = made.success, last_failure_at = made.failure, last_error = CASE WHEN made.failure IS NOT NULL THEN 'HTTP 500' END
	FROM (SELECT COUNT(*) FILTER (WHERE attempts = 1) AS n, COUNT(*) FILTER (WHERE attempts = 1 AND status = 'pending'
			AND event_seq > (SELECT MAX(event_seq) FROM deliveries WHERE status = 'delivered')) AS failed,
		MAX(delivered_at) AS success, MAX(tried_at) FILTER (WHERE status = 'pending') AS failure FROM deliveries) AS made
	WHERE id = 'settings';
	UPDATE guests_open SET n = ORDERS / 20;
	INSERT INTO guests_by_hour (hour, network, n)
		SELECT t / 3600000, place.network, COUNT(*) FILTER (WHERE NOT paid)` + filled + `CROSS JOIN LATERAL (SELECT '' AS network UNION ALL SELECT names.network) AS place
		WHERE t / 3600000 >= (FIRST + ORDERS * 1000::bigint) / 3600000 - 1 AND i > ORDERS - 7200 GROUP BY 1, 2;
	INSERT INTO takings (hour, payments, paid, refunds, refunded)
		SELECT t / 3600000, COUNT(*) FILTER (WHERE paid), COUNT(*) FILTER (WHERE paid) * 100, COUNT(*) FILTER (WHERE back), COUNT(*) FILTER (WHERE back) * 10` +
	filled + `WHERE paid GROUP BY 1;
	INSERT INTO used_states (state, expires_at) SELECT md5('state' || i), FIRST + i * 1000 FROM generate_series(GREATEST(1, ORDERS - 3600)::bigint, ORDERS) AS i;`

// fillTable is a block of PL/pgSQL that fills a table without its indexes and then makes them, which
// takes a fraction of the time. The database writes no log for a table that it has just emptied.
const fillTable = `
	SET session_replication_role = replica; -- without triggers
	DO $fill$
	DECLARE
		line text;
		made text[];
		dropped text[];
	BEGIN
		SELECT array_agg(CASE WHEN contype IS NULL THEN pg_get_indexdef(indexrelid) ELSE format('ALTER TABLE TABLE_NAME ADD CONSTRAINT %I %s', conname, pg_get_constraintdef(c.oid)) END),
			array_agg(CASE WHEN contype IS NULL THEN format('DROP INDEX %s', indexrelid::regclass) ELSE format('ALTER TABLE TABLE_NAME DROP CONSTRAINT %I', conname) END)
		INTO made, dropped
		FROM pg_index LEFT JOIN pg_constraint AS c ON c.conindid = indexrelid WHERE indrelid = 'TABLE_NAME'::regclass;
		FOREACH line IN ARRAY dropped LOOP EXECUTE line; END LOOP;
		TRUNCATE TABLE_NAME;
		STATEMENT;
		FOREACH line IN ARRAY made LOOP EXECUTE line; END LOOP;
	END $fill$`

// FillPostgres stores orders with their payments, steps, refunds, events and deliveries in an empty
// database, as the product would have stored them. The user of the URL is a superuser. FillPostgres also
// does what autovacuum does. It calls done, which may be nil, after each step, at any time and from
// several goroutines.
func FillPostgres(ctx context.Context, url string, orders int, done func(step string)) error {
	if done == nil {
		done = func(string) {}
	}
	values := strings.NewReplacer("ORDERS", fmt.Sprint(orders), "FIRST", fmt.Sprint(FirstFilled.UnixMilli()), "LAST", fmt.Sprint(LastFilled.UnixMilli()),
		"GRACE", fmt.Sprint(order.ExpiryGrace.Milliseconds()))
	var group errgroup.Group
	group.SetLimit(3) // at once
	for _, f := range fills {
		group.Go(func() error {
			statement := values.Replace(f.sql)
			if err := exec(ctx, url, strings.NewReplacer("TABLE_NAME", f.table, "STATEMENT", statement).Replace(fillTable)); err != nil {
				return fmt.Errorf("filling %s: %w", f.table, err)
			}
			done(f.table)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := exec(ctx, url, "SET session_replication_role = replica;"+values.Replace(fillRest)); err != nil {
		return fmt.Errorf("filling the small tables: %w", err)
	}
	if err := exec(ctx, url, "VACUUM (ANALYZE, INDEX_CLEANUP OFF, PARALLEL 0)"); err != nil {
		return err
	}
	done("statistics")
	return nil
}

// exec runs statements in a connection of its own.
func exec(ctx context.Context, url, sql string) error {
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql).ReadAll()
	return errors.Join(err, conn.Close(ctx))
}
