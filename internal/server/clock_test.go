package server_test

import (
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// Two signers answer in turn, and the clock of one is behind. The buyer is shown a
// time line that goes forward, and the back end events that do.
func TestTimeLineOfTwoSigners(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s := r.shop
	ahead := s.handler
	behind := s.open(func(cfg *settings, wx *wechat.Config) {
		r.config(cfg, wx)
		cfg.Now = func() time.Time { return s.sim.Now().Add(-2 * time.Second) }
	})
	p, op := s.signedIn(0), s.operator()

	s.handler = ahead
	c := p.order("tea", 1)
	s.handler = behind
	var renewed api.Checkout
	p.must("POST", api.OrderPayPath(c.Order.ID), api.PayRequest{Renew: true}, &renewed)
	p.pay(renewed.Pay)
	s.deliver()
	op.refund(c.Order.ID, refundOf(100))
	s.sim.Advance(10 * time.Second)
	r.deliver()
	r.deliver()

	closed := p.order("tea", 1)
	p.must("POST", api.OrderClosePath(closed.Order.ID), api.CloseRequest{}, &api.Order{})
	for _, id := range []string{c.Order.ID, closed.Order.ID} {
		o := p.get(id)
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
	for i := 1; i < len(r.events); i++ {
		if r.events[i].CreatedAt < r.events[i-1].CreatedAt {
			t.Errorf("%+v", r.events)
		}
	}
	if o, err := store.New(s.db).ByID(t.Context(), c.Order.ID); err != nil || len(r.events) != 2 || o.Refunded != 100 {
		t.Errorf("%d events, %+v, %v", len(r.events), o, err)
	}
}
