package server_test

import (
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cst"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// WeChat gives its reason as retmsg, or in err_code_des alone. The log has the reason. No order or
// refund fails, because both are about the shop and not about the order.
func TestReasonUnderOtherNames(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]string{
		wechattest.FaultRetmsg: "param mch_id invalid", wechattest.FaultTextWithoutCode: "商户无此接口权限",
	} {
		t.Run(fault, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			p, op := s.SignedIn(0), s.Operator()
			read := 0
			logged := func(what string) {
				t.Helper()
				log := s.Log.String()
				if !strings.Contains(log[read:], want) {
					t.Errorf("%s: the reason is not in the log:\n%s", what, log[read:])
				}
				read = len(log)
			}
			s.Fault(fault, "/pay/unifiedorder")
			req := paytest.Basket("tea", 1)
			p.CannotPay(api.CodeWeChatDeclined, req)
			if s.ErrorLines() == 0 {
				t.Error("the log lacks a line of level ERROR")
			}
			logged("unifiedorder")
			var c api.Checkout
			p.Checkout(req, &c)
			if seen := op.SyncedOrder(c.Order.ID); seen.Status != v1.OrderOpen {
				t.Errorf("%+v", seen)
			}

			s.Fault(fault, "/pay/orderquery")
			s.Sim.Advance(4 * time.Second)
			p.GetOrder(c.Order.ID)
			logged("orderquery")
			s.Fault(fault, "/pay/orderquery") // affects the notification, which may arrive at once
			p.Pay(c.Pay)
			s.Deliver()
			logged("notification")
			s.Sim.Advance(15 * time.Second)
			s.WantStatus(c.Order.ID, api.StatusPaid)

			s.Fault(fault, "/secapi/pay/refund")
			r := op.Refund(c.Order.ID, paytest.RefundRequest(c.Order.Total))
			if r.Status != api.RefundCreated || !strings.Contains(r.FailureText, want) || r.Advice == "" {
				t.Errorf("%+v", r)
			}
			logged("refund")
			s.Sim.Advance(2 * time.Minute)
			s.Reconcile()
			s.Sim.Advance(2 * time.Minute)
			s.WantStatus(c.Order.ID, api.StatusRefunded)
		})
	}
}

// WeChat repeats a notification that was acknowledged, twice at the same moment.
func TestAcknowledgedNotificationsComeAgain(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	s.Fault(wechattest.FaultNotifyAgain, "")
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	p.Pay(c.Pay)
	s.Deliver()
	s.Sim.Advance(time.Minute)
	s.Check()
	s.WantPath(c.Order.ID, api.StatusPaid)
	s.Fault(wechattest.FaultNotifyAgain, "")
	s.Operator().Refund(c.Order.ID, paytest.RefundRequest(c.Order.Total))
	s.Sim.Advance(time.Minute)
	s.Check()
	s.WantPath(c.Order.ID, api.StatusPaid, api.StatusRefunding, api.StatusRefunded)
	for _, n := range s.Sim.Ledger().Notifications {
		if len(n.Attempts) != 3 {
			t.Errorf("%d attempts", len(n.Attempts))
		}
		for _, a := range n.Attempts {
			if !a.OK {
				t.Errorf("%+v", a)
			}
		}
	}
	if n := s.Calls("orderquery"); n != 1 {
		t.Errorf("%d queries", n)
	}
}

// Coupons make cash_fee less than total_fee, and some have no type. The whole total is paid, and
// the whole total is refunded.
func TestPaymentWithCoupons(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, op := s.SignedIn(0), s.Operator()
	for range 12 {
		s.Fault(wechattest.FaultCoupons, "")
		o := p.PaidOrder("tea", 1)
		op.Refund(o.ID, paytest.RefundRequest(800))
		s.Sim.Advance(2 * time.Minute)
		op.Refund(o.ID, paytest.RefundRequest(6000))
		s.Sim.Advance(2 * time.Minute)
		s.Check()
		s.WantStatus(o.ID, api.StatusRefunded)
	}
	for _, trade := range s.Sim.Ledger().Trades {
		if len(trade.Coupons) != 3 || trade.CashFee >= trade.TotalFee {
			t.Errorf("%+v", trade)
		}
	}
	day := s.Now()
	s.Sim.Advance(33 * time.Hour)
	if c := checkBill(op, cst.In(day).Format("2006-01-02")); c.Status != "agrees" || c.Payments != 12 {
		t.Errorf("%+v", c)
	}
}

// A user opens another user's return link, with a code and a state of another browser. Nobody is
// signed in, and the code is not used.
func TestCopiedReturnLinkSignsNobodyIn(t *testing.T) {
	t.Parallel()
	for _, cookies := range []string{"its own state", "none"} {
		t.Run(cookies, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			s.Fault(wechattest.FaultLandingCopied, "")
			p := s.NewPerson(0)
			code, state := p.Authorize("/", "")
			if cookies == "none" {
				p.Cookies = map[string]string{}
			}
			p.Fails(api.CodeStateInvalid, "POST", api.PathToken, api.TokenRequest{Code: code, State: state})
			p.Fails(api.CodeUnauthenticated, "GET", api.PathOrders, nil)
			if n := s.Calls("access_token"); n != 0 {
				t.Errorf("%d codes were exchanged", n)
			}
		})
	}
}
