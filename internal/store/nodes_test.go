package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// The tests here are about several nodes on one database of PostgreSQL. SQLite has one writer. Each
// statement depends on rows that others change at the same time.

// nodes opens a database of PostgreSQL three times. The first result is for checks.
func nodes(t *testing.T) (check func(), all []*store.Store) {
	t.Helper()
	url := storetest.PostgresURL(t)
	db := storetest.OpenPostgresURL(t, url)
	for range 3 {
		all = append(all, store.New(storetest.OpenPostgresURL(t, url)))
	}
	return func() { t.Helper(); storetest.Check(t, db) }, all
}

// atOnce calls do n times concurrently, on the nodes in turn, and reports the errors.
func atOnce(t *testing.T, all []*store.Store, n int, do func(s *store.Store, i int) error) {
	t.Helper()
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			if err := do(all[i%len(all)], i); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

func TestNodesKeepTheBoundOfPayments(t *testing.T) {
	t.Parallel()
	check, all := nodes(t)
	for round := range 5 {
		o := insertBare(t, all[0], "alice", fmt.Sprint("key-", round))
		var mu sync.Mutex
		stored := 0
		atOnce(t, all, 12, func(s *store.Store, i int) error {
			p := attempt(t, o)
			p.OpenID = fmt.Sprint("payer-", i) // each is another payment
			ok, err := s.InsertPayment(ctx, p, time.Time{})
			mu.Lock()
			defer mu.Unlock()
			if ok {
				stored++
			}
			return err
		})
		if stored != order.MaxLive {
			t.Errorf("%d payments can be paid, want %d", stored, order.MaxLive)
		}
		check()
	}
}

func TestNodesKeepTheBoundsOfOrders(t *testing.T) {
	t.Parallel()
	check, all := nodes(t)
	const most = 5
	for _, s := range all {
		s.Bounds = store.Bounds{Buyer: most, Guest: most, NetworkGuests: 1000, Guests: most}
	}
	for name, owner := range map[string]func(i int) string{
		"of one buyer":  func(int) string { return "alice" },
		"of all guests": func(i int) string { return fmt.Sprint("guest:", i) },
	} {
		var mu sync.Mutex
		stored := 0
		atOnce(t, all, 20, func(s *store.Store, i int) error {
			_, err := s.Insert(ctx, draft(t, owner(i), fmt.Sprint("key-", i)))
			if errors.Is(err, store.ErrBuyerBound) || errors.Is(err, store.ErrGuestsBound) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				stored++
			}
			return err
		})
		if stored != most {
			t.Errorf("%d orders %s are open, want %d", stored, name, most)
		}
		check()
	}
}

// If two orders have the same reference or the same key, one is stored.
func TestNodesStoreAnOrderOnce(t *testing.T) {
	t.Parallel()
	check, all := nodes(t)
	for round := range 5 {
		var mu sync.Mutex
		ids := map[string]int{}
		atOnce(t, all, 12, func(s *store.Store, i int) error {
			o := draft(t, "alice", fmt.Sprint("key-", round))
			stored, err := s.Insert(ctx, o)
			mu.Lock()
			defer mu.Unlock()
			ids[stored.ID]++
			return err
		})
		if len(ids) != 1 {
			t.Errorf("%d orders under one key: %v", len(ids), ids)
		}
		references := map[string]int{}
		atOnce(t, all, 12, func(s *store.Store, i int) error {
			o := draft(t, "bob", fmt.Sprint("key-", round, "-", i))
			o.Reference = fmt.Sprint("A-", round)
			stored, err := s.Insert(ctx, o)
			mu.Lock()
			defer mu.Unlock()
			references[stored.ID]++
			if errors.Is(err, store.ErrReference) {
				err = nil
			}
			return err
		})
		if len(references) != 1 {
			t.Errorf("%d orders have one reference", len(references))
		}
		check()
	}
}

// If several payments of an order are paid at once, one pays the order and the others are
// refunded.
func TestNodesLetOnePaymentPay(t *testing.T) {
	t.Parallel()
	check, all := nodes(t)
	for round := range 6 {
		o := insertBare(t, all[0], "alice", fmt.Sprint("key-", round))
		var payments []order.Payment
		for i := range order.MaxLive {
			p := attempt(t, o)
			p.OpenID = fmt.Sprint("payer-", i)
			payments = append(payments, add(t, all[0], p))
		}
		atOnce(t, all, 3*len(payments), func(s *store.Store, i int) error {
			p := payments[i%len(payments)]
			_, err := s.Pay(ctx, p.OutTradeNo, order.Paid{TransactionID: "4200-" + p.OutTradeNo, PaidAt: now}, now)
			return err
		})
		stored, err := all[0].PaymentsOf(ctx, o.ID)
		if err != nil {
			t.Fatal(err)
		}
		paying, twice := 0, 0
		for _, p := range stored {
			switch {
			case p.Status != api.PaymentPaid:
				t.Errorf("payment %s is %s", p.OutTradeNo, p.Status)
			case p.Duplicate:
				twice++
			default:
				paying++
			}
		}
		refunds, err := all[0].Refunds(ctx, o.ID)
		if err != nil || paying != 1 || twice != order.MaxLive-1 || len(refunds) != twice {
			t.Errorf("%d payments pay, %d are duplicates, %d refunds, %v", paying, twice, len(refunds), err)
		}
		check()
	}
}

// A transaction of WeChat's pays one payment.
func TestNodesUseATransactionOnce(t *testing.T) {
	t.Parallel()
	check, all := nodes(t)
	for round := range 5 {
		var payments []order.Payment
		for i := range 6 {
			payments = append(payments, insert(t, all[0], "alice", fmt.Sprint("key-", round, "-", i)).Payment)
		}
		var mu sync.Mutex
		paid := 0
		atOnce(t, all, len(payments), func(s *store.Store, i int) error {
			ok, err := s.Pay(ctx, payments[i].OutTradeNo, order.Paid{TransactionID: fmt.Sprint("4200-", round), PaidAt: now}, now)
			mu.Lock()
			defer mu.Unlock()
			if ok {
				paid++
			}
			return err
		})
		if paid != 1 {
			t.Errorf("%d payments have one transaction", paid)
		}
		check()
	}
}

// Refunds at once never exceed the payment, and the sums of payment and order agree.
func TestNodesKeepTheSumOfRefunds(t *testing.T) {
	t.Parallel()
	check, all := nodes(t)
	for round := range 4 {
		o := insert(t, all[0], "alice", fmt.Sprint("key-", round))
		pay(t, all[0], o, now)
		amount := o.Total / 4
		var mu sync.Mutex
		stored := 0
		atOnce(t, all, 10, func(s *store.Store, i int) error {
			ok, err := s.InsertRefund(ctx, refundDraft(o, fmt.Sprint("R", round, "-", i), amount), 0)
			mu.Lock()
			defer mu.Unlock()
			if ok {
				stored++
			}
			return err
		})
		if stored != 4 {
			t.Errorf("%d refunds of a quarter, want 4", stored)
		}
		atOnce(t, all, 10, func(s *store.Store, i int) error {
			id := fmt.Sprint("R", round, "-", i)
			_, err := moved(s.MoveRefund(ctx, id, api.RefundSucceeded, "50-"+id, now, now))
			return err
		})
		if back, err := all[0].ByID(ctx, o.ID); err != nil || back.Refunded != 4*amount {
			t.Errorf("%d of %d fen went back, %v", back.Refunded, 4*amount, err)
		}
		check()
	}
}

// Refunds at once stay below the bound of their order.
func TestNodesKeepTheBoundOfRefunds(t *testing.T) {
	t.Parallel()
	check, all := nodes(t)
	for round := range 4 {
		o := insert(t, all[0], "alice", fmt.Sprint("key-", round))
		pay(t, all[0], o, now)
		amount := o.Total / 8
		var mu sync.Mutex
		stored := 0
		atOnce(t, all, 10, func(s *store.Store, i int) error {
			ok, err := s.InsertRefund(ctx, refundDraft(o, fmt.Sprint("R", round, "-", i), amount), 4*amount)
			mu.Lock()
			defer mu.Unlock()
			if ok {
				stored++
			}
			return err
		})
		if stored != 3 {
			t.Errorf("%d refunds of an eighth below the half, want 3", stored)
		}
		check()
	}
}

// No payment begins for an order that ends at the same time, and an order that closes waits for its
// payments.
func TestNodesCloseAnOrderOrPayIt(t *testing.T) {
	t.Parallel()
	check, all := nodes(t)
	for round := range 8 {
		o := insertBare(t, all[0], "alice", fmt.Sprint("key-", round))
		atOnce(t, all, 6, func(s *store.Store, i int) error {
			if i%2 == 0 {
				_, err := beginClose(s, o.ID, now)
				return err
			}
			p := attempt(t, o)
			p.OpenID = fmt.Sprint("payer-", i)
			_, err := s.InsertPayment(ctx, p, time.Time{})
			return err
		})
		check()
		payments, err := all[0].PaymentsOf(ctx, o.ID)
		if err != nil {
			t.Fatal(err)
		}
		atOnce(t, all, len(payments), func(s *store.Store, i int) error {
			_, err := s.Close(ctx, payments[i].OutTradeNo, now)
			return err
		})
		if o, err := all[0].ByID(ctx, o.ID); err != nil || o.Status != api.StatusClosed {
			t.Errorf("the order is %s, %v", o.Status, err)
		}
		check()
	}
}

func TestNodesCount(t *testing.T) {
	t.Parallel()
	_, all := nodes(t)
	const calls = 60
	atOnce(t, all, calls, func(s *store.Store, i int) error {
		return s.Count(ctx, map[string]int{"forged": 1, "late": 2})
	})
	counters, err := all[0].Counters(ctx)
	if err != nil || counters["forged"] != calls || counters["late"] != 2*calls {
		t.Errorf("%v, %v", counters, err)
	}
}

// One of several nodes gets a claim.
func TestNodesClaimOnce(t *testing.T) {
	t.Parallel()
	_, all := nodes(t)
	o := insert(t, all[0], "alice", "key-1")
	pay(t, all[0], o, now)
	unpaid := insert(t, all[0], "alice", "key-2").Payment
	for name, claim := range map[string]func(s *store.Store) (bool, error){
		"a query": func(s *store.Store) (bool, error) { return s.ClaimQuery(ctx, unpaid.OutTradeNo, time.Minute, now) },
		"a bill": func(s *store.Store) (bool, error) {
			return s.ClaimBill(ctx, order.BillRun{Date: "2026-11-22", ID: o.ID}, time.Minute, now, true)
		},
		"certificates": func(s *store.Store) (bool, error) { return s.ClaimCertificates(ctx, time.Minute, now) },
		"an event": func(s *store.Store) (bool, error) {
			events, err := s.ClaimEvents(ctx, order.SettingsEndpoint, now, 10, 2)
			return len(events) == 1, err
		},
		"a state": func(s *store.Store) (bool, error) { return s.UseState(ctx, "state", now) },
	} {
		var mu sync.Mutex
		got := 0
		atOnce(t, all, 12, func(s *store.Store, _ int) error {
			ok, err := claim(s)
			mu.Lock()
			defer mu.Unlock()
			if ok {
				got++
			}
			return err
		})
		if got != 1 {
			t.Errorf("%s: %d claims", name, got)
		}
	}
}
