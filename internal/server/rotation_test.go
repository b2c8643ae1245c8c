package server_test

import (
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

// A notification under a former API key is rejected, also in the minute after the
// change. A query finds the payment.
func TestPaymentToldUnderAFormerAPIKeyIsFoundByAsking(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(c.Pay)
	attempt, err := s.sim.Notify(s.outTradeNo(c.Order.ID), wechattest.ForgeOtherKey)
	if err != nil || attempt.OK {
		t.Errorf("%+v, %v", attempt, err)
	}
	s.wantStatus(c.Order.ID, api.StatusPending)
	s.sim.Advance(61 * time.Second)
	s.reconcile()
	s.wantStatus(c.Order.ID, api.StatusPaid)
}
