package store_test

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// A payment is due twice its age after each query, at least a minute after it. After the
// expiry it is due each minute.
func TestDueTimes(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	o := insert(t, s, "alice", "key-1")
	var got []int
	for minute := range 24*60 + 6 {
		at := now.Add(time.Duration(minute) * time.Minute)
		due, err := s.Due(ctx, mchID, at, 10)
		if err != nil {
			t.Fatal(err)
		}
		for range due {
			got = append(got, minute)
			if ok, err := s.ClaimQuery(ctx, o.Payment.OutTradeNo, time.Second, at); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
	}
	want := []int{1, 3, 9, 27, 81, 243, 729, 1441, 1442, 1443, 1445}
	if !slices.Equal(got, want) {
		t.Errorf("due in minutes %v, want %v", got, want)
	}
}

// A query of the timer moves its next one, and a query for a buyer's page does not. Half of an odd
// number of ms is stored as a whole number, also by D1, which computes with REAL.
func TestDueWaitsAfterAQuery(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	o := insert(t, s, "alice", "key-1")
	no := o.Payment.OutTradeNo
	dueAfter := func(want map[int]int) {
		t.Helper()
		for minutes, want := range want {
			if due, err := s.Due(ctx, mchID, now.Add(time.Duration(minutes)*time.Minute), 10); err != nil || len(due) != want {
				t.Errorf("%d due after %d minutes, %v; want %d", len(due), minutes, err, want)
			}
		}
	}
	if ok, err := s.ClaimPoll(ctx, no, time.Second, now.Add(10*time.Minute)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	dueAfter(map[int]int{0: 0, 1: 1, 20: 1})
	if ok, err := s.ClaimQuery(ctx, no, time.Second, now.Add(20*time.Minute+time.Millisecond)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	dueAfter(map[int]int{21: 0, 60: 0, 61: 1})
	if err := s.QueryAgain(ctx, no, now.Add(21*time.Minute+time.Millisecond)); err != nil { // no response
		t.Fatal(err)
	}
	dueAfter(map[int]int{31: 0, 32: 1})
	if to, err := beginClose(s, o.ID, now.Add(61*time.Minute)); to != api.StatusClosing || err != nil {
		t.Fatal(to, err)
	}
	if ok, err := s.ClaimQuery(ctx, no, time.Second, now.Add(65*time.Minute+time.Millisecond)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	dueAfter(map[int]int{66: 0, 67: 0, 68: 1})
}

// perMinute is the smallest number of orders that one run of the timer queries on Cloudflare's free
// plan. TestOneTimerRunQueriesMany in internal/server counts them.
const perMinute = 38

// queriesADay is how often the timer queries an unpaid order until it is closed. TestDueTimes has
// the minutes.
const queriesADay = 8

// The timer handles as many unpaid orders a day as its queries allow. Each is queried in its second
// or third minute and closed within some minutes of its expiry. With twice as many orders the timer
// falls behind. The simulation has a tenth of the queries and orders; both bounds are linear.
func TestTimerKeepsUp(t *testing.T) {
	t.Parallel()
	const batch = perMinute / 10
	const capacity = batch * 24 * 60 / queriesADay // orders a day
	t.Logf("%d queries a minute are %d unpaid orders a day", perMinute, perMinute*24*60/queriesADay)
	first, closing := simulateTimer(t, batch, capacity*9/10)
	t.Logf("%d orders a day: first query after %s, closed %s after expiry (99 %%)", capacity*9/10, first, closing)
	if first > 4*time.Minute || closing > 10*time.Minute {
		t.Errorf("it falls behind: first query after %s, closed %s after expiry", first, closing)
	}
	if late, _ := simulateTimer(t, batch, capacity*2); late < 3*first {
		t.Errorf("twice as many are first queried after %s: the simulation cannot fail", late)
	}
}

// simulateTimer runs the timer for 27 hours with a number of new unpaid orders a day. It returns
// the time after which 99 % of them were first queried, and the time after their expiry at which 99
// % were closed. It uses the product's statements.
func simulateTimer(t *testing.T, batch, ordersADay int) (first, closing time.Duration) {
	t.Helper()
	s := store.New(storetest.Open(t))
	every := 24 * time.Hour / time.Duration(ordersADay)
	next := now
	var firsts, closings []time.Duration
	for minute := range 27 * 60 {
		at := now.Add(time.Duration(minute) * time.Minute)
		for ; !next.After(at); next = next.Add(every) {
			o := draft(t, fmt.Sprint("buyer-", next.UnixMilli()), "key")
			o.CreatedAt, o.ExpiresAt = next, next.Add(order.Lifetime)
			o, err := s.Insert(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			begin(t, s, o)
		}
		due, err := s.Due(ctx, mchID, at, batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range due {
			if p.QueriedAt.IsZero() {
				firsts = append(firsts, at.Sub(p.CreatedAt))
			}
			if ok, err := s.ClaimQuery(ctx, p.OutTradeNo, 3*time.Second, at); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if !at.Before(p.ExpiresAt.Add(order.ExpiryGrace)) {
				closings = append(closings, at.Sub(p.ExpiresAt))
				if ok, err := s.Close(ctx, p.OutTradeNo, at); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
		}
	}
	p99 := func(all []time.Duration) time.Duration {
		slices.Sort(all)
		return all[len(all)*99/100]
	}
	return p99(firsts), p99(closings)
}

// The work of some statements does not grow with the number of orders and events. They are those of
// the timer, of a claim of events when nothing is due, of the health page, a new order, the
// operator's lists and a search.
func TestWorkDoesNotGrowWithOrders(t *testing.T) {
	// Not parallel: it records the statements of the process.
	few, many := work(t, 3_000), work(t, 20_000) // 1,500 events fill a window
	for name, n := range few {
		t.Logf("%s: %d and %d steps", name, n, many[name])
		// The depth of a tree may grow, and a list may be a row longer.
		if most := n*3/2 + 500; many[name] > most {
			t.Errorf("%s: %d steps at 3,000 orders and %d at 20,000", name, n, many[name])
		}
	}
}

// work fills a database with orders and returns the number of SQLite's steps for each action of the
// product.
func work(t *testing.T, orders int) map[string]int {
	t.Helper()
	db := storetest.OpenSQLite(t)
	s := store.New(db)
	s.Bounds = store.Bounds{Buyer: 100, Guest: 50, NetworkGuests: 200, Guests: 1_000_000}
	fill(t, db, orders)
	one := func(query string) (value string) {
		t.Helper()
		if err := db.QueryRow(query).Scan(&value); err != nil {
			t.Fatal(err)
		}
		return value
	}
	paid := one(`SELECT id FROM orders WHERE status = 'paid' LIMIT 1 OFFSET 50`)
	number := one(`SELECT transaction_id FROM payments WHERE order_id = '` + paid + `'`)
	must := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	steps := map[string]int{}
	before := storetest.Snapshot(t, db)
	for name, do := range map[string]func(){
		"health":                       func() { _, err := s.Health(ctx, mchID); must(err) },
		"health of endpoints":          func() { _, err := s.EndpointHealth(ctx); must(err) },
		"endpoints with something due": func() { _, err := s.DueEndpoints(ctx, now); must(err) },
		"endpoints with nothing due":   func() { _, err := s.DueEndpoints(ctx, now.AddDate(0, 0, -1)); must(err) },
		"health of another merchant": func() {
			v, err := s.Health(ctx, "1900000110")
			must(err)
			if v.Foreign != store.MaxCounted {
				t.Errorf("%d orders of another merchant", v.Foreign)
			}
		},
		"timer, nothing due": func() {
			m, err := s.Minute(ctx, store.MinuteFilter{MchID: mchID, Now: now, Unpaid: now.AddDate(0, 0, -30), Refunds: 4, Notified: 10, Payments: 100})
			must(err)
			if !m.Done || len(m.Due) != 0 {
				t.Errorf("%d orders are due", len(m.Due))
			}
		},
		"timer, all expired":   func() { _, err := s.Expire(ctx, now.AddDate(1, 0, 0), 10); must(err) },
		"timer, all due":       func() { _, err := s.Due(ctx, mchID, now.AddDate(1, 0, 0), 10); must(err) },
		"deliver, nothing due": func() { _, err := s.ClaimEvents(ctx, order.SettingsEndpoint, now.AddDate(0, 0, -1), 5, 1); must(err) },
		"deliver, all due":     func() { _, err := s.ClaimEvents(ctx, order.SettingsEndpoint, now, 5, 1); must(err) },
		"new order of a guest": func() {
			_, err := s.Insert(ctx, guestOrder(t, "new", "203.0.113.7", "key"))
			must(err)
		},
		"delete":         func() { _, err := s.DeleteUnpaid(ctx, now.AddDate(1, 0, 0), 10); must(err) },
		"pending events": func() { _, _, err := s.Events(ctx, store.EventPage{Status: api.EventPending, Limit: 50}); must(err) },
		"all events":     func() { _, _, err := s.Events(ctx, store.EventPage{Limit: 50, Before: 300}); must(err) },
		"dead events":    func() { _, _, err := s.Events(ctx, store.EventPage{Status: api.EventDead, Limit: 50}); must(err) },
		"delivered events": func() {
			_, _, err := s.Events(ctx, store.EventPage{Status: api.EventDelivered, Limit: 50})
			must(err)
		},
		"untaken events": func() {
			events, _, err := s.Events(ctx, store.EventPage{Status: api.EventUntaken, Oldest: true, Limit: 50})
			must(err)
			if len(events) != 0 {
				t.Errorf("%d events are untaken", len(events))
			}
		},
		"resend of what an endpoint has": func() {
			_, _, err := s.ReplayRange(ctx, store.ReplayRange{From: now.Add(-time.Hour), To: now.AddDate(1, 0, 0), Status: api.EventDead, Endpoint: "ep_x", Limit: 200}, now)
			must(err)
		},
		"console, today": func() {
			_, err := s.Takings(ctx, now.AddDate(0, 0, -30), now.AddDate(0, 0, 1))
			must(err)
			_, err = s.Waiting(ctx, false)
			must(err)
		},
		"console, orders": func() {
			_, _, err := s.SearchWindow(ctx, store.WindowFilter{Limit: 50})
			must(err)
			_, _, err = s.SearchWindow(ctx, store.WindowFilter{Status: api.StatusPaid, Limit: 50})
			must(err)
		},
		"console, any number": func() {
			found, _, err := s.SearchWindow(ctx, store.WindowFilter{Number: number, Limit: 50})
			must(err)
			if len(found) != 1 || found[0].ID != paid {
				t.Errorf("%d orders have the number %s", len(found), number)
			}
		},
		"console, table of refunds": func() {
			_, err := s.RefundsAcceptedBetween(ctx, time.Time{}, time.Time{}, time.Time{}, "", 50)
			must(err)
		},
		"console, refunds that wait": func() { _, err := s.RefundRequests(ctx); must(err) },
	} {
		for _, n := range storetest.Steps(t, before, storetest.Statements(do)) {
			steps[name] += n
		}
	}
	return steps
}

// A minute of PostgreSQL in which nothing is due reads as much with 10,000 payments and deliveries that
// wait as with 10. TestWorkDoesNotGrowWithOrders is about SQLite.
func TestIdleMinuteOfPostgresIsConstant(t *testing.T) {
	t.Parallel()
	few, many := pagesOfIdleMinute(t, 10), pagesOfIdleMinute(t, 10_000)
	t.Logf("%d pages with 10 that wait, %d with 10,000", few, many)
	if few == 0 || many > few+30 { // trees may be deeper
		t.Errorf("%d pages with 10 that wait, %d with 10,000", few, many)
	}
}

// pagesOfIdleMinute returns how many pages of tables and indexes PostgreSQL reads to find that nothing
// is due, while a number of payments and deliveries wait.
func pagesOfIdleMinute(t *testing.T, waiting int) int {
	t.Helper()
	db := storetest.OpenPostgres(t)
	db.SetMaxOpenConns(1) // its statistics are those of everything
	s := store.New(db)
	pay(t, s, insert(t, s, "alice", "key-1"), now)
	open := insert(t, s, "bob", "key-2")
	storetest.Exec(t, db, `SET session_replication_role = replica`) // without triggers, which would take seconds
	storetest.Copy(t, db, "payments", "out_trade_no = '"+open.Payment.OutTradeNo+"'", waiting, map[string]string{"out_trade_no": "out_trade_no || n", "due_at": "due_at + n"})
	const first = "event_seq = (SELECT MAX(seq) FROM events)"
	storetest.Copy(t, db, "deliveries", first, waiting, map[string]string{"event_seq": "event_seq + n", "next_at": "next_at + n * 7919 % 10007"})
	storetest.Copy(t, db, "deliveries", first, 20_000, map[string]string{"event_seq": "event_seq + 10000 + n", "status": "'delivered'", "delivered_at": "created_at"})
	storetest.Exec(t, db, `SET session_replication_role = DEFAULT`)
	storetest.Exec(t, db, `ANALYZE`)
	pages := func() (n int) {
		t.Helper()
		storetest.Exec(t, db, `SELECT pg_stat_force_next_flush()`)
		if err := db.QueryRow(`SELECT SUM(COALESCE(heap_blks_read, 0) + COALESCE(heap_blks_hit, 0) + COALESCE(idx_blks_read, 0) + COALESCE(idx_blks_hit, 0))::bigint
			FROM pg_statio_user_tables`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := pages()
	m, err := s.Minute(ctx, store.MinuteFilter{MchID: mchID, Now: now.Add(-time.Second), Unpaid: now.AddDate(0, 0, -30), Refunds: 4, Notified: 10, Payments: 100})
	if !m.Done || err != nil {
		t.Fatal(m, err)
	}
	due, err := s.DueEndpoints(ctx, now.Add(-time.Second))
	if len(due) != 0 || err != nil {
		t.Fatal(due, err)
	}
	claimed, err := s.ClaimEvents(ctx, order.SettingsEndpoint, now.Add(-time.Second), 5, 1)
	if len(claimed) != 0 || err != nil {
		t.Fatal(claimed, err)
	}
	return pages() - before
}

// fill stores orders and their events. Half of the orders wait for a payment and are not due, a
// quarter is paid, and a quarter is closed. The events of the closed orders are pending.
func fill(t *testing.T, db *sql.DB, orders int) {
	t.Helper()
	storetest.Exec(t, db, `
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO orders (id, source, owner, guest, network, client_key, fingerprint, shop, appid, mch_id, items, total,
			currency, description, created_at, expires_at, status, updated_at, due_at)
		SELECT printf('%024d', i), 'shop', 'guest:' || i, 1, '198.51.' || (i / 250) || '.' || (i % 250), 'key', 'f', 'https://shop.example.com', 'wx', ?2,
			'[{"product_id":"tea","name":"tea","price":100,"quantity":1}]', 100, 'CNY', 'tea', ?3 - 60000 + i, ?3 + 86400000 - 60000 + i,
			'open', ?3, ?3 + 86400000 + i FROM n`, orders, mchID, now.UnixMilli())
	storetest.Exec(t, db, `
		INSERT INTO payments (out_trade_no, order_id, guest, appid, mch_id, api_version, trade_type, openid, total, currency, shop_name, body, client_ip, notify_url,
			created_at, expires_at, status, updated_at, due_at, prepay_id, prepay_at, pay_url)
		SELECT '00000000' || id, id, 1, appid, mch_id, 'v2', 'NATIVE', '', total, currency, '', description, '', '',
			created_at, expires_at, 'pending', ?1, ?1 + 60000 + CAST(id AS INTEGER), 'wx' || id, ?1, 'weixin://wxpay/' || id FROM orders`, now.UnixMilli())
	storetest.Exec(t, db, `UPDATE orders SET status = 'closing', due_at = NULL, network = NULL WHERE CAST(id AS INTEGER) % 4 = 0`)
	storetest.Exec(t, db, `UPDATE payments SET status = 'closed', due_at = NULL, updated_at = ?1 + CAST(order_id AS INTEGER) WHERE CAST(order_id AS INTEGER) % 4 = 0`, now.UnixMilli())
	storetest.Exec(t, db, `UPDATE payments SET status = 'paid', due_at = NULL, transaction_id = '4200' || order_id, paid_at = created_at,
		payer = 'p', settled_by = 'notify', settled_at = created_at, updated_at = ?1 + CAST(order_id AS INTEGER) WHERE CAST(order_id AS INTEGER) % 4 = 1`, now.UnixMilli())
	storetest.Exec(t, db, `UPDATE deliveries SET status = 'delivered', delivered_at = created_at, attempts = 1 WHERE closed = 0 AND event_seq % 2 = 0`)
	storetest.Exec(t, db, `UPDATE deliveries SET status = 'dead' WHERE closed = 0 AND status = 'pending' AND event_seq % 3 = 0`)
}
