package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/wechat/wechattest"
)

// replaceable returns a shop, a guest with a code that WeChat may close by now, and a
// request for another one in its place.
func replaceable(t *testing.T) (s *paytest.Shop, p *paytest.Person, old api.Order, req api.CreateOrderRequest) {
	s = paytest.NewShop(t, nil)
	p = s.NewGuest(0)
	old = p.OrderByCode("tea", 1).Order
	s.Sim.Advance(6 * time.Minute)
	req = paytest.BasketForCode("tea", 1)
	req.Replaces = old.ID
	return s, p, old, req
}

func TestReplacedOrderIsGivenUpFirst(t *testing.T) {
	t.Parallel()
	s, p, old, req := replaceable(t)
	req.TradeType = api.TradeMWEB
	var c, again api.Checkout
	p.Checkout(req, &c)
	if c.Order.ID == old.ID || c.MWebURL == "" {
		t.Errorf("checkout %+v", c)
	}
	s.WantPath(old.ID, api.StatusPending, api.StatusClosing, api.StatusClosed)
	p.Checkout(req, &again)
	if d := cmp.Diff(c, again); d != "" {
		t.Errorf("asked again: %s", d)
	}
	// A second order cannot come of the same key.
	other := req
	other.Replaces = c.Order.ID
	wantUnharmed(p, func() { p.Fails(api.CodeConflict, "POST", api.PathOrders, other) })
	other.Replaces = ""
	wantUnharmed(p, func() { p.Fails(api.CodeConflict, "POST", api.PathOrders, other) })
}

func TestPaidOrderIsNotReplaced(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		for _, closing := range []bool{false, true} {
			s := paytest.NewShop(t, nil)
			p := s.NewGuest(0)
			old := p.OrderByCode("tea", 1)
			if closing {
				p.CloseOrder(old.Order.ID)
				s.Sim.Advance(queryWindow)
			}
			if lost {
				s.Fault(wechattest.FaultNotifyLost, "")
			}
			if err := s.Scan(1, old.CodeURL); err != nil {
				t.Fatal(err)
			}
			if !lost {
				s.Deliver()
			}
			req := paytest.BasketForCode("tea", 1)
			req.Replaces = old.Order.ID
			p.Fails(api.CodeOrderPaid, "POST", api.PathOrders, req)
			p.Fails(api.CodeOrderPaid, "POST", api.PathOrders, req)
			s.WantStatus(old.Order.ID, api.StatusPaid)
			if n := len(s.Sim.Ledger().Orders); n != 1 {
				t.Errorf("WeChat knows %d orders", n)
			}
			var list api.OrderList
			if p.Must("GET", api.PathOrders, nil, &list); len(list.Orders) != 1 {
				t.Errorf("orders %+v", list)
			}
		}
	}
}

// A request that makes nothing gives nothing up.
func TestNothingIsGivenUpForNothing(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	old := p.Order("tea", 1)
	used := paytest.Basket("bun", 1)
	p.Checkout(used, &api.Checkout{})
	conflict := used
	conflict.Replaces = old.Order.ID
	gone := paytest.Basket("gold", 1)
	gone.Replaces = old.Order.ID
	amount := paytest.Basket("tip", 1)
	amount.Replaces = old.Order.ID
	unknown, garbage := paytest.Basket("tea", 1), paytest.Basket("tea", 1)
	unknown.Replaces, garbage.Replaces = strings.Repeat("0", 24), "' OR 1=1"
	for _, bad := range []struct {
		req  api.CreateOrderRequest
		code api.Code
	}{{conflict, api.CodeConflict}, {gone, api.CodeProductGone}, {amount, api.CodeBadRequest}, {unknown, api.CodeNotFound}, {garbage, api.CodeNotFound}} {
		wantUnharmed(p, func() { p.Fails(bad.code, "POST", api.PathOrders, bad.req) })
	}
	req := paytest.Basket("tea", 1)
	req.Replaces = old.Order.ID
	s.Fault(wechattest.FaultSystemError, "/pay/orderquery")
	p.CannotPay(api.CodeWeChatBusy, req)
	s.WantStatus(old.Order.ID, api.StatusPending)
	var n int
	if err := s.DB.QueryRow(`SELECT count(*) FROM orders`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d orders, %v", n, err)
	}
}

// WeChat closes an order of six minutes when it works; until it has, nothing takes
// its place.
func TestOrderThatCannotBeClosedIsNotReplaced(t *testing.T) {
	t.Parallel()
	s, p, old, req := replaceable(t)
	s.Fault(wechattest.FaultSystemError, "/pay/closeorder")
	p.Fails(api.CodeBusy, "POST", api.PathOrders, req)
	if n := len(s.Sim.Ledger().Orders); n != 1 {
		t.Errorf("%d orders at WeChat", n)
	}
	s.WantStatus(old.ID, api.StatusClosing)
	s.Sim.Advance(paytest.QueryPause)
	var c api.Checkout
	p.Checkout(req, &c)
	s.WantStatus(old.ID, api.StatusClosed)
	if state := s.StateAtWeChat(old.ID); state != wechattest.StateClosed || c.CodeURL == "" {
		t.Errorf("the old one is %s at WeChat, the new one %+v", state, c)
	}
}

// The signer dies after the old order was given up: the retry makes the new one.
func TestReplacementThatWasNotStored(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	old := p.OrderByCode("tea", 1)
	storetest.Exec(t, s.DB, `CREATE TRIGGER dead BEFORE INSERT ON orders BEGIN SELECT RAISE(ABORT, 'dead'); END`)
	req := paytest.BasketForCode("tea", 1)
	req.Replaces = old.Order.ID
	p.CannotPay(api.CodeInternal, req)
	s.WantStatus(old.Order.ID, api.StatusClosing)
	storetest.Exec(t, s.DB, `DROP TRIGGER dead`)
	var c api.Checkout
	p.Checkout(req, &c)
	if err := s.Scan(0, c.CodeURL); err != nil {
		t.Error(err)
	}
	s.Deliver()
	s.WantPath(c.Order.ID, api.StatusPending, api.StatusPaid)
}

// Whatever comes at once, one order takes the place of the old one, and the old
// one is closed once.
func TestManyClosesAndReplacesAtOnce(t *testing.T) {
	t.Parallel()
	s, p, old, req := replaceable(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	for i := range 40 {
		method, path, body := "POST", api.PathOrders, encode(t, req)
		switch i % 4 {
		case 1:
			path, body = api.OrderClosePath(old.ID), []byte(`{}`)
		case 2:
			path, body = api.OrderPayPath(old.ID), []byte(`{"renew":true}`)
		case 3:
			method, path, body = "GET", api.OrderPath(old.ID), nil
		}
		r := p.Request(method, path, body)
		wg.Go(func() {
			w := httptest.NewRecorder()
			p.Handler.ServeHTTP(w, r)
			for deadline := time.Now().Add(time.Minute); isBusy(t, w) && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				w = httptest.NewRecorder()
				mu.Lock()
				again := p.Request(method, path, body)
				mu.Unlock()
				p.Handler.ServeHTTP(w, again)
			}
			if w.Code != http.StatusOK && (i%4 != 2 || w.Code != http.StatusConflict) {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
			var o api.Order
			if i%4 == 0 && json.Unmarshal(w.Body.Bytes(), &o) == nil {
				mu.Lock()
				defer mu.Unlock()
				ids[o.ID] = true
			}
		})
	}
	wg.Wait()
	s.Check()
	s.Sim.Advance(2 * time.Minute)
	s.Reconcile()
	s.WantStatus(old.ID, api.StatusClosed)
	if len(ids) != 1 || s.StateAtWeChat(old.ID) != wechattest.StateClosed || len(s.Sim.Ledger().Orders) != 1 {
		t.Errorf("new orders %v, the old one is %s at WeChat", ids, s.StateAtWeChat(old.ID))
	}
}

// Nobody can be led in a circle: an order takes the place of what was before it.
func TestOrderCannotReplaceItself(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.NewGuest(0)
	req := paytest.BasketForCode("tea", 1)
	var c api.Checkout
	p.Checkout(req, &c)
	req.Replaces = c.Order.ID
	wantUnharmed(p, func() { p.Fails(api.CodeConflict, "POST", api.PathOrders, req) })
	p.Must("POST", api.OrderPayPath(c.Order.ID), struct{}{}, &c)
}
