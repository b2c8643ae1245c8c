package server_test

import (
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat/wechattest"
)

// A refund by hand was closed, so the merchant kept the money, and the notification was lost. Then
// the shop refunded the order. The bill has the closed refund, which does not count against the
// payment.
func TestClosedRefundIsFoundAfterTheOrderIsRefunded(t *testing.T) {
	t.Parallel()
	for want, amount := range map[string]int64{"succeeded 6800, closed 620": 620, "succeeded 6800, closed 6800": 6800} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s := paytest.NewShopAPIv3(t, wechattest.Config{})
			op := s.Operator()
			o := s.SignedIn(0).PaidOrder("tea", 1)
			s.Fault(wechattest.FaultRefundClosed, "")
			if _, err := s.Sim.Refund(s.OutTradeNo(o.ID), amount); err != nil {
				t.Fatal(err)
			}
			s.Sim.Advance(time.Minute)
			op.Refund(o.ID, paytest.RefundRequest(o.Total))
			s.Sim.Advance(time.Minute)
			s.Check()
			s.WantStatus(o.ID, api.StatusRefunded)

			const date = "2026-11-23"
			s.AdvanceTo(1, "12:00:00")
			if check := checkBill(op, date); check.Status != "differs" || len(check.Differences) != 1 || check.Differences[0].Kind != "missing_here" {
				t.Errorf("%+v", check)
			}
			s.Check()
			if check := checkBill(op, date); check.Status != "agrees" {
				t.Errorf("%+v", check)
			}
			s.WantStatus(o.ID, api.StatusRefunded)
			s.WantRefunds(o.ID, want)
		})
	}
}
