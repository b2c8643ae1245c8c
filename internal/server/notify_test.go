package server_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/wechat/wechattest"
)

func TestLostNotificationIsFoundByPolling(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	s.Deliver()
	s.Sim.Advance(paytest.QueryPause)
	if o := p.GetOrder(c.Order.ID); o.Status != api.StatusPaid {
		t.Errorf("order %+v", o)
	}
	s.WantPath(c.Order.ID, api.StatusPaid)
}

func TestRepeatedNotificationsPayOnce(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyDoubled, "")
	p.Pay(c.Pay)
	s.Deliver()
	for _, forge := range []string{"", wechattest.ForgeReplay} {
		attempt, err := s.Sim.Notify(s.OutTradeNo(c.Order.ID), forge)
		if err != nil || !attempt.OK {
			t.Errorf("%q: %+v, %v", forge, attempt, err)
		}
	}
	s.Check()
	s.WantPath(c.Order.ID, api.StatusPaid)
}

func TestForgedNotificationsChangeNothing(t *testing.T) {
	t.Parallel()
	for _, forge := range wechattest.Forgeries() {
		if forge == wechattest.ForgeReplay || forge == wechattest.ForgeOtherTrade || forge == wechattest.ForgeLeakedKey {
			continue // a replayed or signed one, which may cause a query; see the other tests here and TestAPIKeyAlonePaysNothing
		}
		t.Run(forge, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			p := s.SignedIn(0)
			c := p.Order("tea", 1)
			before := storetest.Dump(t, s.DB)
			attempt, err := s.Sim.Notify(s.OutTradeNo(c.Order.ID), forge)
			if err != nil || attempt.OK || attempt.Status != http.StatusOK {
				t.Errorf("%+v, %v", attempt, err)
			}
			if storetest.Dump(t, s.DB) != before {
				t.Error("the database changed")
			}
			if s.ErrorLines() != 1 {
				t.Errorf("%d log lines of level ERROR:\n%s", s.ErrorLines(), s.Log)
			}
			// The real payment is settled.
			p.Pay(c.Pay)
			s.Deliver()
			s.WantPath(c.Order.ID, api.StatusPaid)
		})
	}
}

func TestTransactionOfAnotherOrderPaysNothing(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	paid, c := p.Order("tea", 1), p.Order("tea", 1)
	p.Pay(paid.Pay)
	s.Deliver()
	attempt, err := s.Sim.Notify(s.OutTradeNo(c.Order.ID), wechattest.ForgeOtherTrade)
	if err != nil || attempt.OK {
		t.Errorf("%+v, %v", attempt, err)
	}
	s.Check()
	s.WantStatus(c.Order.ID, api.StatusOpen)
}

func TestForgedReplyPaysNothing(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultForgedReply, "")
	s.Sim.Advance(paytest.QueryPause)
	if o := p.GetOrder(c.Order.ID); o.Status != api.StatusOpen {
		t.Errorf("%+v", o)
	}
	if len(s.Sim.Faults()) != 0 {
		t.Error("WeChat was not queried")
	}
}

func TestNotificationForAnUnknownOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	no := s.OutTradeNo(c.Order.ID)
	storetest.Exec(t, s.DB, `DELETE FROM orders`)
	p.Pay(c.Pay)
	s.Deliver()
	attempt, err := s.Sim.Notify(no, "")
	if err != nil || attempt.OK {
		t.Errorf("%+v, %v", attempt, err)
	}
	if !strings.Contains(s.Log.String(), "unknown order") {
		t.Error("the log lacks the line")
	}
}

func TestNotificationIsRepeatedAfterADatabaseFailure(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	storetest.Exec(t, s.DB, `ALTER TABLE orders RENAME TO away`)
	p.Pay(c.Pay)
	s.Sim.Advance(time.Second)
	storetest.Exec(t, s.DB, `ALTER TABLE away RENAME TO orders`)
	s.WantPath(c.Order.ID)
	if n := s.Sim.Ledger().Notifications[0]; len(n.Attempts) != 1 || n.Attempts[0].OK || n.Attempts[0].Status != http.StatusInternalServerError {
		t.Errorf("%+v", n)
	}
	s.Sim.Advance(15 * time.Second)
	s.Check()
	s.WantPath(c.Order.ID, api.StatusPaid)
}

// Fifty notifications and fifty polls arrive at the same time. One of them settles the payment.
func TestConcurrentReportsPayOnce(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	no := s.OutTradeNo(c.Order.ID)
	var wg sync.WaitGroup
	var acknowledged atomic.Int32
	for range 50 {
		wg.Go(func() {
			// A duplicate that arrives while another one is confirmed is answered FAIL, and WeChat
			// repeats it.
			attempt, err := s.Sim.Notify(no, "")
			if err != nil || !attempt.OK && !strings.Contains(attempt.Reason, "try again") {
				t.Errorf("%+v, %v", attempt, err)
			}
			if attempt.OK {
				acknowledged.Add(1)
			}
		})
		poll := p.Request("GET", api.OrderPath(c.Order.ID), nil)
		wg.Go(func() {
			if a := p.Send(poll); a.Status != http.StatusOK {
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	wg.Wait()
	if acknowledged.Load() == 0 {
		t.Error("no notification was acknowledged")
	}
	if attempt, err := s.Sim.Notify(no, ""); err != nil || !attempt.OK {
		t.Errorf("repeated later: %+v, %v", attempt, err)
	}
	s.Check()
	s.WantPath(c.Order.ID, api.StatusPaid)
	if n := s.Calls("orderquery"); n > 2 { // one for a poll, one for the notifications
		t.Errorf("%d queries in one window", n)
	}
	if n := strings.Count(s.Log.String(), `msg="payment paid"`); n != 1 {
		t.Errorf("paid %d times in the log", n)
	}
}

func TestPollingQueriesWeChatOncePerWindow(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	// In the first window WeChat has just answered unifiedorder.
	for window := range 4 {
		for range 5 {
			p.GetOrder(c.Order.ID)
		}
		if n := s.Calls("orderquery"); n != window {
			t.Errorf("%d queries in %d windows after the first", n, window)
		}
		s.Sim.Advance(3 * time.Second)
	}
}
