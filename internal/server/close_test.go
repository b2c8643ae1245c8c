package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/wechat/wechattest"
)

func TestCloseOfAYoungOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	c := p.OrderByCode("tea", 1)
	if o := p.CloseOrder(c.Order.ID); o.Status != api.StatusClosing {
		t.Errorf("order %+v", o)
	}
	p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}})
	p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}, Renew: true})
	if o := p.CloseOrder(c.Order.ID); o.Status != api.StatusClosing {
		t.Errorf("order %+v", o)
	}
	s.Sim.Advance(5 * time.Minute)
	s.Reconcile() // WeChat would not close it yet
	if n := s.Calls("closeorder"); n != 0 || s.StateAtWeChat(c.Order.ID) != wechattest.StateNotPay {
		t.Errorf("%d calls of closeorder, its state at WeChat is %s", n, s.StateAtWeChat(c.Order.ID))
	}
	s.Sim.Advance(time.Minute)
	s.Reconcile()
	s.WantStatus(c.Order.ID, api.StatusClosed)
	if s.StateAtWeChat(c.Order.ID) != wechattest.StateClosed {
		t.Errorf("its state at WeChat is %s", s.StateAtWeChat(c.Order.ID))
	}
	var steps []api.OrderStatus
	o := p.GetOrder(c.Order.ID)
	for i, step := range o.Timeline {
		steps = append(steps, step.Status)
		if i > 0 && step.At < o.Timeline[i-1].At {
			t.Errorf("the time line goes back: %+v", o.Timeline)
		}
	}
	if d := cmp.Diff([]api.OrderStatus{api.StatusOpen, api.StatusClosing, api.StatusClosed}, steps); d != "" {
		t.Error(d)
	}
	if o := p.CloseOrder(c.Order.ID); o.Status != api.StatusClosed || s.Calls("closeorder") != 1 || s.ErrorLines() != 0 {
		t.Errorf("closing what is closed: %+v, %d calls, log\n%s", o, s.Calls("closeorder"), s.Log)
	}
}

func TestCloseOfAnOldOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Sim.Advance(6 * time.Minute)
	if o := p.CloseOrder(c.Order.ID); o.Status != api.StatusClosed || s.StateAtWeChat(o.ID) != wechattest.StateClosed {
		t.Errorf("order %+v, its state at WeChat is %s", o, s.StateAtWeChat(o.ID))
	}
	s.WantPath(c.Order.ID, api.StatusClosing, api.StatusClosed)
	if _, err := p.OpenPaySheet(c.Pay); err == nil {
		t.Error("the payment sheet still opens")
	}
}

// The buyer's polling page closes it too, as soon as WeChat allows it.
func TestPollingClosesACancelledOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	c := p.OrderByCode("tea", 1)
	p.CloseOrder(c.Order.ID)
	s.Sim.Advance(6 * time.Minute)
	if o := p.GetOrder(c.Order.ID); o.Status != api.StatusClosed || s.StateAtWeChat(o.ID) != wechattest.StateClosed {
		t.Errorf("order %+v, its state at WeChat is %s", o, s.StateAtWeChat(o.ID))
	}
}

func TestCloseQueriesWeChatFirst(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	c := p.OrderByCode("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	if err := s.Scan(1, c.CodeURL); err != nil {
		t.Fatal(err)
	}
	p.Fails(api.CodeOrderPaid, "POST", api.OrderClosePath(c.Order.ID), struct{}{})
	s.WantPath(c.Order.ID, api.StatusPaid)
	p.Fails(api.CodeOrderPaid, "POST", api.OrderClosePath(c.Order.ID), struct{}{})
	if n := s.Calls("orderquery"); n != 1 {
		t.Errorf("%d queries", n)
	}
}

// A buyer who scanned the code before the cancellation may pay until WeChat closes the payment.
// That payment counts.
func TestPaymentAfterTheCancellation(t *testing.T) {
	t.Parallel()
	for _, news := range []string{"notification", "poll", "timer"} {
		t.Run(news, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			p := s.NewGuest(0)
			c := p.OrderByCode("tea", 1)
			p.CloseOrder(c.Order.ID)
			if news != "notification" {
				s.Fault(wechattest.FaultNotifyLost, "")
			}
			if err := s.Scan(1, c.CodeURL); err != nil {
				t.Fatal(err)
			}
			switch news {
			case "notification":
				s.Deliver()
			case "poll":
				s.Sim.Advance(queryWindow)
				p.GetOrder(c.Order.ID)
			case "timer":
				s.Sim.Advance(6 * time.Minute)
				s.Reconcile()
			}
			s.WantPath(c.Order.ID, api.StatusClosing, api.StatusPaid)
			if !strings.Contains(s.Log.String(), "payment paid late") {
				t.Error("the log lacks the line")
			}
		})
	}
}

const queryWindow = 3 * time.Second // of the signer

func TestPaymentWhileItIsClosed(t *testing.T) {
	t.Parallel()
	for when, path := range map[string]string{"before the close": "/pay/closeorder", "before the query": "/pay/orderquery"} {
		t.Run(when, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			p := s.NewGuest(0)
			c := p.OrderByCode("tea", 1)
			s.Sim.Advance(6 * time.Minute)
			s.Fault(wechattest.FaultNotifyLost, "")
			s.ToWeChat.Handler = paytest.Before(s.ToWeChat.Handler, path, func() {
				if err := s.Scan(1, c.CodeURL); err != nil {
					t.Error(err)
				}
			})
			p.Fails(api.CodeOrderPaid, "POST", api.OrderClosePath(c.Order.ID), struct{}{})
			s.WantStatus(c.Order.ID, api.StatusPaid)
		})
	}
}

func TestCloseWithoutWeChat(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{wechattest.FaultSystemError, wechattest.FaultTimeoutBefore, wechattest.FaultBadGateway, wechattest.FaultBadReplySign} {
		t.Run(fault, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			p := s.NewGuest(0)
			c := p.OrderByCode("tea", 1)
			s.Fault(fault, "/pay/orderquery")
			p.Fails(api.CodeWeChatBusy, "POST", api.OrderClosePath(c.Order.ID), struct{}{})
			s.WantStatus(c.Order.ID, api.StatusOpen) // its state is unknown
			s.Sim.Advance(6 * time.Minute)
			s.Fault(fault, "/pay/closeorder")
			if o := p.CloseOrder(c.Order.ID); o.Status != api.StatusClosing {
				t.Errorf("order %+v", o)
			}
			s.Sim.Advance(time.Minute + time.Second)
			s.Reconcile()
			s.WantPath(c.Order.ID, api.StatusClosing, api.StatusClosed)
		})
	}
}

// WeChat counts its five minutes from when it accepted the payment, which may be long after the
// order was made.
func TestCloseOfALatePayment(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	req := paytest.BasketForCode("tea", 1)
	s.Fault(wechattest.FaultTimeoutBefore, "/pay/unifiedorder")
	p.CannotPay(api.CodeWeChatBusy, req)
	s.Sim.Advance(6 * time.Minute)
	var c api.Checkout
	p.Checkout(req, &c)
	if o := p.CloseOrder(c.Order.ID); o.Status != api.StatusClosing {
		t.Errorf("order %+v", o)
	}
	for range 8 {
		s.Sim.Advance(time.Minute)
		s.Reconcile()
	}
	s.WantPath(c.Order.ID, api.StatusClosing, api.StatusClosed)
	if s.StateAtWeChat(c.Order.ID) != wechattest.StateClosed {
		t.Errorf("its state at WeChat is %s", s.StateAtWeChat(c.Order.ID))
	}
}

// A payment that never reached WeChat is closed in the shop alone, when no request for it can still
// arrive.
func TestCloseOfAPaymentThatNeverReachedWeChat(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	s.Fault(wechattest.FaultTimeoutBefore, "/pay/unifiedorder")
	req := paytest.BasketForCode("tea", 1)
	p.CannotPay(api.CodeWeChatBusy, req)
	var list api.OrderList
	p.Must("GET", api.PathOrders, nil, &list)
	id := list.Orders[0].ID
	if o := p.CloseOrder(id); o.Status != api.StatusClosing {
		t.Errorf("order %+v", o)
	}
	p.CannotPay(api.CodeOrderNotPayable, req)
	s.Sim.Advance(6 * time.Minute)
	s.Reconcile()
	s.WantPath(id, api.StatusClosing, api.StatusClosed)
	if s.Calls("unifiedorder") != 1 || s.Calls("closeorder") != 0 {
		t.Error("the shop called WeChat about the closed payment")
	}
}

// The same for an old order: a request that began before the cancellation could still open the
// payment at WeChat.
func TestCloseOfAnOldOrderWaitsForOpenRequests(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	req := paytest.BasketForCode("tea", 1)
	s.Fault(wechattest.FaultTimeoutBefore, "/pay/unifiedorder")
	p.CannotPay(api.CodeWeChatBusy, req)
	s.Sim.Advance(6 * time.Minute)
	var id string
	s.ToWeChat.Handler = paytest.Before(s.ToWeChat.Handler, "/pay/unifiedorder", func() {
		if err := s.DB.QueryRow(`SELECT id FROM orders`).Scan(&id); err != nil {
			t.Error(err)
		}
		if o := p.CloseOrder(id); o.Status != api.StatusClosing {
			t.Errorf("order %+v", o)
		}
	})
	p.CannotPay(api.CodeOrderNotPayable, req)
	s.WantStatus(id, api.StatusClosing)
	s.Sim.Advance(6 * time.Minute) // from when WeChat accepted it
	s.Reconcile()
	s.WantPath(id, api.StatusClosing, api.StatusClosed)
	if s.StateAtWeChat(id) != wechattest.StateClosed {
		t.Errorf("its state at WeChat is %q", s.StateAtWeChat(id))
	}
}

// The order is cancelled while unifiedorder runs. Nobody gets its result.
func TestCloseDuringUnifiedorder(t *testing.T) {
	t.Parallel()
	for _, renew := range []bool{false, true} {
		s := paytest.NewShop(t, nil)
		p := s.NewGuest(0)
		req := paytest.BasketForCode("tea", 1)
		id := ""
		if renew {
			id = p.OrderByCode("tea", 1).Order.ID
		}
		s.ToWeChat.Handler = paytest.Before(s.ToWeChat.Handler, "/pay/unifiedorder", func() {
			if err := s.DB.QueryRow(`SELECT id FROM orders`).Scan(&id); err != nil {
				t.Error(err)
			}
			if o := p.CloseOrder(id); o.Status != api.StatusClosing {
				t.Errorf("order %+v", o)
			}
		})
		if renew {
			p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(id), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}, Renew: true})
		} else {
			p.CannotPay(api.CodeOrderNotPayable, req)
		}
		s.WantStatus(id, api.StatusClosing)
		s.Sim.Advance(6 * time.Minute)
		s.Reconcile()
		s.WantStatus(id, api.StatusClosed)
		if s.StateAtWeChat(id) != wechattest.StateClosed {
			t.Errorf("its state at WeChat is %s", s.StateAtWeChat(id))
		}
	}
}

func TestCloseOfSomebodyElsesOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	c := s.NewGuest(0).OrderByCode("tea", 1)
	for _, stranger := range []*paytest.Person{s.NewGuest(1), s.SignedIn(2)} {
		wantUnharmed(stranger, func() {
			stranger.Fails(api.CodeNotFound, "POST", api.OrderClosePath(c.Order.ID), struct{}{})
			stranger.Fails(api.CodeNotFound, "POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}})
		})
	}
}

// An order whose only payment WeChat declined can no longer be paid at WeChat: it is closed
// without a call.
func TestCloseOfADeclinedOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	id := declinedOrder(p)
	calls := len(s.Sim.Messages(0))
	if o := p.CloseOrder(id); o.Status != api.StatusClosed || len(s.Sim.Messages(0)) != calls {
		t.Errorf("order %+v", o)
	}
}
