package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// Paid, and paid back by hand on the merchant platform, before the shop heard of
// either.
func TestRefundByHandOfAnOrderThatIsNotKnownToBePaid(t *testing.T) {
	t.Parallel()
	for seed := range int64(8) { // WeChat leaves out at will what it does not promise
		s := newShopAt(t, wechattest.Config{Seed: seed + 1}, nil)
		p := s.signedIn(0)
		c := p.order("tea", 1)
		s.fault(wechattest.FaultNotifyLost, "")
		p.pay(c.Pay)
		if _, err := s.sim.Refund(s.outTradeNo(c.Order.ID), 800); err != nil {
			t.Fatal(err)
		}
		s.sim.Advance(2 * time.Minute)
		s.reconcile()
		s.wantRefunds(c.Order.ID, "succeeded 800")
		s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid, api.StatusRefunding, api.StatusPaid)
		paidAt := s.sim.Ledger().Trades[0].Paid.Unix() * 1000
		if seen := p.get(c.Order.ID); seen.Refunded != 800 || seen.PaymentNo == "" || seen.PaidAtUnknown != (seen.PaidAt == 0) ||
			!seen.PaidAtUnknown && seen.PaidAt != paidAt {
			t.Errorf("%+v, paid at %d", seen, paidAt)
		}
		if !strings.Contains(s.log.String(), "refund found that was not made here") {
			t.Error("the log does not tell of it")
		}
	}
}

// The shop asks WeChat to pay back what the merchant has paid back by hand.
func TestRefundThatWasMadeByHandBefore(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	if _, err := s.sim.Refund(s.outTradeNo(o.ID), 6000); err != nil {
		t.Fatal(err)
	}
	s.sim.Advance(2 * time.Minute)
	op.fails(api.CodeWeChatDeclined, "POST", refundPath(o.ID), refundOf(o.Total))
	s.wantRefunds(o.ID, "failed 6800 INVALID_REQUEST, succeeded 6000")
	op.fails(api.CodeRefundTooMuch, "POST", refundPath(o.ID), refundOf(801))
	op.refund(o.ID, refundOf(800))
	s.sim.Advance(time.Minute)
	s.check()
	s.wantStatus(o.ID, api.StatusRefunded)
}

// The merchant platform tells of refunds by hand when it was told where to.
func TestNotificationOfARefundByHand(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		s := newShopAt(t, wechattest.Config{RefundNotifyURL: shopURL + api.PathNotifyRefund}, nil)
		p := s.signedIn(0)
		c := p.order("tea", 1)
		if !known {
			s.fault(wechattest.FaultNotifyLost, "")
		}
		p.pay(c.Pay)
		s.deliver()
		if _, err := s.sim.Refund(s.outTradeNo(c.Order.ID), 800); err != nil {
			t.Fatal(err)
		}
		s.sim.Advance(10 * time.Second)
		s.check()
		s.wantRefunds(c.Order.ID, "succeeded 800")
		s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid, api.StatusRefunding, api.StatusPaid)
		if n := s.sim.Ledger().Notifications; n[len(n)-1].State != wechattest.NotifyAcknowledged {
			t.Errorf("known %t: %+v", known, n)
		}
	}
}

// What a notification says of a refund by hand is not believed: what WeChat answers
// is stored, and nothing when it knows no such refund.
func TestForgedNotificationOfARefundByHand(t *testing.T) {
	t.Parallel()
	for _, forge := range []string{wechattest.ForgeTooEarly, wechattest.ForgeWrongAmount} {
		s := newShopAt(t, wechattest.Config{RefundNotifyURL: shopURL + api.PathNotifyRefund}, nil)
		o := s.signedIn(0).paidOrder("tea", 1)
		refund, err := s.sim.Refund(s.outTradeNo(o.ID), 800)
		if err != nil {
			t.Fatal(err)
		}
		s.fault(wechattest.FaultSystemError, "/pay/refundquery")
		if attempt, err := s.sim.NotifyRefund(refund.OutRefundNo, forge); err != nil || attempt.OK || attempt.Status != http.StatusServiceUnavailable {
			t.Errorf("%s, not confirmed: %+v, %v", forge, attempt, err)
		}
		s.wantRefunds(o.ID, "")
		if attempt, err := s.sim.NotifyRefund(refund.OutRefundNo, forge); err != nil || attempt.OK || !strings.Contains(attempt.Reason, "WeChat says otherwise") {
			t.Errorf("%s: %+v, %v", forge, attempt, err)
		}
		s.wantRefunds(o.ID, "processing 800")
		s.sim.Advance(30 * time.Second)
		s.check()
		s.wantRefunds(o.ID, "succeeded 800")
	}
}

// A call that was given up for lost reaches WeChat after a later one was declined.
func TestRefundThatIsTakenAfterItFailed(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	s.fault(wechattest.FaultTimeoutBefore, "/secapi/pay/refund")
	r := op.refund(o.ID, refundOf(o.Total))
	if ok, err := store.New(s.db).FailRefund(t.Context(), r.ID, order.RefundFailure{Failure: "ERROR"}, s.now()); err != nil || !ok {
		t.Fatal(ok, err)
	}
	s.wantStatus(o.ID, api.StatusPaid)
	pay, err := s.wechat.For(wechat.V2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pay.Refund(t.Context(), wechat.RefundRequest{
		OutTradeNo: s.outTradeNo(o.ID), OutRefundNo: r.ID, Total: o.Total, Amount: r.Amount, NotifyURL: shopURL + api.PathNotifyRefund,
	}); err != nil {
		t.Fatal(err)
	}
	s.sim.Advance(10 * time.Second)
	s.check()
	s.wantRefunds(o.ID, "succeeded 6800")
	s.wantPath(o.ID, api.StatusPending, api.StatusPaid, api.StatusRefunding, api.StatusPaid, api.StatusRefunding, api.StatusRefunded)
	if !strings.Contains(s.log.String(), "level=WARN msg=\"refund processing\"") {
		t.Errorf("the log does not tell of it:\n%s", s.log)
	}
}

// What WeChat says about another order, or other amounts, changes nothing.
func TestRefundThatWeChatTellsOtherwise(t *testing.T) {
	t.Parallel()
	for name, bend := range map[string]string{
		"amount":      `UPDATE refunds SET amount = 100`,
		"total":       `UPDATE orders SET total = 6900, items = replace(items, '6800', '6900')`,
		"transaction": `UPDATE orders SET transaction_id = 'another'`,
		"number":      `UPDATE refunds SET refund_id = 'another'`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, nil)
			id, _ := s.refunding()
			storetest.Exec(t, s.db, `DROP TRIGGER keep_request; DROP TRIGGER keep_refund;`+bend)
			before := s.refundsOf(id)
			s.sim.Advance(10 * time.Second)
			s.sim.Advance(time.Minute)
			if err := s.signer.Reconcile(t.Context()); err != nil {
				t.Error(err)
			}
			if s.refundsOf(id) != before {
				t.Errorf("%s became %s", before, s.refundsOf(id))
			}
			if s.loud() == 0 {
				t.Error("nothing loud in the log")
			}
			for _, n := range s.sim.Ledger().Notifications[1].Attempts {
				if n.OK || n.Status != http.StatusOK {
					t.Errorf("%+v", n)
				}
			}
		})
	}
}
