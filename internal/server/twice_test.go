package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/payment"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/v1"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// threeWays orders a tea and requests all three ways to pay it.
func threeWays(p *paytest.Person) (o api.Order, ways map[api.TradeType]api.Checkout) {
	o = p.Place(paytest.Basket("tea", 1))
	ways = map[api.TradeType]api.Checkout{}
	for _, trade := range []api.TradeType{api.TradeJSAPI, api.TradeNative, api.TradeMWEB} {
		ways[trade] = p.RequestPayment(o.ID, trade)
	}
	return o, ways
}

// An order is payable in several places, and opening it twice in one place gives the same
// payment. The first one that is paid pays it, and the others are closed at WeChat.
func TestOrderIsPayableInSeveralPlaces(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	o, ways := threeWays(p)
	for trade, c := range ways {
		if c.Order.ID != o.ID || c.Order.TradeType != trade || c.PayUntil == 0 {
			t.Errorf("%s: %+v", trade, c)
		}
		if again := p.RequestPayment(o.ID, trade); trade != api.TradeJSAPI && !cmp.Equal(again, c) {
			t.Errorf("%s, once more: %s", trade, cmp.Diff(c, again))
		}
	}
	if n := len(s.Sim.Ledger().Orders); n != 3 {
		t.Errorf("WeChat has %d payments", n)
	}
	if err := s.Scan(1, ways[api.TradeNative].CodeURL); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	s.WantPath(o.ID, api.StatusPaid)
	if got := p.GetOrder(o.ID); got.TradeType != api.TradeNative || len(got.Refunds) != 0 {
		t.Errorf("%+v", got)
	}
	p.Fails(api.CodeOrderPaid, "POST", api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}})
	for range 4 {
		s.Sim.Advance(2 * time.Minute)
		s.Reconcile()
	}
	states := map[string]int{}
	for _, there := range s.Sim.Ledger().Orders {
		states[there.State]++
	}
	if d := cmp.Diff(map[string]int{wechattest.StateSuccess: 1, wechattest.StateClosed: 2}, states); d != "" {
		t.Errorf("at WeChat (-want +got):\n%s", d)
	}
	view := s.Operator().StoredOrder(o.ID)
	var statuses []v1.PaymentStatus
	for _, payment := range view.Payments {
		statuses = append(statuses, payment.Status)
	}
	slices.Sort(statuses)
	if d := cmp.Diff([]v1.PaymentStatus{"closed", "closed", "paid"}, statuses); d != "" {
		t.Errorf("payments (-want +got):\n%s", d)
	}
}

// A second payment of an order is refunded in full. The order stays paid, the back end gets one
// event, and the buyer sees the refund.
func TestSecondPaymentIsRefunded(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		r := paytest.NewMerchant(t)
		s, p := r.Shop, r.SignedIn(0)
		o, ways := threeWays(p)
		if lost { // the second payment becomes known by a query of the timer
			s.Fault(wechattest.FaultNotifyLost, "")
			s.Fault(wechattest.FaultNotifyLost, "")
		}
		if err := s.Scan(1, ways[api.TradeNative].CodeURL); err != nil {
			t.Fatal(err)
		}
		p.Pay(ways[api.TradeJSAPI].Pay)
		s.Deliver()
		for range 6 {
			s.Sim.Advance(2 * time.Minute)
			s.Reconcile()
			r.Deliver()
		}
		s.WantPath(o.ID, api.StatusPaid)
		got := p.GetOrder(o.ID)
		if len(got.Refunds) != 1 || !got.Refunds[0].Duplicate || got.Refunds[0].Status != api.RefundSucceeded || got.Refunds[0].Amount != o.Total || got.Refunded != 0 {
			t.Errorf("lost %t: %+v", lost, got)
		}
		var types []webhook.Type
		for _, e := range r.Events {
			types = append(types, e.Type)
			if e.Type == webhook.PaymentDuplicate && (e.Data.Payment == nil || e.Data.Payment.TransactionID == got.PaymentNo || e.Data.Refund.Amount != int64(o.Total)) {
				t.Errorf("%+v", e.Data)
			}
		}
		if d := cmp.Diff([]webhook.Type{webhook.OrderPaid, webhook.PaymentDuplicate}, types); d != "" {
			t.Errorf("lost %t: events (-want +got):\n%s", lost, d)
		}
		if n := s.Counters()["payments.duplicate"]; n != 1 {
			t.Errorf("%d duplicates are counted", n)
		}
		s.WantWrong("", "")
		// The whole order can still be refunded.
		op := s.Operator()
		op.Refund(o.ID, paytest.RefundRequest(o.Total))
		op.Fails(api.CodeRefundTooMuch, "POST", paytest.RefundPath(o.ID), paytest.RefundRequest(1))
	}
}

// WeChat closes the refund of a second payment, so the shop keeps the buyer's money. The health
// page fails until the operator has refunded it.
func TestSecondPaymentWhoseRefundIsClosed(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	o, ways := threeWays(p)
	if err := s.Scan(1, ways[api.TradeNative].CodeURL); err != nil {
		t.Fatal(err)
	}
	p.Pay(ways[api.TradeJSAPI].Pay)
	s.Deliver()
	s.Fault(wechattest.FaultRefundClosed, "")
	for range 4 {
		s.Sim.Advance(2 * time.Minute)
		s.Reconcile()
	}
	s.WantRefunds(o.ID, "closed 6800")
	s.WantWrong("refunds", "1 second payment is not given back")
	op := s.Operator()
	second := ""
	for _, payment := range op.StoredOrder(o.ID).Payments {
		if payment.Duplicate {
			second = payment.OutTradeNo
		}
	}
	req := paytest.RefundRequest(o.Total)
	req.OutTradeNo = strings.Repeat("9", 32)
	op.Fails(api.CodeBadRequest, "POST", paytest.RefundPath(o.ID), req)
	req.OutTradeNo = second
	op.Refund(o.ID, req)
	req.OutTradeNo = ""
	op.Fails(v1.CodeIdempotency, "POST", paytest.RefundPath(o.ID), req) // the key is of another payment
	for range 2 {
		s.Sim.Advance(2 * time.Minute)
		s.Reconcile()
	}
	s.WantRefunds(o.ID, "closed 6800, succeeded 6800")
	s.WantPath(o.ID, api.StatusPaid)
	s.WantWrong("", "")
}

// A late payment of a closed order pays it. If there are two, one of them is refunded.
func TestLatePaymentsOfAClosedOrder(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	o, ways := threeWays(p)
	sheet, err := p.OpenPaySheet(ways[api.TradeJSAPI].Pay)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.CloseOrder(o.ID); got.Status != api.StatusClosing {
		t.Errorf("%+v", got)
	}
	if _, err := s.Sim.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Scan(1, ways[api.TradeNative].CodeURL); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	s.WantPath(o.ID, api.StatusClosing, api.StatusPaid)
	if refunds := s.RefundsOf(o.ID); refunds != "created 6800" {
		t.Errorf("refunds %q", refunds)
	}
}

// An order whose payments cannot all be closed at WeChat is closing, and it is closed with
// the last of them.
func TestOrderIsClosedWithItsLastPayment(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	o, _ := threeWays(p)
	s.Sim.Advance(6 * time.Minute)
	s.Fault(wechattest.FaultSystemError, "/pay/closeorder")
	if got := p.CloseOrder(o.ID); got.Status != api.StatusClosing {
		t.Errorf("%+v", got)
	}
	s.Sim.Advance(paytest.QueryPause)
	if got := p.CloseOrder(o.ID); got.Status != api.StatusClosed {
		t.Errorf("%+v", got)
	}
	for _, there := range s.Sim.Ledger().Orders {
		if there.State != wechattest.StateClosed {
			t.Errorf("a payment is %s at WeChat", there.State)
		}
	}
	s.WantPath(o.ID, api.StatusClosing, api.StatusClosed)
}

// The shop's back end makes an order. It has no owner, and anybody with its token can pay it.
// Inside WeChat each user has a payment of their own.
func TestOrderOfABackEnd(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	place := func(o order.Order) (order.Order, error) {
		t.Helper()
		o.Source, o.KeyID, o.Total, o.Description = order.SourceAPI, "key_1", 1200, "一张票"
		return s.Signer.Service.Place(context.Background(), o)
	}
	made, err := place(order.Order{Token: strings.Repeat("t", 26), Reference: "A-1", ClientKey: "i1", Metadata: `{"seat":"7"}`, TradeTypes: []api.TradeType{api.TradeJSAPI}})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := place(order.Order{Token: "t1", Reference: "A-1", ClientKey: "i1"}); err != nil || again.ID != made.ID {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := place(order.Order{Token: "t2", Reference: "A-1", ClientKey: "i2"}); err == nil || !strings.Contains(err.Error(), made.ID) {
		t.Errorf("a reference that was used: %v", err)
	}
	if found, err := store.New(s.DB).ByReference(context.Background(), "A-1"); err != nil || found.ID != made.ID {
		t.Errorf("%+v, %v", found, err)
	}
	s.Operator().SetSelling(false)
	if again, err := place(order.Order{ClientKey: "i1"}); err != nil || again.ID != made.ID {
		t.Errorf("while the shop does not sell: %+v, %v", again, err)
	}
	if _, err := place(order.Order{ClientKey: "i3"}); err == nil {
		t.Error("an order was made while the shop does not sell")
	}
	s.Operator().SetSelling(true)
	pay := func(i int, trade api.TradeType) (api.Checkout, error) {
		o, _, err := s.Signer.Service.LookAt(context.Background(), strings.Repeat("t", 26), func() bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		return s.Signer.Service.Pay(context.Background(), o.Order, payment.PayRequest{TradeTypes: []api.TradeType{trade}, OpenID: s.Sim.Users()[i].OpenID, ClientIP: "203.0.113.7"})
	}
	if _, err := pay(0, api.TradeNative); err == nil {
		t.Error("an order is payable by a trade type that it does not accept")
	}
	first, err := pay(0, api.TradeJSAPI)
	if err != nil {
		t.Fatal(err)
	}
	second, err := pay(1, api.TradeJSAPI)
	if err != nil || second.Pay.Package == first.Pay.Package {
		t.Errorf("%+v, %v", second, err)
	}
	s.SignedIn(1).Pay(second.Pay)
	s.Deliver()
	s.WantPath(made.ID, api.StatusPaid)
	if _, err := pay(0, api.TradeJSAPI); err == nil {
		t.Error("a paid order is payable")
	}
	if _, _, err := s.Signer.Service.LookAt(context.Background(), "t1", nil); err == nil {
		t.Error("an unknown token")
	}
}

// Whatever runs concurrently, an order is closed once or paid.
func TestManyClosesAndPaymentsAtOnce(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	o, _ := threeWays(p)
	s.Sim.Advance(6 * time.Minute)
	var wg sync.WaitGroup
	for i := range 40 {
		method, path, body := "POST", api.OrderClosePath(o.ID), []byte(`{}`)
		switch i % 4 {
		case 1:
			path, body = api.OrderPayPath(o.ID), []byte(`{"trade_types":["NATIVE"],"renew":true}`)
		case 2:
			path, body = api.OrderPayPath(o.ID), []byte(`{"trade_types":["JSAPI"],"renew":true}`)
		case 3:
			method, path, body = "GET", api.OrderPath(o.ID), nil
		}
		r := p.Request(method, path, body)
		wg.Go(func() {
			w := httptest.NewRecorder()
			p.Handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK && (i%4 == 0 || i%4 == 3 || w.Code != http.StatusConflict) {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	s.Check()
	for range 3 {
		s.Sim.Advance(2 * time.Minute)
		s.Reconcile()
	}
	s.WantStatus(o.ID, api.StatusClosed)
	for _, there := range s.Sim.Ledger().Orders {
		if there.State != wechattest.StateClosed {
			t.Errorf("a payment is %s at WeChat", there.State)
		}
	}
}
