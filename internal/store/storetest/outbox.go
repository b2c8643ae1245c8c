package storetest

import (
	"database/sql"
	"strings"
	"testing"
)

// keepEvents makes the database reject changes of an event's data.
const keepEvents = `
	CREATE TRIGGER keep_event BEFORE UPDATE ON events
	WHEN OLD.seq <> NEW.seq OR OLD.id <> NEW.id OR OLD.type <> NEW.type OR OLD.order_id <> NEW.order_id
		OR OLD.subject <> NEW.subject OR OLD.data <> NEW.data AND json(NEW.data) <> json_set(OLD.data, '$.payment.payer', NULL) OR OLD.created_at <> NEW.created_at
	BEGIN SELECT RAISE(ABORT, 'what an event says was changed'); END;
	CREATE TABLE without_payer (event_id TEXT NOT NULL) STRICT;
	CREATE TRIGGER record_without_payer AFTER UPDATE OF data ON events WHEN OLD.data <> NEW.data
	BEGIN INSERT INTO without_payer VALUES (NEW.id); END;
	CREATE TRIGGER keep_delivery BEFORE UPDATE ON deliveries
	WHEN OLD.endpoint_id <> NEW.endpoint_id OR OLD.event_seq <> NEW.event_seq OR OLD.closed <> NEW.closed OR OLD.created_at <> NEW.created_at OR OLD.attempts > NEW.attempts
	BEGIN SELECT RAISE(ABORT, 'what a delivery is was changed'); END;
	CREATE TRIGGER keep_events BEFORE DELETE ON events WHEN EXISTS (SELECT 1 FROM orders WHERE id = OLD.order_id)
	BEGIN SELECT RAISE(ABORT, 'an event of an order was deleted'); END;
	CREATE TRIGGER keep_paid_orders BEFORE DELETE ON orders
	WHEN OLD.paid_by IS NOT NULL AND OLD.created_at > (SELECT MAX(updated_at) FROM orders) - 32832000000
	BEGIN SELECT RAISE(ABORT, 'an order that was paid was deleted within the year of refunds'); END;`

// brokenEvents lists the faults of the outbox. Each row has a subject and its fault. It is
// one statement, so that it sees one moment.
const brokenEvents = `
	WITH paid AS (SELECT order_id, COUNT(*) AS n FROM events WHERE type = 'order.paid' GROUP BY order_id),
	closed AS (SELECT order_id, COUNT(*) AS n FROM events WHERE type = 'order.closed' GROUP BY order_id),
	facts AS (SELECT events.id AS event, events.type, data, orders.id AS sold, orders.total AS price, items, reference, metadata, payments.*, amount
		FROM events JOIN orders ON orders.id = events.order_id LEFT JOIN refunds ON refunds.id = subject
		LEFT JOIN payments ON payments.out_trade_no = CASE type WHEN 'payment.duplicate' THEN subject WHEN 'order.closed' THEN NULL ELSE paid_by END)
	SELECT 'order ' || id, COALESCE(n, 0) || ' events tell that it is paid, it is paid by ' || COALESCE(paid_by, 'none')
	FROM orders LEFT JOIN paid ON paid.order_id = id WHERE COALESCE(n, 0) <> IIF(paid_by IS NOT NULL, 1, 0)
	UNION ALL
	SELECT 'order ' || id, COALESCE(n, 0) || ' events tell that it is closed'
	FROM orders LEFT JOIN closed ON closed.order_id = id
	WHERE COALESCE(n, 0) <> IIF(EXISTS (SELECT 1 FROM history WHERE history.order_id = id AND became = 'closed')
		AND (source = 'api' OR EXISTS (SELECT 1 FROM payments WHERE payments.order_id = id AND prepay_id IS NOT NULL)), 1, 0)
	UNION ALL
	SELECT 'payment ' || out_trade_no, 'not told of once, and duplicate is ' || duplicate FROM payments
	WHERE duplicate <> (SELECT COUNT(*) FROM events WHERE type = 'payment.duplicate' AND subject = out_trade_no)
	UNION ALL
	SELECT 'refund ' || refunds.id, 'not told of once, though it is ' || refunds.status FROM refunds JOIN payments ON payments.out_trade_no = refunds.out_trade_no
	WHERE IIF(refunds.status = 'succeeded' AND duplicate = 0, 1, 0) <> (SELECT COUNT(*) FROM events WHERE type = 'order.refunded' AND subject = refunds.id)
	UNION ALL
	SELECT 'event ' || event, 'it does not say what is so: ' || data
	FROM facts
	WHERE json_extract(data, '$.order.id') IS NOT sold
	OR CAST(json_extract(data, '$.order.total') AS INTEGER) IS NOT price
	OR json(json_extract(data, '$.order.items')) IS NOT json(items)
	OR json_extract(data, '$.order.reference') IS NOT reference
	OR json(json_extract(data, '$.order.metadata')) IS NOT json(metadata)
	OR json_extract(data, '$.payment.out_trade_no') IS NOT out_trade_no
	OR json_extract(data, '$.payment.api_version') IS NOT api_version
	OR json_extract(data, '$.payment.trade_type') IS NOT trade_type
	OR json_extract(data, '$.payment.appid') IS NOT appid
	OR json_extract(data, '$.payment.mch_id') IS NOT mch_id
	OR json_extract(data, '$.payment.transaction_id') IS NOT transaction_id
	OR json_extract(data, '$.payment.payer') IS NOT NULLIF(payer, '') AND (json_extract(data, '$.payment.payer') IS NOT NULL
		OR NOT EXISTS (SELECT 1 FROM incomplete WHERE incomplete.out_trade_no = facts.out_trade_no AND incomplete.payer IS NULL)
		AND NOT EXISTS (SELECT 1 FROM without_payer WHERE event_id = event))
	OR CAST(json_extract(data, '$.payment.paid_at') AS INTEGER) IS NOT paid_at AND (json_extract(data, '$.payment.paid_at') IS NOT NULL
		OR NOT EXISTS (SELECT 1 FROM incomplete WHERE incomplete.out_trade_no = facts.out_trade_no AND incomplete.paid_at IS NULL))
	OR CAST(json_extract(data, '$.refund.amount') AS INTEGER) IS NOT IIF(type = 'payment.duplicate', price, amount)
	OR (type = 'order.refunded') <> (amount IS NOT NULL)
	UNION ALL
	SELECT 'guests', n || ' of their orders are open by the count' FROM guests_open
	WHERE n <> (SELECT COUNT(*) FROM orders WHERE guest = 1 AND status = 'open')
	UNION ALL
	SELECT 'link ' || id, 'it counts ' || orders || ' orders, ' || paid || ' paid with ' || paid_amount FROM links
	WHERE orders <> deleted + (SELECT COUNT(*) FROM orders AS made WHERE link_id = links.id AND (made.status = 'open' OR paid_by IS NOT NULL))
	OR paid <> deleted + (SELECT COUNT(*) FROM orders AS made WHERE link_id = links.id AND paid_by IS NOT NULL)
	OR paid_amount <> deleted_amount + (SELECT COALESCE(SUM(total), 0) FROM orders AS made WHERE link_id = links.id AND paid_by IS NOT NULL)
	UNION ALL
	SELECT 'order ' || id, 'its network is kept' FROM orders WHERE network IS NOT NULL AND (guest = 0 OR status <> 'open')
	UNION ALL
	SELECT 'event ' || id || ' at ' || endpoint_id, IIF(blocked = 1, 'it waits for nothing', 'it does not wait for an earlier one') FROM deliveries JOIN events ON seq = event_seq
	WHERE blocked <> IIF(type <> 'order.paid' AND EXISTS (SELECT 1 FROM events AS earlier JOIN deliveries AS other ON other.event_seq = earlier.seq
		WHERE earlier.order_id = events.order_id AND earlier.seq < events.seq AND other.endpoint_id = deliveries.endpoint_id AND other.status = 'pending'), 1, 0)
	AND status = 'pending'
	UNION ALL
	SELECT 'event ' || id || ' at ' || endpoint_id, 'marked before it was sent: ' || status || ' after ' || attempts || ' attempts' FROM deliveries JOIN events ON seq = event_seq
	WHERE tries > attempts OR status = 'delivered' AND attempts = 0
	UNION ALL
	SELECT 'delivery ' || event_seq || ' at ' || endpoint_id, 'its event or its endpoint is missing, or it is not of its type' FROM deliveries
	WHERE NOT EXISTS (SELECT 1 FROM events WHERE seq = event_seq AND closed = (type = 'order.closed')) OR endpoint_id NOT IN (SELECT id FROM endpoints)
	UNION ALL
	SELECT 'event ' || events.id, 'endpoint ' || endpoints.id || ' does not get it' FROM events CROSS JOIN endpoints
	WHERE state IN ('enabled', 'gone') AND events.created_at > endpoints.updated_at AND (types = '[]' OR EXISTS (SELECT 1 FROM json_each(types) WHERE value = events.type))
	AND NOT EXISTS (SELECT 1 FROM deliveries WHERE endpoint_id = endpoints.id AND event_seq = seq)`

// checkEvents fails the test when an invariant of the outbox does not hold.
func checkEvents(t testing.TB, db *sql.DB) {
	t.Helper()
	query := brokenEvents
	if _, ok := db.Driver().(*database); ok {
		query = inAnyOrder(query)
	}
	report(t, db, query)
}

// inAnyOrder makes SQLite compare the items and the metadata of an event with those of its order,
// whatever the order of their keys is. PostgreSQL stores the keys in an order of its own, and an
// event that comes from there keeps it.
func inAnyOrder(query string) string {
	for _, name := range []string{"items", "metadata"} {
		event := "json_extract(data, '$.order." + name + "')"
		values := func(document string) string {
			return "(SELECT group_concat(fullkey || ' ' || atom, ', ' ORDER BY fullkey) FROM json_tree(" + document + ") WHERE atom IS NOT NULL)"
		}
		differ := "json(" + event + ") IS NOT json(" + name + ")"
		query = strings.Replace(query, differ, differ+" AND "+values(event)+" IS NOT "+values(name), 1)
	}
	return query
}
