package server_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestPayment(t *testing.T) {
	t.Parallel()
	for _, signType := range []wechat.SignType{wechat.SignHMAC, wechat.SignMD5} {
		t.Run(string(signType), func(t *testing.T) {
			s := paytest.NewShop(t, func(_ *paytest.Settings, wx *wechat.Config) { wx.SignType = signType })
			p := s.SignedIn(0)
			c := p.Order("tea", 2)
			if c.Order.Status != api.StatusOpen || c.Order.Total != 13600 || c.Pay == nil || c.Pay.SignType != string(signType) {
				t.Errorf("checkout %+v", c)
			}
			p.Pay(c.Pay)
			s.Deliver()
			calls := s.Calls("orderquery")
			o := p.GetOrder(c.Order.ID)
			trade := s.Sim.Ledger().Trades[0]
			if o.Status != api.StatusPaid || o.PaymentNo != trade.TransactionID || o.PaidAt != trade.Paid.Truncate(time.Second).UnixMilli() {
				t.Errorf("order %+v, trade %+v", o, trade)
			}
			if s.Calls("orderquery") != calls {
				t.Error("a paid order is queried")
			}
			s.WantPath(o.ID, api.StatusPaid)
			if s.ErrorLines() != 0 {
				t.Errorf("the log has lines of level ERROR:\n%s", s.Log)
			}
			known := s.Sim.Ledger().Orders[0]
			if known.ClientIP != p.IP || known.NotifyURL != paytest.ShopURL+api.PathNotifyPay || known.Body != "山岚小铺 - 高山乌龙茶 等2件" ||
				known.Expires.Sub(known.Created) < order.Lifetime-2*time.Second {
				t.Errorf("WeChat got %+v", known)
			}
			p.Fails(api.CodeOrderPaid, "POST", api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
		})
	}
}

func TestCancelThenPay(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("coffee", 1)
	sheet, err := p.OpenPaySheet(c.Pay)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sim.CancelSheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	var again api.Checkout
	p.Must("POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}, &again)
	if again.Pay.Package != c.Pay.Package || again.Pay.NonceStr == c.Pay.NonceStr {
		t.Errorf("pay again %+v, first %+v", again.Pay, c.Pay)
	}
	if n := s.Calls("unifiedorder"); n != 1 {
		t.Errorf("%d calls of unifiedorder", n)
	}
	p.Pay(again.Pay)
	s.Deliver()
	s.WantPath(c.Order.ID, api.StatusPaid)
}

func TestClientKey(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, other := s.SignedIn(0), s.SignedIn(1)
	req := paytest.Basket("tea", 3)
	var first, again, split, others api.Checkout
	p.Checkout(req, &first)
	p.Checkout(req, &again)
	req.Items = []api.OrderItem{{ProductID: "tea", Quantity: 1}, {ProductID: "tea", Quantity: 2}}
	p.Checkout(req, &split)
	if again.Order.ID != first.Order.ID || split.Order.ID != first.Order.ID {
		t.Error("one key made two orders")
	}
	other.Checkout(req, &others)
	if others.Order.ID == first.Order.ID {
		t.Error("two people share an order")
	}
	// When a product is no longer for sale, a repeated request still finds its order.
	storetest.Exec(t, s.DB, `UPDATE products SET for_sale = 0 WHERE id = 'tea'`)
	p.Checkout(req, &again)
	if again.Order.ID != first.Order.ID {
		t.Error("one key made two orders")
	}
	req.Items[0].Quantity = 2
	p.Fails(api.CodeConflict, "POST", api.PathOrders, req)
	req.Items[0].ProductID = "bun"
	req.Items[1].ProductID = "bun"
	p.Fails(api.CodeConflict, "POST", api.PathOrders, req)
	req.ClientKey = "a-key-nobody-used-yet"
	req.Items[0].ProductID = "tea"
	p.Fails(api.CodeProductGone, "POST", api.PathOrders, req)
	// A repeated request finds its order paid.
	p.Pay(first.Pay)
	s.Deliver()
	req = paytest.Basket("juice", 1)
	var c api.Checkout
	p.Checkout(req, &c)
	p.Pay(c.Pay)
	s.Deliver()
	if o := p.Place(req); o.ID != c.Order.ID || o.Status != api.StatusPaid {
		t.Errorf("a paid order again: %+v", o)
	}
}

func TestOldPrepayIsReplaced(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Sim.Advance(order.PrepayLifetime)
	var again api.Checkout
	p.Must("POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}, &again)
	if again.Pay.Package == c.Pay.Package {
		t.Error("the prepay_id is the old one")
	}
	p.Pay(again.Pay)
	s.Deliver()
	s.WantPath(c.Order.ID, api.StatusPaid)
}

func TestExpiredOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	req := paytest.Basket("tea", 1)
	var c api.Checkout
	p.Checkout(req, &c)
	s.Sim.Advance(order.Lifetime - order.MinPrepay + time.Second)
	// Too late for a new prepay_id, and the old one has expired.
	p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
	if o := p.GetOrder(c.Order.ID); o.Status != api.StatusOpen {
		t.Errorf("order %+v before its expiry", o)
	}
	s.Sim.Advance(order.MinPrepay + order.ExpiryGrace)
	p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
	p.CannotPay(api.CodeOrderNotPayable, req)
	if o := p.GetOrder(c.Order.ID); o.Status != api.StatusClosed {
		t.Errorf("order %+v after its expiry", o)
	}
	s.WantPath(c.Order.ID, api.StatusClosed) // the call before closed its payment
	if n := s.Calls("unifiedorder"); n != 1 {
		t.Errorf("%d calls of unifiedorder", n)
	}
}

func TestOrderThatNeverReachedWeChatExpires(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	s.Fault(wechattest.FaultSystemError, "/pay/unifiedorder")
	p.CannotPay(api.CodeWeChatBusy, paytest.Basket("tea", 1))
	var list api.OrderList
	p.Must("GET", api.PathOrders, nil, &list)
	id := list.Orders[0].ID
	if o := p.GetOrder(id); o.Status != api.StatusOpen {
		t.Errorf("order %+v", o)
	}
	s.Sim.Advance(order.Lifetime + order.ExpiryGrace)
	if o := p.GetOrder(id); o.Status != api.StatusClosed {
		t.Errorf("order %+v after its expiry", o)
	}
	s.WantPath(id, api.StatusClosing, api.StatusClosed)
}

func TestSomebodyElsesOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	alice, bob := s.SignedIn(0), s.SignedIn(1)
	c := alice.Order("tea", 1)
	before, calls := storetest.Dump(t, s.DB), len(s.Sim.Messages(0))
	bob.Fails(api.CodeNotFound, "GET", api.OrderPath(c.Order.ID), nil)
	bob.Fails(api.CodeNotFound, "POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
	bob.Fails(api.CodeNotFound, "GET", api.OrderPath(s.OutTradeNo(c.Order.ID)), nil)
	var list api.OrderList
	bob.Must("GET", api.PathOrders, nil, &list)
	if len(list.Orders) != 0 {
		t.Errorf("bob's list: %+v", list)
	}
	if storetest.Dump(t, s.DB) != before || len(s.Sim.Messages(0)) != calls {
		t.Error("bob's calls changed something or reached WeChat")
	}
}

func TestListIsNewestFirst(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	var want []string
	for i := range 3 {
		want = append([]string{p.Order("test", i+1).Order.ID}, want...)
		s.Sim.Advance(time.Second)
	}
	var list api.OrderList
	p.Must("GET", api.PathOrders, nil, &list)
	var got []string
	for _, o := range list.Orders {
		got = append(got, o.ID)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
