package server_test

import (
	"testing"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

// An answer says that nobody paid when WeChat was asked for it and said so: not when
// it was asked just before, did not answer, or says something else.
func TestAnswersSayWhenWeChatSaysThatNobodyPaid(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	const window = 3_000_000_000 // between two queries of one order
	want := func(what string, notPaid bool) {
		t.Helper()
		before := s.calls("orderquery")
		got := p.get(c.Order.ID)
		if got.NotPaid != notPaid || notPaid && s.calls("orderquery") != before+1 {
			t.Errorf("%s: not_paid is %v after %d queries", what, got.NotPaid, s.calls("orderquery")-before)
		}
	}
	s.sim.Advance(window)
	want("nobody paid", true)
	want("asked just before", false)
	s.sim.Advance(window)
	want("asked again", true)
	s.sim.Advance(window)
	s.fault(wechattest.FaultSystemError, "/pay/orderquery")
	want("WeChat did not answer", false)
	s.sim.Advance(window)
	p.pay(c.Pay)
	s.deliver() // its confirmation may be under way: then a poll does not query
	want("paid", false)
	if got := p.get(c.Order.ID); got.Status != api.StatusPaid {
		t.Errorf("the order is %s", got.Status)
	}
}
