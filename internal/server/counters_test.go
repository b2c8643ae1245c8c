package server_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

func TestCounters(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	r.Respond = func(n int, _ webhook.Event) (int, error) {
		if n == 1 {
			return 0, errors.New("there are no buyers")
		}
		return 200, nil
	}
	p := r.SignedIn(0)

	notified := p.Order("tea", 1)
	p.Pay(notified.Pay)
	r.Shop.Deliver()
	if _, err := r.Sim.Notify(r.OutTradeNo(notified.Order.ID), wechattest.ForgeReplay); err != nil {
		t.Fatal(err) // repeated, counted once
	}
	polled := p.Order("tea", 1)
	r.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(polled.Pay)
	r.Shop.Deliver()
	r.Sim.Advance(paytest.QueryPause)
	p.GetOrder(polled.Order.ID)

	// Paid at WeChat after the cancellation.
	late := p.Order("tea", 1)
	closeHere(r.Shop, late.Order.ID)
	p.Pay(late.Pay)
	r.Shop.Deliver()

	// A signed notification that differs from the order is counted, and a stranger's is not. Then
	// the order is paid, and the timer finds that.
	forged := p.Order("tea", 1)
	for _, forge := range []string{wechattest.ForgeWrongAmount, wechattest.ForgeOtherKey, wechattest.ForgeNoSign, wechattest.ForgeDoctype} {
		if _, err := r.Sim.Notify(r.OutTradeNo(forged.Order.ID), forge); err != nil {
			t.Fatal(err)
		}
	}
	r.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(forged.Pay)
	r.Shop.Deliver()
	r.Sim.Advance(2 * time.Minute)
	r.Reconcile()

	r.Operator().Refund(notified.Order.ID, paytest.RefundRequest(6800))
	r.Sim.Advance(2 * time.Minute)
	r.Reconcile()
	r.Deliver()
	r.Sim.Advance(time.Minute)
	r.Deliver()
	want := map[string]int64{
		"orders.paid": 3, "orders.refunded": 1, "orders.paid_late": 1,
		"settled.notify": 2, "settled.poll": 1, "settled.cron": 1, "mismatch.amount_differs": 1,
		"refunds.succeeded":    1,
		"reconciled.queried":   1,
		"deliveries.delivered": 6,
	}
	if diff := cmp.Diff(want, r.Counters()); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// The counters are the operator's alone.
func TestCountersNeedTheToken(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	s.SignedIn(0).Fails(api.CodeUnauthenticated, "GET", "/v1/counters", nil)
}

// Payments continue when a counter cannot be stored.
func TestCountingThatFailsStopsNothing(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	storetest.Exec(t, s.DB, `CREATE TRIGGER no_counts BEFORE INSERT ON counters WHEN NEW.name LIKE 'mismatch.%'
		BEGIN SELECT RAISE(ABORT, 'no counts today'); END`)
	if attempt, err := s.Sim.Notify(s.OutTradeNo(c.Order.ID), wechattest.ForgeWrongAmount); err != nil || attempt.OK {
		t.Errorf("%+v, %v", attempt, err)
	}
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	s.Sim.Advance(2 * time.Minute)
	if err := s.Signer.Reconcile(context.Background()); err != nil {
		t.Error(err)
	}
	s.WantStatus(c.Order.ID, api.StatusPaid)
}
