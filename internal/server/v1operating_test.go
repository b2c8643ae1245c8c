package server_test

import (
	"slices"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
)

func TestSellingByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	b, p := newBackEnd(s, v1.ScopeRead, v1.ScopeWrite), s.SignedIn(0)
	var state v1.Selling
	b.must("GET", "/v1/selling", nil, &state)
	if state != (v1.Selling{Selling: true}) {
		t.Errorf("%+v", state)
	}
	no, yes := false, true
	b.must("PUT", "/v1/selling", v1.PutSelling{Selling: &no}, &state)
	if state.Selling || state.SwitchedAt == 0 {
		t.Errorf("stopped: %+v", state)
	}
	p.Fails(api.CodeNotSelling, "POST", api.PathOrders, paytest.Basket("tea", 1))
	b.must("PUT", "/v1/selling", v1.PutSelling{Selling: &yes}, &state)
	p.Order("tea", 1)
	for _, body := range []string{`{}`, `{"selling":null}`, `{"selling":1}`, `{"selling":"no"}`} {
		b.fails(api.CodeBadRequest, "selling", "PUT", "/v1/selling", body)
	}
}

func TestCountersAndChecksByAPI(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	s.SignedIn(0).PaidOrder("tea", 1)
	b := newBackEnd(s, v1.ScopeRead)
	var counters v1.Counters
	b.must("GET", "/v1/counters", nil, &counters)
	if counters.Counters["settled.notify"] != 1 {
		t.Errorf("%v", counters)
	}
	var checks v1.Checks
	b.must("GET", "/v1/checks", nil, &checks)
	if checks.OK || !slices.ContainsFunc(checks.Checks, func(c v1.CheckResult) bool { return c.ID == "cron" && c.Status == v1.CheckFail && c.Detail != "" }) {
		t.Errorf("before the first run of the timer: %+v", checks)
	}
	s.Reconcile()
	b.must("GET", "/v1/checks", nil, &checks)
	if !checks.OK {
		t.Errorf("then: %+v", checks)
	}
}
