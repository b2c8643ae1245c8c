package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// Paid, and refunded by hand at the merchant platform, before the shop knew of the payment.
func TestRefundByHandOfAnOrderThatIsNotKnownToBePaid(t *testing.T) {
	t.Parallel()
	for seed := range int64(8) { // WeChat omits optional fields at random
		s := paytest.NewShopAt(t, wechattest.Config{Seed: seed + 1}, nil)
		p := s.SignedIn(0)
		c := p.Order("tea", 1)
		s.Fault(wechattest.FaultNotifyLost, "")
		p.Pay(c.Pay)
		if _, err := s.Sim.Refund(s.OutTradeNo(c.Order.ID), 800); err != nil {
			t.Fatal(err)
		}
		s.Sim.Advance(2 * time.Minute)
		s.Reconcile()
		s.WantRefunds(c.Order.ID, "succeeded 800")
		s.WantPath(c.Order.ID, api.StatusPaid, api.StatusRefunding, api.StatusPaid)
		paidAt := s.Sim.Ledger().Trades[0].Paid.Unix() * 1000
		if seen := p.GetOrder(c.Order.ID); seen.Refunded != 800 || seen.PaymentNo == "" || seen.PaidAtUnknown != (seen.PaidAt == 0) ||
			!seen.PaidAtUnknown && seen.PaidAt != paidAt {
			t.Errorf("%+v, paid at %d", seen, paidAt)
		}
		if !strings.Contains(s.Log.String(), "found a refund that was made at the merchant platform") {
			t.Error("the log lacks the refund")
		}
	}
}

// The shop requests a refund that the merchant has already made by hand.
func TestRefundThatWasMadeByHandBefore(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	if _, err := s.Sim.Refund(s.OutTradeNo(o.ID), 6000); err != nil {
		t.Fatal(err)
	}
	s.Sim.Advance(2 * time.Minute)
	op.Fails(api.CodeWeChatDeclined, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(o.Total))
	s.WantRefunds(o.ID, "succeeded 6000, failed 6800 INVALID_REQUEST")
	op.Fails(api.CodeRefundTooMuch, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(801))
	op.Refund(o.ID, paytest.RefundRequest(800))
	s.Sim.Advance(time.Minute)
	s.Check()
	s.WantStatus(o.ID, api.StatusRefunded)
}

// The merchant platform sends notifications of refunds by hand if its notification URL is set.
func TestNotificationOfARefundByHand(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		s := paytest.NewShopAt(t, wechattest.Config{RefundNotifyURL: paytest.ShopURL + api.PathNotifyRefund}, nil)
		p := s.SignedIn(0)
		c := p.Order("tea", 1)
		if !known {
			s.Fault(wechattest.FaultNotifyLost, "")
		}
		p.Pay(c.Pay)
		s.Deliver()
		if _, err := s.Sim.Refund(s.OutTradeNo(c.Order.ID), 800); err != nil {
			t.Fatal(err)
		}
		s.Sim.Advance(10 * time.Second)
		s.Check()
		s.WantRefunds(c.Order.ID, "succeeded 800")
		s.WantPath(c.Order.ID, api.StatusPaid, api.StatusRefunding, api.StatusPaid)
		if n := s.Sim.Ledger().Notifications; n[len(n)-1].State != wechattest.NotifyAcknowledged {
			t.Errorf("known %t: %+v", known, n)
		}
	}
}

// The content of a notification of a refund by hand is not stored. WeChat's response to the query
// is stored, and nothing if WeChat does not know the refund.
func TestForgedNotificationOfARefundByHand(t *testing.T) {
	t.Parallel()
	for _, forge := range []string{wechattest.ForgeTooEarly, wechattest.ForgeWrongAmount} {
		s := paytest.NewShopAt(t, wechattest.Config{RefundNotifyURL: paytest.ShopURL + api.PathNotifyRefund}, nil)
		o := s.SignedIn(0).PaidOrder("tea", 1)
		refund, err := s.Sim.Refund(s.OutTradeNo(o.ID), 800)
		if err != nil {
			t.Fatal(err)
		}
		s.Fault(wechattest.FaultSystemError, "/pay/refundquery")
		if attempt, err := s.Sim.NotifyRefund(refund.OutRefundNo, forge); err != nil || attempt.OK || attempt.Status != http.StatusServiceUnavailable {
			t.Errorf("%s, not confirmed: %+v, %v", forge, attempt, err)
		}
		s.WantRefunds(o.ID, "")
		if attempt, err := s.Sim.NotifyRefund(refund.OutRefundNo, forge); err != nil || attempt.OK || !strings.Contains(attempt.Reason, "WeChat says otherwise") {
			t.Errorf("%s: %+v, %v", forge, attempt, err)
		}
		s.WantRefunds(o.ID, "processing 800")
		s.Sim.Advance(30 * time.Second)
		s.Check()
		s.WantRefunds(o.ID, "succeeded 800")
	}
}

// A call that seemed lost reaches WeChat after a later call was declined.
func TestRefundThatWeChatAcceptsAfterItFailed(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	s.Fault(wechattest.FaultTimeoutBefore, "/secapi/pay/refund")
	r := op.Refund(o.ID, paytest.RefundRequest(o.Total))
	if ok, err := store.New(s.DB).FailRefund(t.Context(), r.ID, order.RefundFailure{Failure: "ERROR"}, s.Now()); err != nil || !ok {
		t.Fatal(ok, err)
	}
	s.WantStatus(o.ID, api.StatusPaid)
	pay, err := s.WeChat.For(wechat.V2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pay.Refund(t.Context(), wechat.RefundRequest{
		OutTradeNo: s.OutTradeNo(o.ID), OutRefundNo: r.ID, Total: o.Total, Amount: r.Amount, NotifyURL: paytest.ShopURL + api.PathNotifyRefund,
	}); err != nil {
		t.Fatal(err)
	}
	s.Sim.Advance(10 * time.Second)
	s.Check()
	s.WantRefunds(o.ID, "succeeded 6800")
	s.WantPath(o.ID, api.StatusPaid, api.StatusRefunding, api.StatusPaid, api.StatusRefunding, api.StatusRefunded)
	if !strings.Contains(s.Log.String(), "level=WARN msg=\"refund processing\"") {
		t.Errorf("the log lacks the refund:\n%s", s.Log)
	}
}

// A report of WeChat's with another order or other amounts changes nothing.
func TestRefundReportThatDiffersChangesNothing(t *testing.T) {
	t.Parallel()
	for name, bend := range map[string]string{
		"amount":      `UPDATE refunds SET amount = 100`,
		"order":       `UPDATE refunds SET out_trade_no = '9' || substr(out_trade_no, 2); UPDATE payments SET out_trade_no = '9' || substr(out_trade_no, 2); UPDATE orders SET paid_by = '9' || substr(paid_by, 2)`,
		"total":       `UPDATE orders SET total = 6900, items = replace(items, '6800', '6900'); UPDATE payments SET total = 6900`,
		"transaction": `UPDATE payments SET transaction_id = 'another'`,
		"number":      `UPDATE refunds SET refund_id = 'another'`,
	} {
		t.Run(name, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			id, _ := startRefund(s)
			storetest.Exec(t, s.DB, `DROP TRIGGER keep_order; DROP TRIGGER keep_payment; DROP TRIGGER keep_refund;`+bend)
			before := s.RefundsOf(id)
			s.Sim.Advance(10 * time.Second)
			s.Sim.Advance(time.Minute)
			if err := s.Signer.Reconcile(t.Context()); err != nil {
				t.Error(err)
			}
			if s.RefundsOf(id) != before {
				t.Errorf("%s became %s", before, s.RefundsOf(id))
			}
			if s.ErrorLines() == 0 {
				t.Error("the log lacks a line of level ERROR")
			}
			for _, n := range s.Sim.Ledger().Notifications[1].Attempts {
				if n.OK || n.Status != http.StatusOK {
					t.Errorf("%+v", n)
				}
			}
		})
	}
}
