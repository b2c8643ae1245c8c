package server_test

import (
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

// The signer may die, or its database may fail, between any two statements.
func TestPrepayThatWasNotStored(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	storetest.Exec(t, s.DB, `CREATE TRIGGER dead BEFORE UPDATE OF prepay_id ON payments BEGIN SELECT RAISE(ABORT, 'dead'); END`)
	req := paytest.Basket("tea", 1)
	p.CannotPay(api.CodeInternal, req)
	storetest.Exec(t, s.DB, `DROP TRIGGER dead`)
	var c api.Checkout
	p.Checkout(req, &c)
	p.Pay(c.Pay)
	s.Deliver()
	s.WantPath(c.Order.ID, api.StatusPaid)
}

func TestPollingSurvivesWeChatsFailures(t *testing.T) {
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
			if o := p.GetOrder(c.Order.ID); o.Status != api.StatusOpen {
				t.Errorf("order %+v", o)
			}
			s.Sim.Advance(3 * time.Second)
			if o := p.GetOrder(c.Order.ID); o.Status != api.StatusPaid {
				t.Errorf("order %+v", o)
			}
		})
	}
}

func TestOrderSurvivesWeChatsFailures(t *testing.T) {
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
				if len(list.Orders) != 1 || list.Orders[0].Status != api.StatusOpen {
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
					p.Must("POST", api.OrderPayPath(id), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}, &c)
				}
				if c.Order.ID != id || c.Order.Total != 6800 {
					t.Errorf("checkout %+v", c)
				}
				p.Pay(c.Pay)
				s.Deliver()
				s.WantPath(id, api.StatusPaid)
				if n := len(s.Sim.Ledger().Orders); n != 1 {
					t.Errorf("WeChat has %d payments", n)
				}
			})
		}
	}
}

func TestPaymentThatUnifiedorderReports(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	s.Sim.Advance(order.PrepayLifetime)
	// unifiedorder answers ORDERPAID, and a query gives the details.
	p.Fails(api.CodeOrderPaid, "POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
	s.WantPath(c.Order.ID, api.StatusPaid)
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
				p.GetOrder(c.Order.ID)
			} else {
				s.Sim.Advance(order.PrepayLifetime)
				p.Call("POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
			}
			// Another payment pays the order.
			p.Pay(p.RequestPayment(c.Order.ID, api.TradeJSAPI).Pay)
			s.Deliver()
			s.WantPath(c.Order.ID, api.StatusPaid)
			if n := len(s.Sim.Ledger().Orders); n != 2 {
				t.Errorf("WeChat has %d payments", n)
			}
		})
	}
}

func TestPaymentOfAnOrderThatWasClosedHere(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	closeHere(s, c.Order.ID)
	p.Pay(c.Pay)
	s.Deliver()
	s.WantPath(c.Order.ID, api.StatusClosing, api.StatusClosed, api.StatusPaid)
}

// closeHere closes an order with one payment in the shop but not at WeChat.
func closeHere(s *paytest.Shop, id string) {
	s.T.Helper()
	store := store.New(s.DB)
	if w, _, err := store.CloseWhole(s.T.Context(), id, s.Now()); w.Status != api.StatusClosing || err != nil {
		s.T.Fatal(w.Status, err)
	}
	if ok, err := store.Close(s.T.Context(), s.OutTradeNo(id), s.Now()); !ok || err != nil {
		s.T.Fatal(ok, err)
	}
}

// declinedOrder makes an order whose payment WeChat declines, under an appid that does not know
// this openid.
func declinedOrder(p *paytest.Person) (id string) {
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
	p.WantPayment(id, api.PaymentFailed)
	p.CannotPay(api.CodeWeChatDeclined, req) // by another payment
	p.WantPath(id)
	p.GetOrder(id)
	if p.ErrorLines() != 2 || len(other.Messages(0)) != 2 {
		p.T.Errorf("%d log lines of level ERROR, %d calls", p.ErrorLines(), len(other.Messages(0)))
	}
	p.ToWeChat.Handler = right
	return id
}

func TestDeclinedPaymentFails(t *testing.T) {
	t.Parallel()
	declinedOrder(paytest.NewShop(t, nil).SignedIn(0))
}

// A return_code FAIL is unsigned, and its text varies.
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
	s.WantPath(c.Order.ID)
}

// A wrong key is the operator's mistake: no order fails because of it.
func TestWrongSettingsFailNoOrder(t *testing.T) {
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
				t.Error("the log lacks a line of level ERROR")
			}
			s.Handler = right
			var c api.Checkout
			p.Checkout(req, &c)
			p.Pay(c.Pay)
			s.Deliver()
			s.WantPath(c.Order.ID, api.StatusPaid)
		})
	}
}

// WeChat compares every parameter of a repeated order. So a payment of another sign_type is not
// sent again.
func TestSignTypeChangedUnderAPendingOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Handler = s.Open(func(_ *paytest.Settings, wx *wechat.Config) { wx.SignType = wechat.SignMD5 })
	p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
	s.WantPath(c.Order.ID)
	// The parameters that were signed before still work.
	p.Pay(c.Pay)
	s.Deliver()
	s.WantPath(c.Order.ID, api.StatusPaid)
}
