package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

// byCode makes an order that a QR code pays.
func (p *person) byCode(product string, quantity int) api.Checkout {
	p.t.Helper()
	var c api.Checkout
	p.checkout(native(product, quantity), &c)
	return c
}

// close gives an order up.
func (p *person) close(id string) api.Order {
	p.t.Helper()
	var o api.Order
	p.must("POST", api.OrderClosePath(id), api.CloseRequest{}, &o)
	return o
}

// state is WeChat's word on an order, "" when it knows none.
func (s *shop) state(id string) string {
	s.t.Helper()
	for _, o := range s.sim.Ledger().Orders {
		if o.OutTradeNo == s.outTradeNo(id) {
			return o.State
		}
	}
	return ""
}

func TestCloseOfAYoungOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	c := p.byCode("tea", 1)
	if o := p.close(c.Order.ID); o.Status != api.StatusClosing {
		t.Errorf("order %+v", o)
	}
	p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), struct{}{})
	p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), api.PayRequest{Renew: true})
	if o := p.close(c.Order.ID); o.Status != api.StatusClosing {
		t.Errorf("order %+v", o)
	}
	s.sim.Advance(5 * time.Minute)
	s.reconcile() // WeChat would not close it yet
	if n := s.calls("closeorder"); n != 0 || s.state(c.Order.ID) != wechattest.StateNotPay {
		t.Errorf("%d calls of closeorder, WeChat has it as %s", n, s.state(c.Order.ID))
	}
	s.sim.Advance(time.Minute)
	s.reconcile()
	s.wantStatus(c.Order.ID, api.StatusClosed)
	if s.state(c.Order.ID) != wechattest.StateClosed {
		t.Errorf("WeChat has it as %s", s.state(c.Order.ID))
	}
	var steps []api.OrderStatus
	o := p.get(c.Order.ID)
	for i, step := range o.Timeline {
		steps = append(steps, step.Status)
		if i > 0 && step.At < o.Timeline[i-1].At {
			t.Errorf("the time line goes back: %+v", o.Timeline)
		}
	}
	if d := cmp.Diff([]api.OrderStatus{api.StatusCreated, api.StatusPending, api.StatusClosing, api.StatusClosed}, steps); d != "" {
		t.Error(d)
	}
	if o := p.close(c.Order.ID); o.Status != api.StatusClosed || s.calls("closeorder") != 1 || s.loud() != 0 {
		t.Errorf("closing what is closed: %+v, %d calls, log\n%s", o, s.calls("closeorder"), s.log)
	}
}

func TestCloseOfAnOldOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.sim.Advance(6 * time.Minute)
	if o := p.close(c.Order.ID); o.Status != api.StatusClosed || s.state(o.ID) != wechattest.StateClosed {
		t.Errorf("order %+v, WeChat has it as %s", o, s.state(o.ID))
	}
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusClosing, api.StatusClosed)
	if _, err := p.sheet(c.Pay); err == nil {
		t.Error("it can still be paid")
	}
}

// The page of the buyer who waits closes it too, once WeChat may.
func TestPollingClosesWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	c := p.byCode("tea", 1)
	p.close(c.Order.ID)
	s.sim.Advance(6 * time.Minute)
	if o := p.get(c.Order.ID); o.Status != api.StatusClosed || s.state(o.ID) != wechattest.StateClosed {
		t.Errorf("order %+v, WeChat has it as %s", o, s.state(o.ID))
	}
}

func TestCloseAsksWeChatFirst(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	c := p.byCode("tea", 1)
	s.fault(wechattest.FaultNotifyLost, "")
	if err := s.scan(1, c.CodeURL); err != nil {
		t.Fatal(err)
	}
	p.fails(api.CodeOrderPaid, "POST", api.OrderClosePath(c.Order.ID), struct{}{})
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
	p.fails(api.CodeOrderPaid, "POST", api.OrderClosePath(c.Order.ID), struct{}{})
	if n := s.calls("orderquery"); n != 1 {
		t.Errorf("%d queries", n)
	}
}

// Whoever scanned the code before it was given up may pay until WeChat closes
// it: that is money.
func TestPaymentAfterItWasGivenUp(t *testing.T) {
	t.Parallel()
	for _, news := range []string{"notification", "poll", "timer"} {
		t.Run(news, func(t *testing.T) {
			s := newShop(t, nil)
			p := s.guest(0)
			c := p.byCode("tea", 1)
			p.close(c.Order.ID)
			if news != "notification" {
				s.fault(wechattest.FaultNotifyLost, "")
			}
			if err := s.scan(1, c.CodeURL); err != nil {
				t.Fatal(err)
			}
			switch news {
			case "notification":
				s.deliver()
			case "poll":
				s.sim.Advance(queryWindow)
				p.get(c.Order.ID)
			case "timer":
				s.sim.Advance(6 * time.Minute)
				s.reconcile()
			}
			s.wantPath(c.Order.ID, api.StatusPending, api.StatusClosing, api.StatusPaid)
			if !strings.Contains(s.log.String(), "order paid late") {
				t.Error("nothing in the log")
			}
		})
	}
}

const queryWindow = 3 * time.Second // of the signer

func TestPaymentWhileItIsClosed(t *testing.T) {
	t.Parallel()
	for when, path := range map[string]string{"before the close": "/pay/closeorder", "before the query": "/pay/orderquery"} {
		t.Run(when, func(t *testing.T) {
			s := newShop(t, nil)
			p := s.guest(0)
			c := p.byCode("tea", 1)
			s.sim.Advance(6 * time.Minute)
			s.fault(wechattest.FaultNotifyLost, "")
			s.wire.handler = before(s.wire.handler, path, func() {
				if err := s.scan(1, c.CodeURL); err != nil {
					t.Error(err)
				}
			})
			p.fails(api.CodeOrderPaid, "POST", api.OrderClosePath(c.Order.ID), struct{}{})
			s.wantStatus(c.Order.ID, api.StatusPaid)
		})
	}
}

func TestCloseWithoutWeChat(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{wechattest.FaultSystemError, wechattest.FaultTimeoutBefore, wechattest.FaultBadGateway, wechattest.FaultBadReplySign} {
		t.Run(fault, func(t *testing.T) {
			s := newShop(t, nil)
			p := s.guest(0)
			c := p.byCode("tea", 1)
			s.fault(fault, "/pay/orderquery")
			p.fails(api.CodeWeChatBusy, "POST", api.OrderClosePath(c.Order.ID), struct{}{})
			s.wantStatus(c.Order.ID, api.StatusPending) // nothing is known of it
			s.sim.Advance(6 * time.Minute)
			s.fault(fault, "/pay/closeorder")
			if o := p.close(c.Order.ID); o.Status != api.StatusClosing {
				t.Errorf("order %+v", o)
			}
			s.sim.Advance(time.Minute + time.Second)
			s.reconcile()
			s.wantPath(c.Order.ID, api.StatusPending, api.StatusClosing, api.StatusClosed)
		})
	}
}

// WeChat counts its five minutes from when it took the order, which may be long
// after it was made here.
func TestCloseOfAnOrderThatWeChatTookLate(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	req := native("tea", 1)
	s.fault(wechattest.FaultTimeoutBefore, "/pay/unifiedorder")
	p.cannotPay(api.CodeWeChatBusy, req)
	s.sim.Advance(6 * time.Minute)
	var c api.Checkout
	p.checkout(req, &c)
	if o := p.close(c.Order.ID); o.Status != api.StatusClosing {
		t.Errorf("order %+v", o)
	}
	for range 8 {
		s.sim.Advance(time.Minute)
		s.reconcile()
	}
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusClosing, api.StatusClosed)
	if s.state(c.Order.ID) != wechattest.StateClosed {
		t.Errorf("WeChat has it as %s", s.state(c.Order.ID))
	}
}

// An order of which WeChat never heard is closed here, when no request for it
// can be on its way any more.
func TestCloseOfAnOrderThatWeChatNeverTook(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	s.fault(wechattest.FaultTimeoutBefore, "/pay/unifiedorder")
	req := native("tea", 1)
	p.cannotPay(api.CodeWeChatBusy, req)
	var list api.OrderList
	p.must("GET", api.PathOrders, nil, &list)
	id := list.Orders[0].ID
	if o := p.close(id); o.Status != api.StatusClosing {
		t.Errorf("order %+v", o)
	}
	p.cannotPay(api.CodeOrderNotPayable, req)
	s.sim.Advance(6 * time.Minute)
	s.reconcile()
	s.wantPath(id, api.StatusClosing, api.StatusClosed)
	if s.calls("unifiedorder") != 1 || s.calls("closeorder") != 0 {
		t.Error("WeChat was told of it")
	}
}

// The same when it is old: a request may have been on its way when it was given
// up, and would open at WeChat what is closed here.
func TestCloseOfAnOldOrderWaitsForRequestsOnTheirWay(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.guest(0)
	req := native("tea", 1)
	s.fault(wechattest.FaultTimeoutBefore, "/pay/unifiedorder")
	p.cannotPay(api.CodeWeChatBusy, req)
	s.sim.Advance(6 * time.Minute)
	var id string
	s.wire.handler = before(s.wire.handler, "/pay/unifiedorder", func() {
		if err := s.db.QueryRow(`SELECT id FROM orders`).Scan(&id); err != nil {
			t.Error(err)
		}
		if o := p.close(id); o.Status != api.StatusClosing {
			t.Errorf("order %+v", o)
		}
	})
	p.cannotPay(api.CodeOrderNotPayable, req)
	s.wantStatus(id, api.StatusClosing)
	s.sim.Advance(6 * time.Minute) // from when WeChat took it
	s.reconcile()
	s.wantPath(id, api.StatusClosing, api.StatusClosed)
	if s.state(id) != wechattest.StateClosed {
		t.Errorf("WeChat has it as %q", s.state(id))
	}
}

// Given up while WeChat answers: what it gave reaches nobody.
func TestCloseWhileWeChatTakesTheOrder(t *testing.T) {
	t.Parallel()
	for _, renew := range []bool{false, true} {
		s := newShop(t, nil)
		p := s.guest(0)
		req := native("tea", 1)
		id := ""
		if renew {
			id = p.byCode("tea", 1).Order.ID
		}
		s.wire.handler = before(s.wire.handler, "/pay/unifiedorder", func() {
			if err := s.db.QueryRow(`SELECT id FROM orders`).Scan(&id); err != nil {
				t.Error(err)
			}
			if o := p.close(id); o.Status != api.StatusClosing {
				t.Errorf("order %+v", o)
			}
		})
		if renew {
			p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(id), api.PayRequest{Renew: true})
		} else {
			p.cannotPay(api.CodeOrderNotPayable, req)
		}
		s.wantStatus(id, api.StatusClosing)
		s.sim.Advance(6 * time.Minute)
		s.reconcile()
		s.wantStatus(id, api.StatusClosed)
		if s.state(id) != wechattest.StateClosed {
			t.Errorf("WeChat has it as %s", s.state(id))
		}
	}
}

func TestCloseOfSomebodyElsesOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	c := s.guest(0).byCode("tea", 1)
	for _, stranger := range []*person{s.guest(1), s.signedIn(2)} {
		stranger.unharmed(func() {
			stranger.fails(api.CodeNotFound, "POST", api.OrderClosePath(c.Order.ID), struct{}{})
			req := native("tea", 1)
			req.Replaces = c.Order.ID
			stranger.fails(api.CodeNotFound, "POST", api.PathOrders, req)
		})
	}
}

func TestDeclinedOrderStaysFailedWhenGivenUp(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	id := p.declined()
	calls := len(s.sim.Messages(0))
	if o := p.close(id); o.Status != api.StatusFailed || len(s.sim.Messages(0)) != calls {
		t.Errorf("order %+v", o)
	}
	req := basket("tea", 1)
	req.Replaces = id
	p.checkout(req, &api.Checkout{})
}
