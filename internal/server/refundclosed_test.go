package server_test

import (
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

// A refund was made by hand and closed, so the money stayed with the merchant, and the shop heard
// nothing of it. Then the order was refunded here. The bill finds the closed refund, which takes no
// room of the order.
func TestClosedRefundIsFoundAfterTheOrderIsRefunded(t *testing.T) {
	t.Parallel()
	for want, amount := range map[string]int64{"succeeded 6800, closed 620": 620, "succeeded 6800, closed 6800": 6800} {
		t.Run(want, func(t *testing.T) {
			s := v3Shop(t, wechattest.Config{})
			op := s.operator()
			o := s.signedIn(0).paidOrder("tea", 1)
			s.fault(wechattest.FaultRefundClosed, "")
			if _, err := s.sim.Refund(s.outTradeNo(o.ID), amount); err != nil {
				t.Fatal(err)
			}
			s.sim.Advance(time.Minute)
			op.refund(o.ID, refundOf(o.Total))
			s.sim.Advance(time.Minute)
			s.check()
			s.wantStatus(o.ID, api.StatusRefunded)

			const date = "2026-11-23"
			s.until(1, "12:00:00")
			if check := op.checkBill(date); check.Status != "differs" || len(check.Differences) != 1 || check.Differences[0].Kind != "missing_here" {
				t.Errorf("%+v", check)
			}
			s.check()
			if check := op.checkBill(date); check.Status != "agrees" {
				t.Errorf("%+v", check)
			}
			s.wantStatus(o.ID, api.StatusRefunded)
			s.wantRefunds(o.ID, want)
		})
	}
}
