package server_test

import (
	"cmp"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// An order has its whole life, however long the clock takes between two readings.
func TestOrderLivesFromItsCreation(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	var readings atomic.Int64
	s.Handler = s.Open(func(cfg *paytest.Settings, _ *wechat.Config) {
		cfg.Now = func() time.Time { return s.Sim.Now().Add(time.Duration(readings.Add(1)) * time.Millisecond) }
	})
	b := root(s)
	for _, seconds := range []int64{0, 3600} {
		req := tea(100)
		req.ExpiresIn = seconds
		o, want := b.createOrder(req), cmp.Or(seconds*1000, order.Lifetime.Milliseconds())
		if o.ExpiresAt-o.CreatedAt != want {
			t.Errorf("an order for %d s is payable for %d ms, want %d", seconds, o.ExpiresAt-o.CreatedAt, want)
		}
	}
}

// Two signers respond in turn, and the clock of one is behind. The times in the buyer's timeline
// and in the events still increase.
func TestTimeLineOfTwoSigners(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	s := r.Shop
	ahead := s.Handler
	behind := s.Open(func(cfg *paytest.Settings, wx *wechat.Config) {
		r.Configure(cfg, wx)
		cfg.Now = func() time.Time { return s.Sim.Now().Add(-2 * time.Second) }
	})
	p, op := s.SignedIn(0), s.Operator()

	s.Handler = ahead
	c := p.Order("tea", 1)
	s.Handler = behind
	var renewed api.Checkout
	p.Must("POST", api.OrderPayPath(c.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}, Renew: true}, &renewed)
	p.Pay(renewed.Pay)
	s.Deliver()
	op.Refund(c.Order.ID, paytest.RefundRequest(100))
	s.Sim.Advance(10 * time.Second)
	r.Deliver()
	r.Deliver()

	closed := p.Order("tea", 1)
	p.Must("POST", api.OrderClosePath(closed.Order.ID), api.CloseRequest{}, &api.Order{})
	for _, id := range []string{c.Order.ID, closed.Order.ID} {
		o := p.GetOrder(id)
		for i := 1; i < len(o.Timeline); i++ {
			if o.Timeline[i].At < o.Timeline[i-1].At {
				t.Errorf("%+v", o.Timeline)
			}
		}
		for _, back := range o.Refunds {
			if back.EndedAt < back.CreatedAt || back.CreatedAt < o.Timeline[2].At {
				t.Errorf("%+v of %+v", back, o.Timeline)
			}
		}
	}
	for i := 1; i < len(r.Events); i++ {
		if r.Events[i].CreatedAt < r.Events[i-1].CreatedAt {
			t.Errorf("%+v", r.Events)
		}
	}
	if o, err := store.New(s.DB).ByID(t.Context(), c.Order.ID); err != nil || len(r.Events) != 2 || o.Refunded != 100 {
		t.Errorf("%d events, %+v, %v", len(r.Events), o, err)
	}
}
