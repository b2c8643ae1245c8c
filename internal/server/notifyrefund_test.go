package server_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/wechat/wechattest"
)

// startRefund returns a paid order with an open refund of the whole amount.
func startRefund(s *paytest.Shop) (orderID, refundID string) {
	s.T.Helper()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	r := s.Operator().Refund(o.ID, paytest.RefundRequest(o.Total))
	return o.ID, r.ID
}

func TestForgedRefundNotificationsChangeNothing(t *testing.T) {
	t.Parallel()
	for _, forge := range wechattest.RefundForgeries() {
		if forge == wechattest.ForgeReplay {
			continue // a replayed one; see TestRepeatedRefundNotifications
		}
		t.Run(forge, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			id, refund := startRefund(s)
			s.Sim.Advance(paytest.QueryPause)
			before := s.RefundsOf(id)
			attempt, err := s.Sim.NotifyRefund(refund, forge)
			if err != nil || attempt.OK || attempt.Status != http.StatusOK {
				t.Errorf("%+v, %v", attempt, err)
			}
			if s.RefundsOf(id) != before {
				t.Error("the database changed")
			}
			s.WantStatus(id, api.StatusRefunding)
			if s.ErrorLines() != 1 {
				t.Errorf("%d log lines of level ERROR:\n%s", s.ErrorLines(), s.Log)
			}
			// The genuine notification is accepted.
			s.Sim.Advance(30 * time.Second)
			s.Check()
			s.WantStatus(id, api.StatusRefunded)
			// A forged notification does not change a finished refund either.
			dump := storetest.Dump(t, s.DB)
			attempt, err = s.Sim.NotifyRefund(refund, forge)
			if tooEarly := forge == wechattest.ForgeTooEarly; err != nil || attempt.OK != tooEarly { // its content is correct now
				t.Errorf("%+v, %v", attempt, err)
			}
			if storetest.Dump(t, s.DB) != dump {
				t.Error("the database changed")
			}
		})
	}
}

func TestRepeatedRefundNotifications(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	s.Fault(wechattest.FaultNotifyDoubled, "") // of the payment
	id, refund := startRefund(s)
	s.Fault(wechattest.FaultNotifyDoubled, "")
	s.Sim.Advance(30 * time.Second)
	s.WantStatus(id, api.StatusRefunded)
	asked, dump := s.Calls("refundquery"), storetest.Dump(t, s.DB)
	for _, forge := range []string{"", wechattest.ForgeReplay} {
		if attempt, err := s.Sim.NotifyRefund(refund, forge); err != nil || !attempt.OK {
			t.Errorf("%q: %+v, %v", forge, attempt, err)
		}
	}
	if s.Calls("refundquery") != asked || storetest.Dump(t, s.DB) != dump {
		t.Error("a repeated notification caused a query or a change")
	}
	s.Check()
}

// Notifications of a refund cause one query in a window, whatever their number is.
func TestRefundNotificationsDoNotMultiplyQueries(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	id, refund := startRefund(s)
	s.Sim.Advance(paytest.QueryPause)
	asked := s.Calls("refundquery")
	for range 4 {
		if attempt, err := s.Sim.NotifyRefund(refund, wechattest.ForgeTooEarly); err != nil || attempt.OK {
			t.Errorf("%+v, %v", attempt, err)
		}
	}
	if n := s.Calls("refundquery") - asked; n != 1 {
		t.Errorf("%d queries, want 1", n)
	}
	s.WantStatus(id, api.StatusRefunding)
}

// The confirming query fails, and WeChat repeats the notification.
func TestRefundNotificationThatCannotBeConfirmed(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{wechattest.FaultSystemError, wechattest.FaultBadGateway, wechattest.FaultTimeoutBefore,
		wechattest.FaultBadReplySign, wechattest.FaultNoReplySign} {
		s := paytest.NewShop(t, nil)
		id, _ := startRefund(s)
		s.Fault(fault, "/pay/refundquery")
		s.Sim.Advance(5 * time.Second)
		s.Check()
		s.WantStatus(id, api.StatusRefunding)
		n := s.Sim.Ledger().Notifications[1]
		if len(n.Attempts) != 1 || n.Attempts[0].OK || n.Attempts[0].Status != http.StatusServiceUnavailable {
			t.Errorf("%s: %+v", fault, n)
		}
		s.Sim.Advance(16 * time.Second)
		s.Check()
		s.WantStatus(id, api.StatusRefunded)
	}
}

func TestRefundNotificationWithABrokenDatabase(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	id, refund := startRefund(s)
	storetest.Exec(t, s.DB, `ALTER TABLE refunds RENAME TO gone`)
	s.Sim.Advance(6 * time.Second)
	if n := s.Sim.Ledger().Notifications[1]; len(n.Attempts) != 1 || n.Attempts[0].Status != http.StatusInternalServerError {
		t.Errorf("%+v", n)
	}
	storetest.Exec(t, s.DB, `ALTER TABLE gone RENAME TO refunds`)
	if attempt, err := s.Sim.NotifyRefund(refund, ""); err != nil || !attempt.OK {
		t.Errorf("%+v, %v", attempt, err)
	}
	s.Check()
	s.WantStatus(id, api.StatusRefunded)
}

func TestRefundNotificationForAnUnknownOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	_, refund := startRefund(s)
	storetest.Exec(t, s.DB, `DROP TRIGGER keep_refunds; DROP TRIGGER keep_paid_orders; DROP TRIGGER keep_payments; DELETE FROM refunds; DELETE FROM orders`)
	s.Sim.Advance(6 * time.Second)
	if attempt, err := s.Sim.NotifyRefund(refund, ""); err != nil || attempt.OK || !strings.Contains(attempt.Reason, "unknown order") {
		t.Errorf("%+v, %v", attempt, err)
	}
	if s.ErrorLines() == 0 {
		t.Error("the log lacks a line of level ERROR")
	}
}

// Twenty genuine notifications, twenty forged ones and twenty polls at once.
func TestConcurrentReportsOfARefund(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	s.Fault(wechattest.FaultNotifyLost, "")
	id, refund := startRefund(s)
	s.Fault(wechattest.FaultNotifyLost, "")
	s.Sim.Advance(30 * time.Second)
	op := s.Operator()
	var wg sync.WaitGroup
	for range 20 {
		for _, forge := range []string{"", wechattest.ForgeWrongAmount} {
			wg.Go(func() {
				if attempt, err := s.Sim.NotifyRefund(refund, forge); err != nil || forge != "" && attempt.OK {
					t.Errorf("%q: %+v, %v", forge, attempt, err)
				}
			})
		}
		look := op.Request("GET", "/v1/orders/"+id+"?sync=true", nil)
		wg.Go(func() {
			if a := op.Send(look); a.Status != http.StatusOK {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	wg.Wait()
	s.Check()
	s.WantPath(id, api.StatusPaid, api.StatusRefunding, api.StatusRefunded)
	if n := s.Calls("refundquery"); n > 1 {
		t.Errorf("%d queries in one window", n)
	}
	if n := strings.Count(s.Log.String(), `msg="refund succeeded"`); n != 1 {
		t.Errorf("succeeded %d times in the log", n)
	}
}
