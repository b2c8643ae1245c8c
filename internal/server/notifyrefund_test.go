package server_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/store/storetest"
	"h5pay/wechat/wechattest"
)

// refunding returns a paid order of which all is on its way back.
func (s *shop) refunding() (orderID, refundID string) {
	s.t.Helper()
	o := s.signedIn(0).paidOrder("tea", 1)
	r := s.operator().refund(o.ID, refundOf(o.Total))
	return o.ID, r.ID
}

func TestForgedRefundNotificationsChangeNothing(t *testing.T) {
	t.Parallel()
	for _, forge := range wechattest.RefundForgeries() {
		if forge == wechattest.ForgeReplay {
			continue // of a genuine one; see TestRepeatedRefundNotifications
		}
		t.Run(forge, func(t *testing.T) {
			s := newShop(t, nil)
			id, refund := s.refunding()
			s.sim.Advance(queryPause)
			before := s.refundsOf(id)
			attempt, err := s.sim.NotifyRefund(refund, forge)
			if err != nil || attempt.OK || attempt.Status != http.StatusOK {
				t.Errorf("%+v, %v", attempt, err)
			}
			if s.refundsOf(id) != before {
				t.Error("something changed")
			}
			s.wantStatus(id, api.StatusRefunding)
			if s.loud() != 1 {
				t.Errorf("%d loud lines:\n%s", s.loud(), s.log)
			}
			// The true one is not harmed.
			s.sim.Advance(30 * time.Second)
			s.check()
			s.wantStatus(id, api.StatusRefunded)
			// Nor does a forged one change what has ended.
			dump := storetest.Dump(t, s.db)
			attempt, err = s.sim.NotifyRefund(refund, forge)
			if tooEarly := forge == wechattest.ForgeTooEarly; err != nil || attempt.OK != tooEarly { // it says the truth by now
				t.Errorf("%+v, %v", attempt, err)
			}
			if storetest.Dump(t, s.db) != dump {
				t.Error("something changed")
			}
		})
	}
}

// queryPause is the least time between two questions about one refund.
const queryPause = 3 * time.Second

func TestRepeatedRefundNotifications(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.fault(wechattest.FaultNotifyDoubled, "") // of the payment
	id, refund := s.refunding()
	s.fault(wechattest.FaultNotifyDoubled, "")
	s.sim.Advance(30 * time.Second)
	s.wantStatus(id, api.StatusRefunded)
	asked, dump := s.calls("refundquery"), storetest.Dump(t, s.db)
	for _, forge := range []string{"", wechattest.ForgeReplay} {
		if attempt, err := s.sim.NotifyRefund(refund, forge); err != nil || !attempt.OK {
			t.Errorf("%q: %+v, %v", forge, attempt, err)
		}
	}
	if s.calls("refundquery") != asked || storetest.Dump(t, s.db) != dump {
		t.Error("what is known was asked again, or changed")
	}
	s.check()
}

// WeChat does not answer when it is asked: the notification comes again.
func TestRefundNotificationThatCannotBeConfirmed(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{wechattest.FaultSystemError, wechattest.FaultBadGateway, wechattest.FaultTimeoutBefore,
		wechattest.FaultBadReplySign, wechattest.FaultNoReplySign} {
		s := newShop(t, nil)
		id, _ := s.refunding()
		s.fault(fault, "/pay/refundquery")
		s.sim.Advance(5 * time.Second)
		s.check()
		s.wantStatus(id, api.StatusRefunding)
		n := s.sim.Ledger().Notifications[1]
		if len(n.Attempts) != 1 || n.Attempts[0].OK || n.Attempts[0].Status != http.StatusServiceUnavailable {
			t.Errorf("%s: %+v", fault, n)
		}
		s.sim.Advance(16 * time.Second)
		s.check()
		s.wantStatus(id, api.StatusRefunded)
	}
}

func TestRefundNotificationWithABrokenDatabase(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	id, refund := s.refunding()
	storetest.Exec(t, s.db, `ALTER TABLE refunds RENAME TO gone`)
	s.sim.Advance(6 * time.Second)
	if n := s.sim.Ledger().Notifications[1]; len(n.Attempts) != 1 || n.Attempts[0].Status != http.StatusInternalServerError {
		t.Errorf("%+v", n)
	}
	storetest.Exec(t, s.db, `ALTER TABLE gone RENAME TO refunds`)
	if attempt, err := s.sim.NotifyRefund(refund, ""); err != nil || !attempt.OK {
		t.Errorf("%+v, %v", attempt, err)
	}
	s.check()
	s.wantStatus(id, api.StatusRefunded)
}

func TestRefundNotificationForAnUnknownOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	_, refund := s.refunding()
	storetest.Exec(t, s.db, `DROP TRIGGER keep_refunds; DROP TRIGGER keep_paid_orders; DELETE FROM refunds; DELETE FROM orders`)
	s.sim.Advance(6 * time.Second)
	if attempt, err := s.sim.NotifyRefund(refund, ""); err != nil || attempt.OK || !strings.Contains(attempt.Reason, "unknown order") {
		t.Errorf("%+v, %v", attempt, err)
	}
	if s.loud() == 0 {
		t.Error("nothing loud in the log")
	}
}

// Twenty true notifications, twenty forged ones and twenty looks at once.
func TestConcurrentNewsOfARefund(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.fault(wechattest.FaultNotifyLost, "")
	id, refund := s.refunding()
	s.fault(wechattest.FaultNotifyLost, "")
	s.sim.Advance(30 * time.Second)
	op := s.operator()
	var wg sync.WaitGroup
	for range 20 {
		for _, forge := range []string{"", wechattest.ForgeWrongAmount} {
			wg.Go(func() {
				if attempt, err := s.sim.NotifyRefund(refund, forge); err != nil || forge != "" && attempt.OK {
					t.Errorf("%q: %+v, %v", forge, attempt, err)
				}
			})
		}
		look := op.request("GET", api.PathAdminOrders+"/"+id, nil)
		wg.Go(func() {
			if a := op.send(look); a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	s.check()
	s.wantPath(id, api.StatusPending, api.StatusPaid, api.StatusRefunding, api.StatusRefunded)
	if n := s.calls("refundquery"); n > 1 {
		t.Errorf("%d queries in one window", n)
	}
	if n := strings.Count(s.log.String(), `msg="refund succeeded"`); n != 1 {
		t.Errorf("succeeded %d times in the log", n)
	}
}
