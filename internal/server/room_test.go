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
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/webhook"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// small bends a shop to small bounds of unpaid orders.
func small(cfg *settings, _ *wechat.Config) {
	cfg.Store.Bounds = store.Bounds{Buyer: 4, Guest: 3, NetworkGuests: 5, Guests: 8}
}

// tooMany makes an order that has to be rejected and must change nothing.
func (p *person) tooMany(code api.Code, req api.CreateOrderRequest) {
	p.t.Helper()
	before, calls := storetest.Dump(p.t, p.db), p.calls("unifiedorder")
	p.fails(code, "POST", api.PathOrders, req)
	if storetest.Dump(p.t, p.db) != before || p.calls("unifiedorder") != calls {
		p.t.Error("a rejected order changed something, or WeChat was told of it")
	}
}

func TestUnpaidOrdersAreBounded(t *testing.T) {
	t.Parallel()
	s := newShop(t, small)
	p := s.guest(0)
	first := native("tea", 1)
	var c api.Checkout
	p.checkout(first, &c)
	p.byCode("tea", 1)
	p.byCode("tea", 1)
	p.tooMany(api.CodeTooManyOrders, native("tea", 1))
	// A lost answer is asked for again, also now.
	var again api.Checkout
	p.checkout(first, &again)
	if again.Order.ID != c.Order.ID {
		t.Errorf("order %s, want %s", again.Order.ID, c.Order.ID)
	}
	// The place of an order that is cancelled is free, and so is that of one that is replaced.
	p.close(c.Order.ID)
	last := p.byCode("tea", 1)
	instead := native("bun", 1)
	instead.Replaces = last.Order.ID
	p.checkout(instead, &c)
	s.wantStatus(last.Order.ID, api.StatusClosing)

	// Five orders of guests were made at this address, in this hour.
	other := s.guest(1)
	other.ip = p.ip
	other.tooMany(api.CodeTooManyOrders, native("tea", 1))
	// Nothing is given up for an order that would not be stored.
	open := native("tea", 1)
	open.Replaces = c.Order.ID
	p.tooMany(api.CodeTooManyOrders, open)
	s.wantStatus(c.Order.ID, api.StatusPending)
	// Elsewhere there is room, and for a buyer who signed in.
	other.ip = "198.51.100.9"
	other.byCode("tea", 1)
	buyer := s.signedIn(2)
	buyer.ip = p.ip
	for range 4 {
		buyer.order("tea", 1)
	}
	buyer.tooMany(api.CodeTooManyOrders, basket("tea", 1))
}

// The flood of the security review: guests of one address who order and cancel as
// often as the limits allow. What is stored has a bound, and goes after a month.
func TestGuestsDoNotFillTheDatabase(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.handler = r.open(func(cfg *settings, _ *wechat.Config) { cfg.Store.Bounds.NetworkGuests = 5 })
	rows := func() (n int) {
		t.Helper()
		if err := r.db.QueryRow(`SELECT (SELECT COUNT(*) FROM orders) + (SELECT COUNT(*) FROM order_steps) + (SELECT COUNT(*) FROM events)
			+ (SELECT COUNT(*) FROM guests_by_hour)`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	guests := []*person{r.guest(0), r.guest(1)}
	guests[1].ip = guests[0].ip
	call := func(p *person, path string, body any) answer { // without a look at everything stored
		t.Helper()
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return p.send(p.request("POST", path, b))
	}
	made := 0
	const hours = 6
	for range hours * 2 {
		for _, p := range guests {
			for range 4 {
				a := call(p, api.PathOrders, native("test", 1))
				if a.status != 200 {
					continue
				}
				made++
				var o api.Order
				if err := json.Unmarshal(a.body, &o); err != nil {
					t.Fatal(err)
				}
				for _, path := range []string{api.OrderPayPath(o.ID), api.OrderClosePath(o.ID)} {
					if a := call(p, path, struct{}{}); a.status != 200 {
						t.Errorf("%d %s", a.status, a.body)
					}
				}
			}
		}
		r.sim.Advance(30 * time.Minute)
		if err := r.signer.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.check()
	// Five an hour; of each the order, four steps and an event.
	if made != hours*5 || rows() > made*6+2 {
		t.Errorf("%d orders were made and %d rows are stored", made, rows())
	}
	r.sim.Advance(payment.DefaultKeepUnpaid + time.Hour)
	for range made/100 + 1 {
		r.reconcile()
	}
	if n := rows(); n != 0 {
		t.Errorf("%d rows are left after a month", n)
	}
}

// A full database rejects new orders first. A payment is settled while there is room,
// and after room was made: by WeChat's next notification, or by the timer.
func TestFullDatabaseSettlesLast(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"notification", "timer"} {
		t.Run(by, func(t *testing.T) {
			s := newShop(t, func(cfg *settings, _ *wechat.Config) {})
			s.db.SetMaxOpenConns(1) // SQLite's limit belongs to a connection
			s.handler = s.open(func(cfg *settings, _ *wechat.Config) { cfg.Size = cfg.Store.SQLiteSize })
			p := s.signedIn(0)
			first, second, old := p.order("tea", 1), p.order("tea", 1), p.order("tea", 1)
			if ok, err := store.New(s.db).Close(t.Context(), old.Order.ID, s.now()); !ok || err != nil {
				t.Fatal(ok, err)
			}
			s.reconcile()
			s.wantWrong("", "")

			storetest.Exec(t, s.db, `CREATE TABLE ballast (data TEXT NOT NULL)`)
			storetest.Exec(t, s.db, `INSERT INTO ballast VALUES (?)`, strings.Repeat("x", 1<<20))
			size, err := store.New(s.db).SQLiteSize(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			storetest.Exec(t, s.db, fmt.Sprintf(`PRAGMA max_page_count = %d`, size.Used/4096*108/100)) // 93 %
			s.reconcile()
			s.wantWrong("size", "new orders are rejected")
			p.tooMany(api.CodeShopFull, basket("tea", 1))
			p.pay(first.Pay)
			s.deliver()
			s.wantStatus(first.Order.ID, api.StatusPaid)

			// Now to the last byte. Nothing can be stored, and WeChat is told so.
			for bytes := 1 << 20; bytes > 0; bytes /= 2 {
				for {
					if _, err := s.db.Exec(`INSERT INTO ballast VALUES (?)`, strings.Repeat("x", bytes)); err != nil {
						break
					}
				}
			}
			fillUp(t, s)
			p.pay(second.Pay)
			s.deliver()
			s.wantStatus(second.Order.ID, api.StatusPending)
			if !strings.Contains(s.log.String(), "settling a notification failed") {
				t.Errorf("log:\n%s", s.log)
			}

			// The timer can delete all the same.
			if n, err := store.New(s.db).DeleteUnpaid(t.Context(), s.now().Add(time.Hour), 10); n != 1 || err != nil {
				t.Errorf("%d orders deleted, %v", n, err)
			}
			storetest.Exec(t, s.db, `DELETE FROM ballast`)
			if by == "notification" {
				s.sim.Advance(15 * time.Second)
				s.deliver()
			} else {
				s.fault(wechattest.FaultNotifyLost, "")
				s.sim.Advance(2 * time.Minute)
				s.reconcile()
			}
			s.wantStatus(second.Order.ID, api.StatusPaid)
		})
	}
}

// fillUp stores steps and events of nobody's until none is taken any more, so that
// their tables have no room left within a page.
func fillUp(t *testing.T, s *shop) {
	t.Helper()
	for i := 0; ; i++ {
		_, steps := s.db.Exec(`INSERT INTO order_steps VALUES ('nobody', 'created', 0)`)
		_, events := s.db.Exec(`INSERT INTO events (id, type, order_id, subject, data, created_at, status, delivered_at, next_at, attempts)
			VALUES (?1, 'order.paid', 'nobody', ?1, '{}', 0, 'delivered', 1, 0, 1)`, fmt.Sprint("filler-", i))
		if steps != nil && events != nil {
			return
		}
	}
}

// Of the timer's statements and calls most go to orders that nobody pays: one of each.
// internal/store, TestTimerKeepsUp, computes from this number how many orders a day one
// timer keeps up with.
func TestOneTimerRunQueriesMany(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(cfg *settings, _ *wechat.Config) { cfg.Statements = payment.MinStatements })
	s.handler = s.open(func(cfg *settings, _ *wechat.Config) { cfg.Store.Bounds.Buyer = 1000 })
	p := s.signedIn(0)
	for range 60 {
		p.order("test", 1)
	}
	s.sim.Advance(61 * time.Second)
	s.change = func(cfg *settings, _ *wechat.Config) { cfg.Statements = payment.MinStatements }
	statements := countStatements(t, s)
	before := s.calls("orderquery")
	if err := s.signer.Reconcile(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := s.calls("orderquery") - before; n < 38 || n > payment.MinStatements {
		t.Errorf("%d queries", n)
	}
	if n := statements.Load(); n > payment.MinStatements {
		t.Errorf("%d statements", n)
	}
	// Without a limit, as natively, one run takes all that are due.
	s.handler = s.open(nil)
	s.sim.Advance(61 * time.Second)
	before = s.calls("orderquery")
	s.reconcile()
	if n := s.calls("orderquery") - before; n != 60 {
		t.Errorf("%d queries of 60", n)
	}
}

// Expired orders cost two calls and two statements each, and keep to both limits.
func TestTimerClosesWithinItsLimits(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	for range 60 {
		p.order("test", 1)
	}
	s.sim.Advance(order.Lifetime + 2*time.Minute)
	s.change = func(cfg *settings, _ *wechat.Config) { cfg.Statements = payment.MinStatements }
	statements := countStatements(t, s)
	closed := 0
	for range 8 {
		before, calls := statements.Load(), s.calls("orderquery")+s.calls("closeorder")
		if err := s.signer.Reconcile(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := statements.Load() - before; n > payment.MinStatements {
			t.Errorf("%d statements", n)
		}
		if n := s.calls("orderquery") + s.calls("closeorder") - calls; n > payment.MinStatements {
			t.Errorf("%d calls", n)
		}
		if err := s.db.QueryRow(`SELECT COUNT(*) FROM orders WHERE status = 'closed'`).Scan(&closed); err != nil {
			t.Fatal(err)
		}
	}
	if closed != 60 {
		t.Errorf("%d of 60 orders are closed", closed)
	}
	s.check()
}

// WeChat has just answered unifiedorder when the buyer's page opens: that look makes no
// query, and two statements.
func TestFreshOrderIsNotQueried(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p := s.signedIn(0)
	c := p.order("tea", 1)
	statements := countStatements(t, s)
	p.handler = s.handler
	p.get(c.Order.ID)
	if n := s.calls("orderquery"); n != 0 || statements.Load() != 2 {
		t.Errorf("%d queries, %d statements", n, statements.Load())
	}
	s.sim.Advance(3 * time.Second)
	before := statements.Load()
	p.get(c.Order.ID)
	if n := s.calls("orderquery"); n != 1 || statements.Load()-before != 4 {
		t.Errorf("%d queries, %d statements", n, statements.Load()-before)
	}
}

// An address that orders and cancels within the limits delays nobody's payment: money
// goes first. What the flood made arrives as well.
func TestMoneyGoesFirst(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.change = func(cfg *settings, _ *wechat.Config) { cfg.Statements = payment.MinStatements }
	r.handler = r.open(func(cfg *settings, wx *wechat.Config) {
		cfg.Webhook = &outbox.Webhook{URL: "https://erp.example.com/h5pay", Secrets: []wechat.Secret{webhookSecret}, Doer: r}
		cfg.Statements = payment.MinStatements
		cfg.Store.Bounds = store.Bounds{Buyer: 1000, Guest: 1000, NetworkGuests: 1000, Guests: 1000}
	})
	p := r.guest(1)
	for range 30 {
		c := p.byCode("test", 1)
		p.close(c.Order.ID)
	}
	r.sim.Advance(6 * time.Minute)
	for range 3 {
		r.reconcile()
	}
	buyer := r.signedIn(0)
	for range 4 {
		r.paid(buyer, "tea")
	}
	r.deliver()
	money := 0
	for i, e := range r.events {
		if e.Type == webhook.OrderPaid {
			if money++; i >= 5 {
				t.Errorf("a payment was sent after %d other events", i-money+1)
			}
		}
	}
	if money != 4 || len(r.events) != 34 {
		t.Errorf("%d payments in %d deliveries", money, len(r.events))
	}

	// Payments without end: order.closed has its share of each round.
	storetest.Exec(t, r.db, `UPDATE events SET status = 'pending', delivered_at = NULL, next_at = 0, tries = 0`)
	before := len(r.events)
	for range 16 {
		r.paid(buyer, "tea")
	}
	for round := range 4 {
		events, err := store.New(r.db).ClaimEvents(t.Context(), r.now(), 5)
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
	r.sim.Advance(order.EventLease)
	r.deliver()
	r.deliver()
	if n := len(r.events) - before; n != 34+16 {
		t.Errorf("%d deliveries", n)
	}
}

// An event that waited for the one before it leaves in the same call.
func TestSuccessorLeavesInTheSameCall(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	o := r.paid(r.signedIn(0), "tea")
	op := r.operator()
	op.refund(o.ID, refundOf(500))
	r.sim.Advance(2 * time.Minute)
	r.reconcile()
	r.deliver()
	if len(r.events) != 2 || r.events[1].Type != webhook.OrderRefunded {
		t.Errorf("%d deliveries: %+v", len(r.events), r.events)
	}
}

// Nobody could have paid an order that WeChat declined, or of which no answer came: the
// merchant's back end has nothing to release.
func TestNoEventOfAnOrderThatNobodyCouldPay(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	p := r.signedIn(0)
	r.fault(wechattest.FaultTimeoutBefore, "/pay/unifiedorder")
	p.cannotPay(api.CodeWeChatBusy, basket("tea", 1))
	p.declined()
	c := p.order("tea", 1)
	r.sim.Advance(order.Lifetime + 2*time.Minute)
	r.reconcile()
	r.deliver()
	if len(r.events) != 1 || r.events[0].Data.Order.ID != c.Order.ID {
		t.Errorf("%d deliveries: %+v", len(r.events), r.events)
	}
	var ended int
	if err := r.db.QueryRow(`SELECT COUNT(*) FROM orders WHERE status IN ('closed', 'failed')`).Scan(&ended); err != nil || ended != 3 {
		t.Errorf("%d orders have ended, %v", ended, err)
	}
}

// Guests whose network is not known are bounded as guests alone: they share no place.
func TestGuestsOfAnUnknownNetwork(t *testing.T) {
	t.Parallel()
	s := newShop(t, small)
	for i := range 2 {
		p := s.guest(i)
		p.ip = ""
		for range 3 {
			p.byCode("tea", 1)
		}
	}
	if n := s.calls("unifiedorder"); n != 6 {
		t.Errorf("%d orders, want more than the 5 of one network", n)
	}
}
