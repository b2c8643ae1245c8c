package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// signing counts the signatures for the page.
type signing struct {
	paytest.WeChat
	signed atomic.Int64
}

func (s *signing) For(v wechat.Version) (wechat.Merchant, error) {
	pay, err := s.WeChat.For(v)
	return signingPay{Merchant: pay, signed: &s.signed}, err
}

// signingPay is one version of signing.
type signingPay struct {
	wechat.Merchant
	signed *atomic.Int64
}

func (s signingPay) PayParams(ctx context.Context, prepayID string) (wechat.PayParams, error) {
	s.signed.Add(1)
	return s.Merchant.PayParams(ctx, prepayID)
}

// From the tap on "order" to the open payment sheet the page makes two calls. Together they call
// WeChat once, sign once for the page, and run six statements. Two are for the order: the prices, the
// insert. Four are for its payment: the insert, the order and the selling switch in one round trip to
// D1, and the prepay_id.
func TestOrderCostsOneCallAndOneSignature(t *testing.T) {
	t.Parallel()
	for trade, signatures := range map[api.TradeType]int64{api.TradeJSAPI: 1, api.TradeNative: 0, api.TradeMWEB: 0} {
		t.Run(string(trade), func(t *testing.T) {
			t.Parallel()
			s := paytest.NewShop(t, nil)
			p := s.SignedIn(0)
			count := &signing{WeChat: s.WeChat}
			statements := countStatementsAt(t, s, count)
			req := paytest.Basket("tea", 2)
			req.TradeType = trade

			calls := len(s.Sim.Messages(0))
			o := p.Place(req)
			if o.Status != api.StatusOpen || o.Total != 13600 || len(o.Items) != 1 || o.TradeType != "" {
				t.Errorf("order %+v", o)
			}
			if n := statements.Load(); n != 2 || len(s.Sim.Messages(0)) != calls || count.signed.Load() != 0 {
				t.Errorf("creating: %d statements, %d messages to WeChat, %d signatures", n, len(s.Sim.Messages(0))-calls, count.signed.Load())
			}
			c := p.RequestPayment(o.ID, trade)
			if n := statements.Load(); n != 6 || s.Calls("unifiedorder") != 1 || s.Calls("orderquery") != 0 || count.signed.Load() != signatures {
				t.Errorf("with the payment: %d statements, %d calls of unifiedorder, %d queries, %d signatures, want 6, 1, 0, %d",
					n, s.Calls("unifiedorder"), s.Calls("orderquery"), count.signed.Load(), signatures)
			}
			if c.Order.Status != api.StatusOpen || len(c.Order.Items) != 1 || c.Order.Total != o.Total || c.PayUntil == 0 {
				t.Errorf("checkout %+v", c)
			}
			if _, err := p.OpenSheet(c); err != nil {
				t.Error(err)
			}
		})
	}
}

// A repeated request returns the order of the first one, whatever its status is, and does not call
// WeChat.
func TestRepeatedRequestReturnsItsOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	req := paytest.Basket("tea", 1)
	first := p.Place(req)
	again := func(want api.OrderStatus) {
		t.Helper()
		calls := len(s.Sim.Messages(0))
		if o := p.Place(req); o.ID != first.ID || o.Status != want || o.Total != first.Total {
			t.Errorf("%+v, want order %s as %s", o, first.ID, want)
		}
		if n := len(s.Sim.Messages(0)) - calls; n != 0 {
			t.Errorf("%d messages to WeChat", n)
		}
	}
	again(api.StatusOpen)
	var c api.Checkout
	p.Must("POST", api.OrderPayPath(first.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}, &c)
	again(api.StatusOpen)
	p.Pay(c.Pay)
	s.Deliver()
	again(api.StatusPaid)

	req = paytest.Basket("tea", 1)
	first = p.Place(req)
	p.CloseOrder(first.ID)
	again(api.StatusClosed)
}

// No payment of the order begins. The timer does not query WeChat and closes the order when it
// expires.
func TestUnpaidOrderIsClosedWithoutACall(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"timer", "poll"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			s := paytest.NewShop(t, nil)
			p := s.NewGuest(0)
			o := p.Place(paytest.BasketForCode("tea", 1))
			calls := len(s.Sim.Messages(0))
			for range 24 {
				s.Reconcile()
				if got := p.GetOrder(o.ID); got.Status != api.StatusOpen || got.NotPaid {
					t.Fatalf("before its expiry: %+v", got)
				}
				s.Sim.Advance(time.Hour)
			}
			if by == "timer" {
				s.Sim.Advance(order.ExpiryGrace)
				s.Reconcile()
				s.WantStatus(o.ID, api.StatusClosed)
			} else if got := p.GetOrder(o.ID); got.Status != api.StatusClosed {
				t.Errorf("%+v", got)
			}
			s.WantPath(o.ID, api.StatusClosed)
			if n := len(s.Sim.Messages(0)) - calls; n != 0 {
				t.Errorf("%d messages to WeChat about an order without a payment", n)
			}
			var open int
			if err := s.DB.QueryRow(`SELECT n FROM guests_open`).Scan(&open); err != nil || open != 0 {
				t.Errorf("%d orders of guests are open by the count, %v", open, err)
			}
			p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}})
		})
	}
}

// An order without a payment is closed at once and without a call: for its owner and for
// the operator.
func TestCancelBeforeThePaymentNeedsNoCall(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"owner", "operator", "product"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			s := paytest.NewShop(t, nil)
			p, op := s.NewGuest(0), s.Operator()
			o := p.Place(paytest.BasketForCode("tea", 1))
			calls := len(s.Sim.Messages(0))
			switch by {
			case "owner":
				if got := p.CloseOrder(o.ID); got.Status != api.StatusClosed {
					t.Errorf("%+v", got)
				}
			case "operator":
				var got v1.Order
				if op.Must("POST", paytest.ClosePath(o.ID), nil, &got); got.Status != v1.OrderClosed {
					t.Errorf("%+v", got)
				}
			case "product":
				var got v1.OrdersClosed
				if op.Must("POST", "/v1/orders/close", v1.CloseOrders{ProductID: "tea"}, &got); got.Orders != 1 {
					t.Errorf("%+v", got)
				}
			}
			s.WantPath(o.ID, api.StatusClosed)
			if n := len(s.Sim.Messages(0)) - calls; n != 0 {
				t.Errorf("%d messages to WeChat", n)
			}
			p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}})
		})
	}
}

// The signer dies during the first call of unifiedorder. WeChat has the payment, and the shop has
// only the row that was inserted before the call. The timer queries WeChat and finds the payment.
func TestPaymentBeforeTheFirstCallSurvivesACrash(t *testing.T) {
	t.Parallel()
	for _, trade := range []api.TradeType{api.TradeJSAPI, api.TradeNative} {
		t.Run(string(trade), func(t *testing.T) {
			t.Parallel()
			s := paytest.NewShop(t, nil)
			p := s.SignedIn(0)
			req := paytest.Basket("tea", 1)
			req.TradeType = trade
			o := p.Place(req)
			s.Sim.Advance(3 * time.Hour)
			storetest.Exec(t, s.DB, `CREATE TRIGGER dead BEFORE UPDATE OF prepay_id ON payments BEGIN SELECT RAISE(ABORT, 'dead'); END`)
			p.Fails(api.CodeInternal, "POST", api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{trade}})
			storetest.Exec(t, s.DB, `DROP TRIGGER dead`)
			s.Sim.Advance(time.Minute)
			s.Reconcile()
			if n := s.Calls("orderquery"); n != 1 {
				t.Errorf("%d queries a minute after the call, want 1", n)
			}
			s.WantStatus(o.ID, api.StatusOpen)
			// After a cancellation it waits until WeChat closes it.
			if got := p.CloseOrder(o.ID); got.Status != api.StatusClosing {
				t.Errorf("%+v", got)
			}
			for range 8 {
				s.Sim.Advance(time.Minute)
				s.Reconcile()
			}
			s.WantPath(o.ID, api.StatusClosing, api.StatusClosed)
			if state := s.StateAtWeChat(o.ID); state != wechattest.StateClosed {
				t.Errorf("%s at WeChat", state)
			}
		})
	}
}

// The order is cancelled between the insert of its payment and the call.
func TestCancelAgainstTheFirstCall(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	o := p.Place(paytest.Basket("tea", 1))
	s.ToWeChat.Handler = paytest.Before(s.ToWeChat.Handler, "/pay/unifiedorder", func() {
		if got := p.CloseOrder(o.ID); got.Status != api.StatusClosing {
			t.Errorf("an order on its way to WeChat is %s", got.Status)
		}
	})
	p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
	for range 8 {
		s.Sim.Advance(time.Minute)
		s.Reconcile()
	}
	s.WantPath(o.ID, api.StatusClosing, api.StatusClosed)
	if state := s.StateAtWeChat(o.ID); state != wechattest.StateClosed {
		t.Errorf("%s at WeChat", state)
	}
}

// A buyer whose notification was lost returns to the page, which shows that the order is paid.
func TestReturnToThePayPageFindsThePayment(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	s.Sim.Advance(queryWindow)
	p.Fails(api.CodeOrderPaid, "POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
	s.WantStatus(c.Order.ID, api.StatusPaid)
	if n := s.Calls("unifiedorder"); n != 1 {
		t.Errorf("%d calls of unifiedorder", n)
	}
}

// A payment begins long after its order was made. WeChat accepts it, and it expires with the order.
func TestOrderIsPaidLate(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	o := p.Place(paytest.Basket("tea", 1))
	s.Sim.Advance(order.Lifetime - order.MinPrepay - time.Minute)
	var c api.Checkout
	p.Must("POST", api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}, &c)
	p.Pay(c.Pay)
	s.Deliver()
	s.WantPath(o.ID, api.StatusPaid)
	late := p.Place(paytest.Basket("tea", 1))
	s.Sim.Advance(order.Lifetime - order.MinPrepay + time.Second)
	p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(late.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
	if n := s.Calls("unifiedorder"); n != 1 {
		t.Errorf("%d calls of unifiedorder", n)
	}
}

// The response to a new order has no payment parameters.
func TestCreatedOrderHasNothingToPayWith(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	a := p.Call("POST", api.PathOrders, paytest.Basket("tea", 1))
	var fields map[string]any
	if err := json.Unmarshal(a.Body, &fields); err != nil || a.Status != http.StatusOK || fields["id"] == "" || fields["status"] != "open" {
		t.Errorf("%d %s, %v", a.Status, a.Body, err)
	}
	for _, word := range []string{"pay\"", "prepay", "paySign", "code_url", "mweb_url", "pay_until"} {
		if strings.Contains(string(a.Body), word) {
			t.Errorf("%s in %s", word, a.Body)
		}
	}
}

// An operator makes the timer query the payments of an order at once, as the runbook describes.
func TestOperatorHasAnOrderQueried(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	s.Sim.Advance(4 * time.Second)
	s.Reconcile()
	s.WantStatus(c.Order.ID, api.StatusOpen)
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"(UPDATE payments SET due_at = 0 [^"]*)"`).FindSubmatch(text)
	if found == nil {
		t.Fatal("the runbook has no statement")
	}
	storetest.Exec(t, s.DB, strings.Replace(string(found[1]), "ORDER ID", c.Order.ID, 1))
	s.Reconcile()
	s.WantStatus(c.Order.ID, api.StatusPaid)
}
