package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// paid stores an order of 13600 fen that is paid.
func paid(t *testing.T, s *store.Store, owner string) order.Order {
	t.Helper()
	o := insert(t, s, owner, "key-1")
	if ok, err := s.Pay(ctx, o.Payment.OutTradeNo, order.Paid{TransactionID: "4200-" + o.Payment.OutTradeNo, PaidAt: now}, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return o
}

// moved reports whether MoveRefund changed a refund. It did not if there is none.
func moved(_ order.Refund, ok bool, err error) (bool, error) {
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return ok, err
}

func refundDraft(o order.Order, id string, amount fen.Fen) order.Refund {
	return order.Refund{
		ID: id, OrderID: o.ID, OutTradeNo: o.Payment.OutTradeNo, Key: "key-of-" + id, Amount: amount, Reason: "少了一包",
		NotifyURL: "https://shop.example.com/api/notify/refund", CreatedAt: now,
	}
}

func addRefund(t *testing.T, s *store.Store, r order.Refund) bool {
	t.Helper()
	ok, err := s.InsertRefund(ctx, r, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func wantOrder(t *testing.T, s *store.Store, id string, status api.OrderStatus, refunded fen.Fen) {
	t.Helper()
	if o, err := s.ByID(ctx, id); err != nil || o.Status != status || o.Refunded != refunded {
		t.Errorf("order is %s with %d refunded, %v; want %s, %d", o.Status, o.Refunded, err, status, refunded)
	}
}

func TestRefundComesBackAsStored(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := paid(t, s, "alice")
	want := refundDraft(o, "R1", 600)
	if !addRefund(t, s, want) {
		t.Fatal("not stored")
	}
	want.Status, want.UpdatedAt, want.APIVersion = api.RefundCreated, now, o.Payment.APIVersion
	want.TransactionID, want.Total = "4200-"+o.Payment.OutTradeNo, o.Total
	for name, read := range map[string]func() (order.Refund, error){
		"RefundByID":  func() (order.Refund, error) { return s.RefundByID(ctx, "R1") },
		"RefundByKey": func() (order.Refund, error) { return s.RefundByKey(ctx, o.ID, "key-of-R1") },
		"Refunds": func() (order.Refund, error) {
			all, err := s.Refunds(ctx, o.ID)
			if len(all) != 1 {
				return order.Refund{}, fmt.Errorf("%d refunds: %w", len(all), err)
			}
			return all[0], err
		},
	} {
		if got, err := read(); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, cmp.Diff(want, got))
		}
	}
	if _, err := s.RefundByID(ctx, "R2"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	storetest.Check(t, db)
}

func TestRefundNeedsAPaidOrderAndEnoughLeft(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	unpaid := insert(t, s, "alice", "key-1")
	o := paid(t, s, "bob")
	for _, step := range []struct {
		r    order.Refund
		want bool
	}{
		{refundDraft(unpaid, "R0", 1), false},
		{refundDraft(order.Order{ID: "nobody's"}, "R0", 1), false},
		{refundDraft(o, "R1", 13601), false},
		{refundDraft(o, "R1", 13000), true},
		{refundDraft(o, "R1", 100), false}, // its id exists
		{refundDraft(o, "R2", 601), false},
		{refundDraft(o, "R2", 600), true},
		{refundDraft(o, "R3", 1), false},
	} {
		before := storetest.Dump(t, db)
		if got := addRefund(t, s, step.r); got != step.want {
			t.Errorf("%+v: %t", step.r, got)
		}
		if !step.want && storetest.Dump(t, db) != before {
			t.Error("a rejected refund changed the database")
		}
		storetest.Check(t, db)
	}
	wantOrder(t, s, o.ID, api.StatusRefunding, 0)
	// A refund that failed or was closed no longer counts against the payment.
	if ok, err := s.FailRefund(ctx, "R1", order.RefundFailure{Failure: "ERROR"}, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := moved(s.MoveRefund(ctx, "R2", api.RefundClosed, "50-2", time.Time{}, now)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	wantOrder(t, s, o.ID, api.StatusPaid, 0)
	if !addRefund(t, s, refundDraft(o, "R4", 13600)) {
		t.Error("too little is left to refund")
	}
	storetest.Check(t, db)
}

func TestRefundsOfAnOrderAreLimited(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := paid(t, s, "alice")
	for i := range order.MaxRefunds {
		if !addRefund(t, s, refundDraft(o, fmt.Sprint("R", i), 1)) {
			t.Fatalf("refund %d was rejected", i)
		}
	}
	if addRefund(t, s, refundDraft(o, "one more", 1)) {
		t.Error("more refunds than WeChat accepts")
	}
	storetest.Check(t, db)
}

// refundChanges are all changes of a refund, by the new status.
func refundChanges(s *store.Store, id string) map[api.RefundStatus]func() (bool, error) {
	all := map[api.RefundStatus]func() (bool, error){
		api.RefundFailed: func() (bool, error) { return s.FailRefund(ctx, id, order.RefundFailure{Failure: "ERROR"}, now) },
	}
	for _, to := range []api.RefundStatus{api.RefundProcessing, api.RefundSucceeded, api.RefundClosed, api.RefundAbnormal} {
		all[to] = func() (bool, error) { return moved(s.MoveRefund(ctx, id, to, "50-"+id, time.Time{}, now)) }
	}
	return all
}

func TestRefundChangesFollowTheTable(t *testing.T) {
	t.Parallel()
	paths := map[api.RefundStatus][]api.RefundStatus{
		api.RefundCreated:    {},
		api.RefundProcessing: {api.RefundProcessing},
		api.RefundFailed:     {api.RefundFailed},
		api.RefundSucceeded:  {api.RefundProcessing, api.RefundSucceeded},
		api.RefundClosed:     {api.RefundClosed},
		api.RefundAbnormal:   {api.RefundAbnormal},
	}
	for from, path := range paths {
		for to := range paths {
			if to == api.RefundCreated {
				continue // no method makes this change
			}
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				db := storetest.Open(t)
				s := store.New(db)
				o := paid(t, s, "alice")
				addRefund(t, s, refundDraft(o, "R1", o.Total))
				for _, step := range path {
					if ok, err := refundChanges(s, "R1")[step](); !ok || err != nil {
						t.Fatalf("to %s: %t, %v", step, ok, err)
					}
				}
				before := storetest.Dump(t, db)
				ok, err := refundChanges(s, "R1")[to]()
				if err != nil {
					t.Fatal(err)
				}
				want := order.RefundCanBecome(from, to)
				if ok != want {
					t.Errorf("changed: %t, want %t by the table", ok, want)
				}
				if !ok && storetest.Dump(t, db) != before {
					t.Error("a rejected change changed the database")
				}
				storetest.Check(t, db)
				if ok && to == api.RefundSucceeded {
					wantOrder(t, s, o.ID, api.StatusRefunded, o.Total)
				}
			})
		}
	}
}

// A failed refund does not count. It counts again only if enough of the payment is left. WeChat's
// refund_id of a refund never changes.
func TestFailedRefundCountsAgainIfEnoughIsLeft(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := paid(t, s, "alice")
	addRefund(t, s, refundDraft(o, "R1", 13600))
	if ok, err := s.FailRefund(ctx, "R1", order.RefundFailure{Failure: "ERROR"}, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	addRefund(t, s, refundDraft(o, "R2", 1))
	if ok, err := moved(s.MoveRefund(ctx, "R2", api.RefundProcessing, "50-2", time.Time{}, now)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := moved(s.MoveRefund(ctx, "R1", api.RefundProcessing, "50-1", time.Time{}, now)); ok || err != nil {
		t.Errorf("more than was paid is refunded: %t, %v", ok, err)
	}
	if ok, err := moved(s.MoveRefund(ctx, "R2", api.RefundSucceeded, "50-3", time.Time{}, now)); ok || err != nil {
		t.Errorf("the number changed: %t, %v", ok, err)
	}
	if ok, err := moved(s.MoveRefund(ctx, "R2", api.RefundClosed, "50-2", time.Time{}, now)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := moved(s.MoveRefund(ctx, "R1", api.RefundProcessing, "50-1", time.Time{}, now)); !ok || err != nil {
		t.Errorf("enough was left: %t, %v", ok, err)
	}
	wantOrder(t, s, o.ID, api.StatusRefunding, 0)
	storetest.Check(t, db)
}

func TestRecordedRefunds(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	unpaid := insert(t, s, "alice", "key-1")
	o := paid(t, s, "bob")
	record := func(o order.Order, id string, amount fen.Fen) bool {
		t.Helper()
		ok, err := s.RecordRefund(ctx, order.Refund{ID: id, OrderID: o.ID, OutTradeNo: o.Payment.OutTradeNo, Amount: amount, RefundID: "50-" + id, CreatedAt: now, AcceptedAt: now})
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	// The shop's refund that WeChat has not accepted does not displace one of WeChat's.
	addRefund(t, s, refundDraft(o, "ours", 13600))
	for _, step := range []struct {
		o      order.Order
		id     string
		amount fen.Fen
		want   bool
	}{{unpaid, "R1", 1, false}, {o, "R1", 13601, false}, {o, "R1", 13000, true}, {o, "R1", 1, false}, {o, "R2", 601, false}, {o, "R2", 600, true}} {
		if got := record(step.o, step.id, step.amount); got != step.want {
			t.Errorf("%+v: %t", step, got)
		}
		storetest.Check(t, db)
	}
	// WeChat's number is of one refund.
	other := paid(t, s, "carol")
	if ok, err := s.RecordRefund(ctx, order.Refund{ID: "R4", OrderID: other.ID, OutTradeNo: other.Payment.OutTradeNo, Amount: 1, RefundID: "50-R1", CreatedAt: now, AcceptedAt: now}); ok || err != nil {
		t.Errorf("the number of another refund: %t, %v", ok, err)
	}
	for id, to := range map[string]api.RefundStatus{"R1": api.RefundSucceeded, "R2": api.RefundSucceeded} {
		if ok, err := moved(s.MoveRefund(ctx, id, to, "50-"+id, now, now)); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	wantOrder(t, s, o.ID, api.StatusRefunding, 13600)
	if ok, err := s.FailRefund(ctx, "ours", order.RefundFailure{Failure: "ERROR"}, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	wantOrder(t, s, o.ID, api.StatusRefunded, 13600)
	storetest.Check(t, db)
	// A closed refund does not count, even for a refunded order, and does not change the order.
	for _, step := range []struct {
		o    order.Order
		id   string
		want bool
	}{{unpaid, "R3", false}, {o, "R3", true}, {o, "R3", false}} {
		closed := order.Refund{ID: step.id, OrderID: step.o.ID, OutTradeNo: step.o.Payment.OutTradeNo, Amount: 13600, RefundID: "50-" + step.id, CreatedAt: now, AcceptedAt: now}
		if got, err := s.RecordClosedRefund(ctx, closed); err != nil || got != step.want {
			t.Errorf("%+v: %t, %v", step, got, err)
		}
		storetest.Check(t, db)
	}
	wantOrder(t, s, o.ID, api.StatusRefunded, 13600)
}

func TestConcurrentRefundsDoNotExceedThePayment(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := paid(t, s, "alice") // 13600
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored, claimed := 0, 0
	for i := range 40 {
		wg.Go(func() {
			ok, err := s.InsertRefund(ctx, refundDraft(o, fmt.Sprint("R", i), 2000), 0)
			if err == nil && ok {
				var once bool
				for range 3 {
					c, err := s.ClaimRefund(ctx, order.Refund{ID: fmt.Sprint("R", i)}, time.Second, now)
					if err != nil || c && once {
						t.Errorf("claimed %t twice, %v", c, err)
					}
					once = once || c
				}
				mu.Lock()
				claimed++
				mu.Unlock()
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if ok {
				stored++
			}
		})
	}
	wg.Wait()
	if stored != 6 || claimed != 6 {
		t.Errorf("%d stored, %d claimed, want 6", stored, claimed)
	}
	storetest.Check(t, db)
}

func TestRefundsAreDueLessOften(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := paid(t, s, "alice")
	addRefund(t, s, refundDraft(o, "R1", 1))
	asked := func(status api.RefundStatus, hours int) (n int) {
		if status != api.RefundCreated {
			if ok, err := moved(s.MoveRefund(ctx, "R1", status, "50-1", time.Time{}, now)); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		storetest.Exec(t, db, `UPDATE refunds SET queried_at = NULL`)
		for minute := 0; minute < hours*60; minute += 5 {
			at := now.Add(time.Duration(minute) * time.Minute)
			due, err := dueRefunds(s, at, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range due {
				if ok, err := s.ClaimRefund(ctx, r, time.Second, at); !ok || err != nil {
					t.Fatal(ok, err)
				}
				n++
			}
		}
		return n
	}
	if n := asked(api.RefundCreated, 24); n < 45 || n > 65 {
		t.Errorf("created: %d times in a day", n)
	}
	// A refund that retries do not repair until the operator chooses the available balance.
	if err := s.NoteRefundFailure(ctx, order.Refund{ID: "R1"}, order.RefundFailure{Failure: "NOT_ENOUGH", Stuck: true}, now); err != nil {
		t.Fatal(err)
	}
	if n := asked(api.RefundCreated, 72); n < 10 || n > 25 {
		t.Errorf("stuck: %d times in three days", n)
	}
	if ok, err := s.UseBalance(ctx, "R1", now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := s.UseBalance(ctx, "R1", now); ok || err != nil {
		t.Errorf("twice: %v, %v", ok, err)
	}
	if n := asked(api.RefundCreated, 24); n < 45 || n > 65 {
		t.Errorf("from the balance: %d times in a day", n)
	}
	if n := asked(api.RefundProcessing, 24); n < 45 || n > 65 {
		t.Errorf("processing: %d times in a day", n)
	}
	if n := asked(api.RefundAbnormal, 72); n < 10 || n > 13 {
		t.Errorf("abnormal: %d times in three days", n)
	}
	if n := asked(api.RefundSucceeded, 24); n != 0 {
		t.Errorf("succeeded: %d times", n)
	}
}

func TestSchemaRejectsNonsenseOfRefunds(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := paid(t, s, "alice")
	addRefund(t, s, refundDraft(o, "R1", 1))
	for _, query := range []string{
		`UPDATE refunds SET status = 'succeeded' WHERE id = ?`, // that WeChat never accepted
		`UPDATE refunds SET refund_id = 'x' WHERE id = ?`,
		`UPDATE refunds SET accepted_at = 1 WHERE id = ?`,
		`UPDATE refunds SET amount = 0 WHERE id = ?`,
		`UPDATE payments SET refunded = total + 1 WHERE out_trade_no = (SELECT out_trade_no FROM refunds WHERE id = ?)`,
		`INSERT INTO refund_requests (id, order_id, out_trade_no, amount, reason, from_balance, key_id, key_name, created_at, status, decided_by, decided_name, decided_at)
			VALUES (?, 'o', '', 1, '', 0, 'key', '', 1, 'confirmed', 'key', '', 1)`, // by one person
	} {
		storetest.Exec(t, db, `DROP TRIGGER IF EXISTS keep_refund`)
		if _, err := db.Exec(query, "R1"); err == nil || !strings.Contains(strings.ToUpper(err.Error()), "CHECK") {
			t.Errorf("%s: %v", query, err)
		}
	}
	storetest.Check(t, db)
}

// Many refunds that WeChat has accepted do not delay one that is not sent yet.
func TestDueRefundsTakeKindsInTurn(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := paid(t, s, "alice")
	for i := range 20 {
		r := refundDraft(o, fmt.Sprint("R", i), 1)
		r.CreatedAt = now.Add(time.Duration(i) * time.Second)
		addRefund(t, s, r)
		if i == 19 {
			break
		}
		if ok, err := moved(s.MoveRefund(ctx, r.ID, api.RefundProcessing, fmt.Sprint("50-", i), time.Time{}, now)); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	due, err := dueRefunds(s, now.Add(time.Hour), 4)
	if err != nil || len(due) != 4 {
		t.Fatal(len(due), err)
	}
	if !slices.ContainsFunc(due, func(r order.Refund) bool { return r.ID == "R19" }) {
		t.Errorf("due %+v", due)
	}
}

// What is stored about a call of a refund is of the source of money with which it was sent. The
// source does not change once WeChat has accepted the refund.
func TestSourceOfARefund(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	o := paid(t, s, "alice")
	addRefund(t, s, refundDraft(o, "R1", 100))
	sent, err := s.RefundByID(ctx, "R1")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := s.SwitchSource(ctx, sent, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	before := storetest.Dump(t, db)
	if ok, err := s.SwitchSource(ctx, sent, now); ok || err != nil {
		t.Errorf("switched twice: %t, %v", ok, err)
	}
	if ok, err := s.ClaimRefund(ctx, sent, time.Minute, now.Add(time.Hour)); ok || err != nil {
		t.Errorf("claimed with the source before: %t, %v", ok, err)
	}
	if err := s.NoteRefundFailure(ctx, sent, order.RefundFailure{Failure: "NOT_ENOUGH", Stuck: true}, now.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if storetest.Dump(t, db) != before {
		t.Error("a call with the source before changed the refund")
	}
	if ok, err := moved(s.MoveRefund(ctx, "R1", api.RefundProcessing, "50-R1", time.Time{}, now)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	sent.FromBalance = true
	if ok, err := s.SwitchSource(ctx, sent, now); ok || err != nil {
		t.Errorf("switched after WeChat had accepted it: %t, %v", ok, err)
	}
}

func TestRefundRequestsAreBounded(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	for i := range store.MaxRefundRequests + 1 {
		r := order.RefundRequest{ID: fmt.Sprint("rr", i), OrderID: fmt.Sprint("o", i), Amount: 1, KeyID: "k", CreatedAt: now}
		if ok, err := s.InsertRefundRequest(ctx, r); ok != (i < store.MaxRefundRequests) || err != nil {
			t.Fatalf("request %d: %t, %v", i, ok, err)
		}
	}
}
