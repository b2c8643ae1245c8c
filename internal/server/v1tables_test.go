package server_test

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
)

// rowsOf reads a table as a spreadsheet does.
func rowsOf(t *testing.T, table v1.Table) [][]string {
	t.Helper()
	text, ok := strings.CutPrefix(table.Rows, "\ufeff")
	if !ok {
		t.Error("the table has no byte order mark")
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != table.N+1 {
		t.Fatalf("%d rows, want %d and the head: %v\n%s", len(rows), table.N, err, text)
	}
	return rows
}

// Long numbers stay text, and text that looks like a formula stays text.
func TestTablesOpenInASpreadsheet(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite, v1.ScopeRefund)
	o := b.createOrder(v1.CreateOrder{Amount: 6800, Description: "茶", Reference: "=1+1"})
	b.payOrder(1, o.ID)
	b.must("POST", "/v1/orders/"+o.ID+"/refunds", v1.CreateRefund{Amount: 300, Reason: "@少了"}, &v1.Refund{})
	s.Sim.Advance(time.Minute)
	s.Deliver()
	o = b.order(o.ID)
	var table v1.Table
	b.must("GET", "/v1/tables/orders", nil, &table)
	text := fmt.Sprint(rowsOf(t, table)[1])
	for _, want := range []string{"'=1+1", "68.00", "3.00", "\t" + o.Payments[0].TransactionID} {
		if !strings.Contains(text, want) {
			t.Errorf("orders lack %q: %s", want, text)
		}
	}
	b.must("GET", "/v1/tables/refunds", nil, &table)
	text = fmt.Sprint(rowsOf(t, table)[1])
	for _, want := range []string{"'@少了", "3.00", o.Refunds[0].ID, "succeeded"} {
		if !strings.Contains(text, want) {
			t.Errorf("refunds lack %q: %s", want, text)
		}
	}
	b.must("GET", fmt.Sprintf("/v1/tables/refunds?to=%d", o.CreatedAt), nil, &table)
	if table.N != 0 {
		t.Errorf("refunds before the first: %+v", table)
	}
	b.must("GET", "/v1/tables/bills", nil, &table)
	rowsOf(t, table)
	for _, name := range []string{"orders", "refunds"} {
		b.fails(api.CodeBadRequest, "cursor", "GET", "/v1/tables/"+name+"?cursor=x", nil)
	}
}

// A table is read in parts, each row once.
func TestTableInParts(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite)
	const n = 503
	for range n {
		b.createOrder(tea(1))
	}
	seen, cursor, parts := map[string]bool{}, "", 0
	for {
		var table v1.Table
		b.must("GET", "/v1/tables/orders"+cursor, nil, &table)
		for _, row := range rowsOf(t, table)[1:] {
			seen[row[0]] = true
		}
		if parts++; table.Next == "" {
			break
		}
		cursor = "?cursor=" + table.Next
	}
	if len(seen) != n || parts != 2 {
		t.Errorf("%d orders in %d parts", len(seen), parts)
	}
}
