package server_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// wantPath fails the test unless the order went through these statuses, from
// created on.
func (s *shop) wantPath(id string, statuses ...api.OrderStatus) {
	s.t.Helper()
	var want []string
	was := api.StatusCreated
	for _, status := range statuses {
		want = append(want, string(was)+">"+string(status))
		was = status
	}
	if d := cmp.Diff(want, storetest.Transitions(s.t, s.db, id)); d != "" {
		s.t.Errorf("order %s (-want +got):\n%s", id, d)
	}
}

func TestPayment(t *testing.T) {
	t.Parallel()
	for _, signType := range []wechat.SignType{wechat.SignHMAC, wechat.SignMD5} {
		t.Run(string(signType), func(t *testing.T) {
			s := newShop(t, func(_ *settings, wx *wechat.Config) { wx.SignType = signType })
			p := s.signedIn(0)
			c := p.order("tea", 2)
			if c.Order.Status != api.StatusPending || c.Order.Total != 13600 || c.Pay == nil || c.Pay.SignType != string(signType) {
				t.Errorf("checkout %+v", c)
			}
			p.pay(c.Pay)
			s.deliver()
			calls := s.calls("orderquery")
			o := p.get(c.Order.ID)
			trade := s.sim.Ledger().Trades[0]
			if o.Status != api.StatusPaid || o.PaymentNo != trade.TransactionID || o.PaidAt != trade.Paid.Truncate(time.Second).UnixMilli() {
				t.Errorf("order %+v, trade %+v", o, trade)
			}
			if s.calls("orderquery") != calls {
				t.Error("a paid order is queried")
			}
			s.wantPath(o.ID, api.StatusPending, api.StatusPaid)
			if s.loud() != 0 {
				t.Errorf("loud log:\n%s", s.log)
			}
			known := s.sim.Ledger().Orders[0]
			if known.ClientIP != p.ip || known.NotifyURL != shopURL+api.PathNotifyPay || known.Body != "山岚小铺 - 高山乌龙茶 等2件" ||
				known.Expires.Sub(known.Created) < order.Lifetime-2*time.Second {
				t.Errorf("WeChat was told %+v", known)
			}
			p.fails(api.CodeOrderPaid, "POST", api.OrderPayPath(o.ID), struct{}{})
		})
	}
}

func TestCancelThenPay(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("coffee", 1)
	sheet, err := p.sheet(c.Pay)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.sim.CancelSheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	var again api.Checkout
	p.must("POST", api.OrderPayPath(c.Order.ID), struct{}{}, &again)
	if again.Pay.Package != c.Pay.Package || again.Pay.NonceStr == c.Pay.NonceStr {
		t.Errorf("pay again %+v, first %+v", again.Pay, c.Pay)
	}
	if n := s.calls("unifiedorder"); n != 1 {
		t.Errorf("%d calls of unifiedorder", n)
	}
	p.pay(again.Pay)
	s.deliver()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}

func TestClientKey(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p, other := s.signedIn(0), s.signedIn(1)
	req := basket("tea", 3)
	var first, again, split, others api.Checkout
	p.checkout(req, &first)
	p.checkout(req, &again)
	req.Items = []api.OrderItem{{ProductID: "tea", Quantity: 1}, {ProductID: "tea", Quantity: 2}}
	p.checkout(req, &split)
	if again.Order.ID != first.Order.ID || split.Order.ID != first.Order.ID {
		t.Error("one key made two orders")
	}
	other.checkout(req, &others)
	if others.Order.ID == first.Order.ID {
		t.Error("two people share an order")
	}
	// Once an item has gone, a repeated request still finds its order.
	storetest.Exec(t, s.db, `UPDATE products SET for_sale = 0 WHERE id = 'tea'`)
	p.checkout(req, &again)
	if again.Order.ID != first.Order.ID {
		t.Error("one key made two orders")
	}
	req.Items[0].Quantity = 2
	p.fails(api.CodeConflict, "POST", api.PathOrders, req)
	req.Items[0].ProductID = "bun"
	req.Items[1].ProductID = "bun"
	p.fails(api.CodeConflict, "POST", api.PathOrders, req)
	req.ClientKey = "a-key-nobody-used-yet"
	req.Items[0].ProductID = "tea"
	p.fails(api.CodeProductGone, "POST", api.PathOrders, req)
	// A repeated request finds its order paid.
	p.pay(first.Pay)
	s.deliver()
	req = basket("juice", 1)
	var c api.Checkout
	p.checkout(req, &c)
	p.pay(c.Pay)
	s.deliver()
	if o := p.place(req); o.ID != c.Order.ID || o.Status != api.StatusPaid {
		t.Errorf("a paid order again: %+v", o)
	}
}

func TestOldPrepayIsReplaced(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.sim.Advance(order.PrepayLifetime)
	var again api.Checkout
	p.must("POST", api.OrderPayPath(c.Order.ID), struct{}{}, &again)
	if again.Pay.Package == c.Pay.Package {
		t.Error("the prepay_id is the old one")
	}
	p.pay(again.Pay)
	s.deliver()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPending, api.StatusPaid)
}

func TestExpiredOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	req := basket("tea", 1)
	var c api.Checkout
	p.checkout(req, &c)
	s.sim.Advance(order.Lifetime - order.MinPrepay + time.Second)
	// Too late for a new prepay_id, and the old one is dead.
	p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), struct{}{})
	if o := p.get(c.Order.ID); o.Status != api.StatusPending {
		t.Errorf("order %+v before its expiry", o)
	}
	s.sim.Advance(order.MinPrepay + order.ExpiryGrace)
	p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(c.Order.ID), struct{}{})
	p.cannotPay(api.CodeOrderNotPayable, req)
	if o := p.get(c.Order.ID); o.Status != api.StatusClosed {
		t.Errorf("order %+v after its expiry", o)
	}
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusClosed)
	if n := s.calls("unifiedorder"); n != 1 {
		t.Errorf("%d calls of unifiedorder", n)
	}
}

func TestOrderThatWeChatNeverSawExpires(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	s.fault(wechattest.FaultSystemError, "/pay/unifiedorder")
	p.cannotPay(api.CodeWeChatBusy, basket("tea", 1))
	var list api.OrderList
	p.must("GET", api.PathOrders, nil, &list)
	id := list.Orders[0].ID
	if o := p.get(id); o.Status != api.StatusCreated {
		t.Errorf("order %+v", o)
	}
	s.sim.Advance(order.Lifetime + order.ExpiryGrace)
	if o := p.get(id); o.Status != api.StatusClosed {
		t.Errorf("order %+v after its expiry", o)
	}
	s.wantPath(id, api.StatusClosed)
}

func TestSomebodyElsesOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	alice, bob := s.signedIn(0), s.signedIn(1)
	c := alice.order("tea", 1)
	before, calls := storetest.Dump(t, s.db), len(s.sim.Messages(0))
	bob.fails(api.CodeNotFound, "GET", api.OrderPath(c.Order.ID), nil)
	bob.fails(api.CodeNotFound, "POST", api.OrderPayPath(c.Order.ID), struct{}{})
	bob.fails(api.CodeNotFound, "GET", api.OrderPath(s.outTradeNo(c.Order.ID)), nil)
	var list api.OrderList
	bob.must("GET", api.PathOrders, nil, &list)
	if len(list.Orders) != 0 {
		t.Errorf("bob's list: %+v", list)
	}
	if storetest.Dump(t, s.db) != before || len(s.sim.Messages(0)) != calls {
		t.Error("bob did something")
	}
}

func TestListIsNewestFirst(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	var want []string
	for i := range 3 {
		want = append([]string{p.order("test", i+1).Order.ID}, want...)
		s.sim.Advance(time.Second)
	}
	var list api.OrderList
	p.must("GET", api.PathOrders, nil, &list)
	var got []string
	for _, o := range list.Orders {
		got = append(got, o.ID)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
