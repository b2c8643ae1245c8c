package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
)

// A list is filtered and read page by page, and an order is found by each of its numbers.
func TestListOrders(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b := root(s)
	var ids []string
	for i := range 7 {
		req := tea(100)
		if i%2 == 0 {
			req.Metadata = map[string]string{"table": "7", "i": fmt.Sprint(i)}
		}
		req.Reference = fmt.Sprint("R-", i)
		ids = append([]string{b.createOrder(req).ID}, ids...)
		s.AdvanceClock(time.Second)
	}
	s.AdvanceClock(-7 * time.Second)
	s.Sim.Advance(time.Minute)
	shop := s.SignedIn(0).Place(paytest.Basket("tea", 1))
	b.payOrder(1, ids[2])
	paid := b.order(ids[2])
	list := func(query string) (got []string, next string) {
		t.Helper()
		var l v1.Orders
		b.must("GET", "/v1/orders"+query, nil, &l)
		for _, o := range l.Orders {
			got = append(got, o.ID)
		}
		return got, l.Next
	}
	for query, want := range map[string][]string{
		"":                              append([]string{shop.ID}, ids...),
		"?source=shop":                  {shop.ID},
		"?source=api":                   ids,
		"?status=paid":                  {ids[2]},
		"?status=closed":                nil,
		"?metadata=table:7":             {ids[0], ids[2], ids[4], ids[6]},
		"?metadata=i:4":                 {ids[2]},
		"?metadata=table:8":             nil,
		"?metadata=table:7&status=open": {ids[0], ids[4], ids[6]},
		"?reference=R-0":                {ids[6]},
		"?reference=R-9":                nil,
		"?reference=R-0&status=paid":    nil,
		"?out_trade_no=" + paid.Payments[0].OutTradeNo:                                {ids[2]},
		"?transaction_id=" + paid.Payments[0].TransactionID:                           {ids[2]},
		"?from=" + fmt.Sprint(paid.CreatedAt) + "&to=" + fmt.Sprint(paid.CreatedAt+1): {ids[2]},
	} {
		if got, next := list(query); !slices.Equal(got, want) || next != "" {
			t.Errorf("%s: %v, next %q, want %v", query, got, next, want)
		}
	}
	for _, filter := range []string{"limit=3", "limit=3&source=api", "limit=2&metadata=table:7"} {
		all, _ := list("?limit=100&" + strings.SplitN(filter+"&", "&", 2)[1])
		var got []string
		next := ""
		for range 5 {
			part, more := list("?" + filter + next)
			got = append(got, part...)
			if more == "" {
				break
			}
			next = "&cursor=" + more
		}
		if d := cmp.Diff(all, got); d != "" {
			t.Errorf("%s, turned over (-want +got):\n%s", filter, d)
		}
	}
	for query, field := range map[string]string{
		"?status=gone": "status", "?source=web": "source", "?limit=101": "limit", "?limit=0": "limit", "?cursor=x": "cursor", "?from=-1": "from", "?from=x": "from",
		"?metadata=table": "metadata", "?metadata=:7": "metadata", "?q=x": "q", "?reference=" + strings.Repeat("x", 65): "reference",
	} {
		b.fails(api.CodeBadRequest, field, "GET", "/v1/orders"+query, nil)
	}
	b.fails(api.CodeBadRequest, "sync", "GET", "/v1/orders/"+ids[0]+"?sync=yes", nil)
}

// A search by a field without an index reads a bounded number of orders in one call.
func TestListOrdersReadsAWindow(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b, req := root(s), tea(1)
	req.Metadata = map[string]string{"rare": "1"}
	rare := b.createOrder(req).ID
	if _, err := s.DB.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
		INSERT INTO orders (id, source, guest, fingerprint, shop, appid, mch_id, items, total, currency, description, created_at, expires_at, status, updated_at, due_at)
		SELECT 'many' || i, 'api', 0, 'f', shop, appid, mch_id, items, total, currency, description, orders.created_at + i, orders.expires_at + i, 'open', orders.created_at + i, orders.expires_at + i
		FROM n JOIN orders ON orders.id = ?`, rare); err != nil {
		t.Fatal(err)
	}
	var first, second v1.Orders
	b.must("GET", "/v1/orders?metadata=rare:1", nil, &first)
	if len(first.Orders) != 0 || first.Next == "" {
		t.Fatalf("%d orders, next %q", len(first.Orders), first.Next)
	}
	b.must("GET", "/v1/orders?metadata=rare:1&cursor="+first.Next, nil, &second)
	if len(second.Orders) != 1 || second.Orders[0].ID != rare || second.Next != "" {
		t.Errorf("%+v", second)
	}
}
