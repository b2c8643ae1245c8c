package server_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"h5pay/internal/paytest/campaign"
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
