package server_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"h5pay/internal/paytest"
	"h5pay/internal/paytest/campaign"
	"h5pay/internal/store/storetest"
)

// A campaign is a random sequence of steps of buyers, strangers, a back end and the operator, and of
// WeChat's faults. After every step all invariants are checked. At the end the shop's orders, payments,
// refunds and events must agree with WeChat's ledger.
func TestCampaign(t *testing.T) {
	t.Parallel()
	sum := map[string]int{}
	var mu sync.Mutex
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			h := campaign.NewInProcess(t, campaign.Options{Seed: seed, Orders: 18, AtOnce: 1, API: "v2", On: campaign.OnShop})
			if seed%2 == 1 { // the others sell without a stock
				const pieces = 100_000
				storetest.Exec(t, h.DB, `UPDATE products SET stock = ?`, pieces)
				h.Check = func() { stockAgrees(h.Shop, pieces) }
			}
			r := h.Run()
			loggedChanges(h.Shop)
			mu.Lock()
			defer mu.Unlock()
			sum["order paid"] += r.Paid
			sum["order paid twice"] += r.Twice
			for what, n := range r.Faults {
				sum[what] += n
			}
		})
	}
	t.Cleanup(func() { wantHappened(t, sum) })
}

// stockAgrees compares the stock with the lines of the orders that are not closed: what is left,
// held and sold is what there was at first.
func stockAgrees(s *paytest.Shop, first int64) {
	s.T.Helper()
	rows, err := s.DB.Query(`SELECT id, stock, (SELECT COALESCE(SUM(CAST(value ->> 'quantity' AS INTEGER)), 0) FROM orders JOIN json_each(items) ON true
		WHERE status <> 'closed' AND value ->> 'product_id' = products.id) FROM products`)
	if err != nil {
		s.T.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var product string
		var stock, gone int64
		if err := rows.Scan(&product, &stock, &gone); err != nil {
			s.T.Fatal(err)
		}
		if stock+gone != first {
			s.T.Errorf("%s: %d are left and %d are sold or held, want %d together", product, stock, gone, first)
		}
	}
	if err := rows.Err(); err != nil {
		s.T.Fatal(err)
	}
}

// wantHappened fails the test if something has not happened that a campaign is about.
func wantHappened(t *testing.T, sum map[string]int) {
	t.Helper()
	if t.Failed() {
		return
	}
	t.Log(sum)
	for _, what := range []string{
		"order paid", "order paid twice", "notification: leaked_key", "notification: repeated", "refund by hand", "order by API: paid",
		"flood: order made", "endpoint all: answered 410", "order created, its payment not requested",
	} {
		if sum[what] == 0 {
			t.Errorf("it never came to this: %s", what)
		}
	}
	for _, kind := range []string{"refund notification: ", "WeChat: "} {
		n := 0
		for what := range sum {
			if strings.HasPrefix(what, kind) {
				n++
			}
		}
		if n < 3 {
			t.Errorf("%d kinds of %q: too few to test anything", n, kind)
		}
	}
}
