package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// signing counts the signatures for the page.
type signing struct {
	weChat
	signed atomic.Int64
}

func (s *signing) For(v wechat.Version) (wechat.Pay, error) {
	pay, err := s.weChat.For(v)
	return signingPay{Pay: pay, signed: &s.signed}, err
}

// signingPay is one version of signing.
type signingPay struct {
	wechat.Pay
	signed *atomic.Int64
}

func (s signingPay) PayParams(ctx context.Context, prepayID string) (wechat.PayParams, error) {
	s.signed.Add(1)
	return s.Pay.PayParams(ctx, prepayID)
}

// From the tap on "order" to the open payment sheet the page makes two calls. Together
// they call WeChat once, sign once for the page, and make seven statements: three for
// the order (does the shop sell, the prices, the insert), four for its payment (the order,
// does the shop sell, the claim, what WeChat gave).
func TestOrderCostsOneCallAndOneSignature(t *testing.T) {
	t.Parallel()
	for trade, signatures := range map[api.TradeType]int64{api.TradeJSAPI: 1, api.TradeNative: 0, api.TradeMWEB: 0} {
		t.Run(string(trade), func(t *testing.T) {
			t.Parallel()
			s := newShop(t, nil)
			p := s.signedIn(0)
			count := &signing{weChat: s.wechat}
			statements := countStatementsAt(t, s, count)
			req := basket("tea", 2)
			req.TradeType = trade

			calls := len(s.sim.Messages(0))
			o := p.place(req)
			if o.Status != api.StatusCreated || o.Total != 13600 || len(o.Items) != 1 || o.TradeType != trade {
				t.Errorf("order %+v", o)
			}
			if n := statements.Load(); n != 3 || len(s.sim.Messages(0)) != calls || count.signed.Load() != 0 {
				t.Errorf("creating: %d statements, %d messages to WeChat, %d signatures", n, len(s.sim.Messages(0))-calls, count.signed.Load())
			}
			var c api.Checkout
			p.must("POST", api.OrderPayPath(o.ID), api.PayRequest{}, &c)
			if n := statements.Load(); n != 7 || s.calls("unifiedorder") != 1 || s.calls("orderquery") != 0 || count.signed.Load() != signatures {
				t.Errorf("with the payment: %d statements, %d calls of unifiedorder, %d queries, %d signatures, want 7, 1, 0, %d",
					n, s.calls("unifiedorder"), s.calls("orderquery"), count.signed.Load(), signatures)
			}
			if c.Order.Status != api.StatusPending || len(c.Order.Items) != 1 || c.Order.Total != o.Total || c.PayUntil == 0 {
				t.Errorf("checkout %+v", c)
			}
			if _, err := p.openSheet(c); err != nil {
				t.Error(err)
			}
		})
	}
}

// A repeated request returns the order that the first one made, whatever has become of it,
// and calls nobody.
func TestRepeatedRequestReturnsItsOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	req := basket("tea", 1)
	first := p.place(req)
	again := func(want api.OrderStatus) {
		t.Helper()
		calls := len(s.sim.Messages(0))
		if o := p.place(req); o.ID != first.ID || o.Status != want || o.Total != first.Total {
			t.Errorf("%+v, want order %s as %s", o, first.ID, want)
		}
		if n := len(s.sim.Messages(0)) - calls; n != 0 {
			t.Errorf("%d messages to WeChat", n)
		}
	}
	again(api.StatusCreated)
	var c api.Checkout
	p.must("POST", api.OrderPayPath(first.ID), struct{}{}, &c)
	again(api.StatusPending)
	p.pay(c.Pay)
	s.deliver()
	again(api.StatusPaid)

	req = basket("tea", 1)
	first = p.place(req)
	p.close(first.ID)
	again(api.StatusClosed)
}

// Nobody opens the order for payment: the timer does not query WeChat, and closes the
// order when it expires.
func TestOrderThatNobodyPaysForIsClosedWithoutACall(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"timer", "poll"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, nil)
			p := s.guest(0)
			o := p.place(native("tea", 1))
			calls := len(s.sim.Messages(0))
			for range 24 {
				s.reconcile()
				if got := p.get(o.ID); got.Status != api.StatusCreated || got.NotPaid {
					t.Fatalf("before its expiry: %+v", got)
				}
				s.sim.Advance(time.Hour)
			}
			if by == "timer" {
				s.reconcile()
				s.wantStatus(o.ID, api.StatusClosed)
			} else if got := p.get(o.ID); got.Status != api.StatusClosed {
				t.Errorf("%+v", got)
			}
			s.wantPath(o.ID, api.StatusClosed)
			if n := len(s.sim.Messages(0)) - calls; n != 0 {
				t.Errorf("%d messages to WeChat about an order that it does not know", n)
			}
			var open int
			if err := s.db.QueryRow(`SELECT n FROM guests_open`).Scan(&open); err != nil || open != 0 {
				t.Errorf("%d orders of guests are open by the count, %v", open, err)
			}
			p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(o.ID), struct{}{})
		})
	}
}

// An order that was never sent is closed at once and without a call: for its owner, for
// the operator, and for an order that replaces it.
func TestCancelBeforeThePaymentNeedsNoCall(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"owner", "operator", "product", "replaced"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, nil)
			p, op := s.guest(0), s.operator()
			o := p.place(native("tea", 1))
			calls := len(s.sim.Messages(0))
			switch by {
			case "owner":
				if got := p.close(o.ID); got.Status != api.StatusClosed {
					t.Errorf("%+v", got)
				}
			case "operator":
				var got api.AdminOrder
				if op.must("POST", api.PathAdminOrders+"/"+o.ID+"/close", struct{}{}, &got); got.Status != api.StatusClosed {
					t.Errorf("%+v", got)
				}
			case "product":
				var got api.CloseOrdersResponse
				if op.must("POST", api.PathAdminCloses, api.CloseOrdersRequest{ProductID: "tea"}, &got); got.Closing != 1 {
					t.Errorf("%+v", got)
				}
			case "replaced":
				req := native("bun", 1)
				req.Replaces = o.ID
				if other := p.place(req); other.ID == o.ID {
					t.Errorf("%+v", other)
				}
			}
			s.wantPath(o.ID, api.StatusClosed)
			if n := len(s.sim.Messages(0)) - calls; n != 0 {
				t.Errorf("%d messages to WeChat", n)
			}
			p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(o.ID), struct{}{})
		})
	}
}

// The signer dies during the first call of unifiedorder. WeChat has the order, and nothing
// but the claim before the call says so here: the timer queries WeChat and finds the
// payment.
func TestClaimBeforeTheFirstCallSurvivesACrash(t *testing.T) {
	t.Parallel()
	for _, trade := range []api.TradeType{api.TradeJSAPI, api.TradeNative} {
		t.Run(string(trade), func(t *testing.T) {
			t.Parallel()
			s := newShop(t, nil)
			p := s.signedIn(0)
			req := basket("tea", 1)
			req.TradeType = trade
			o := p.place(req)
			s.sim.Advance(3 * time.Hour)
			storetest.Exec(t, s.db, `CREATE TRIGGER dead BEFORE UPDATE OF prepay_id ON orders BEGIN SELECT RAISE(ABORT, 'dead'); END`)
			p.fails(api.CodeInternal, "POST", api.OrderPayPath(o.ID), struct{}{})
			storetest.Exec(t, s.db, `DROP TRIGGER dead`)
			s.sim.Advance(time.Minute)
			s.reconcile()
			if n := s.calls("orderquery"); n != 1 {
				t.Errorf("%d queries a minute after the call, want 1", n)
			}
			s.wantStatus(o.ID, api.StatusCreated)
			// Cancelled now, it waits until WeChat closes it.
			if got := p.close(o.ID); got.Status != api.StatusClosing {
				t.Errorf("%+v", got)
			}
			for range 8 {
				s.sim.Advance(time.Minute)
				s.reconcile()
			}
			s.wantPath(o.ID, api.StatusClosing, api.StatusClosed)
			if state := s.state(o.ID); state != wechattest.StateClosed {
				t.Errorf("%s at WeChat", state)
			}
		})
	}
}

// The order is cancelled between the claim and the call, or right before the claim.
func TestCancelAgainstTheFirstCall(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	o := p.place(basket("tea", 1))
	s.wire.handler = before(s.wire.handler, "/pay/unifiedorder", func() {
		if got := p.close(o.ID); got.Status != api.StatusClosing {
			t.Errorf("an order on its way to WeChat is %s", got.Status)
		}
	})
	p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(o.ID), struct{}{})
	for range 8 {
		s.sim.Advance(time.Minute)
		s.reconcile()
	}
	s.wantPath(o.ID, api.StatusClosing, api.StatusClosed)
	if state := s.state(o.ID); state != wechattest.StateClosed {
		t.Errorf("%s at WeChat", state)
	}
}

// A buyer who comes back to the page of an order whose notification was lost learns that
// the order is paid.
func TestReturnToThePayPageFindsThePayment(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(c.Pay)
	s.sim.Advance(queryWindow)
	p.fails(api.CodeOrderPaid, "POST", api.OrderPayPath(c.Order.ID), struct{}{})
	s.wantStatus(c.Order.ID, api.StatusPaid)
	if n := s.calls("unifiedorder"); n != 1 {
		t.Errorf("%d calls of unifiedorder", n)
	}
}

// An order is first sent long after it was made: WeChat takes it, and its time is that of
// the order.
func TestOrderIsSentLate(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	o := p.place(basket("tea", 1))
	s.sim.Advance(order.Lifetime - order.MinPrepay - time.Minute)
	var c api.Checkout
	p.must("POST", api.OrderPayPath(o.ID), struct{}{}, &c)
	p.pay(c.Pay)
	s.deliver()
	s.wantPath(o.ID, api.StatusPending, api.StatusPaid)
	late := p.place(basket("tea", 1))
	s.sim.Advance(order.Lifetime - order.MinPrepay + time.Second)
	p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(late.ID), struct{}{})
	if n := s.calls("unifiedorder"); n != 1 {
		t.Errorf("%d calls of unifiedorder", n)
	}
}

// What the creation of an order returns has nothing to pay with.
func TestCreatedOrderHasNothingToPayWith(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	a := p.call("POST", api.PathOrders, basket("tea", 1))
	var fields map[string]any
	if err := json.Unmarshal(a.body, &fields); err != nil || a.status != http.StatusOK || fields["id"] == "" || fields["status"] != "created" {
		t.Errorf("%d %s, %v", a.status, a.body, err)
	}
	for _, word := range []string{"pay\"", "prepay", "paySign", "code_url", "mweb_url", "pay_until"} {
		if strings.Contains(string(a.body), word) {
			t.Errorf("%s in %s", word, a.body)
		}
	}
}

// An operator makes an order due that was never sent, as the runbook says: WeChat is queried,
// and the order can still be paid.
func TestOperatorHasAnUnsentOrderQueried(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	o := p.place(basket("tea", 1))
	storetest.Exec(t, s.db, `UPDATE orders SET due_at = 0 WHERE id = ? AND due_at IS NOT NULL`, o.ID)
	for range 2 {
		if err := s.signer.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.calls("orderquery"); n != 1 {
		t.Errorf("%d queries, want 1", n)
	}
	storetest.Exec(t, s.db, `UPDATE orders SET queried_at = NULL`)
	var c api.Checkout
	p.must("POST", api.OrderPayPath(o.ID), struct{}{}, &c)
	p.pay(c.Pay)
	s.deliver()
	s.wantPath(o.ID, api.StatusPending, api.StatusPaid)
}
