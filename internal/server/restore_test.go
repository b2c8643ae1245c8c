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
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
)

// A restore of the database lost orders and refunds. The runbook's statements insert them again.
// Then the timer completes them, and their events are delivered.
func TestOrdersInsertedAfterARestoreAreCompleted(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	s := r.Shop
	buyer, op := s.SignedIn(0), s.Operator()
	paid, partly, whole := buyer.PaidOrder("tea", 1), buyer.PaidOrder("tea", 2), buyer.PaidOrder("tea", 1)
	open := buyer.Order("tea", 1).Order
	back := paytest.RefundRequest(500)
	op.Refund(partly.ID, back)
	op.Refund(whole.ID, paytest.RefundRequest(whole.Total))
	s.Sim.Advance(time.Minute)
	for range 2 { // a refund's event waits for its order's
		r.Deliver()
	}
	known := maps.Clone(r.Acknowledged)
	if len(known) != 5 {
		t.Fatalf("delivered before: %v", known)
	}

	storetest.Exec(t, s.DB, `UPDATE orders SET simulated = 1 WHERE id = ?`, whole.ID)
	storetest.Exec(t, s.DB, `DROP TRIGGER keep_refund`)
	storetest.Exec(t, s.DB, `UPDATE refunds SET from_balance = 1 WHERE order_id = ?`, whole.ID)
	r.Accept.Simulated = true
	before := s.DB
	s.DB = storetest.Open(t)
	s.Handler = s.Open(r.Configure)
	insertAgain(t, before, s.DB, "orders", `ON CONFLICT DO NOTHING`)
	insertAgain(t, before, s.DB, "payments", `ON CONFLICT DO NOTHING`)
	storetest.Exec(t, s.DB, `INSERT INTO payment_history SELECT out_trade_no, 'created', 'closing' FROM payments WHERE status = 'closing'`)
	s.Sim.Advance(time.Minute)
	s.Reconcile()
	s.WantStatus(paid.ID, api.StatusPaid)
	storetest.Exec(t, s.DB, `DROP TRIGGER keep_refund`) // a refund that was found at WeChat gets its key again
	insertAgain(t, before, s.DB, "refunds", `ON CONFLICT (id) DO UPDATE SET refund_key = excluded.refund_key, fingerprint = excluded.fingerprint, reason = excluded.reason, from_balance = excluded.from_balance`)
	var fromBalance string
	if err := s.DB.QueryRow(`SELECT group_concat(order_id) FROM refunds WHERE from_balance = 1`).Scan(&fromBalance); err != nil || fromBalance != whole.ID {
		t.Errorf("from the balance: %q, %v", fromBalance, err)
	}
	storetest.Exec(t, s.DB, `INSERT INTO refund_history (rowid, refund_id, was, became) SELECT -ROW_NUMBER() OVER (ORDER BY id), id, 'created', 'processing' FROM refunds`)
	s.Sim.Advance(time.Minute)
	s.Reconcile()
	s.WantStatus(partly.ID, api.StatusPaid)
	s.WantRefunds(partly.ID, "succeeded 500")
	s.WantStatus(whole.ID, api.StatusRefunded)
	s.WantStatus(open.ID, api.StatusOpen)
	// The key still makes it the same refund.
	if r := op.Refund(partly.ID, back); r.Status != api.RefundSucceeded {
		t.Errorf("%+v", r)
	}
	s.WantRefunds(partly.ID, "succeeded 500")
	var told string
	if err := s.DB.QueryRow(`SELECT group_concat(type || ' ' || status, ', ' ORDER BY type) FROM events JOIN deliveries ON event_seq = seq`).Scan(&told); err != nil ||
		told != "order.paid pending, order.paid pending, order.paid pending, order.refunded pending, order.refunded pending" {
		t.Errorf("delivered %q, %v", told, err)
	}
	// All five are delivered again, each with the id that the back end knows. A back end that keeps
	// the ids, as docs/webhooks.md says, ships nothing twice.
	for range 2 {
		r.Deliver()
	}
	for id, n := range r.Acknowledged {
		if known[id] != 1 || n != 2 {
			t.Errorf("event %s: acknowledged %d times, %d of them before the restore", id, n, known[id])
		}
	}
	if len(r.Acknowledged) != 5 {
		t.Errorf("%v", r.Acknowledged)
	}
	for _, e := range r.Events[5:] {
		if e.Simulated != (e.Data.Order.ID == whole.ID) {
			t.Errorf("the restored database differs: %+v", e)
		}
	}
}

// insertAgain copies the columns of a table that the runbook's statement reads.
func insertAgain(t *testing.T, from, to *sql.DB, table, conflict string) {
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

// An order is in the backup, and its payment is newer than the backup. The runbook's statement
// completes it.
func TestPaymentThatABackupLacksIsCompleted(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	o := p.Place(paytest.Basket("tea", 1))
	backup := storetest.Open(t)
	copyRows(t, s.DB, backup, "orders", `SELECT * FROM orders`, ``)
	p.Pay(p.RequestPayment(o.ID, api.TradeJSAPI).Pay)
	s.Deliver()
	before := s.DB
	s.DB = backup
	s.Handler = s.Open(nil)
	s.WantStatus(o.ID, api.StatusOpen)
	insertAgain(t, before, s.DB, "payments", `ON CONFLICT DO NOTHING`)
	storetest.Exec(t, s.DB, `INSERT INTO payment_history SELECT out_trade_no, 'created', 'closing' FROM payments WHERE status = 'closing'`)
	s.Sim.Advance(time.Minute)
	s.Reconcile()
	s.WantStatus(o.ID, api.StatusPaid)
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
