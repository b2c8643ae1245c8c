package server_test

import (
	"context"
	"io"
	"net/http"
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

// The signer may die, or lose its database, between any two statements.
func TestPrepayThatWasNotStored(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	storetest.Exec(t, s.DB, `CREATE TRIGGER dead BEFORE UPDATE OF prepay_id ON orders BEGIN SELECT RAISE(ABORT, 'dead'); END`)
	req := paytest.Basket("tea", 1)
	p.CannotPay(api.CodeInternal, req)
	storetest.Exec(t, s.DB, `DROP TRIGGER dead`)
	var c api.Checkout
	p.Checkout(req, &c)
	p.Pay(c.Pay)
	s.Deliver()
	s.WantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}

func TestPollingSurvivesWeChatsTroubles(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{wechattest.FaultSystemError, wechattest.FaultBadGateway, wechattest.FaultTimeoutBefore, wechattest.FaultBadReplySign, wechattest.FaultNoReplySign} {
		t.Run(fault, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			p := s.SignedIn(0)
			c := p.Order("tea", 1)
			s.Fault(wechattest.FaultNotifyLost, "")
			p.Pay(c.Pay)
			s.Fault(fault, "/pay/orderquery")
			s.Sim.Advance(3 * time.Second)
			if o := p.GetOrder(c.Order.ID); o.Status != api.StatusPending {
				t.Errorf("order %+v", o)
			}
			s.Sim.Advance(3 * time.Second)
			if o := p.GetOrder(c.Order.ID); o.Status != api.StatusPaid {
				t.Errorf("order %+v", o)
			}
		})
	}
}

func TestOrderSurvivesWeChatsTroubles(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{wechattest.FaultSystemError, wechattest.FaultBadGateway, wechattest.FaultTimeoutBefore, wechattest.FaultTimeoutAfter, wechattest.FaultBadReplySign, wechattest.FaultNoReplySign} {
		for _, retry := range []string{"create", "pay"} {
			t.Run(fault+" then "+retry, func(t *testing.T) {
				s := paytest.NewShop(t, nil)
				p := s.SignedIn(0)
				req := paytest.Basket("tea", 1)
				s.Fault(fault, "/pay/unifiedorder")
				p.CannotPay(api.CodeWeChatBusy, req)
				var list api.OrderList
				p.Must("GET", api.PathOrders, nil, &list)
				if len(list.Orders) != 1 || list.Orders[0].Status != api.StatusCreated {
					t.Fatalf("orders %+v", list)
				}
				id := list.Orders[0].ID
				s.Sim.Advance(10 * time.Minute)
				// The price and the shop's address may change meanwhile.
				storetest.Exec(t, s.DB, `UPDATE products SET price = 1, name = 'x' WHERE id = 'tea'`)
				p.IP = "198.51.100.7"
				var c api.Checkout
				if retry == "create" {
					p.Checkout(req, &c)
				} else {
					p.Must("POST", api.OrderPayPath(id), struct{}{}, &c)
				}
				if c.Order.ID != id || c.Order.Total != 6800 {
					t.Errorf("checkout %+v", c)
				}
				p.Pay(c.Pay)
				s.Deliver()
				s.WantPath(id, api.StatusPending, api.StatusPaid)
				if n := len(s.Sim.Ledger().Orders); n != 1 {
					t.Errorf("WeChat knows %d orders", n)
				}
			})
		}
	}
}

func TestPaidWithoutOurKnowing(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	s.Sim.Advance(order.PrepayLifetime)
	// unifiedorder answers ORDERPAID, a query says the rest.
	p.Fails(api.CodeOrderPaid, "POST", api.OrderPayPath(c.Order.ID), struct{}{})
	s.WantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}

func TestClosedAtWeChat(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"poll", "pay"} {
		t.Run(by, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			p := s.SignedIn(0)
			c := p.Order("tea", 1)
			if err := s.Sim.CloseOrder(s.OutTradeNo(c.Order.ID)); err != nil {
				t.Fatal(err)
			}
			if by == "poll" {
				s.Sim.Advance(paytest.QueryPause)
				if o := p.GetOrder(c.Order.ID); o.Status != api.StatusClosed {
					t.Errorf("order %+v", o)
				}
			} else {
				s.Sim.Advance(order.PrepayLifetime)
				p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), struct{}{})
			}
			s.WantPath(c.Order.ID, api.StatusPending, api.StatusClosed)
		})
	}
}

func TestPaymentOfAnOrderThatWasClosedHere(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	if ok, err := store.New(s.DB).Close(context.Background(), c.Order.ID, s.Sim.Now()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	p.Pay(c.Pay)
	s.Deliver()
	s.WantPath(c.Order.ID, api.StatusPending, api.StatusClosed, api.StatusPaid)
}

// declinedRefund makes an order that WeChat declines, under an appid that does not know
// this openid.
func declinedRefund(p *paytest.Person) (id string) {
	p.T.Helper()
	other, err := wechattest.New(wechattest.Config{Seed: 2, Epoch: p.Sim.Now()})
	if err != nil {
		p.T.Fatal(err)
	}
	defer other.Close()
	right := p.ToWeChat.Handler
	p.ToWeChat.Handler = other.Handler()
	req := paytest.Basket("tea", 1)
	p.CannotPay(api.CodeWeChatDeclined, req)
	var list api.OrderList
	p.Must("GET", api.PathOrders, nil, &list)
	id = list.Orders[0].ID
	p.WantPath(id, api.StatusFailed)
	p.CannotPay(api.CodeOrderNotPayable, req)
	p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(id), struct{}{})
	p.GetOrder(id)
	if p.ErrorLines() != 1 || len(other.Messages(0)) != 1 {
		p.T.Errorf("%d loud lines, %d calls", p.ErrorLines(), len(other.Messages(0)))
	}
	p.ToWeChat.Handler = right
	return id
}

func TestDeclinedOrderFails(t *testing.T) {
	t.Parallel()
	declinedRefund(paytest.NewShop(t, nil).SignedIn(0))
}

// A FAIL of the outer layer comes unsigned, in words that vary.
func TestDeclineWithoutACodeEndsNoOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	right := s.ToWeChat.Handler
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "<xml><return_code>FAIL</return_code><return_msg>今天不行</return_msg></xml>")
	})
	req := paytest.Basket("tea", 1)
	p.CannotPay(api.CodeWeChatDeclined, req)
	s.ToWeChat.Handler = right
	var c api.Checkout
	p.Checkout(req, &c)
	s.WantPath(c.Order.ID, api.StatusPending)
}

// A wrong key is the operator's fault: no order is lost to it.
func TestWrongSettingsBurnNoOrder(t *testing.T) {
	t.Parallel()
	for name, bend := range map[string]func(*paytest.Settings, *wechat.Config){
		"api key": func(_ *paytest.Settings, wx *wechat.Config) { wx.APIKey = "00000000000000000000000000000000" },
		"mch_id":  func(_ *paytest.Settings, wx *wechat.Config) { wx.MchID = "1900000000" },
	} {
		t.Run(name, func(t *testing.T) {
			s := paytest.NewShop(t, nil)
			p := s.SignedIn(0)
			req := paytest.Basket("tea", 1)
			right := s.Handler
			s.Handler = s.Open(bend)
			p.CannotPay(api.CodeWeChatDeclined, req)
			if s.ErrorLines() == 0 {
				t.Error("nothing loud in the log")
			}
			s.Handler = right
			var c api.Checkout
			p.Checkout(req, &c)
			p.Pay(c.Pay)
			s.Deliver()
			s.WantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
		})
	}
}

// WeChat compares every parameter of a repeated order, so one that was made
// under another sign_type is left alone.
func TestSignTypeChangedUnderAPendingOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Handler = s.Open(func(_ *paytest.Settings, wx *wechat.Config) { wx.SignType = wechat.SignMD5 })
	p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), struct{}{})
	s.WantPath(c.Order.ID, api.StatusPending)
	// What was signed before can still be paid.
	p.Pay(c.Pay)
	s.Deliver()
	s.WantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}
