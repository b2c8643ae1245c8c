package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/payment"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/webhook"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// small sets small bounds of unpaid orders.
func small(cfg *paytest.Settings, _ *wechat.Config) {
	cfg.Store.Bounds = store.Bounds{Buyer: 4, Guest: 3, NetworkGuests: 5, Guests: 8}
}

// wantTooMany makes an order that must be rejected and change nothing.
func wantTooMany(p *paytest.Person, code api.Code, req paytest.Purchase) {
	p.T.Helper()
	before, calls := storetest.Dump(p.T, p.DB), p.Calls("unifiedorder")
	p.Fails(code, "POST", api.PathOrders, req)
	if storetest.Dump(p.T, p.DB) != before || p.Calls("unifiedorder") != calls {
		p.T.Error("a rejected order changed the database or called WeChat")
	}
}

func TestUnpaidOrdersAreBounded(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, small)
	p := s.NewGuest(0)
	first := paytest.BasketForCode("tea", 1)
	var c api.Checkout
	p.Checkout(first, &c)
	p.OrderByCode("tea", 1)
	p.OrderByCode("tea", 1)
	wantTooMany(p, api.CodeTooManyOrders, paytest.BasketForCode("tea", 1))
	// A request whose response was lost is repeated, and still returns its order.
	var again api.Checkout
	p.Checkout(first, &again)
	if again.Order.ID != c.Order.ID {
		t.Errorf("order %s, want %s", again.Order.ID, c.Order.ID)
	}
	// A cancelled order does not count.
	p.CloseOrder(c.Order.ID)
	last := p.OrderByCode("tea", 1)
	p.CloseOrder(last.Order.ID)
	p.OrderByCode("bun", 1)
	s.WantStatus(last.Order.ID, api.StatusClosing)

	// Guests at this address made five orders in this hour.
	other := s.NewGuest(1)
	other.IP = p.IP
	wantTooMany(other, api.CodeTooManyOrders, paytest.BasketForCode("tea", 1))
	// Guests at other addresses and buyers who signed in can still order.
	other.IP = "198.51.100.9"
	other.OrderByCode("tea", 1)
	buyer := s.SignedIn(2)
	buyer.IP = p.IP
	for range 4 {
		buyer.Order("tea", 1)
	}
	wantTooMany(buyer, api.CodeTooManyOrders, paytest.Basket("tea", 1))
}

// Guests of one address order and cancel as often as the limits allow. The number of stored rows is
// bounded, and they are deleted after a month.
func TestGuestsDoNotFillTheDatabase(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	r.Handler = r.Open(func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Store.Bounds.NetworkGuests = 5 })
	rows := func() (n int) {
		t.Helper()
		if err := r.DB.QueryRow(`SELECT (SELECT COUNT(*) FROM orders) + (SELECT COUNT(*) FROM payments) + (SELECT COUNT(*) FROM order_changes) + (SELECT COUNT(*) FROM events)
			+ (SELECT COUNT(*) FROM guests_by_hour)`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	guests := []*paytest.Person{r.NewGuest(0), r.NewGuest(1)}
	guests[1].IP = guests[0].IP
	call := func(p *paytest.Person, path string, body any) paytest.Answer { // without a check of all stored rows
		t.Helper()
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return p.Send(p.Request("POST", path, b))
	}
	made := 0
	const hours = 6
	for range hours * 2 {
		for _, p := range guests {
			for range 4 {
				a := call(p, api.PathOrders, paytest.BasketForCode("test", 1))
				if a.Status != 200 {
					continue
				}
				made++
				var o api.Order
				if err := json.Unmarshal(a.Body, &o); err != nil {
					t.Fatal(err)
				}
				for _, step := range []struct {
					path string
					body any
				}{{api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}}}, {api.OrderClosePath(o.ID), struct{}{}}} {
					if a := call(p, step.path, step.body); a.Status != 200 {
						t.Errorf("%d %s", a.Status, a.Body)
					}
				}
			}
		}
		r.Sim.Advance(30 * time.Minute)
		if err := r.Signer.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.Check()
	// Five an hour. Each has the order, four steps and an event.
	if made != hours*5 || rows() > made*6+2 {
		t.Errorf("%d orders were made and %d rows are stored", made, rows())
	}
	r.Sim.Advance(payment.DefaultKeepUnpaid + time.Hour)
	for range made/100 + 1 {
		r.Reconcile()
	}
	// The order with the newest event stays.
	var orders int
	if err := r.DB.QueryRow(`SELECT COUNT(*) FROM orders`).Scan(&orders); err != nil || orders != 1 || rows() > 6 {
		t.Errorf("%d orders and %d rows are left after a month, %v", orders, rows(), err)
	}
}

// A full database rejects new orders first. A payment is settled while there is space. After space
// was freed it is settled by WeChat's next notification or by the timer.
func TestFullDatabaseSettlesLast(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"notification", "timer"} {
		t.Run(by, func(t *testing.T) {
			s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) {})
			s.DB.SetMaxOpenConns(1) // SQLite's limit belongs to a connection
			s.Handler = s.Open(func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Size = cfg.Store.SQLiteSize })
			p := s.SignedIn(0)
			first, second, old := p.Order("tea", 1), p.Order("tea", 1), p.Order("tea", 1)
			closeHere(s, old.Order.ID)
			s.Reconcile()
			s.WantWrong("", "")

			storetest.Exec(t, s.DB, `CREATE TABLE ballast (data TEXT NOT NULL)`)
			storetest.Exec(t, s.DB, `INSERT INTO ballast VALUES (?)`, strings.Repeat("x", 1<<20))
			size, err := store.New(s.DB).SQLiteSize(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			storetest.Exec(t, s.DB, fmt.Sprintf(`PRAGMA max_page_count = %d`, size.Used/4096*108/100)) // 93 %
			s.Reconcile()
			s.WantWrong("size", "new orders are rejected")
			wantTooMany(p, api.CodeShopFull, paytest.Basket("tea", 1))
			p.Pay(first.Pay)
			s.Deliver()
			s.WantStatus(first.Order.ID, api.StatusPaid)

			// Now the last byte is used. Nothing can be stored, and the notification is answered
			// FAIL.
			for bytes := 1 << 20; bytes > 0; bytes /= 2 {
				for {
					if _, err := s.DB.Exec(`INSERT INTO ballast VALUES (?)`, strings.Repeat("x", bytes)); err != nil {
						break
					}
				}
			}
			fillUp(t, s)
			p.Pay(second.Pay)
			s.Deliver()
			s.WantStatus(second.Order.ID, api.StatusOpen)
			if !strings.Contains(s.Log.String(), "settling a notification failed") {
				t.Errorf("log:\n%s", s.Log)
			}

			// The timer can still delete.
			if n, err := store.New(s.DB).DeleteUnpaid(t.Context(), s.Now().Add(time.Hour), 10); n != 1 || err != nil {
				t.Errorf("%d orders deleted, %v", n, err)
			}
			storetest.Exec(t, s.DB, `DELETE FROM ballast`)
			if by == "notification" {
				s.Sim.Advance(15 * time.Second)
				s.Deliver()
			} else {
				s.Fault(wechattest.FaultNotifyLost, "")
				s.Sim.Advance(2 * time.Minute)
				s.Reconcile()
			}
			s.WantStatus(second.Order.ID, api.StatusPaid)
		})
	}
}

// fillUp inserts steps and events without an order until the database accepts no more, so that no
// page of their tables has space.
func fillUp(t *testing.T, s *paytest.Shop) {
	t.Helper()
	for i := 0; ; i++ {
		_, steps := s.DB.Exec(`INSERT INTO order_changes VALUES ('nobody', ?, 'created', 0)`, i)
		_, events := s.DB.Exec(`INSERT INTO events (id, type, order_id, subject, data, created_at)
			VALUES (?1, 'order.paid', 'nobody', ?1, '{}', 0)`, fmt.Sprint("filler-", i))
		if steps != nil && events != nil {
			return
		}
	}
}

// The timer uses most of its statements and calls for unpaid orders: one of each per order.
// TestTimerKeepsUp in internal/store computes from this number how many orders a day one timer can
// handle.
func TestOneTimerRunQueriesMany(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Statements = payment.MinStatements })
	s.Handler = s.Open(func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Store.Bounds.Buyer = 1000 })
	p := s.SignedIn(0)
	for range 60 {
		p.Order("test", 1)
	}
	s.Sim.Advance(61 * time.Second)
	s.Change = func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Statements = payment.MinStatements }
	statements := countStatements(t, s)
	before := s.Calls("orderquery")
	if err := s.Signer.Reconcile(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := s.Calls("orderquery") - before; n < 38 || n > payment.MinStatements {
		t.Errorf("%d queries", n)
	}
	if n := statements.Load(); n > payment.MinStatements {
		t.Errorf("%d statements", n)
	}
	// Without a limit, as in the native server, one run queries all due orders.
	s.Handler = s.Open(nil)
	s.Sim.Advance(5 * time.Minute)
	before = s.Calls("orderquery")
	s.Reconcile()
	if n := s.Calls("orderquery") - before; n != 60 {
		t.Errorf("%d queries of 60", n)
	}
}

// Expired orders cost two calls and two statements each. The timer keeps both limits.
func TestTimerClosesWithinItsLimits(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	for range 60 {
		p.Order("test", 1)
	}
	s.Sim.Advance(order.Lifetime + 2*time.Minute)
	s.Change = func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Statements = payment.MinStatements }
	statements := countStatements(t, s)
	closed := 0
	for range 8 {
		before, calls := statements.Load(), s.Calls("orderquery")+s.Calls("closeorder")
		if err := s.Signer.Reconcile(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := statements.Load() - before; n > payment.MinStatements {
			t.Errorf("%d statements", n)
		}
		if n := s.Calls("orderquery") + s.Calls("closeorder") - calls; n > payment.MinStatements {
			t.Errorf("%d calls", n)
		}
		if err := s.DB.QueryRow(`SELECT COUNT(*) FROM orders WHERE status = 'closed'`).Scan(&closed); err != nil {
			t.Fatal(err)
		}
	}
	if closed != 60 {
		t.Errorf("%d of 60 orders are closed", closed)
	}
	s.Check()
}

// WeChat has just answered unifiedorder when the buyer's page opens. That poll makes no query and
// three statements, which are one round trip to D1.
func TestFreshOrderIsNotQueried(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	statements := countStatements(t, s)
	p.Handler = s.Handler
	p.GetOrder(c.Order.ID)
	if n := s.Calls("orderquery"); n != 0 || statements.Load() != 3 {
		t.Errorf("%d queries, %d statements", n, statements.Load())
	}
	s.Sim.Advance(3 * time.Second)
	before := statements.Load()
	p.GetOrder(c.Order.ID)
	if n := s.Calls("orderquery"); n != 1 || statements.Load()-before != 4 {
		t.Errorf("%d queries, %d statements", n, statements.Load()-before)
	}
}

// An address that orders and cancels within the limits delays no payment, because events about
// money go first. The events of the flood are delivered too.
func TestMoneyGoesFirst(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	r.Change = func(cfg *paytest.Settings, _ *wechat.Config) { cfg.Statements = payment.MinStatements }
	r.Handler = r.Open(func(cfg *paytest.Settings, wx *wechat.Config) {
		cfg.Webhook = &outbox.Webhook{URL: "https://erp.example.com/h5pay", Secrets: []wechat.Secret{paytest.WebhookSecret}, Doer: r}
		cfg.Statements = payment.MinStatements
		cfg.Store.Bounds = store.Bounds{Buyer: 1000, Guest: 1000, NetworkGuests: 1000, Guests: 1000}
	})
	p := r.NewGuest(1)
	for range 30 {
		c := p.OrderByCode("test", 1)
		p.CloseOrder(c.Order.ID)
	}
	r.Sim.Advance(6 * time.Minute)
	for range 3 {
		r.Reconcile()
	}
	buyer := r.SignedIn(0)
	for range 4 {
		r.PaidOrderOf(buyer, "tea")
	}
	r.Deliver()
	money := 0
	for i, e := range r.Events {
		if e.Type == webhook.OrderPaid {
			if money++; i >= 5 {
				t.Errorf("a payment was sent after %d other events", i-money+1)
			}
		}
	}
	if money != 4 || len(r.Events) != 34 {
		t.Errorf("%d payments in %d deliveries", money, len(r.Events))
	}

	// With unlimited payments order.closed still has its share of each round.
	storetest.Exec(t, r.DB, `UPDATE deliveries SET status = 'pending', delivered_at = NULL, next_at = 0, tries = 0`)
	before := len(r.Events)
	for range 16 {
		r.PaidOrderOf(buyer, "tea")
	}
	for round := range 4 {
		events, err := store.New(r.DB).ClaimEvents(t.Context(), order.SettingsEndpoint, r.Now(), 5, 1)
		closes := 0
		for _, e := range events {
			if e.Type == api.EventOrderClosed {
				closes++
			}
		}
		if err != nil || len(events) != 5 || closes != 1 {
			t.Errorf("round %d: %d of %d events are closes, %v", round, closes, len(events), err)
		}
	}
	r.Sim.Advance(order.EventLease)
	r.Deliver()
	r.Deliver()
	if n := len(r.Events) - before; n != 34+16 {
		t.Errorf("%d deliveries", n)
	}
}

// An event that waited for the previous one is delivered in the same call.
func TestNextEventIsDeliveredInTheSameCall(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	o := r.PaidOrderOf(r.SignedIn(0), "tea")
	op := r.Operator()
	op.Refund(o.ID, paytest.RefundRequest(500))
	r.Sim.Advance(2 * time.Minute)
	r.Reconcile()
	r.Deliver()
	if len(r.Events) != 2 || r.Events[1].Type != webhook.OrderRefunded {
		t.Errorf("%d deliveries: %+v", len(r.Events), r.Events)
	}
}

// An order that WeChat declined, or whose response was lost, could not be paid. So the back end
// gets no event about it.
func TestNoEventOfAnOrderThatCouldNotBePaid(t *testing.T) {
	t.Parallel()
	r := paytest.NewMerchant(t)
	p := r.SignedIn(0)
	r.Fault(wechattest.FaultTimeoutBefore, "/pay/unifiedorder")
	p.CannotPay(api.CodeWeChatBusy, paytest.Basket("tea", 1))
	declinedOrder(p)
	c := p.Order("tea", 1)
	r.Sim.Advance(order.Lifetime + 2*time.Minute)
	r.Reconcile()
	r.Deliver()
	if len(r.Events) != 1 || r.Events[0].Data.Order.ID != c.Order.ID {
		t.Errorf("%d deliveries: %+v", len(r.Events), r.Events)
	}
	var ended int
	if err := r.DB.QueryRow(`SELECT COUNT(*) FROM orders WHERE status = 'closed'`).Scan(&ended); err != nil || ended != 3 {
		t.Errorf("%d orders have ended, %v", ended, err)
	}
}

// Guests of an unknown network count only against the limits of one guest and of all guests.
func TestGuestsOfAnUnknownNetwork(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, small)
	for i := range 2 {
		p := s.NewGuest(i)
		p.IP = ""
		for range 3 {
			p.OrderByCode("tea", 1)
		}
	}
	if n := s.Calls("unifiedorder"); n != 6 {
		t.Errorf("%d orders, want more than the 5 of one network", n)
	}
}
