package server_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/store/storetest"
	"h5pay/wechat/wechattest"
)

func TestLostNotificationIsFoundByPolling(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(c.Pay)
	s.deliver()
	s.sim.Advance(queryPause)
	if o := p.get(c.Order.ID); o.Status != api.StatusPaid {
		t.Errorf("order %+v", o)
	}
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}

func TestRepeatedNotificationsPayOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.fault(wechattest.FaultNotifyDoubled, "")
	p.pay(c.Pay)
	s.deliver()
	for _, forge := range []string{"", wechattest.ForgeReplay} {
		attempt, err := s.sim.Notify(s.outTradeNo(c.Order.ID), forge)
		if err != nil || !attempt.OK {
			t.Errorf("%q: %+v, %v", forge, attempt, err)
		}
	}
	s.check()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}

func TestForgedNotificationsChangeNothing(t *testing.T) {
	t.Parallel()
	for _, forge := range wechattest.Forgeries() {
		if forge == wechattest.ForgeReplay || forge == wechattest.ForgeOtherTrade || forge == wechattest.ForgeLeakedKey {
			continue // of a genuine one, or it causes a query; see the tests around this one and TestAPIKeyAlonePaysNothing
		}
		t.Run(forge, func(t *testing.T) {
			s := newShop(t, nil)
			p := s.signedIn(0)
			c := p.order("tea", 1)
			before := storetest.Dump(t, s.db)
			attempt, err := s.sim.Notify(s.outTradeNo(c.Order.ID), forge)
			if err != nil || attempt.OK || attempt.Status != http.StatusOK {
				t.Errorf("%+v, %v", attempt, err)
			}
			if storetest.Dump(t, s.db) != before {
				t.Error("something changed")
			}
			if s.loud() != 1 {
				t.Errorf("%d loud lines:\n%s", s.loud(), s.log)
			}
			// The real payment is not harmed.
			p.pay(c.Pay)
			s.deliver()
			s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
		})
	}
}

func TestTransactionOfAnotherOrderPaysNothing(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	paid, c := p.order("tea", 1), p.order("tea", 1)
	p.pay(paid.Pay)
	s.deliver()
	attempt, err := s.sim.Notify(s.outTradeNo(c.Order.ID), wechattest.ForgeOtherTrade)
	if err != nil || attempt.OK {
		t.Errorf("%+v, %v", attempt, err)
	}
	s.check()
	s.wantStatus(c.Order.ID, api.StatusPending)
}

func TestForgedReplyPaysNothing(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.fault(wechattest.FaultForgedReply, "")
	s.sim.Advance(queryPause)
	if o := p.get(c.Order.ID); o.Status != api.StatusPending {
		t.Errorf("%+v", o)
	}
	if len(s.sim.Faults()) != 0 {
		t.Error("WeChat was not asked")
	}
}

func TestNotificationForAnUnknownOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	no := s.outTradeNo(c.Order.ID)
	storetest.Exec(t, s.db, `DELETE FROM orders`)
	p.pay(c.Pay)
	s.deliver()
	attempt, err := s.sim.Notify(no, "")
	if err != nil || attempt.OK {
		t.Errorf("%+v, %v", attempt, err)
	}
	if !strings.Contains(s.log.String(), "unknown order") {
		t.Error("nothing in the log")
	}
}

func TestNotificationIsToldAgainWhenTheDatabaseFailed(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	storetest.Exec(t, s.db, `ALTER TABLE orders RENAME TO away`)
	p.pay(c.Pay)
	s.sim.Advance(time.Second)
	storetest.Exec(t, s.db, `ALTER TABLE away RENAME TO orders`)
	s.wantPath(c.Order.ID, api.StatusPending)
	if n := s.sim.Ledger().Notifications[0]; len(n.Attempts) != 1 || n.Attempts[0].OK || n.Attempts[0].Status != http.StatusInternalServerError {
		t.Errorf("%+v", n)
	}
	s.sim.Advance(15 * time.Second)
	s.check()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}

// Fifty notifications and fifty polls at once: one of them pays the order.
func TestConcurrentNewsPaysOnce(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(c.Pay)
	no := s.outTradeNo(c.Order.ID)
	var wg sync.WaitGroup
	var acknowledged atomic.Int32
	for range 50 {
		wg.Go(func() {
			// A copy that comes while another one is being confirmed is answered FAIL: WeChat
			// repeats it.
			attempt, err := s.sim.Notify(no, "")
			if err != nil || !attempt.OK && !strings.Contains(attempt.Reason, "try again") {
				t.Errorf("%+v, %v", attempt, err)
			}
			if attempt.OK {
				acknowledged.Add(1)
			}
		})
		poll := p.request("GET", api.OrderPath(c.Order.ID), nil)
		wg.Go(func() {
			if a := p.send(poll); a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if acknowledged.Load() == 0 {
		t.Error("no notification was acknowledged")
	}
	if attempt, err := s.sim.Notify(no, ""); err != nil || !attempt.OK {
		t.Errorf("repeated later: %+v, %v", attempt, err)
	}
	s.check()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
	if n := s.calls("orderquery"); n > 2 { // one for a poll, one for the notifications
		t.Errorf("%d queries in one window", n)
	}
	if n := strings.Count(s.log.String(), `msg="order paid"`); n != 1 {
		t.Errorf("paid %d times in the log", n)
	}
}

func TestPollingAsksWeChatOncePerWindow(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	// In the first window WeChat has just answered unifiedorder.
	for window := range 4 {
		for range 5 {
			p.get(c.Order.ID)
		}
		if n := s.calls("orderquery"); n != window {
			t.Errorf("%d queries in %d windows after the first", n, window)
		}
		s.sim.Advance(3 * time.Second)
	}
}
