package server_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/payment"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// reconcile is what the timer does.
func (s *shop) reconcile() {
	s.t.Helper()
	if err := s.signer.Reconcile(context.Background()); err != nil {
		s.t.Error(err)
	}
	s.check()
}

// wantStatus reads the stored order, asking nobody.
func (s *shop) wantStatus(id string, want api.OrderStatus) {
	s.t.Helper()
	var got api.OrderStatus
	if err := s.db.QueryRow(`SELECT status FROM orders WHERE id = ?`, id).Scan(&got); err != nil || got != want {
		s.t.Errorf("order %s is %s, %v; want %s", id, got, err, want)
	}
}

func TestReconcileFindsALostPayment(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(c.Pay)
	s.reconcile() // too soon: the notification may be on its way
	s.wantStatus(c.Order.ID, api.StatusPending)
	s.sim.Advance(61 * time.Second)
	s.reconcile()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
	s.sim.Advance(time.Hour)
	asked := s.calls("orderquery")
	s.reconcile()
	if s.calls("orderquery") != asked {
		t.Error("a paid order was asked about again")
	}
}

// The order that WeChat has taken but whose answer was lost is found too.
func TestReconcileFindsAPaymentOfAnOrderThatIsOnlyCreated(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	// As if the signer had died before it stored the answer.
	storetest.Exec(t, s.db, `UPDATE orders SET status = 'created', prepay_id = NULL, prepay_at = NULL, sign_type = NULL;
		DELETE FROM history; DELETE FROM order_steps WHERE rowid > 1`)
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(c.Pay)
	s.sim.Advance(61 * time.Second)
	s.reconcile()
	s.wantStatus(c.Order.ID, api.StatusPaid)
}

func TestReconcileClosesWhatNobodyPaid(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.sim.Advance(order.Lifetime)
	s.reconcile()
	s.wantStatus(c.Order.ID, api.StatusPending) // a payment may just be ending
	s.sim.Advance(order.ExpiryGrace + time.Minute)
	s.reconcile()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusClosed)
	if got := s.sim.Ledger().Orders[0].State; got != wechattest.StateClosed {
		t.Errorf("WeChat has it as %s", got)
	}
	s.reconcile()
	if n := s.calls("closeorder"); n != 1 {
		t.Errorf("closed %d times", n)
	}
}

// An order that WeChat never heard of is closed here alone, and not before its
// time: its unifiedorder may still be retried.
func TestReconcileClosesWhatWeChatNeverTook(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	s.fault(wechattest.FaultTimeoutBefore, "/pay/unifiedorder")
	p.cannotPay(api.CodeWeChatBusy, basket("tea", 1))
	var id string
	if err := s.db.QueryRow(`SELECT id FROM orders`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	s.sim.Advance(time.Hour)
	s.reconcile()
	s.wantStatus(id, api.StatusCreated)
	s.sim.Advance(order.Lifetime + order.ExpiryGrace)
	s.reconcile()
	s.wantPath(id, api.StatusClosed)
}

// Paid after the query and before the close: WeChat declines to close, and is
// asked again.
func TestReconcileBelievesOrderPaid(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	sheet, err := p.sheet(c.Pay)
	if err != nil {
		t.Fatal(err)
	}
	s.sim.Advance(order.Lifetime - time.Second)
	s.fault(wechattest.FaultNotifyLost, "")
	s.wire.handler = before(s.wire.handler, "/pay/closeorder", func() {
		// WeChat lets a payment end that was begun in time.
		if _, err := s.sim.PaySheet(sheet.ID); err != nil {
			t.Fatal(err)
		}
	})
	// The shop's clock runs ahead of WeChat's.
	s.advanceShop(order.ExpiryGrace + 2*time.Minute)
	s.reconcile()
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}

// before calls do before the first request for a path.
func before(next http.Handler, path string, do func()) http.Handler {
	done := false
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path && !done {
			done = true
			do()
		}
		next.ServeHTTP(w, r)
	})
}

// One call of it does a bounded amount of work, the next goes on, and an order
// that fails does not hold up the others.
func TestReconcileIsBoundedAndGoesOn(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(cfg *settings, _ *wechat.Config) { cfg.Statements = payment.MinStatements })
	p := s.signedIn(0)
	var ids []string
	for range 43 {
		c := p.order("test", 1)
		s.fault(wechattest.FaultNotifyLost, "")
		p.pay(c.Pay)
		ids = append(ids, c.Order.ID)
	}
	s.sim.Advance(2 * time.Minute)
	s.fault(wechattest.FaultSystemError, "/pay/orderquery") // meets one of the first
	statements := countStatements(t, s)
	for i, least := range []int{17, 34, 42} {
		before := statements.Load()
		if err := s.signer.Reconcile(context.Background()); err != nil {
			t.Fatal(err)
		}
		var paid int
		if err := s.db.QueryRow(`SELECT count(*) FROM orders WHERE status = 'paid'`).Scan(&paid); err != nil {
			t.Fatal(err)
		}
		if paid < least || i < 2 && paid > 25*(i+1) {
			t.Errorf("after %d calls %d are paid, want at least %d", i+1, paid, least)
		}
		if n := statements.Load() - before; n > payment.MinStatements {
			t.Errorf("%d statements in one call", n)
		}
	}
	s.check()
	s.sim.Advance(2 * time.Minute)
	s.reconcile()
	for _, id := range ids {
		s.wantStatus(id, api.StatusPaid)
	}
}

// WeChat is asked less and less about an order, but always at its end.
func TestReconcileLeavesOldOrdersAlone(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	c := s.signedIn(0).order("tea", 1)
	for range 24*20 - 1 {
		s.sim.Advance(3 * time.Minute)
		s.reconcile()
	}
	if n := s.calls("orderquery"); n < 10 || n > 25 {
		t.Errorf("asked %d times in a day", n)
	}
	s.wantStatus(c.Order.ID, api.StatusPending)
	for range 6 {
		s.sim.Advance(time.Minute)
		s.reconcile()
	}
	s.wantStatus(c.Order.ID, api.StatusClosed)
}

func TestReconcileKeepsSecretsAndTellsOfADeadDatabase(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	s.signedIn(0).order("tea", 1)
	s.sim.Advance(2 * time.Minute)
	storetest.Exec(t, s.db, `CREATE TRIGGER dead BEFORE UPDATE OF queried_at ON orders BEGIN SELECT RAISE(ABORT, 'dead'); END`)
	if err := s.signer.Reconcile(context.Background()); err == nil || !strings.Contains(err.Error(), "dead") {
		t.Errorf("got %v", err)
	}
	if s.calls("orderquery") != 0 {
		t.Error("WeChat was asked without a claim")
	}
}

// WeChat's refunds may hang while everything else works: those that are sent
// again must not take all the time there is for orders.
func TestReconcileAsksAboutOrdersThoughRefundsHang(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	hang := false
	s.wire.handler = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/refund") {
				if hang {
					s.advanceShop(10*time.Second + 100*time.Millisecond) // the call's time-out
				}
				w.WriteHeader(http.StatusGatewayTimeout)
				return
			}
			next.ServeHTTP(w, r)
		})
	}(s.wire.handler)
	p, op := s.signedIn(0), s.operator()
	for range 4 {
		o := p.paidOrder("tea", 1)
		if r := op.refund(o.ID, refundOf(o.Total)); r.Status != api.RefundCreated {
			t.Fatalf("the refund is %s", r.Status)
		}
	}
	c := p.order("tea", 1)
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(c.Pay)
	s.sim.Advance(2 * time.Minute)
	hang = true
	began := s.now()
	s.reconcile()
	s.wantStatus(c.Order.ID, api.StatusPaid)
	if took := s.now().Sub(began); took > 25*time.Second {
		t.Errorf("it took %s", took)
	}
	// Each refund has its turn all the same.
	s.sim.Advance(time.Minute)
	s.reconcile()
	var sent int
	if err := s.db.QueryRow(`SELECT COUNT(*) FROM refunds WHERE queried_at >= ?`, began.UnixMilli()).Scan(&sent); err != nil || sent != 4 {
		t.Errorf("%d refunds were sent again, %v; want 4", sent, err)
	}
}

// The merchant is another one from now on. WeChat would say of the orders of before
// that there are none; nobody asks, nobody closes them, and nobody pays one to the
// wrong merchant.
func TestOrdersOfAFormerMerchant(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(c.Pay)
	other := p.order("bun", 1)
	former := p.handler
	p.handler = s.open(func(cfg *settings, wx *wechat.Config) { cfg.MchID, wx.MchID = "1900000110", "1900000110" })
	s.sim.Advance(10 * time.Minute)
	p.fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(other.Order.ID), api.PayRequest{Renew: true})
	p.fails(api.CodeWeChatBusy, "POST", api.OrderClosePath(other.Order.ID), struct{}{})
	s.sim.Advance(3 * time.Hour)
	s.reconcile()
	p.get(c.Order.ID)
	s.wantStatus(c.Order.ID, api.StatusPending)
	s.wantStatus(other.Order.ID, api.StatusPending)
	s.wantWrong("orders", "2 unpaid orders were made for another merchant")

	// The operator sets the former one again for a while.
	p.handler = former
	s.sim.Advance(queryPause)
	if o := p.get(c.Order.ID); o.Status != api.StatusPaid {
		t.Errorf("the order is %s", o.Status)
	}
}

// Notified orders that WeChat does not confirm hold up refunds by a few queries.
func TestToldOrdersDoNotStarveRefunds(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p, op := s.signedIn(0), s.operator()
	paid := p.paidOrder("tea", 1)
	s.fault(wechattest.FaultSystemError, "/secapi/pay/refund")
	op.refund(paid.ID, refundOf(100))
	for range 30 {
		s.post(s.leaked(p.order("tea", 1).Order.ID, wechat.SignHMAC))
	}
	s.sim.Advance(time.Minute)
	var calls []string
	right := s.wire.handler
	var mu sync.Mutex
	s.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		calls = append(calls, r.URL.Path)
		mu.Unlock()
		right.ServeHTTP(w, r)
	})
	s.reconcile()
	if i := slices.Index(calls, "/secapi/pay/refund"); i < 1 || i > 10 {
		t.Errorf("the refund is call %d of %v", i, calls)
	}
}

// Orders that are due and that others query just now do not keep the timer busy.
func TestTimerDoesNotReadTheSameOrdersAgain(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(cfg *settings, _ *wechat.Config) { cfg.Store.Bounds.Buyer = 1000 })
	p := s.signedIn(0)
	for range 120 {
		p.order("tea", 1)
	}
	storetest.Exec(t, s.db, `UPDATE orders SET due_at = ?1, queried_at = ?1`, s.now().UnixMilli())
	statements := countStatements(t, s)
	s.reconcile() // the clock stands still: it would not end
	if n := statements.Load(); n > 150 {
		t.Errorf("%d statements", n)
	}
}
