package server_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// The signer may die, or lose its database, between any two statements.
func TestPrepayThatWasNotStored(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	storetest.Exec(t, s.db, `CREATE TRIGGER dead BEFORE UPDATE OF prepay_id ON orders BEGIN SELECT RAISE(ABORT, 'dead'); END`)
	req := basket("tea", 1)
	p.cannotPay(api.CodeInternal, req)
	storetest.Exec(t, s.db, `DROP TRIGGER dead`)
	var c api.Checkout
	p.checkout(req, &c)
	p.pay(c.Pay)
	s.deliver()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}

func TestPollingSurvivesWeChatsTroubles(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{wechattest.FaultSystemError, wechattest.FaultBadGateway, wechattest.FaultTimeoutBefore, wechattest.FaultBadReplySign, wechattest.FaultNoReplySign} {
		t.Run(fault, func(t *testing.T) {
			s := newShop(t, nil)
			p := s.signedIn(0)
			c := p.order("tea", 1)
			s.fault(wechattest.FaultNotifyLost, "")
			p.pay(c.Pay)
			s.fault(fault, "/pay/orderquery")
			s.sim.Advance(3 * time.Second)
			if o := p.get(c.Order.ID); o.Status != api.StatusPending {
				t.Errorf("order %+v", o)
			}
			s.sim.Advance(3 * time.Second)
			if o := p.get(c.Order.ID); o.Status != api.StatusPaid {
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
				s := newShop(t, nil)
				p := s.signedIn(0)
				req := basket("tea", 1)
				s.fault(fault, "/pay/unifiedorder")
				p.cannotPay(api.CodeWeChatBusy, req)
				var list api.OrderList
				p.must("GET", api.PathOrders, nil, &list)
				if len(list.Orders) != 1 || list.Orders[0].Status != api.StatusCreated {
					t.Fatalf("orders %+v", list)
				}
				id := list.Orders[0].ID
				s.sim.Advance(10 * time.Minute)
				// The price and the shop's address may change meanwhile.
				storetest.Exec(t, s.db, `UPDATE products SET price = 1, name = 'x' WHERE id = 'tea'`)
				p.ip = "198.51.100.7"
				var c api.Checkout
				if retry == "create" {
					p.checkout(req, &c)
				} else {
					p.must("POST", api.OrderPayPath(id), struct{}{}, &c)
				}
				if c.Order.ID != id || c.Order.Total != 6800 {
					t.Errorf("checkout %+v", c)
				}
				p.pay(c.Pay)
				s.deliver()
				s.wantPath(id, api.StatusPending, api.StatusPaid)
				if n := len(s.sim.Ledger().Orders); n != 1 {
					t.Errorf("WeChat knows %d orders", n)
				}
			})
		}
	}
}

func TestPaidWithoutOurKnowing(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(c.Pay)
	s.sim.Advance(order.PrepayLifetime)
	// unifiedorder answers ORDERPAID, a query says the rest.
	p.fails(api.CodeOrderPaid, "POST", api.OrderPayPath(c.Order.ID), struct{}{})
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}

func TestClosedAtWeChat(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"poll", "pay"} {
		t.Run(by, func(t *testing.T) {
			s := newShop(t, nil)
			p := s.signedIn(0)
			c := p.order("tea", 1)
			if err := s.sim.CloseOrder(s.outTradeNo(c.Order.ID)); err != nil {
				t.Fatal(err)
			}
			if by == "poll" {
				s.sim.Advance(queryPause)
				if o := p.get(c.Order.ID); o.Status != api.StatusClosed {
					t.Errorf("order %+v", o)
				}
			} else {
				s.sim.Advance(order.PrepayLifetime)
				p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), struct{}{})
			}
			s.wantPath(c.Order.ID, api.StatusPending, api.StatusClosed)
		})
	}
}

func TestPaymentOfAnOrderThatWasClosedHere(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	if ok, err := store.New(s.db).Close(context.Background(), c.Order.ID, s.sim.Now()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	p.pay(c.Pay)
	s.deliver()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusClosed, api.StatusPaid)
}

// declined makes an order that WeChat declines, under an appid that does not know
// this openid.
func (p *person) declined() (id string) {
	p.t.Helper()
	other, err := wechattest.New(wechattest.Config{Seed: 2, Epoch: p.sim.Now()})
	if err != nil {
		p.t.Fatal(err)
	}
	defer other.Close()
	right := p.wire.handler
	p.wire.handler = other.Handler()
	req := basket("tea", 1)
	p.cannotPay(api.CodeWeChatDeclined, req)
	var list api.OrderList
	p.must("GET", api.PathOrders, nil, &list)
	id = list.Orders[0].ID
	p.wantPath(id, api.StatusFailed)
	p.cannotPay(api.CodeOrderNotPayable, req)
	p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(id), struct{}{})
	p.get(id)
	if p.loud() != 1 || len(other.Messages(0)) != 1 {
		p.t.Errorf("%d loud lines, %d calls", p.loud(), len(other.Messages(0)))
	}
	p.wire.handler = right
	return id
}

func TestDeclinedOrderFails(t *testing.T) {
	t.Parallel()
	newShop(t, nil).signedIn(0).declined()
}

// A FAIL of the outer layer comes unsigned, in words that vary.
func TestDeclineWithoutACodeEndsNoOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	right := s.wire.handler
	s.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "<xml><return_code>FAIL</return_code><return_msg>今天不行</return_msg></xml>")
	})
	req := basket("tea", 1)
	p.cannotPay(api.CodeWeChatDeclined, req)
	s.wire.handler = right
	var c api.Checkout
	p.checkout(req, &c)
	s.wantPath(c.Order.ID, api.StatusPending)
}

// A wrong key is the operator's fault: no order is lost to it.
func TestWrongSettingsBurnNoOrder(t *testing.T) {
	t.Parallel()
	for name, bend := range map[string]func(*settings, *wechat.Config){
		"api key": func(_ *settings, wx *wechat.Config) { wx.APIKey = "00000000000000000000000000000000" },
		"mch_id":  func(_ *settings, wx *wechat.Config) { wx.MchID = "1900000000" },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, nil)
			p := s.signedIn(0)
			req := basket("tea", 1)
			right := s.handler
			s.handler = s.open(bend)
			p.cannotPay(api.CodeWeChatDeclined, req)
			if s.loud() == 0 {
				t.Error("nothing loud in the log")
			}
			s.handler = right
			var c api.Checkout
			p.checkout(req, &c)
			p.pay(c.Pay)
			s.deliver()
			s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
		})
	}
}

// WeChat compares every parameter of a repeated order, so one that was made
// under another sign_type is left alone.
func TestSignTypeChangedUnderAPendingOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.handler = s.open(func(_ *settings, wx *wechat.Config) { wx.SignType = wechat.SignMD5 })
	p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), struct{}{})
	s.wantPath(c.Order.ID, api.StatusPending)
	// What was signed before can still be paid.
	p.pay(c.Pay)
	s.deliver()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}
