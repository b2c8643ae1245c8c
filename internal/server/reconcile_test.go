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
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestReconcileFindsALostPayment(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	s.Reconcile() // too early: the notification may still arrive
	s.WantStatus(c.Order.ID, api.StatusOpen)
	s.Sim.Advance(61 * time.Second)
	s.Reconcile()
	s.WantPath(c.Order.ID, api.StatusPaid)
	s.Sim.Advance(time.Hour)
	asked := s.Calls("orderquery")
	s.Reconcile()
	if s.Calls("orderquery") != asked {
		t.Error("a paid order was queried again")
	}
}

// A payment that WeChat accepted, and whose response was lost, is found too.
func TestReconcileFindsAPaymentThatIsOnlyCreated(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	// As if the signer had died before it stored the response.
	storetest.Exec(t, s.DB, `UPDATE payments SET status = 'created', prepay_id = NULL, prepay_at = NULL, sign_type = NULL;
		DELETE FROM payment_history`)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	s.Sim.Advance(61 * time.Second)
	s.Reconcile()
	s.WantStatus(c.Order.ID, api.StatusPaid)
}

func TestReconcileClosesUnpaidOrders(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Sim.Advance(order.Lifetime)
	s.Reconcile()
	s.WantStatus(c.Order.ID, api.StatusOpen) // a payment may be in progress
	s.Sim.Advance(order.ExpiryGrace + time.Minute)
	s.Reconcile()
	s.WantPath(c.Order.ID, api.StatusClosed)
	if got := s.Sim.Ledger().Orders[0].State; got != wechattest.StateClosed {
		t.Errorf("its state at WeChat is %s", got)
	}
	s.Reconcile()
	if n := s.Calls("closeorder"); n != 1 {
		t.Errorf("closed %d times", n)
	}
}

// A payment that never reached WeChat is closed in the shop alone. It is not closed before it
// expires, because its unifiedorder may still be retried.
func TestReconcileClosesPaymentsThatNeverReachedWeChat(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	s.Fault(wechattest.FaultTimeoutBefore, "/pay/unifiedorder")
	p.CannotPay(api.CodeWeChatBusy, paytest.Basket("tea", 1))
	var id string
	if err := s.DB.QueryRow(`SELECT id FROM orders`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	s.Sim.Advance(time.Hour)
	s.Reconcile()
	s.WantStatus(id, api.StatusOpen)
	s.Sim.Advance(order.Lifetime + order.ExpiryGrace)
	s.Reconcile()
	s.WantPath(id, api.StatusClosing, api.StatusClosed)
}

// Paid after the query and before the close: WeChat declines to close it and is queried again.
func TestReconcileQueriesAgainAfterOrderPaid(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	sheet, err := p.OpenPaySheet(c.Pay)
	if err != nil {
		t.Fatal(err)
	}
	s.Sim.Advance(order.Lifetime - time.Second)
	s.Fault(wechattest.FaultNotifyLost, "")
	s.ToWeChat.Handler = paytest.Before(s.ToWeChat.Handler, "/pay/closeorder", func() {
		// WeChat accepts a payment that began in time.
		if _, err := s.Sim.PaySheet(sheet.ID); err != nil {
			t.Fatal(err)
		}
	})
	// The shop's clock runs ahead of WeChat's.
	s.AdvanceClock(order.ExpiryGrace + 2*time.Minute)
	s.Reconcile()
	s.WantPath(c.Order.ID, api.StatusPaid)
}

// One call does a bounded amount of work, and the next call continues. An order that fails does not
// delay the others.
func TestReconcileIsBoundedAndContinues(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Statements = payment.MinStatements })
	p := s.SignedIn(0)
	var ids []string
	for range 43 {
		c := p.Order("test", 1)
		s.Fault(wechattest.FaultNotifyLost, "")
		p.Pay(c.Pay)
		ids = append(ids, c.Order.ID)
	}
	s.Sim.Advance(2 * time.Minute)
	s.Fault(wechattest.FaultSystemError, "/pay/orderquery") // affects one of the first
	statements := countStatements(t, s)
	for i, least := range []int{17, 34, 42} {
		before := statements.Load()
		if err := s.Signer.Reconcile(context.Background()); err != nil {
			t.Fatal(err)
		}
		var paid int
		if err := s.DB.QueryRow(`SELECT count(*) FROM orders WHERE status = 'paid'`).Scan(&paid); err != nil {
			t.Fatal(err)
		}
		if paid < least || i < 2 && paid > 25*(i+1) {
			t.Errorf("after %d calls %d are paid, want at least %d", i+1, paid, least)
		}
		if n := statements.Load() - before; n > payment.MinStatements {
			t.Errorf("%d statements in one call", n)
		}
	}
	s.Check()
	s.Sim.Advance(2 * time.Minute)
	s.Reconcile()
	for _, id := range ids {
		s.WantStatus(id, api.StatusPaid)
	}
}

// WeChat is queried less and less often about an order, and always when it expires.
func TestReconcileQueriesOldOrdersLessOften(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	c := s.SignedIn(0).Order("tea", 1)
	for range 24*20 - 1 {
		s.Sim.Advance(3 * time.Minute)
		s.Reconcile()
	}
	if n := s.Calls("orderquery"); n < 5 || n > 12 {
		t.Errorf("queried %d times in a day", n)
	}
	s.WantStatus(c.Order.ID, api.StatusOpen)
	for range 6 {
		s.Sim.Advance(time.Minute)
		s.Reconcile()
	}
	s.WantStatus(c.Order.ID, api.StatusClosed)
}

func TestReconcileReportsADeadDatabaseWithoutSecrets(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	s.SignedIn(0).Order("tea", 1)
	s.Sim.Advance(2 * time.Minute)
	storetest.Exec(t, s.DB, `CREATE TRIGGER dead BEFORE UPDATE OF queried_at ON payments BEGIN SELECT RAISE(ABORT, 'dead'); END`)
	if err := s.Signer.Reconcile(context.Background()); err == nil || !strings.Contains(err.Error(), "dead") {
		t.Errorf("got %v", err)
	}
	if s.Calls("orderquery") != 0 {
		t.Error("WeChat was queried without a claim")
	}
}

// WeChat's refunds may hang while its other calls work. Repeated refunds must leave time for the
// queries of orders.
func TestReconcileQueriesOrdersWhileRefundsHang(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	hang := false
	s.ToWeChat.Handler = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/refund") {
				if hang {
					s.AdvanceClock(10*time.Second + 100*time.Millisecond) // the call's time-out
				}
				w.WriteHeader(http.StatusGatewayTimeout)
				return
			}
			next.ServeHTTP(w, r)
		})
	}(s.ToWeChat.Handler)
	p, op := s.SignedIn(0), s.Operator()
	for range 4 {
		o := p.PaidOrder("tea", 1)
		if r := op.Refund(o.ID, paytest.RefundRequest(o.Total)); r.Status != api.RefundCreated {
			t.Fatalf("the refund is %s", r.Status)
		}
	}
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	s.Sim.Advance(2 * time.Minute)
	hang = true
	began := s.Now()
	s.Reconcile()
	s.WantStatus(c.Order.ID, api.StatusPaid)
	if took := s.Now().Sub(began); took > 25*time.Second {
		t.Errorf("it took %s", took)
	}
	// Every refund still gets its turn.
	s.Sim.Advance(time.Minute)
	s.Reconcile()
	var sent int
	if err := s.DB.QueryRow(`SELECT COUNT(*) FROM refunds WHERE queried_at >= ?`, began.UnixMilli()).Scan(&sent); err != nil || sent != 4 {
		t.Errorf("%d refunds were sent again, %v; want 4", sent, err)
	}
}

// The shop changes to another merchant, who would get ORDERNOTEXIST for the older payments. They
// are neither queried nor closed, and nobody pays one to the wrong merchant.
func TestOrdersOfAFormerMerchant(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	other := p.Order("bun", 1)
	former := p.Handler
	p.Handler = s.Open(func(cfg *paytest.Settings, wx *wechat.Config) { cfg.MchID, wx.MchID = "1900000110", "1900000110" })
	s.Sim.Advance(10 * time.Minute)
	p.Fails(api.CodeOrderNotPayable, "POST", api.OrderPayPath(other.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}, Renew: true})
	p.Fails(api.CodeWeChatBusy, "POST", api.OrderClosePath(other.Order.ID), struct{}{})
	s.Sim.Advance(3 * time.Hour)
	s.Reconcile()
	p.GetOrder(c.Order.ID)
	s.WantStatus(c.Order.ID, api.StatusOpen)
	s.WantStatus(other.Order.ID, api.StatusOpen)
	s.WantWrong("orders", "2 unpaid payments were made for another merchant")

	// The operator sets the former merchant again for some time.
	p.Handler = former
	s.Sim.Advance(paytest.QueryPause)
	if o := p.GetOrder(c.Order.ID); o.Status != api.StatusPaid {
		t.Errorf("the order is %s", o.Status)
	}
}

// Notified payments that WeChat does not confirm delay refunds by only a few queries.
func TestNotifiedPaymentsDoNotStarveRefunds(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, op := s.SignedIn(0), s.Operator()
	paid := p.PaidOrder("tea", 1)
	s.Fault(wechattest.FaultSystemError, "/secapi/pay/refund")
	op.Refund(paid.ID, paytest.RefundRequest(100))
	for range 30 {
		postNotification(s, leaked(s, p.Order("tea", 1).Order.ID, wechat.SignHMAC))
	}
	s.Sim.Advance(time.Minute)
	var calls []string
	right := s.ToWeChat.Handler
	var mu sync.Mutex
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		calls = append(calls, r.URL.Path)
		mu.Unlock()
		right.ServeHTTP(w, r)
	})
	s.Reconcile()
	if i := slices.Index(calls, "/secapi/pay/refund"); i < 1 || i > 10 {
		t.Errorf("the refund is call %d of %v", i, calls)
	}
}

// Due orders that other requests just queried do not keep the timer busy.
func TestTimerDoesNotReadTheSameOrdersAgain(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Store.Bounds.Buyer = 1000 })
	p := s.SignedIn(0)
	for range 120 {
		p.Order("tea", 1)
	}
	storetest.Exec(t, s.DB, `UPDATE payments SET due_at = ?1, queried_at = ?1`, s.Now().UnixMilli())
	statements := countStatements(t, s)
	s.Reconcile() // the clock stands still, so a busy loop would not end
	if n := statements.Load(); n > 150 {
		t.Errorf("%d statements", n)
	}
}
