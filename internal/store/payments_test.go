package store_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// scan returns a payment of an order by another trade type than attempt does.
func scan(t *testing.T, o order.Order) order.Payment {
	t.Helper()
	p := attempt(t, o)
	p.TradeType, p.OpenID = api.TradeNative, ""
	return p
}

// payBy marks a payment as paid.
func payBy(t *testing.T, s *store.Store, outTradeNo string, at time.Time) {
	t.Helper()
	if ok, err := s.Pay(ctx, outTradeNo, order.Paid{TransactionID: "4200-" + outTradeNo, Payer: "alice", PaidAt: at}, at); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

// The first payment that is paid pays the order. The second one is refunded in full by a stored
// refund, which changes neither the order's status nor its refunded amount. The third one is
// closed.
func TestSecondPaymentGetsARefund(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	second := add(t, s, scan(t, o))
	third := attempt(t, o)
	third.TradeType, third.OpenID = api.TradeMWEB, ""
	add(t, s, third)
	later := now.Add(time.Minute)
	payBy(t, s, o.Payment.OutTradeNo, later)
	storetest.Check(t, db)
	for _, no := range []string{second.OutTradeNo, third.OutTradeNo} {
		if p, err := s.Payment(ctx, no); err != nil || p.Status != api.PaymentClosing {
			t.Errorf("another payment of a paid order: %+v, %v", p, err)
		}
	}
	payBy(t, s, second.OutTradeNo, later.Add(time.Minute))
	storetest.Check(t, db)
	got, err := s.ByID(ctx, o.ID)
	if err != nil || got.Status != api.StatusPaid || got.Refunded != 0 || got.PaidBy != o.Payment.OutTradeNo || got.Live != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	refunds, err := s.Refunds(ctx, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []order.Refund{{
		ID: order.DuplicateRefundID(second.OutTradeNo), OrderID: o.ID, OutTradeNo: second.OutTradeNo, Key: "duplicate:" + second.OutTradeNo,
		APIVersion: "v2", Amount: o.Total, Reason: "重复支付，全额退款", NotifyURL: "https://shop.example.com" + api.PathNotifyRefund,
		CreatedAt: later.Add(time.Minute), Status: api.RefundCreated, UpdatedAt: later.Add(time.Minute),
		TransactionID: "4200-" + second.OutTradeNo, Total: o.Total, Duplicate: true,
	}}
	if d := cmp.Diff(want, refunds); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if due, err := dueRefunds(s, later.Add(time.Hour), 4); err != nil || len(due) != 1 || due[0].ID != want[0].ID {
		t.Errorf("due %+v, %v", due, err)
	}
	events := claim(t, s, later.Add(time.Hour))
	if len(events) != 1 || events[0].Type != api.EventOrderPaid {
		t.Fatalf("%+v", events)
	}
	if ok, _, err := s.Deliver(ctx, events[0], later.Add(time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	e := claimOne(t, s, later.Add(time.Hour))
	if e.Type != api.EventPaymentDuplicate || e.ID != "evt_duplicate_"+second.OutTradeNo || !strings.Contains(e.Data, want[0].ID) {
		t.Errorf("%+v", e)
	}
	if v, err := s.Health(ctx, mchID); err != nil || v.Duplicates != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	// The shop must see a duplicate whose refund was closed.
	if ok, err := s.FailRefund(ctx, want[0].ID, order.RefundFailure{Failure: "ERROR"}, later.Add(time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if v, err := s.Health(ctx, mchID); err != nil || v.Duplicates != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	by := order.Refund{ID: "R1", OrderID: o.ID, OutTradeNo: second.OutTradeNo, Key: "key-of-R1", Amount: o.Total, CreatedAt: later.Add(2 * time.Hour)}
	if !addRefund(t, s, by) {
		t.Error("an operator cannot refund it")
	}
	if ok, err := moved(s.MoveRefund(ctx, "R1", api.RefundSucceeded, "50-1", later.Add(2*time.Hour), later.Add(2*time.Hour))); !ok || err != nil {
		t.Fatal(ok, err)
	}
	storetest.Check(t, db)
	wantOrder(t, s, o.ID, api.StatusPaid, 0)
	// The order itself can be refunded as before.
	refund(t, s, o, "R2", o.Total, later.Add(3*time.Hour))
	wantOrder(t, s, o.ID, api.StatusRefunded, o.Total)
	storetest.Check(t, db)
}

// If several payments of an order are paid concurrently, one pays the order and the others are
// refunded.
func TestConcurrentPaymentsPayOnce(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	numbers := []string{o.Payment.OutTradeNo, add(t, s, scan(t, o)).OutTradeNo}
	for _, openid := range []string{"bob", "carol"} {
		p := attempt(t, o)
		p.OpenID = openid
		numbers = append(numbers, add(t, s, p).OutTradeNo)
	}
	var wg sync.WaitGroup
	for _, no := range numbers {
		for range 5 {
			wg.Go(func() {
				if _, err := s.Pay(ctx, no, order.Paid{TransactionID: "4200-" + no, PaidAt: now}, now); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	storetest.Check(t, db)
	if refunds, err := s.Refunds(ctx, o.ID); err != nil || len(refunds) != len(numbers)-1 {
		t.Errorf("%d refunds, %v", len(refunds), err)
	}
}

// A late payment pays a closed order. If another payment has paid it, the late one is refunded.
func TestLatePaymentOfAClosedOrder(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	second := add(t, s, scan(t, o))
	if status, err := beginClose(s, o.ID, now); status != api.StatusClosing || err != nil {
		t.Fatal(status, err)
	}
	for i, no := range []string{o.Payment.OutTradeNo, second.OutTradeNo} {
		wantOrder(t, s, o.ID, api.StatusClosing, 0)
		if ok, err := s.Close(ctx, no, now.Add(time.Duration(i)*time.Second)); !ok || err != nil {
			t.Fatal(ok, err)
		}
		storetest.Check(t, db)
	}
	wantOrder(t, s, o.ID, api.StatusClosed, 0)
	payBy(t, s, second.OutTradeNo, now.Add(time.Minute))
	storetest.Check(t, db)
	payBy(t, s, o.Payment.OutTradeNo, now.Add(time.Hour))
	storetest.Check(t, db)
	got, err := s.ByID(ctx, o.ID)
	if err != nil || got.Status != api.StatusPaid || got.PaidBy != second.OutTradeNo {
		t.Errorf("%+v, %v", got, err)
	}
	if d := cmp.Diff([]string{"open>closing", "closing>closed", "closed>paid"}, storetest.Transitions(t, db, o.ID)); d != "" {
		t.Error(d)
	}
}

// An order has one offered payment of each kind, a few that can be paid at WeChat, and a bounded
// number in all. No payment begins when the order is not open.
func TestPaymentsOfAnOrderAreBounded(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insert(t, s, "alice", "key-1")
	try := func(p order.Payment) bool {
		t.Helper()
		before := storetest.Dump(t, db)
		ok, err := s.InsertPayment(ctx, p, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if !ok && storetest.Dump(t, db) != before {
			t.Error("a rejected payment changed the database")
		}
		return ok
	}
	if try(attempt(t, o)) {
		t.Error("two payments of one buyer by one trade type are offered")
	}
	if ok, err := s.Fail(ctx, o.Payment.OutTradeNo, "PARAM_ERROR", now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	of := func(openid string) order.Payment {
		p := attempt(t, o)
		p.OpenID = openid
		return p
	}
	all := 0 // the one that WeChat declined does not count
	var last order.Payment
	for i := range order.MaxLive {
		if last = of(fmt.Sprint("user-", i)); !try(last) {
			t.Errorf("payment %d is rejected", i)
		}
		all++
	}
	if try(of("one more")) {
		t.Error("too many payments can be paid at WeChat")
	}
	for {
		if ok, err := s.Close(ctx, last.OutTradeNo, now); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if last = of("user-" + fmt.Sprint(all)); !try(last) {
			break
		}
		all++
	}
	if all != order.MaxPayments {
		t.Errorf("%d payments, want %d", all, order.MaxPayments)
	}
	other := insert(t, s, "bob", "key-1")
	failed := 0
	for p := other.Payment; ; failed++ {
		if ok, err := s.Fail(ctx, p.OutTradeNo, "PARAM_ERROR", now); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if p = attempt(t, other); !try(p) {
			break
		}
	}
	if failed+1 != order.MaxFailed {
		t.Errorf("%d payments were declined, want %d", failed+1, order.MaxFailed)
	}
	storetest.Check(t, db)
	for name, end := range map[string]func(o order.Order){
		"closing": func(o order.Order) {
			if ok, err := began(beginClose(s, o.ID, now)); !ok || err != nil {
				t.Fatal(ok, err)
			}
		},
		"paid": func(o order.Order) { payBy(t, s, o.Payment.OutTradeNo, now) },
	} {
		ended := insert(t, s, "bob", "key-of-"+name)
		end(ended)
		if try(scan(t, ended)) {
			t.Errorf("a payment of an order that is %s begins", name)
		}
	}
	early := scan(t, insertBare(t, s, "carol", "key-1"))
	early.CreatedAt = now.Add(-time.Second)
	if try(early) {
		t.Error("a payment is older than its order")
	}
}

// A payment is due a minute after it began, and its age counts from then. WeChat closes it
// five minutes after it began.
func TestDueOfALatePayment(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := insertBare(t, s, "alice", "key-1")
	late := now.Add(3 * time.Hour)
	p := attempt(t, o)
	p.CreatedAt = late
	add(t, s, p)
	due := func(at time.Time) int {
		t.Helper()
		payments, err := s.Due(ctx, mchID, at, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(payments)
	}
	if n, m := due(late.Add(59*time.Second)), due(late.Add(time.Minute)); n != 0 || m != 1 {
		t.Errorf("%d due before a minute, %d then", n, m)
	}
	if ok, err := began(beginClose(s, o.ID, late)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if n, m := due(late.Add(order.MinCloseAge-time.Millisecond)), due(late.Add(order.MinCloseAge)); n != 0 || m != 1 {
		t.Errorf("%d due before WeChat may close it, %d then", n, m)
	}
	storetest.Check(t, db)
}

// A payment begins and its order is cancelled at the same time: the first of the two wins.
func TestPaymentAgainstCancellation(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := guestOrder(t, "g", "203.0.113.7", "key-1")
	if _, err := s.Insert(ctx, o); err != nil {
		t.Fatal(err)
	}
	if status, err := beginClose(s, o.ID, now); status != api.StatusClosed || err != nil {
		t.Errorf("an order without a payment: %q, %v", status, err)
	}
	if status, err := beginClose(s, o.ID, now); status != "" || err != nil {
		t.Errorf("closed twice: %q, %v", status, err)
	}
	if ok, err := s.InsertPayment(ctx, attempt(t, o), time.Time{}); ok || err != nil {
		t.Errorf("a payment of a closed order begins: %t, %v", ok, err)
	}
	var events int
	if err := db.QueryRow(`SELECT COUNT(*) FROM events`).Scan(&events); err != nil || events != 0 {
		t.Errorf("%d events of an order that could not be paid, %v", events, err)
	}
	// A back end gets the event of its own order.
	made := draft(t, "", "")
	made.Source, made.KeyID = order.SourceAPI, "k1"
	if _, err := s.Insert(ctx, made); err != nil {
		t.Fatal(err)
	}
	if status, err := beginClose(s, made.ID, now); status != api.StatusClosed || err != nil {
		t.Fatal(status, err)
	}
	if e := claimOne(t, s, now); e.Type != api.EventOrderClosed || e.Shop != "https://shop.example.com" || e.MchID != mchID {
		t.Errorf("%+v", e)
	}
	storetest.Check(t, db)
}

func TestBeginCloseAllAndExpire(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	bare, tried, young := insertBare(t, s, "alice", "key-1"), insert(t, s, "alice", "key-2"), draft(t, "alice", "key-3")
	young.CreatedAt, young.ExpiresAt = now.Add(time.Hour), now.Add(time.Hour+order.Lifetime)
	if _, err := s.Insert(ctx, young); err != nil {
		t.Fatal(err)
	}
	ended := insert(t, s, "alice", "key-4")
	over := now.Add(order.Lifetime + order.ExpiryGrace)
	if got, err := s.Expire(ctx, over.Add(-time.Millisecond), 10); err != nil || len(got) != 0 {
		t.Errorf("expired before its time: %v, %v", got, err)
	}
	expires := func(at time.Time, limit int, want map[string]api.OrderStatus) {
		t.Helper()
		got, err := s.Expire(ctx, at, limit)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, d)
		}
	}
	none := map[string]api.OrderStatus{}
	expires(over, 1, map[string]api.OrderStatus{bare.ID: api.StatusClosed})
	// Those with a payment wait for the timer, which closes the payment and with it the order.
	expires(over, 10, none)
	if ok, err := s.Close(ctx, ended.Payment.OutTradeNo, over); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if o, err := s.ByID(ctx, ended.ID); err != nil || o.Status != api.StatusClosed {
		t.Errorf("the order is %s, %v", o.Status, err)
	}
	expires(over.Add(10*time.Minute-time.Millisecond), 10, none)
	expires(over.Add(10*time.Minute), 10, map[string]api.OrderStatus{tried.ID: api.StatusClosing})
	// A payment that ends before the order's time leaves the order open.
	left := insert(t, s, "alice", "key-5")
	if ok, err := s.Close(ctx, left.Payment.OutTradeNo, over.Add(-time.Millisecond)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if o, err := s.ByID(ctx, left.ID); err != nil || o.Status != api.StatusOpen {
		t.Errorf("the order is %s, %v", o.Status, err)
	}
	over = over.Add(10 * time.Minute)
	if due, err := s.Due(ctx, mchID, over, 10); err != nil || len(due) != 1 || due[0].Status != api.PaymentClosing {
		t.Errorf("due %+v, %v", due, err)
	}
	bare, tried = insertBare(t, s, "bob", "key-1"), insert(t, s, "bob", "key-2")
	bought := paid(t, s, "carol")
	want := map[string]api.OrderStatus{bare.ID: api.StatusClosed, tried.ID: api.StatusClosing}
	got, err := s.BeginCloseAll(ctx, []string{bare.ID, tried.ID, bought.ID, ended.ID, "nobody's"}, now)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	storetest.Check(t, db)
}

// The schema repeats some constants of the Go code.
func TestSchemaAgreesWithTheConstants(t *testing.T) {
	t.Parallel()
	schema, err := os.ReadFile("migrations/0001_schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	age := fmt.Sprint("MAX(created_at + ", order.MinCloseAge.Milliseconds(), ",")
	if n := strings.Count(string(schema), age); n != 2 {
		t.Errorf("%d triggers have %q, want 2", n, age)
	}
	if paths := fmt.Sprintf("'%s', '%s'", api.PathNotifyPay, api.PathNotifyRefund); !strings.Contains(string(schema), paths) {
		t.Errorf("the schema does not have %s", paths)
	}
}
