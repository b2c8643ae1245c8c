package server_test

import (
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/wechat/wechattest"
)

// WeChat names its reason as retmsg, or in err_code_des alone. The log has it, and no
// order or refund is ended by it, because both blame the shop and not the order.
func TestReasonUnderOtherNames(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]string{
		wechattest.FaultRetmsg: "param mch_id invalid", wechattest.FaultTextWithoutCode: "商户无此接口权限",
	} {
		t.Run(fault, func(t *testing.T) {
			s := newShop(t, nil)
			p, op := s.signedIn(0), s.operator()
			read := 0
			logged := func(what string) {
				t.Helper()
				log := s.log.String()
				if !strings.Contains(log[read:], want) {
					t.Errorf("%s: the reason is not in the log:\n%s", what, log[read:])
				}
				read = len(log)
			}
			s.fault(fault, "/pay/unifiedorder")
			req := basket("tea", 1)
			p.cannotPay(api.CodeWeChatDeclined, req)
			if s.loud() == 0 {
				t.Error("nothing loud in the log")
			}
			logged("unifiedorder")
			var c api.Checkout
			p.checkout(req, &c)
			if seen := op.look(c.Order.ID); seen.Status != api.StatusPending {
				t.Errorf("%+v", seen)
			}

			s.fault(fault, "/pay/orderquery")
			s.sim.Advance(4 * time.Second)
			p.get(c.Order.ID)
			logged("orderquery")
			s.fault(fault, "/pay/orderquery") // meets the notification, which may come at once
			p.pay(c.Pay)
			s.deliver()
			logged("notification")
			s.sim.Advance(15 * time.Second)
			s.wantStatus(c.Order.ID, api.StatusPaid)

			s.fault(fault, "/secapi/pay/refund")
			r := op.refund(c.Order.ID, refundOf(c.Order.Total))
			if r.Status != api.RefundCreated || !strings.Contains(r.FailureText, want) || r.Advice == "" {
				t.Errorf("%+v", r)
			}
			logged("refund")
			s.sim.Advance(2 * time.Minute)
			s.reconcile()
			s.sim.Advance(2 * time.Minute)
			s.wantStatus(c.Order.ID, api.StatusRefunded)
		})
	}
}

// WeChat repeats a notification that was acknowledged, twice at the same moment.
func TestAcknowledgedNotificationsComeAgain(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.fault(wechattest.FaultNotifyAgain, "")
	p := s.signedIn(0)
	c := p.order("tea", 1)
	p.pay(c.Pay)
	s.deliver()
	s.sim.Advance(time.Minute)
	s.check()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
	s.fault(wechattest.FaultNotifyAgain, "")
	s.operator().refund(c.Order.ID, refundOf(c.Order.Total))
	s.sim.Advance(time.Minute)
	s.check()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid, api.StatusRefunding, api.StatusRefunded)
	for _, n := range s.sim.Ledger().Notifications {
		if len(n.Attempts) != 3 {
			t.Errorf("%d attempts", len(n.Attempts))
		}
		for _, a := range n.Attempts {
			if !a.OK {
				t.Errorf("%+v", a)
			}
		}
	}
	if n := s.calls("orderquery"); n != 1 {
		t.Errorf("%d queries", n)
	}
}

// Coupons make cash_fee less than total_fee, some have no type: the order is paid with
// what it costs, and paid back with the same.
func TestPaymentWithCoupons(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p, op := s.signedIn(0), s.operator()
	for range 12 {
		s.fault(wechattest.FaultCoupons, "")
		o := p.paidOrder("tea", 1)
		op.refund(o.ID, refundOf(800))
		s.sim.Advance(2 * time.Minute)
		op.refund(o.ID, refundOf(6000))
		s.sim.Advance(2 * time.Minute)
		s.check()
		s.wantStatus(o.ID, api.StatusRefunded)
	}
	for _, trade := range s.sim.Ledger().Trades {
		if len(trade.Coupons) != 3 || trade.CashFee >= trade.TotalFee {
			t.Errorf("%+v", trade)
		}
	}
	day := s.now()
	s.sim.Advance(33 * time.Hour)
	if c := op.checkBill(cst.In(day).Format("2006-01-02")); c.Status != "agrees" || c.Payments != 12 {
		t.Errorf("%+v", c)
	}
}

// Somebody opens the landing link of somebody else: a code and a state that this
// browser did not get. Nobody is signed in, and the code is not spent.
func TestCopiedLandingSignsNobodyIn(t *testing.T) {
	t.Parallel()
	for _, cookies := range []string{"its own state", "none"} {
		t.Run(cookies, func(t *testing.T) {
			s := newShop(t, nil)
			s.fault(wechattest.FaultLandingCopied, "")
			p := s.person(0)
			code, state := p.authorize("/", "")
			if cookies == "none" {
				p.cookies = map[string]string{}
			}
			p.fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: code, State: state})
			p.fails(api.CodeUnauthenticated, "GET", api.PathOrders, nil)
			if n := s.calls("access_token"); n != 0 {
				t.Errorf("%d codes were exchanged", n)
			}
		})
	}
}
