package storetest

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"modernc.org/sqlite"

	"h5pay/internal/store"
)

// Main runs the tests of a package. Then it checks the query plans of all triggers, and of every
// statement that the methods of store.Store ran in the tests. It returns the status for os.Exit.
// With allMethods, and if no test was left out, each method of store.Store must have run.
func Main(m *testing.M, allMethods bool) int {
	status := m.Run()
	problems := CheckPlans()
	if server.Server != nil {
		problems = append(problems, CheckPostgresPlans(server.Server)...)
	}
	if err := stopServer(); err != nil {
		problems = append(problems, err.Error())
	}
	if allMethods && status == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == "" {
		problems = append(problems, methodsNotRun()...)
	}
	for _, p := range problems {
		fmt.Println("query plan: " + p)
	}
	if status == 0 && len(problems) > 0 {
		status = 1
	}
	return status
}

// small are the tables that no caller can make grow. An operator writes them, they have a
// fixed number of rows, or they grow by a row a day or a year.
var small = []string{"products", "counters", "timers", "guests_open", "database_size", "bill_checks", "d1_migrations", "switches", "wechat_certificates", "keys", "notifications", "endpoints", "product_photos"}

// allowed are the steps of plans that look unbounded but are bounded, by a part of the SQL.
var allowed = []struct{ sql, step, why string }{
	{"ORDER BY orders.created_at DESC, orders.id DESC LIMIT", "SCAN orders USING INDEX orders_by_time", "reads in the order of the index until LIMIT"},
	{"FROM events WHERE TRUE ORDER BY seq DESC LIMIT", "SCAN events", "reads in the order of the key until LIMIT"},
	{"FROM (SELECT seq FROM events WHERE", "SCAN seen", "reads the rows of a subquery that has a LIMIT"},
	{"FROM deliveries INDEXED BY dead_deliveries", "SCAN deliveries USING COVERING INDEX dead_deliveries", "reads the partial index in its order until LIMIT"},
	{"FROM deliveries INDEXED BY pending_deliveries", "SCAN deliveries USING COVERING INDEX pending_deliveries", "reads the partial index in its order until LIMIT"},
	{"CROSS JOIN events ON seq = event_seq ORDER BY seq", "USE TEMP B-TREE FOR ORDER BY", "sorts the rows of a subquery that has a LIMIT"},
	{"SELECT endpoints.id, seq, IIF(events.type = 'order.closed'", "SCAN events", "reads the rows of a subquery that has a LIMIT"},
	{"FROM endpoints", "USE TEMP B-TREE FOR ORDER BY", "sorts the endpoints, MaxEndpoints and the deleted ones"},
	{"WHERE seq > ?1 ORDER BY seq LIMIT ?2) GROUP BY type", "USE TEMP B-TREE FOR GROUP BY", "sorts the rows of a subquery that has a LIMIT"},
	{"SELECT 1 FROM deliveries WHERE status = 'pending' LIMIT ?2", "SCAN deliveries USING COVERING INDEX pending_deliveries", "counts the partial index until LIMIT"},
	{"FROM deliveries INDEXED BY pending_deliveries WHERE status = 'pending' LIMIT", "SCAN deliveries USING COVERING INDEX pending_deliveries", "counts the partial index until LIMIT"},
	{"INDEXED BY failed_deliveries WHERE status = 'dead' AND attempts > 0 LIMIT", "SCAN deliveries USING INDEX failed_deliveries", "reads the partial index until LIMIT"},
	{"WHERE id IN (SELECT id FROM orders WHERE id = ?5", "UNION USING TEMP B-TREE", "joins the few orders that have a number"},
	{"WHERE id IN (SELECT id FROM orders WHERE id = ?5", "USE TEMP B-TREE FOR ORDER BY", "sorts the few orders that have a number"},
	{"AS turn", "USE TEMP B-TREE", "sorts the rows of subqueries that have a LIMIT each"},
	{"FROM order_steps WHERE order_id = ", "SCAN order_steps", "reads the steps of one order"},
	{"FROM order_steps WHERE order_id = ", "USE TEMP B-TREE FOR ORDER BY", "sorts the steps of one order"},
	{"WHERE refunds.order_id = ", "USE TEMP B-TREE FOR ORDER BY", "sorts the refunds of one order, MaxRefunds of each of its bounded payments at most"},
	{"PARTITION BY refunds.status = 'created'", "USE TEMP B-TREE", "sorts the refunds that have not ended; only the operator makes refunds"},
	{"FROM refunds INDEXED BY open_refunds WHERE status IN", "SCAN refunds USING INDEX open_refunds", "reads the partial index until LIMIT"},
	{"FROM wechat_certificates", "USE TEMP B-TREE FOR ORDER BY", "sorts a table of a few rows"},
	{"FROM payments INDEXED BY unreturned_payments", "SCAN payments USING INDEX unreturned_payments", "reads the partial index until LIMIT"},
	{"FROM payments INDEXED BY unreturned_payments", "SCAN twice", "reads the rows of a subquery that has a LIMIT"},
	{"WITH newest AS", "SCAN orders USING INDEX orders_by_time", "reads in the order of the index until LIMIT"},
	{"WITH newest AS", "SCAN newest", "reads the rows of a subquery that has a LIMIT"},
	{"WITH newest AS", "USE TEMP B-TREE FOR GROUP BY", "sorts the rows of a subquery that has a LIMIT"},
	{"OR reference = ?5 OR", "USE TEMP B-TREE FOR ORDER BY", "sorts the orders that have one number, six at most"},
	{"EXISTS (SELECT 1 FROM audit WHERE id = ?)", "SCAN audit", "reads the last entry"},
	{"FROM refund_requests WHERE status = 'waiting'", "SCAN refund_requests USING", "reads the partial index until LIMIT; MaxRefundRequests wait at most"},
	{"FROM products", "USE TEMP B-TREE", "sorts the catalogue"},
	{"orders.id IN (SELECT value FROM json_each(?)) ORDER BY", "USE TEMP B-TREE FOR ORDER BY", "sorts the orders of one page"},
	{"FROM notifications", "USE TEMP B-TREE", "sorts 500 rows at most"},
	{"FROM keys", "USE TEMP B-TREE", "sorts the API keys, MaxKeys at most"},
	{"FROM bill_differences JOIN bill_checks", "USE TEMP B-TREE", "sorts the differences of the bills of one page"},
	{"SELECT order_id FROM payments WHERE payer = ?1", "UNION USING TEMP B-TREE", "reads the orders of one person, for the operator"},
	{"SELECT order_id FROM payments WHERE payer = ?1", "USE TEMP B-TREE FOR ORDER BY", "sorts the orders of one person, for the operator"},
	{"SELECT order_id FROM payments WHERE transaction_id = ?", "USE TEMP B-TREE FOR ORDER BY", "sorts four rows at most"},
	{"SELECT order_id FROM payments WHERE transaction_id = ?", "UNION USING TEMP B-TREE", "four rows at most"},
}

// wanted are steps that a statement must have, by a part of its SQL. A search of another
// index would read an unbounded number of entries that the condition does not select.
var wanted = []struct{ sql, step string }{
	{"UPDATE events SET status = 'pending', tries = 0, next_at = ?1", "SEARCH events USING COVERING INDEX delivered_events_by_time (created_at>? AND created_at<?)"},
	{"UPDATE events SET status = 'pending', tries = 0, next_at = ?1", "SEARCH events USING COVERING INDEX dead_events_by_time (created_at>? AND created_at<?)"},
}

// CheckPlans returns what is wrong with the plans of the statements that ran so far in
// this process, and of the triggers.
func CheckPlans() (problems []string) {
	dir, err := os.MkdirTemp("", "plans")
	if err != nil {
		return []string{err.Error()}
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", store.SQLiteURI(filepath.Join(dir, "plans.db"), ""))
	if err != nil {
		return []string{err.Error()}
	}
	defer db.Close()
	if err := store.Migrate(context.Background(), db); err != nil {
		return []string{err.Error()}
	}
	if err := limitAsD1(db); err != nil {
		return []string{err.Error()}
	}
	recorded.Lock()
	statements := maps.Clone(recorded.statements)
	recorded.Unlock()
	for _, query := range slices.Sorted(maps.Keys(statements)) {
		var args []any
		for _, arg := range statements[query].Args {
			args = append(args, arg.Value)
		}
		problems = append(problems, explain(db, query, args...)...)
	}
	bodies, err := triggerStatements(db)
	if err != nil {
		return append(problems, err.Error())
	}
	for _, query := range bodies {
		problems = append(problems, explain(db, query)...)
	}
	return problems
}

// limitAsD1 sets the limits of D1 that the product could reach, on the one connection of a
// database. A statement beyond them has no plan.
func limitAsD1(db *sql.DB) error {
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	const compoundSelect = 4 // SQLITE_LIMIT_COMPOUND_SELECT
	_, err = sqlite.Limit(conn, compoundSelect, 5)
	return err
}

// explain returns the steps of a statement's plan that read or sort an unbounded number of
// rows.
func explain(db *sql.DB, query string, args ...any) (problems []string) {
	rows, err := db.Query(`EXPLAIN QUERY PLAN `+query, args...)
	if err != nil {
		return []string{fmt.Sprintf("%v in %s", err, query)}
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			return append(problems, err.Error())
		}
		steps = append(steps, step)
		if !bounded(step) && !isAllowed(query, step) {
			problems = append(problems, step+" in "+query)
		}
	}
	if err := rows.Err(); err != nil {
		problems = append(problems, err.Error())
	}
	for _, w := range wanted {
		if strings.Contains(query, w.sql) && !slices.Contains(steps, w.step) {
			problems = append(problems, fmt.Sprintf("no %s but %q in %s", w.step, steps, query))
		}
	}
	return problems
}

func bounded(step string) bool {
	if strings.Contains(step, "TEMP B-TREE") {
		return false
	}
	scanned, ok := strings.CutPrefix(step, "SCAN ")
	if !ok {
		return true
	}
	name, _, _ := strings.Cut(scanned, " ")
	return slices.Contains(small, name) || scanned == "CONSTANT ROW" || strings.HasSuffix(scanned, " VALUES CLAUSE") ||
		strings.HasPrefix(name, "(subquery-") || // its own steps are in the plan too
		strings.HasPrefix(name, "json_each") || strings.HasPrefix(name, "pragma_")
}

func isAllowed(query, step string) bool {
	return slices.ContainsFunc(allowed, func(a struct{ sql, step, why string }) bool {
		return strings.Contains(query, a.sql) && strings.HasPrefix(step, a.step)
	})
}

var (
	triggerBody = regexp.MustCompile(`(?s)\bBEGIN\b(.*)\bEND$`)
	triggerRow  = regexp.MustCompile(`\b(NEW|OLD)\.\w+`)
)

// triggerStatements returns the statements of all triggers, with a constant for each value of
// NEW and OLD, because EXPLAIN QUERY PLAN leaves triggers out.
func triggerStatements(db *sql.DB) (statements []string, err error) {
	rows, err := db.Query(`SELECT name, sql FROM sqlite_master WHERE type = 'trigger'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		body := triggerBody.FindStringSubmatch(text)
		if body == nil {
			return nil, fmt.Errorf("trigger %s has no body", name)
		}
		for statement := range strings.SplitSeq(triggerRow.ReplaceAllString(body[1], "1"), ";") {
			// RAISE reads nothing, and only a trigger may contain it.
			if statement = strings.TrimSpace(statement); statement != "" && !strings.HasPrefix(statement, "SELECT RAISE(") {
				statements = append(statements, statement)
			}
		}
	}
	return statements, rows.Err()
}

// methodsNotRun returns the methods of store.Store whose statements no test ran.
func methodsNotRun() (problems []string) {
	recorded.Lock()
	defer recorded.Unlock()
	store := reflect.TypeFor[*store.Store]()
	for i := range store.NumMethod() {
		if name := store.Method(i).Name; !recorded.methods[name] {
			problems = append(problems, "no test ran store.Store."+name)
		}
	}
	return problems
}
