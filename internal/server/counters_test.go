package server_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/store/storetest"
	"h5pay/webhook"
	"h5pay/wechat/wechattest"
)

// counters reads the counters as the operator does.
func (s *shop) counters() map[string]int64 {
	s.t.Helper()
	var c api.Counters
	s.operator().must("GET", api.PathAdminCounter, nil, &c)
	return c.Counters
}

func TestCountersTellWhatHappened(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.answer = func(n int, _ webhook.Event) (int, error) {
		if n == 1 {
			return 0, errors.New("nobody is there")
		}
		return 200, nil
	}
	p := r.signedIn(0)

	notified := p.order("tea", 1)
	p.pay(notified.Pay)
	r.shop.deliver()
	if _, err := r.sim.Notify(r.outTradeNo(notified.Order.ID), wechattest.ForgeReplay); err != nil {
		t.Fatal(err) // told again, counted once
	}
	polled := p.order("tea", 1)
	r.fault(wechattest.FaultNotifyLost, "")
	p.pay(polled.Pay)
	r.shop.deliver()
	r.sim.Advance(queryPause)
	p.get(polled.Order.ID)

	// Paid at WeChat after it was given up here.
	late := p.order("tea", 1)
	storetest.Exec(t, r.db, `UPDATE orders SET status = 'closed', due_at = NULL, network = NULL WHERE id = ?`, late.Order.ID)
	p.pay(late.Pay)
	r.shop.deliver()

	// Signed, but not what the order says; and what a stranger can send, which
	// nobody counts. Then the order is paid after all, and the timer finds out.
	forged := p.order("tea", 1)
	for _, forge := range []string{wechattest.ForgeWrongAmount, wechattest.ForgeOtherKey, wechattest.ForgeNoSign, wechattest.ForgeDoctype} {
		if _, err := r.sim.Notify(r.outTradeNo(forged.Order.ID), forge); err != nil {
			t.Fatal(err)
		}
	}
	r.fault(wechattest.FaultNotifyLost, "")
	p.pay(forged.Pay)
	r.shop.deliver()
	r.sim.Advance(2 * time.Minute)
	r.reconcile()

	r.operator().refund(notified.Order.ID, refundOf(6800))
	r.sim.Advance(2 * time.Minute)
	r.reconcile()
	r.deliver()
	r.sim.Advance(time.Minute)
	r.deliver()
	want := map[string]int64{
		"orders.paid": 3, "orders.refunded": 1, "orders.paid_late": 1,
		"settled.notify": 2, "settled.poll": 1, "settled.cron": 1, "mismatch.amount_differs": 1,
		"refunds.succeeded": 1,
		"reconciled.asked":  1, "reconciled.failed": 0,
		"events.delivered": 6,
	}
	if diff := cmp.Diff(want, r.counters()); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// The counters are the operator's alone.
func TestCountersNeedTheToken(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.signedIn(0).fails(api.CodeUnauthenticated, "GET", api.PathAdminCounter, nil)
}

// Where nothing can be counted the money goes on.
func TestCountingThatFailsStopsNothing(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	storetest.Exec(t, s.db, `CREATE TRIGGER no_counts BEFORE INSERT ON counters WHEN NEW.name LIKE 'mismatch.%' OR NEW.name LIKE 'reconciled.%'
		BEGIN SELECT RAISE(ABORT, 'no counts today'); END`)
	if attempt, err := s.sim.Notify(s.outTradeNo(c.Order.ID), wechattest.ForgeWrongAmount); err != nil || attempt.OK {
		t.Errorf("%+v, %v", attempt, err)
	}
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(c.Pay)
	s.sim.Advance(2 * time.Minute)
	if err := s.signer.Reconcile(context.Background()); err != nil {
		t.Error(err)
	}
	s.wantStatus(c.Order.ID, api.StatusPaid)
}
