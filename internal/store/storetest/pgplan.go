package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"h5pay/internal/pgtest"
	"h5pay/internal/store/postgres"
)

// FillPostgres stores orders with their payments, steps, refunds and events in an empty database:
// most are paid, some are closed, few are open. It also takes PostgreSQL's statistics.
func FillPostgres(ctx context.Context, s *pgtest.Server, name string, orders int) error {
	return s.Exec(ctx, name, strings.ReplaceAll(`
		SET session_replication_role = replica; -- without triggers
		INSERT INTO orders (id, token, source, reference, owner, guest, client_key, fingerprint, shop, appid, mch_id, items, total, currency, description,
			created_at, expires_at, status, paid_by, due_at, network, updated_at)
		SELECT lpad(i::text, 24, '0'), 'token' || i, 'shop', 'A-' || i, 'guest:' || i / 5, 1, 'key-' || i, 'f', 'https://shop.example.com', 'wx', '1900000109',
			'[{"product_id":"tea","name":"tea","price":100,"quantity":1}]', 100, 'CNY', 'tea', 1763800000000 + i * 1000, 1763886400000 + i * 1000,
			CASE WHEN i % 20 = 0 THEN 'open' WHEN i % 5 = 0 THEN 'closed' ELSE 'paid' END,
			CASE WHEN i % 5 <> 0 THEN 'P' || i END, CASE WHEN i % 20 = 0 THEN 1763886400000 + i * 1000 END,
			CASE WHEN i % 20 = 0 THEN '198.51.' || i % 250 || '.' || i % 99 END, 1763800000000 + i * 1000
		FROM generate_series(1, ORDERS) AS i;
		INSERT INTO payments (out_trade_no, order_id, guest, appid, mch_id, api_version, trade_type, openid, total, currency, shop_name, body, client_ip, notify_url,
			created_at, expires_at, status, prepay_id, prepay_at, due_at, transaction_id, payer, paid_at, settled_at, updated_at)
		SELECT 'P' || i, lpad(i::text, 24, '0'), 1, 'wx', '1900000109', 'v3', 'NATIVE', '', 100, 'CNY', 'shop', 'tea', '', 'https://shop.example.com/api/notify/pay',
			1763800000000 + i * 1000, 1763886400000 + i * 1000, CASE WHEN i % 20 = 0 THEN 'pending' WHEN i % 5 = 0 THEN 'closed' ELSE 'paid' END,
			'wx' || i, 1763800000000 + i * 1000, CASE WHEN i % 20 = 0 THEN 1763800000000 + i * 1000 END,
			CASE WHEN i % 5 <> 0 THEN '4200' || i END, CASE WHEN i % 5 <> 0 THEN 'payer' || i / 7 END,
			CASE WHEN i % 5 <> 0 THEN 1763800000000 + i * 1000 END, CASE WHEN i % 5 <> 0 THEN 1763800000000 + i * 1000 END, 1763800000000 + i * 1000
		FROM generate_series(1, ORDERS) AS i;
		INSERT INTO order_changes (order_id, n, status, at) SELECT id, 1, status, updated_at FROM orders WHERE status <> 'open';
		INSERT INTO refunds (id, order_id, out_trade_no, refund_key, api_version, amount, reason, notify_url, created_at, status, refund_id, accepted_at, ended_at, updated_at)
		SELECT 'R' || out_trade_no, order_id, out_trade_no, 'key', 'v3', 10, '', '', settled_at, 'succeeded', '50' || out_trade_no, settled_at, settled_at, settled_at
		FROM payments WHERE transaction_id IS NOT NULL AND created_at % 10000 = 1000;
		INSERT INTO events (id, type, order_id, subject, data, created_at)
		SELECT 'evt_paid_' || id, 'order.paid', id, id, jsonb_build_object('order', jsonb_build_object('id', id), 'payment', jsonb_build_object('payer', 'payer')), created_at
		FROM orders WHERE paid_by IS NOT NULL;
		INSERT INTO deliveries (endpoint_id, event_seq, closed, created_at, status, attempts, tries, next_at, delivered_at)
		SELECT 'settings', seq, 0, created_at, CASE WHEN created_at % 97000 = 0 THEN 'pending' ELSE 'delivered' END, 1, 1, created_at,
			CASE WHEN created_at % 97000 = 0 THEN NULL ELSE created_at END
		FROM events;
		INSERT INTO used_states (state, expires_at) SELECT 'state' || i, 1763800000000 + i FROM generate_series(1, ORDERS) AS i;
		UPDATE guests_open SET n = (SELECT COUNT(*) FROM orders WHERE guest = 1 AND status = 'open');
		ANALYZE`, "ORDERS", fmt.Sprint(orders)))
}

const (
	// bigShop is the number of orders in the database of CheckPostgresPlans. A statement may read at
	// most mostRead rows of a table there, which is about as many as Counters counts.
	bigShop  = 25_000
	mostRead = 12_000
)

// rowsRead returns how many rows of each table a session has read since its statistics were last
// written.
func rowsRead(ctx context.Context, tx *sql.Tx) (map[string]int, error) {
	rows, err := tx.QueryContext(ctx, `SELECT relname, COALESCE(seq_tup_read, 0) + COALESCE(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	read := map[string]int{}
	for rows.Next() {
		var table string
		var n int
		if err := rows.Scan(&table, &n); err != nil {
			return nil, err
		}
		read[table] = n
	}
	return read, rows.Err()
}

// CheckPostgresPlans repeats the statements of this process in a PostgreSQL database with
// many orders. It returns those that read more than mostRead rows of a table, triggers
// included. It uses the settings of the product and rolls back each statement.
func CheckPostgresPlans(s *pgtest.Server) (problems []string) {
	ctx := context.Background()
	if err := s.Exec(ctx, "postgres", "CREATE DATABASE plans"); err != nil {
		return []string{err.Error()}
	}
	if err := postgres.Migrate(ctx, postgres.Config{URL: s.URL("plans")}); err != nil {
		return []string{err.Error()}
	}
	if err := FillPostgres(ctx, s, "plans", bigShop); err != nil {
		return []string{err.Error()}
	}
	db, err := postgres.Open(postgres.Config{URL: s.URL("plans")})
	if err != nil {
		return []string{err.Error()}
	}
	defer db.Close()
	recorded.Lock()
	statements := maps.Clone(recorded.statements)
	recorded.Unlock()
	for _, query := range slices.Sorted(maps.Keys(statements)) {
		if strings.Contains(query, "pragma_") {
			continue // only SQLite has it
		}
		var args []any
		for _, arg := range statements[query].Args {
			if f, ok := arg.Value.(float64); ok {
				arg.Value = int64(f) // as the product sends it to PostgreSQL
			}
			args = append(args, arg.Value)
		}
		problems = append(problems, readsTooMuch(ctx, db, query, args)...)
	}
	return problems
}

// readsTooMuch runs a statement and rolls it back.
func readsTooMuch(ctx context.Context, db *sql.DB, query string, args []any) (problems []string) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return []string{err.Error()}
	}
	defer tx.Rollback()
	before, err := rowsRead(ctx, tx)
	if err != nil {
		return []string{err.Error()}
	}
	if rows, err := tx.QueryContext(ctx, query, args...); err != nil {
		return []string{fmt.Sprintf("PostgreSQL: %v in %s", err, query)}
	} else if err := rows.Close(); err != nil {
		return []string{err.Error()}
	}
	after, err := rowsRead(ctx, tx)
	if err != nil {
		return []string{err.Error()}
	}
	for table, n := range after {
		most := mostRead
		if strings.Contains(query, "WITH newest AS") {
			most *= 6 // up to 10,000 orders, each read by a few subqueries
		}
		if n -= before[table]; n > most {
			problems = append(problems, fmt.Sprintf("PostgreSQL reads %d rows of %s in %s", n, table, query))
		}
	}
	return problems
}
