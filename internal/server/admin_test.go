package server_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// adminRoutes are the calls of the operator.
func adminRoutes(id string) (all []struct{ method, path, body string }) {
	for _, route := range routes(id) {
		if strings.HasPrefix(route.path, "/api/admin/") {
			all = append(all, route)
		}
	}
	return all
}

func TestOperatorNeedsTheToken(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	buyer := s.SignedIn(0)
	o := buyer.PaidOrder("tea", 1)
	if n := len(adminRoutes(o.ID)); n < 3 {
		t.Fatalf("%d calls", n)
	}
	for _, route := range adminRoutes(o.ID) {
		for name, header := range map[string][]string{
			"none":       nil,
			"empty":      {""},
			"no token":   {"Bearer"},
			"blank":      {"Bearer "},
			"wrong":      {"Bearer " + strings.Repeat("x", len(paytest.AdminToken))},
			"beginning":  {"Bearer " + paytest.AdminToken[:len(paytest.AdminToken)-1]},
			"longer":     {"Bearer " + paytest.AdminToken + "x"},
			"other case": {"Bearer " + strings.ToUpper(paytest.AdminToken)},
			"basic":      {"Basic " + paytest.AdminToken},
			"bare":       {paytest.AdminToken},
			"twice":      {"Bearer " + paytest.AdminToken, "Bearer " + paytest.AdminToken},
		} {
			wantUnharmed(buyer, func() {
				r := buyer.Request(route.method, route.path, []byte(route.body))
				if header != nil {
					r.Header["Authorization"] = header
				}
				a := buyer.Send(r)
				if a.Err.Code != api.CodeUnauthenticated || a.Header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("%s %s with %s: %d %s", route.method, route.path, name, a.Status, a.Body)
				}
			})
		}
	}
	if !strings.Contains(s.Log.String(), "operator rejected") {
		t.Error("the log lacks the wrong token")
	}
}

func TestOperatorsCallsAreOffWithoutAToken(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.AdminToken = "" })
	p := s.Operator()
	for _, token := range []string{"", paytest.AdminToken, " "} {
		p.Token = token
		for _, route := range adminRoutes("000000000000000000000000") {
			wantUnharmed(p, func() {
				if a := p.Send(p.Request(route.method, route.path, []byte(route.body))); a.Err.Code != api.CodeMisconfigured || !strings.Contains(a.Err.Message, "ADMIN_TOKEN") {
					t.Errorf("%s %s: %d %s", route.method, route.path, a.Status, a.Body)
				}
			})
		}
	}
}

func TestBadRefundRequests(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	for _, body := range []string{
		`{"refund_key":"0123456789abcdef","amount":0}`,
		`{"refund_key":"0123456789abcdef","amount":-1}`,
		`{"refund_key":"0123456789abcdef","amount":1.5}`,
		`{"refund_key":"0123456789abcdef","amount":"1"}`,
		`{"refund_key":"0123456789abcdef","amount":100000001}`,
		`{"refund_key":"0123456789abcdef","amount":9223372036854775807}`,
		`{"refund_key":"0123456789abcdef","amount":18446744073709551617}`,
		`{"refund_key":"0123456789abcdef","amount":1e2}`,
		`{"refund_key":"0123456789abcdef"}`,
		`{"refund_key":"short","amount":1}`,
		`{"refund_key":"0123456789abcde'","amount":1}`,
		`{"amount":1}`,
		`{"refund_key":"0123456789abcdef","amount":1,"reason":"` + strings.Repeat("茶", 27) + `"}`,
		`{"refund_key":"0123456789abcdef","amount":1,"reason":"a\nb"}`,
		`{"refund_key":"0123456789abcdef","amount":1,"order":"x"}`,
		`{"refund_key":"0123456789abcdef","amount":1,"amount":2}`,
	} {
		wantUnharmed(op, func() {
			if a := op.Send(op.Request("POST", paytest.RefundPath(o.ID), []byte(body))); a.Err.Code != api.CodeBadRequest {
				t.Errorf("%s: %d %s", body, a.Status, a.Body)
			}
		})
	}
	// The largest amounts do not overflow the sum.
	for _, amount := range []fen.Fen{6801, 100000000} {
		wantUnharmed(op, func() {
			op.Fails(api.CodeRefundTooMuch, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(amount))
		})
	}
}

func TestOperatorFindsOrders(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	var ids []string
	var times []time.Time
	for i := range 7 {
		p := s.SignedIn(i % 3)
		c := p.Order("tea", 1)
		ids, times = append(ids, c.Order.ID), append(times, s.Now())
		if i < 3 {
			p.Pay(c.Pay)
			s.Deliver()
		}
		s.Sim.Advance(time.Hour)
	}
	find := func(query string) (found []int, next string) {
		t.Helper()
		var list api.AdminOrderList
		op.Must("GET", api.PathAdminOrders+query, nil, &list)
		for _, o := range list.Orders {
			found = append(found, slices.Index(ids, o.ID))
		}
		return found, list.Cursor
	}
	var transaction string
	if err := s.DB.QueryRow(`SELECT transaction_id FROM payments WHERE order_id = ?`, ids[1]).Scan(&transaction); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string][]int{
		"":                           {6, 5, 4, 3, 2, 1, 0},
		"?status=paid":               {2, 1, 0},
		"?status=open":               {6, 5, 4, 3},
		"?status=refunded":           nil,
		"?q=" + ids[4]:               {4},
		"?q=" + s.OutTradeNo(ids[5]): {5},
		"?q=" + transaction:          {1},
		"?q=" + transaction[:20]:     nil,
		"?q=%27%20OR%201=1--":        nil,
		"?status=paid&q=" + ids[4]:   nil,
		"?limit=2":                   {6, 5},
		"?status=paid&limit=2":       {2, 1},
		fmt.Sprint("?from=", times[3].Add(-time.Minute).UnixMilli()):                                                 {6, 5, 4, 3},
		fmt.Sprint("?to=", times[3].Add(-time.Minute).UnixMilli()):                                                   {2, 1, 0},
		fmt.Sprint("?from=", times[1].Add(-time.Minute).UnixMilli(), "&to=", times[3].Add(-time.Minute).UnixMilli()): {2, 1},
		fmt.Sprint("?from=0&to=", 1<<47):                                                                             {6, 5, 4, 3, 2, 1, 0},
	} {
		if got, _ := find(query); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	// Page by page, also when all orders are of one moment.
	for range 2 {
		for _, limit := range []int{1, 3, 7, 500} {
			var all []int
			for query := fmt.Sprint("?limit=", limit); ; {
				found, next := find(query)
				all = append(all, found...)
				if next == "" {
					break
				}
				query = fmt.Sprint("?limit=", limit, "&cursor=", next)
			}
			slices.Sort(all)
			if d := cmp.Diff([]int{0, 1, 2, 3, 4, 5, 6}, all); d != "" {
				t.Errorf("limit %d: %s", limit, d)
			}
		}
		storetest.Exec(t, s.DB, `DROP TRIGGER IF EXISTS keep_order; DROP TRIGGER IF EXISTS keep_payment; UPDATE orders SET created_at = 1000, expires_at = 1000 + 86400000;
			UPDATE payments SET expires_at = 1000 + 86400000`)
	}
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	for _, query := range []string{
		"?status=lost", "?status=", "?statue=paid", "?status=paid&status=paid", "?limit=0", "?limit=501", "?limit=x", "?limit=-1",
		"?from=x", "?to=-1", "?from=1.5", "?to=9999999999999999", "?cursor=x", "?cursor=%00", "?cursor=eA", "?format=xml", "?q=" + strings.Repeat("x", 65),
		"?%zz", "?a;b",
	} {
		wantUnharmed(op, func() { op.Fails(api.CodeBadRequest, "GET", api.PathAdminOrders+query, nil) })
	}
}

func TestOperatorSeesAnOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	id, refund := startRefund(s)
	s.Fault("notify_lost", "")
	s.Sim.Advance(30 * time.Second)
	o := op.AdminOrder(id) // queries WeChat
	user := s.Sim.Users()[0].OpenID
	if o.Status != api.StatusRefunded || o.Refunded != 6800 || o.OutTradeNo != s.OutTradeNo(id) || o.PaymentNo == "" ||
		len(o.Refunds) != 1 || o.Refunds[0].ID != refund || o.Refunds[0].Status != api.RefundSucceeded ||
		o.Owner != user[:4]+"…"+user[24:] || o.Payer != o.Owner {
		t.Errorf("%+v", o)
	}
	var steps []api.OrderStatus
	for _, step := range o.Timeline {
		steps = append(steps, step.Status)
	}
	if d := cmp.Diff([]api.OrderStatus{api.StatusOpen, api.StatusPaid, api.StatusRefunding, api.StatusRefunded}, steps); d != "" {
		t.Errorf("timeline %s", d)
	}
	op.Fails(api.CodeNotFound, "GET", api.PathAdminOrders+"/000000000000000000000000", nil)
	op.Fails(api.CodeNotFound, "GET", api.PathAdminOrders+"/x", nil)
}

func TestTableForASpreadsheet(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	storetest.Exec(t, s.DB, `UPDATE products SET name = '=HYPERLINK("http://evil.example","x")' WHERE id = 'tea'; UPDATE products SET name = '茶, "好"' WHERE id = 'bun'`)
	op := s.Operator()
	s.SignedIn(0).PaidOrder("tea", 2)
	s.SignedIn(1).Order("bun", 1)
	a := op.Send(op.Request("GET", api.PathAdminOrders+"?format=csv", nil))
	if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(string(a.Body), "\ufeff") ||
		!strings.Contains(a.Header.Get("Content-Disposition"), "orders.csv") || a.Header.Get("X-Next-Cursor") != "" {
		t.Fatalf("%d %v\n%s", a.Status, a.Header, a.Body)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(a.Body), "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%v, %v", rows, err)
	}
	var paid map[string]string
	for i, row := range rows[1:] {
		cells := map[string]string{}
		for j, name := range rows[0] {
			cells[name] = row[j]
			if strings.IndexAny(row[j], "=+-@") == 0 {
				t.Errorf("a spreadsheet computes %q", row[j])
			}
		}
		if i == 1 {
			paid = cells
		} else if cells["items"] != `茶, "好" x 1` || cells["paid_at"] != "" {
			t.Errorf("%v", cells)
		}
	}
	if paid["items"] != `'=HYPERLINK("http://evil.example","x") x 2` || paid["total"] != "136.00" || paid["status"] != "paid" ||
		len(paid["transaction_id"]) != 29 || paid["transaction_id"][0] != '\t' || !strings.HasPrefix(paid["created_at"], "2026-11-23 10:00:") {
		t.Errorf("%q", paid)
	}
	a = op.Send(op.Request("GET", api.PathAdminOrders+"?format=csv&limit=1", nil))
	var list api.AdminOrderList
	op.Must("GET", api.PathAdminOrders+"?limit=1&cursor="+a.Header.Get("X-Next-Cursor"), nil, &list)
	if len(list.Orders) != 1 || list.Orders[0].Status != api.StatusPaid {
		t.Errorf("%+v", list)
	}
	if json.Valid(a.Body) {
		t.Error("it is JSON")
	}
}
