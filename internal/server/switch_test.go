package server_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/move"
	"h5pay/internal/order"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// address is where clients reach the shop. While no server runs, they get the status 502 of a proxy.
type address struct {
	mu      sync.Mutex
	idle    *sync.Cond
	running *program
	calls   int // under way, and runs of the timers
	refused int
}

// program is a running server.
type program struct {
	handler http.Handler
	signer  *paytest.Signer
}

// enter returns the server that runs and begins a call, nil if none runs.
func (a *address) enter() *program {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running == nil {
		a.refused++
		return nil
	}
	a.calls++
	return a.running
}

func (a *address) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls--
	a.idle.Broadcast()
}

// stop ends the server: it takes no more calls, and finishes those that are under way.
func (a *address) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running = nil
	for a.calls > 0 {
		a.idle.Wait()
	}
}

func (a *address) start(p *program) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running = p
}

func (a *address) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := a.enter()
	if p == nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer a.leave()
	p.handler.ServeHTTP(w, r)
}

// mover takes a shop under load from one database to another by the steps of the runbook.
type mover struct {
	*paytest.Merchant
	address *address
	place   place // of the server that runs
	load    sync.WaitGroup
	phone   sync.Mutex   // the simulator has one phone, whose user a buyer sets
	inHand  atomic.Int64 // orders that buyers can pay while no server runs

	mu      sync.Mutex
	over    bool
	placed  map[string]string // the id of each order that a buyer received, by its client key
	done    map[string]int    // what happened, for the log
	failure func(format string, args ...any)
}

// place is a database of the shop.
type place struct {
	move.Database
	name string
}

func onSQLite(t *testing.T) place {
	t.Helper()
	return place{move.Database{DB: storetest.OpenSQLite(t)}, "SQLite"}
}

func onPostgres(t *testing.T) place {
	t.Helper()
	return place{move.Database{DB: storetest.OpenPostgres(t), Postgres: true}, "PostgreSQL"}
}

// newMover opens a shop on SQLite, and lets buyers and the clock run. failure reports what must not
// happen.
func newMover(t *testing.T, seed uint64, failure func(format string, args ...any)) *mover {
	t.Helper()
	m := &mover{Merchant: paytest.NewMerchant(t), address: &address{}, place: onSQLite(t), placed: map[string]string{}, done: map[string]int{}}
	m.address.idle = sync.NewCond(&m.address.mu)
	m.failure = failure
	m.Handler, m.FromWeChat.Handler = m.address, m.address
	m.serve(m.place)
	var buyers []*paytest.Person
	for i := range 3 {
		buyers = append(buyers, m.SignedIn(i), m.NewGuest(i))
	}
	for i, p := range buyers {
		m.load.Go(func() { (&customer{mover: m, Person: p, r: rand.New(rand.NewPCG(seed, uint64(i)))}).buy() })
	}
	m.load.Go(func() { m.runClock(rand.New(rand.NewPCG(seed, 100))) })
	t.Cleanup(m.stopLoad)
	return m
}

// serve starts a server on a database. Clients reach it at the address.
func (m *mover) serve(on place) {
	m.DB = on.DB
	handler := m.open()
	m.place = on
	m.address.start(&program{handler, m.Signer})
}

// open opens a server that no client reaches.
func (m *mover) open() http.Handler {
	return m.Open(func(set *paytest.Settings, wx *wechat.Config) {
		m.Configure(set, wx)
		set.Announce = nil
	})
}

func (m *mover) isOver() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.over
}

func (m *mover) count(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done[what]++
}

// counted returns how often something has happened.
func (m *mover) counted(what string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done[what]
}

// await returns when something has happened n more times.
func (m *mover) await(what string, n int) {
	m.T.Helper()
	m.awaitCount(what, m.counted(what)+n)
}

// awaitCount returns when something has happened so many times.
func (m *mover) awaitCount(what string, want int) {
	m.T.Helper()
	for deadline := time.Now().Add(3 * time.Minute); m.counted(what) < want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			m.T.Fatalf("%q happened %d times in three minutes, want %d\n%s", what, m.counted(what), want, m.Log)
		}
	}
}

// runClock lets time pass, 10 s at a time, with the timers of a server that runs. WeChat loses,
// repeats and delays notifications.
func (m *mover) runClock(r *rand.Rand) {
	faults := []string{wechattest.FaultNotifyLost, wechattest.FaultNotifyDropped, wechattest.FaultNotifyDoubled, wechattest.FaultNotifyReordered}
	for !m.isOver() {
		if r.IntN(10) == 0 {
			m.Fault(faults[r.IntN(len(faults))], "")
		}
		m.Sim.Advance(10 * time.Second)
		if p := m.address.enter(); p != nil {
			err := errors.Join(p.signer.Reconcile(context.Background()), p.signer.Deliver(context.Background()))
			m.address.leave()
			if err != nil {
				m.failure("the timers: %v", err)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// customer is a buyer who makes one order after the other.
type customer struct {
	*mover
	*paytest.Person
	r      *rand.Rand
	inHand *api.Checkout // can be paid, also while no server runs
}

// Names of what happens, for count.
const (
	anOrder       = "orders"
	aPayment      = "payments"
	aDownPayment  = "payments while no server ran"
	aRefund       = "refunds"
	aRefusedCalls = "calls while no server ran"
)

// buy makes orders until the load ends. One of the buyer's orders is always open: the buyer pays it
// when the next one is made, or when no server runs.
func (c *customer) buy() {
	trade := api.TradeJSAPI
	if c.IsGuest {
		trade = api.TradeNative
	}
	for !c.isOver() {
		req := paytest.Basket([]string{"tea", "bun", "test"}[c.r.IntN(3)], 1+c.r.IntN(3))
		var o api.Order
		if !c.call("POST", api.PathOrders, req, &o, "") {
			continue
		}
		c.mover.mu.Lock()
		c.placed[req.ClientKey] = o.ID
		c.mover.mu.Unlock()
		c.count(anOrder)
		var checkout api.Checkout
		if !c.call("POST", api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: []api.TradeType{trade}}, &checkout, "") {
			continue
		}
		paid := c.inHand
		c.pay(aPayment)
		c.inHand = &checkout
		c.mover.inHand.Add(1)
		if paid != nil && c.r.IntN(3) == 0 {
			c.refund(paid.Order)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// pay pays the order in hand at WeChat, which needs no server of the shop.
func (c *customer) pay(what string) {
	if c.inHand == nil {
		return
	}
	c.phone.Lock()
	defer c.phone.Unlock()
	if sheet, err := c.OpenSheet(*c.inHand); err != nil {
		c.failure("opening the sheet of order %s: %v", c.inHand.Order.ID, err)
	} else if _, err := c.Sim.PaySheet(sheet.ID); err != nil {
		c.failure("paying order %s: %v", c.inHand.Order.ID, err)
	} else {
		c.count(what)
	}
	c.inHand = nil
	c.mover.inHand.Add(-1)
}

// refund waits until an order is paid, and refunds a part of it as the operator.
func (c *customer) refund(o api.Order) {
	for o.Status != api.StatusPaid {
		if c.isOver() || !c.call("GET", api.OrderPath(o.ID), nil, &o, "") {
			return
		}
		time.Sleep(time.Millisecond)
	}
	req := paytest.RefundRequest(fen.Fen(1 + c.r.Int64N(int64(o.Total))))
	op := &customer{mover: c.mover, Person: c.Operator(), r: c.r}
	if op.call("POST", paytest.RefundPath(o.ID), req, nil, req.Key) {
		c.count(aRefund)
	}
}

// call repeats a call until a server responds, and reports whether it succeeded. While no server
// runs, the buyer pays the order in hand.
func (c *customer) call(method, path string, body, result any, key string) bool {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			c.failure("%v", err)
			return false
		}
	}
	for !c.isOver() {
		req := c.Request(method, path, text)
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		switch status, answer := paytest.Serve(c.Handler, req); status {
		case http.StatusOK, http.StatusCreated:
			if result == nil {
				return true
			}
			if err := json.Unmarshal(answer, result); err != nil {
				c.failure("%s %s: %v", method, path, err)
			}
			return true
		case http.StatusBadGateway:
			c.count(aRefusedCalls)
			c.pay(aDownPayment)
			time.Sleep(5 * time.Millisecond)
		default:
			c.failure("%s %s: %d %s", method, path, status, answer)
			return false
		}
	}
	return false
}

// to moves the shop to a database that fresh makes. If goBack, the operator finds a fault in step 6,
// starts the old server again, and moves later. If withoutStop, the operator leaves out step 3.
func (m *mover) to(fresh func(*testing.T) place, t *testing.T, goBack, withoutStop bool) {
	t.Helper()
	from := m.place
	transfer := func(to place) {
		t.Helper()
		storetest.Exec(t, to.DB, `DELETE FROM products`) // of the tests' template
		var file bytes.Buffer
		exported, err := move.Export(t.Context(), from.Database, &file)
		if err != nil {
			t.Fatal(err)
		}
		imported, err := move.Import(t.Context(), to.Database, &file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(exported, imported); diff != "" {
			t.Errorf("the commands print different sums (-export +import):\n%s", diff)
		}
	}
	transfer(fresh(t)) // 1, into a scratch database
	to := fresh(t)     // 2
	if !withoutStop {  // 3
		for m.inHand.Load() < 4 {
			time.Sleep(time.Millisecond)
		}
		paid := m.counted(aDownPayment)
		m.address.stop()
		m.awaitCount(aDownPayment, paid+1)
		m.await(aRefusedCalls, 20)
	}
	transfer(to) // 4 and 5
	if withoutStop {
		m.await(aPayment, 10)
		m.address.stop()
	}
	copyHistory(t, from.DB, to.DB)
	m.DB = to.DB
	m.checkNew() // 6
	if goBack {
		m.serve(from)
		m.await(aPayment, 10)
		m.to(fresh, t, false, false)
		return
	}
	m.serve(to) // 7
	t.Logf("the shop has moved from %s to %s", from.name, to.name)
	m.await(aPayment, 10) // 8
}

// checkNew opens a server on the new database that no client reaches, and reads its health page. The
// command that the runbook names makes the same checks.
func (m *mover) checkNew() {
	m.T.Helper()
	handler, op := m.open(), m.Operator()
	status, page := paytest.Serve(handler, op.Request("GET", api.PathHealth, nil))
	var h api.Health
	if err := json.Unmarshal(page, &h); err != nil {
		m.T.Fatal(err)
	}
	for _, c := range h.Checks {
		if !c.OK && (c.Name == "database" || c.Name == "orders" || c.Name == "catalogue") {
			m.T.Errorf("the new database: status %d, %+v", status, c)
		}
	}
}

// copyHistory copies the tables that storetest adds, which no export has.
func copyHistory(t *testing.T, from, to *sql.DB) {
	t.Helper()
	for table, columns := range map[string]string{
		"history": "order_id, was, became", "payment_history": "out_trade_no, was, became", "refund_history": "refund_id, was, became",
		"incomplete": "out_trade_no, paid_at, payer", "without_payer": "event_id",
	} {
		rows, err := from.Query(`SELECT ` + columns + ` FROM ` + table + ` ORDER BY rowid`)
		if err != nil {
			t.Fatal(err)
		}
		n := strings.Count(columns, ",") + 1
		for rows.Next() {
			values, pointers := make([]any, n), make([]any, n)
			for i := range values {
				pointers[i] = &values[i]
			}
			if err := rows.Scan(pointers...); err != nil {
				t.Fatal(err)
			}
			storetest.Exec(t, to, `INSERT INTO `+table+` (`+columns+`) VALUES (`+strings.TrimSuffix(strings.Repeat("?, ", n), ", ")+`)`, values...)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// stopLoad ends the load.
func (m *mover) stopLoad() {
	m.mu.Lock()
	m.over = true
	m.mu.Unlock()
	m.load.Wait()
}

// endLoad ends the load, and lets all that is open end.
func (m *mover) endLoad() {
	m.stopLoad()
	m.Sim.ClearFaults()
	m.Sim.Advance(order.Lifetime + order.ExpiryGrace + 25*time.Hour)
	for range 2 + len(m.placed)/10 {
		if err := m.Signer.Reconcile(m.T.Context()); err != nil {
			m.T.Error(err)
		}
	}
}

// A shop moves from SQLite to PostgreSQL and back by the steps of the runbook, while buyers order,
// pay and get refunds. Payments that are made while no server runs are found. Nothing is lost,
// doubled or wrong.
func TestShopMovesUnderLoad(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m := newMover(t, seed, t.Errorf)
			began := m.Now()
			m.await(aPayment, 10)
			m.to(onPostgres, t, seed == 1, false)
			m.to(onSQLite, t, false, false)
			m.endLoad()
			m.Check()
			ordersAgree(m.Shop, false)
			refundsEnd(m.Shop)
			billsAgree(m.Shop, began)
			orders, payments := ordersAgree(m.Shop, true)
			refunds, err := paytest.ReadRows[paytest.Refund](m.DB, paytest.EveryRefund)
			if err != nil {
				t.Fatal(err)
			}
			reportFindings(m.Shop, paytest.CompareRefunds(orders, payments, refunds, m.Sim.Ledger()))
			m.wantEachOrderOnce(orders)
			m.wantEachEventOnce(orders)
			t.Logf("%v; %d orders, %d payments, %d refunds: lost 0, doubled 0, wrong 0", m.done, len(orders), len(m.Sim.Ledger().Trades), len(refunds))
		})
	}
}

// wantEachOrderOnce fails the test unless each order that a buyer received is stored once.
func (m *mover) wantEachOrderOnce(orders []paytest.Order) {
	m.T.Helper()
	stored := map[string][]string{}
	for _, o := range orders {
		stored[o.Key] = append(stored[o.Key], o.ID)
	}
	for key, id := range m.placed {
		if ids := stored[key]; len(ids) != 1 || ids[0] != id {
			m.T.Errorf("the buyer received order %s, stored are %q", id, ids)
		}
	}
}

// wantEachEventOnce fails the test unless the back end got each event once, and order.paid for each
// paid order.
func (m *mover) wantEachEventOnce(orders []paytest.Order) {
	m.T.Helper()
	for pending := 1; pending > 0; {
		m.Deliver()
		if err := m.DB.QueryRow(`SELECT COUNT(*) FROM deliveries WHERE status = 'pending'`).Scan(&pending); err != nil {
			m.T.Fatal(err)
		}
	}
	fulfilled := map[string]int{}
	for _, e := range m.Events {
		if e.Type == "order.paid" {
			fulfilled[e.Data.Order.ID]++
		}
		if n := m.Acknowledged[e.ID]; n != 1 {
			m.T.Errorf("event %s of order %s was acknowledged %d times", e.Type, e.Data.Order.ID, n)
		}
	}
	for _, o := range orders {
		want := 0
		if o.PaidBy != "" {
			want = 1
		}
		if fulfilled[o.ID] != want {
			m.T.Errorf("order %s is %s, and the back end got %d events order.paid", o.ID, o.Status, fulfilled[o.ID])
		}
	}
}

// An operator who does not stop the shop before the export loses payments: so the test above can
// fail.
func TestMoveWithoutAStopLosesPayments(t *testing.T) {
	t.Parallel()
	m := newMover(t, 9, func(string, ...any) {}) // calls fail, because orders are gone
	m.await(aPayment, 20)
	m.to(onPostgres, t, false, true)
	m.endLoad()
	orders, err := paytest.ReadRows[paytest.Order](m.DB, paytest.EveryOrder)
	if err != nil {
		t.Fatal(err)
	}
	payments, err := paytest.ReadRows[paytest.Payment](m.DB, paytest.EveryPayment)
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for _, f := range paytest.CompareOrders(orders, payments, m.Sim.Ledger()) {
		if f.Verdict == paytest.Lost {
			lost++
		}
	}
	if lost == 0 {
		t.Error("nothing was lost: the test of the switch cannot fail")
	}
	t.Logf("lost %d payments", lost)
}
