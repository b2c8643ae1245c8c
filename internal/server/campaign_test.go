package server_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/wechat/wechattest"
)

// purchase is an order as its buyer's page knows it.
type purchase struct {
	buyer *paytest.Person
	ways  []api.TradeType // in which the buyer can pay
	req   paytest.Purchase
	id    string
	last  api.Checkout   // the payment parameters of a page
	pages []api.Checkout // those of all its pages

	refund paytest.RefundCall // the operator's last one
	timers func()             // runs the timer
}

// A campaign is a random sequence of buyers' steps and WeChat's faults. After every step all
// invariants are checked. At the end the shop's payments and refunds must agree with WeChat's
// ledger.
func TestCampaign(t *testing.T) {
	t.Parallel()
	var duplicates atomic.Int64
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			s := paytest.NewShop(t, nil)
			began := s.Now()
			buyers := []*paytest.Person{s.SignedIn(0), s.SignedIn(1), s.SignedIn(2), s.NewGuest(0), s.NewGuest(1)}
			var all []*purchase
			stock := map[string]int64{}
			if seed%2 == 1 { // the others sell without a stock
				stock = map[string]int64{"tea": 6, "bun": 6, "test": 6}
			}
			for product, pieces := range stock {
				storetest.Exec(t, s.DB, `UPDATE products SET stock = ? WHERE id = ?`, pieces, product)
			}
			for range 100 {
				if len(all) == 0 || r.IntN(6) == 0 {
					all = append(all, newPurchase(r, buyers[r.IntN(len(buyers))]))
				}
				all[r.IntN(len(all))].step(r)
				stockAgrees(s, stock)
			}
			s.Sim.ClearFaults()
			s.Sim.Advance(order.Lifetime + order.ExpiryGrace + 25*time.Hour)
			for range 1 + len(all)/10 {
				s.Reconcile()
			}
			ordersAgree(s, false)
			stockAgrees(s, stock)
			loggedChanges(s)
			refundsEnd(s)
			billsAgree(s, began)
			orders, payments := ordersAgree(s, true)
			refunds, err := paytest.ReadRows[paytest.Refund](s.DB, paytest.EveryRefund)
			if err != nil {
				t.Fatal(err)
			}
			reportFindings(s, paytest.CompareRefunds(orders, payments, refunds, s.Sim.Ledger()))
			for _, p := range payments {
				duplicates.Add(p.Duplicate)
			}
		})
	}
	t.Cleanup(func() {
		if n := duplicates.Load(); n == 0 && !t.Failed() {
			t.Error("no order was paid twice: the campaign tests less than it says")
		} else {
			t.Logf("%d orders were paid again", n)
		}
	})
}

// stockAgrees compares the stock with the lines of the orders that are not closed: what is left,
// held and sold is what there was at first.
func stockAgrees(s *paytest.Shop, first map[string]int64) {
	s.T.Helper()
	for product, pieces := range first {
		var stock, gone int64
		if err := s.DB.QueryRow(`SELECT stock, (SELECT COALESCE(SUM(CAST(value ->> 'quantity' AS INTEGER)), 0) FROM orders JOIN json_each(items) ON true
			WHERE status <> 'closed' AND value ->> 'product_id' = products.id) FROM products WHERE id = ?1`, product).Scan(&stock, &gone); err != nil {
			s.T.Fatal(err)
		}
		if stock+gone != pieces {
			s.T.Errorf("%s: %d are left and %d are sold or held, want %d together", product, stock, gone, pieces)
		}
	}
}

// newPurchase draws a basket and the trade types by which the buyer can pay.
func newPurchase(r *rand.Rand, buyer *paytest.Person) *purchase {
	ways := []api.TradeType{api.TradeJSAPI, api.TradeNative, api.TradeMWEB}
	if buyer.IsGuest {
		ways = ways[1:]
	}
	s := buyer.Shop
	timers := func() {
		if err := s.Signer.Reconcile(s.T.Context()); err != nil {
			s.T.Error(err)
		}
	}
	p := &purchase{buyer: buyer, ways: ways, timers: timers, req: paytest.Basket([]string{"tea", "bun", "test"}[r.IntN(3)], 1+r.IntN(3))}
	if r.IntN(4) == 0 {
		p.req.Items = []api.OrderItem{{ProductID: "tip", Quantity: 1, Amount: fen.Fen(1 + r.IntN(500_000))}}
	}
	return p
}

// way returns a way to pay. The buyer opens the order in several places.
func (p *purchase) way(r *rand.Rand) api.TradeType { return p.ways[r.IntN(len(p.ways))] }

// ordersAgree compares all orders and payments with WeChat's ledger, when no payment is under way. Before the
// bills were compared, the payer and the time of a payment may be unknown.
func ordersAgree(s *paytest.Shop, billed bool) ([]paytest.Order, []paytest.Payment) {
	s.T.Helper()
	orders, err := paytest.ReadRows[paytest.Order](s.DB, paytest.EveryOrder)
	if err != nil {
		s.T.Fatal(err)
	}
	payments, err := paytest.ReadRows[paytest.Payment](s.DB, paytest.EveryPayment)
	if err != nil {
		s.T.Fatal(err)
	}
	ledger := s.Sim.Ledger()
	for _, trade := range ledger.Trades {
		for i := range payments {
			if o := &payments[i]; !billed && o.Transaction == trade.TransactionID {
				o.Payer = cmp.Or(o.Payer, trade.OpenID)
				o.Paid = cmp.Or(o.Paid, trade.Paid.Unix()*1000)
			}
		}
	}
	reportFindings(s, paytest.CompareOrders(orders, payments, ledger))
	return orders, payments
}

// reportFindings fails the test for each finding.
func reportFindings(s *paytest.Shop, findings []paytest.Finding) {
	s.T.Helper()
	for _, f := range findings {
		s.T.Errorf("%s: %s %s\n%s", f.Verdict, f.Text, f.Order, strings.Join(s.Log.Lines(f.Order), "\n"))
	}
}

// step makes one random step.
func (p *purchase) step(r *rand.Rand) {
	s := p.buyer.Shop
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	switch r.IntN(16) {
	case 0, 1:
		p.place()
		if p.id != "" && r.IntN(3) > 0 { // or the page is closed, or the call is lost
			p.checkout(r, false)
		}
	case 2:
		if p.id != "" {
			p.checkout(r, r.IntN(3) == 0)
		}
	case 3, 4:
		if len(p.pages) > 0 {
			p.last = p.pages[r.IntN(len(p.pages))]
		}
		p.tapPay(r.IntN(4) > 0)
	case 5:
		if p.id != "" {
			p.buyer.GetOrder(p.id)
		}
	case 6:
		s.Sim.Advance(time.Duration(r.Int64N(int64([]time.Duration{5 * time.Second, 10 * time.Minute, 3 * time.Hour}[r.IntN(3)]))))
		s.Check()
	case 7:
		s.Fault(pick(wechattest.FaultSystemError, wechattest.FaultTimeoutBefore, wechattest.FaultTimeoutAfter, wechattest.FaultBadGateway,
			wechattest.FaultBadReplySign, wechattest.FaultNoReplySign), pick("/pay/unifiedorder", "/pay/orderquery", "/pay/closeorder"))
	case 8:
		s.Fault(pick(wechattest.FaultNotifyLost, wechattest.FaultNotifyDropped, wechattest.FaultNotifyDoubled,
			wechattest.FaultNotifyReordered, wechattest.FaultNotifyMD5, wechattest.FaultPaidAsCancel), "")
	case 9:
		p.news(r)
	case 10:
		if p.id != "" && r.IntN(2) == 0 {
			if a := p.buyer.Call("POST", api.OrderClosePath(p.id), struct{}{}); a.Err.Code == api.CodeInternal {
				s.T.Errorf("close: %s\n%s", a.Body, s.Log)
			}
		}
	case 11:
		p.timers()
		s.Check()
	case 12:
		p.concurrentSteps(r)
	default:
		p.refundStep(r)
	}
}

// place makes the order. Every typed response is correct, except internal.
func (p *purchase) place() {
	p.buyer.T.Helper()
	var o api.Order
	if p.try(api.PathOrders, p.req, &o) {
		if p.id = o.ID; p.last.Order.ID == "" {
			p.last.Order = o
		}
	}
}

// checkout requests payment parameters. Every typed response is correct, except internal.
func (p *purchase) checkout(r *rand.Rand, renew bool) {
	p.buyer.T.Helper()
	var c api.Checkout
	if p.try(api.OrderPayPath(p.id), api.PayRequest{TradeTypes: []api.TradeType{p.way(r)}, Renew: renew}, &c) {
		p.last, p.pages = c, append(p.pages, c)
	}
}

// try makes a call and reports whether it succeeded.
func (p *purchase) try(path string, body, result any) bool {
	p.buyer.T.Helper()
	a := p.buyer.Call("POST", path, body)
	if a.Err.Code == api.CodeInternal {
		p.buyer.T.Errorf("%s: %s\n%s", path, a.Body, p.buyer.Log)
	}
	if a.Status != http.StatusOK {
		return false
	}
	if err := json.Unmarshal(a.Body, result); err != nil {
		p.buyer.T.Fatal(err)
	}
	return true
}

// tapPay pays or cancels with the page's payment parameters, however old they are.
func (p *purchase) tapPay(pay bool) {
	sheet, err := p.buyer.OpenSheet(p.last)
	if err != nil {
		return // no parameters, or too old, or paid
	}
	if pay {
		_, err = p.buyer.Sim.PaySheet(sheet.ID)
	} else {
		_, err = p.buyer.Sim.CancelSheet(sheet.ID)
	}
	if err != nil {
		p.buyer.T.Fatal(err)
	}
	p.buyer.Check()
}

// concurrentSteps makes several concurrent steps with one order, by every trade type of the buyer: taps, and
// perhaps the payment and the timer.
func (p *purchase) concurrentSteps(r *rand.Rand) {
	if p.id == "" {
		return
	}
	s := p.buyer.Shop
	var wg sync.WaitGroup
	if sheet, err := p.buyer.OpenSheet(p.last); err == nil && r.IntN(2) == 0 {
		wg.Go(func() { s.Sim.PaySheet(sheet.ID) }) // or it is closed by then
	}
	if r.IntN(2) == 0 {
		wg.Go(func() {
			p.timers()
		})
	}
	for range 6 {
		path, body := api.OrderPayPath(p.id), any(api.PayRequest{TradeTypes: []api.TradeType{p.way(r)}, Renew: r.IntN(2) == 0})
		switch r.IntN(6) {
		case 0:
			path, body = api.PathOrders, p.req
		case 1:
			path, body = api.OrderClosePath(p.id), struct{}{}
		}
		b, err := json.Marshal(body)
		if err != nil {
			p.buyer.T.Fatal(err)
		}
		request := p.buyer.Request("POST", path, b)
		wg.Go(func() {
			if code, answer := paytest.Serve(p.buyer.Handler, request); code == http.StatusInternalServerError {
				p.buyer.T.Errorf("%s: %s\n%s", path, answer, p.buyer.Log)
			}
		})
	}
	wg.Wait()
	p.buyer.Check()
}

// anyPayment returns the out_trade_no of a payment of the order, "" if it has none.
func (p *purchase) anyPayment(r *rand.Rand) (no string) {
	p.buyer.DB.QueryRow(`SELECT out_trade_no FROM payments WHERE order_id = ? ORDER BY (created_at * ?) % 7, out_trade_no LIMIT 1`, p.id, 1+r.IntN(6)).Scan(&no)
	return no
}

// news sends genuine and forged notifications, and polls at the same time.
func (p *purchase) news(r *rand.Rand) {
	if p.id == "" {
		return
	}
	s := p.buyer.Shop
	no := p.anyPayment(r)
	if no == "" {
		return
	}
	var wg sync.WaitGroup
	for _, forge := range append(wechattest.Forgeries(), "", "") {
		if r.IntN(2) == 0 {
			continue
		}
		wg.Go(func() {
			attempt, err := s.Sim.Notify(no, forge)
			if err == nil && attempt.OK && forge != "" && forge != wechattest.ForgeReplay {
				s.T.Errorf("a forged notification (%s) was acknowledged", forge)
			}
			if err == nil && !attempt.OK && (forge == "" || forge == wechattest.ForgeReplay) && !strings.Contains(attempt.Reason, "FAIL") && attempt.Status != http.StatusServiceUnavailable {
				s.T.Errorf("a true notification (%q) was not acknowledged: %+v\n%s", forge, attempt, strings.Join(s.Log.Lines("request failed"), "\n"))
			}
		})
	}
	for range 3 {
		poll := p.buyer.Request("GET", api.OrderPath(p.id), nil)
		wg.Go(func() { p.buyer.Send(poll) })
	}
	wg.Wait()
	s.Check()
}
