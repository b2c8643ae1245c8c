package server_test

import (
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat/wechattest"
)

// A notification signed with the former API key is rejected from the first minute after the change.
// A query finds the payment.
func TestPaymentNotifiedWithAFormerAPIKeyIsFoundByAQuery(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	attempt, err := s.Sim.Notify(s.OutTradeNo(c.Order.ID), wechattest.ForgeOtherKey)
	if err != nil || attempt.OK {
		t.Errorf("%+v, %v", attempt, err)
	}
	s.WantStatus(c.Order.ID, api.StatusOpen)
	s.Sim.Advance(61 * time.Second)
	s.Reconcile()
	s.WantStatus(c.Order.ID, api.StatusPaid)
}
