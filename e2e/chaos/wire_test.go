package main

import (
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

func TestCallsHaveNames(t *testing.T) {
	for body, want := range map[string]string{
		`{"sql":"\n\t\tUPDATE payments SET status = ?, updated_at = ? WHERE out_trade_no = ?","params":["paid",1,"x"]}`: "UPDATE payments to paid",
		`{"sql":"UPDATE orders SET queried_at = ? WHERE id = ?","params":[1,"x"]}`:                                      "UPDATE orders",
		`{"sql":"INSERT INTO orders (id) VALUES (?)","params":["x"]}`:                                                   "INSERT orders",
		`{"sql":"SELECT id,\n out_trade_no FROM orders WHERE id = ?","params":["x"]}`:                                   "SELECT orders",
		`{"sql":"DELETE FROM used_states WHERE state IN (SELECT 1)","params":[]}`:                                       "DELETE used_states",
		`[{"sql":"SELECT 1"}]`: "statements in a batch",
		`{"sql":"PRAGMA x"}`:   "another statement",
	} {
		if got := nameStatement(nil, []byte(body)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// A call of a node to PostgreSQL has the name of its statement, without the transaction around it.
func TestCallsToPostgresHaveNames(t *testing.T) {
	k := &link{statements: map[string]string{}}
	call := func(all ...pgproto3.FrontendMessage) (call []message) {
		for _, m := range all {
			b, err := m.Encode(nil)
			if err != nil {
				t.Fatal(err)
			}
			call = append(call, b)
		}
		return call
	}
	sync := &pgproto3.Sync{}
	bind := func(name string, args ...string) *pgproto3.Bind {
		b := &pgproto3.Bind{PreparedStatement: name}
		for _, arg := range args {
			b.Parameters = append(b.Parameters, []byte(arg))
		}
		return b
	}
	parse := func(name, sql string) *pgproto3.Parse { return &pgproto3.Parse{Name: name, Query: sql} }
	for _, test := range []struct {
		call []message
		want string
	}{
		{call(parse("a", "UPDATE payments SET status = $2 WHERE out_trade_no = $1"), sync), ""},
		{call(parse("", "BEGIN ISOLATION LEVEL SERIALIZABLE"), bind(""), parse("", "LOCK TABLE x"), bind(""), bind("a", "N", "paid"), parse("", "COMMIT"), bind(""), sync), "UPDATE payments to paid"},
		{call(parse("b", "SELECT id FROM orders WHERE id = $1"), sync), ""},
		{call(bind("b", "x"), sync), "SELECT orders"},
		{call(&pgproto3.Query{String: "SELECT 1"}), "another statement"},
		{call(&pgproto3.Terminate{}), ""},
	} {
		if got, err := k.name(test.call); got != test.want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, test.want)
		}
	}
}
