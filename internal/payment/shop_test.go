package payment_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/payment"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
)

// shop is a shop whose payments and refunds WeChat reports as the test says. Orders and payments
// begin at the simulated WeChat.
type shop struct {
	*paytest.Shop
	store  *store.Store
	buyer  string // an openid
	wechat *standIn
	at     time.Time // the shop's time; the simulator's while it is zero
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := &shop{wechat: &standIn{}}
	s.Shop = paytest.NewShop(t, s.settings)
	s.wechat.Client = s.WeChat
	s.buyer = s.Sim.Users()[0].OpenID
	return s
}

// settings are those of the shop at a stand-in for WeChat, with a clock that the test can set.
func (s *shop) settings(c *paytest.Settings, _ *wechat.Config) {
	clock := c.Now
	c.WeChat = s.wechat
	c.Now = func() time.Time {
		if s.at.IsZero() {
			return clock()
		}
		return s.at
	}
	s.store = c.Store
}

// standIn calls a merchant's API that the test sets, and the simulator while it sets none.
type standIn struct {
	*wechat.Client
	merchant wechat.Merchant
}

func (w *standIn) For(v wechat.Version) (wechat.Merchant, error) {
	if w.merchant == nil {
		return w.Client.For(v)
	}
	return w.merchant, nil
}

// settle settles a trade of the payment that it names. The payment that the rules return must have
// the stored status and transaction.
func (s *shop) settle(ctx context.Context, trade wechat.Trade, source string) error {
	p, err := s.Signer.Settle(ctx, trade, source)
	if err != nil {
		return err
	}
	stored, err := s.store.Payment(ctx, trade.OutTradeNo)
	if err != nil {
		return err
	}
	if p.Status != stored.Status || p.TransactionID != stored.TransactionID || p.PaidAt.UnixMilli() != stored.PaidAt.UnixMilli() || p.ClientIP != stored.ClientIP {
		return fmt.Errorf("settle returned %+v, stored is %+v", p, stored)
	}
	return nil
}

// pending makes an order of 13600 fen and returns its payment, which has payment parameters.
func (s *shop) pending(t testing.TB) order.Payment {
	t.Helper()
	o, err := s.Signer.PlaceBasket(t.Context(), payment.BasketRequest{Owner: s.buyer, CreateOrderRequest: paytest.Basket("tea", 2).CreateOrderRequest})
	if err != nil {
		t.Fatal(err)
	}
	return s.attempt(t, o, api.TradeJSAPI)
}

// attempt begins a payment of an order and returns it.
func (s *shop) attempt(t testing.TB, o order.Order, trade api.TradeType) order.Payment {
	t.Helper()
	if _, err := s.Signer.Pay(t.Context(), o, payment.PayRequest{TradeTypes: []api.TradeType{trade}, OpenID: o.Owner, ClientIP: "203.0.113.1"}); err != nil {
		t.Fatal(err)
	}
	return s.stored(t, s.OutTradeNo(o.ID))
}

// paid makes an order, settles its payment and returns it.
func (s *shop) paid(t testing.TB) order.Payment {
	t.Helper()
	p := s.pending(t)
	if err := s.settle(t.Context(), tradeOf(p), payment.SourceNotify); err != nil {
		t.Fatal(err)
	}
	return s.stored(t, p.OutTradeNo)
}

// twoPayments makes an order and returns two payments of it that have payment parameters.
func (s *shop) twoPayments(t testing.TB) (first, second order.Payment) {
	t.Helper()
	first = s.pending(t)
	return first, s.attempt(t, s.order(t, first), api.TradeNative)
}

// stored returns a payment as it is stored.
func (s *shop) stored(t testing.TB, outTradeNo string) order.Payment {
	t.Helper()
	p, err := s.store.Payment(t.Context(), outTradeNo)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// order returns the order of a payment as it is stored.
func (s *shop) order(t testing.TB, p order.Payment) order.Order {
	t.Helper()
	o, err := s.store.ByID(t.Context(), p.OrderID)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// status returns the stored status of a payment. It checks the invariants of the database.
func (s *shop) status(t testing.TB, p order.Payment) api.PaymentStatus {
	t.Helper()
	storetest.Check(t, s.DB)
	return s.stored(t, p.OutTradeNo).Status
}

// tradeOf returns WeChat's report that a payment is paid, a minute after it was made.
func tradeOf(p order.Payment) wechat.Trade {
	return wechat.Trade{
		Version: wechat.Version(p.APIVersion), AppID: p.AppID, MchID: p.MchID, OutTradeNo: p.OutTradeNo, TransactionID: "42000" + p.OutTradeNo[8:], OpenID: p.OpenID,
		State: wechat.StateSuccess, TotalFee: p.Total, Currency: "CNY", PaidAt: p.CreatedAt.Add(time.Minute),
	}
}
