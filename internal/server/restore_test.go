package server_test

import (
	"database/sql"
	"maps"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/store/storetest"
)

// Orders and refunds that a restore of the database lost come right, and are told
// of, once they are put back as the runbook says: with its own statements.
func TestOrdersPutBackAfterARestoreComeRight(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s := r.shop
	buyer, op := s.signedIn(0), s.operator()
	paid, partly, whole := buyer.paidOrder("tea", 1), buyer.paidOrder("tea", 2), buyer.paidOrder("tea", 1)
	open := buyer.order("tea", 1).Order
	back := refundOf(500)
	op.refund(partly.ID, back)
	op.refund(whole.ID, refundOf(whole.Total))
	s.sim.Advance(time.Minute)
	for range 2 { // a refund's event waits for its order's
		r.deliver()
	}
	known := maps.Clone(r.times)
	if len(known) != 5 {
		t.Fatalf("delivered before: %v", known)
	}

	storetest.Exec(t, s.db, `UPDATE orders SET simulated = 1 WHERE id = ?`, whole.ID)
	storetest.Exec(t, s.db, `DROP TRIGGER keep_refund`)
	storetest.Exec(t, s.db, `UPDATE refunds SET from_balance = 1 WHERE order_id = ?`, whole.ID)
	r.accept.Simulated = true
	before := s.db
	s.db = storetest.Open(t)
	s.handler = s.open(r.config)
	putBack(t, before, s.db, "orders", `ON CONFLICT DO NOTHING`)
	s.sim.Advance(time.Minute)
	s.reconcile()
	s.wantStatus(paid.ID, api.StatusPaid)
	storetest.Exec(t, s.db, `DROP TRIGGER keep_refund`) // what was found at WeChat gets its key again
	putBack(t, before, s.db, "refunds", `ON CONFLICT (id) DO UPDATE SET refund_key = excluded.refund_key, reason = excluded.reason, from_balance = excluded.from_balance`)
	var fromBalance string
	if err := s.db.QueryRow(`SELECT group_concat(order_id) FROM refunds WHERE from_balance = 1`).Scan(&fromBalance); err != nil || fromBalance != whole.ID {
		t.Errorf("from the balance: %q, %v", fromBalance, err)
	}
	storetest.Exec(t, s.db, `INSERT INTO refund_history (rowid, refund_id, was, became) SELECT -rowid, id, 'created', 'processing' FROM refunds`)
	s.sim.Advance(time.Minute)
	s.reconcile()
	s.wantStatus(partly.ID, api.StatusPaid)
	s.wantRefunds(partly.ID, "succeeded 500")
	s.wantStatus(whole.ID, api.StatusRefunded)
	s.wantStatus(open.ID, api.StatusCreated)
	// The key still makes it the same refund.
	if r := op.refund(partly.ID, back); r.Status != api.RefundSucceeded {
		t.Errorf("%+v", r)
	}
	s.wantRefunds(partly.ID, "succeeded 500")
	var told string
	if err := s.db.QueryRow(`SELECT group_concat(type || ' ' || status, ', ' ORDER BY type) FROM events`).Scan(&told); err != nil ||
		told != "order.paid pending, order.paid pending, order.paid pending, order.refunded pending, order.refunded pending" {
		t.Errorf("told %q, %v", told, err)
	}
	// All five go out again, each under the id that the back end knows: one that
	// keeps ids, as docs/webhooks.md says, ships nothing twice.
	for range 2 {
		r.deliver()
	}
	for id, n := range r.times {
		if known[id] != 1 || n != 2 {
			t.Errorf("event %s: acknowledged %d times, %d of them before the restore", id, n, known[id])
		}
	}
	if len(r.times) != 5 {
		t.Errorf("%v", r.times)
	}
	for _, e := range r.events[5:] {
		if e.Simulated != (e.Data.Order.ID == whole.ID) {
			t.Errorf("the restored database lies: %+v", e)
		}
	}
}

// putBack copies what the runbook's statement reads of a table.
func putBack(t *testing.T, from, to *sql.DB, table, conflict string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"(SELECT [^"]* FROM ` + table + ` WHERE created_at >= MOMENT[^"]*)"`).FindSubmatch(text)
	if found == nil || !strings.Contains(string(text), conflict+";/' > "+table+".sql") {
		t.Fatal("the runbook has no statement for " + table)
	}
	copyRows(t, from, to, table, strings.ReplaceAll(string(found[1]), "MOMENT", "0"), conflict)
}

// An order that WeChat did not know at the moment of the backup, and that was paid since,
// comes right with the runbook's statement.
func TestUnsentOrderOfABackupComesRight(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	o := p.place(basket("tea", 1))
	backup := storetest.Open(t)
	copyRows(t, s.db, backup, "orders", `SELECT * FROM orders`, ``)
	var c api.Checkout
	p.must("POST", api.OrderPayPath(o.ID), struct{}{}, &c)
	p.pay(c.Pay)
	s.deliver()
	s.db = backup
	s.handler = s.open(nil)
	s.wantStatus(o.ID, api.StatusCreated)
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"(UPDATE orders SET sent_at [^"]*)"`).FindSubmatch(text)
	if found == nil {
		t.Fatal("the runbook has no statement")
	}
	storetest.Exec(t, s.db, string(found[1]))
	s.sim.Advance(time.Minute)
	s.reconcile()
	s.wantStatus(o.ID, api.StatusPaid)
}

// copyRows copies the rows of a query into a table of another database.
func copyRows(t *testing.T, from, to *sql.DB, table, query, conflict string) {
	t.Helper()
	rows, err := from.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		storetest.Exec(t, to, `INSERT INTO `+table+` (`+strings.Join(columns, ", ")+`)
			VALUES (`+strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ")+`) `+conflict, values...)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
