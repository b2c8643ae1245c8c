package server_test

import (
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat/wechattest"
)

// A response has not_paid only if WeChat was queried for it and reported no payment. It lacks
// not_paid if WeChat was queried just before, did not respond, or reported another state.
func TestNotPaidNeedsAQuery(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	const window = 3_000_000_000 // between two queries of one order
	want := func(what string, notPaid bool) {
		t.Helper()
		before := s.Calls("orderquery")
		got := p.GetOrder(c.Order.ID)
		if got.NotPaid != notPaid || notPaid && s.Calls("orderquery") != before+1 {
			t.Errorf("%s: not_paid is %v after %d queries", what, got.NotPaid, s.Calls("orderquery")-before)
		}
	}
	s.Sim.Advance(window)
	want("not paid", true)
	want("queried just before", false)
	s.Sim.Advance(window)
	want("queried again", true)
	s.Sim.Advance(window)
	s.Fault(wechattest.FaultSystemError, "/pay/orderquery")
	want("WeChat did not respond", false)
	s.Sim.Advance(window)
	p.Pay(c.Pay)
	s.Deliver() // its confirmation may be under way: then a poll does not query
	want("paid", false)
	if got := p.GetOrder(c.Order.ID); got.Status != api.StatusPaid {
		t.Errorf("the order is %s", got.Status)
	}
}
