package server_test

import (
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/wechat/wechattest"
)

// A former API key is not believed, not for a minute: whoever has it could make
// orders paid. What WeChat told under it before the change is lost with it, and
// found by asking.
func TestPaymentToldUnderAFormerAPIKeyIsFoundByAsking(t *testing.T) {
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
