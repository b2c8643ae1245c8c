package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// machine is a store with its own clock.
type machine struct {
	*store.Store
	behind time.Duration
}

func (m machine) at(t time.Time) time.Time { return t.Add(-m.behind) }

// Two machines write one order in turn, and the clock of one is behind. The times of the order, its
// refunds and its events still increase.
func TestTimelineDoesNotDependOnOneClock(t *testing.T) {
	t.Parallel()
	for _, behind := range []time.Duration{6 * time.Millisecond, 3 * time.Second, 20 * time.Minute} {
		db := storetest.Open(t)
		a, b := machine{store.New(db), 0}, machine{store.New(db), behind}
		o := insert(t, a.Store, "alice", "key-1") // at now, by a's clock
		must := func(ok bool, err error) {
			t.Helper()
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			storetest.Check(t, db)
		}
		must(b.SetPrepay(ctx, o.Payment.OutTradeNo, order.Prepay{ID: "wx1", SignType: "MD5"}, b.at(now.Add(time.Millisecond))))
		must(began(beginClose(a.Store, o.ID, a.at(now.Add(2*time.Millisecond)))))
		must(b.Close(ctx, o.Payment.OutTradeNo, b.at(now.Add(3*time.Millisecond))))
		must(a.Pay(ctx, o.Payment.OutTradeNo, order.Paid{TransactionID: "4200", Payer: "alice", PaidAt: now}, a.at(now.Add(4*time.Millisecond))))
		must(b.InsertRefund(ctx, order.Refund{ID: "R1", OrderID: o.ID, OutTradeNo: o.Payment.OutTradeNo, Key: "key-of-R1", Amount: 600, CreatedAt: b.at(now.Add(5 * time.Millisecond))}, 0))
		must(moved(a.MoveRefund(ctx, "R1", api.RefundProcessing, "5001", time.Time{}, a.at(now.Add(6*time.Millisecond)))))
		must(moved(b.MoveRefund(ctx, "R1", api.RefundSucceeded, "5001", time.Time{}, b.at(now.Add(7*time.Millisecond)))))
		// WeChat's clock is also behind, and has whole seconds.
		must(b.InsertRefund(ctx, order.Refund{ID: "R2", OrderID: o.ID, OutTradeNo: o.Payment.OutTradeNo, Key: "key-of-R2", Amount: 600, CreatedAt: b.at(now.Add(8 * time.Millisecond))}, 0))
		must(moved(b.MoveRefund(ctx, "R2", api.RefundSucceeded, "5002", now.Add(-time.Minute), b.at(now.Add(9*time.Millisecond)))))
		must(b.RecordRefund(ctx, order.Refund{ID: "R3", OrderID: o.ID, OutTradeNo: o.Payment.OutTradeNo, Amount: 1, RefundID: "5003", CreatedAt: b.at(now), AcceptedAt: b.at(now)}))
		must(moved(b.MoveRefund(ctx, "R3", api.RefundClosed, "5003", time.Time{}, b.at(now.Add(time.Millisecond)))))
		must(b.InsertRefund(ctx, order.Refund{ID: "R4", OrderID: o.ID, OutTradeNo: o.Payment.OutTradeNo, Key: "key-of-R4", Amount: 600, CreatedAt: b.at(now.Add(8 * time.Millisecond))}, 0))
		must(true, b.NoteRefundFailure(ctx, order.Refund{ID: "R4"}, order.RefundFailure{Failure: "NOT_ENOUGH"}, b.at(now.Add(9*time.Millisecond))))
		must(b.FailRefund(ctx, "R4", order.RefundFailure{Failure: "ERROR"}, b.at(now.Add(9*time.Millisecond))))
		events, err := b.ClaimEvents(ctx, order.SettingsEndpoint, now.Add(time.Minute), 10, 2)
		if err != nil || len(events) == 0 {
			t.Fatal(events, err)
		}
		marked, _, err := b.Deliver(ctx, events[0], b.at(now))
		must(marked, err)
		steps, err := a.Timeline(ctx, o.ID)
		if err != nil || len(steps) < 7 {
			t.Fatal(steps, err)
		}
		for i, step := range steps[1:] {
			if step.At < steps[i].At {
				t.Errorf("behind by %s: %+v", behind, steps)
			}
		}
	}
}

// No sequence of changes by several clocks makes a time decrease.
func TestTimelineUnderManyClocks(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 25))
		db := storetest.Open(t)
		s := store.New(db)
		o := insert(t, s, "alice", "key-1")
		at := now
		for i := range 40 {
			at = at.Add(time.Duration(r.IntN(1000)) * time.Millisecond)
			clock := at.Add(time.Duration(r.IntN(10_000)-5000) * time.Millisecond)
			id := fmt.Sprint("R", r.IntN(4))
			var err error
			switch r.IntN(9) {
			case 0:
				_, err = s.SetPrepay(ctx, o.Payment.OutTradeNo, order.Prepay{ID: fmt.Sprint("wx", i), SignType: "MD5"}, clock)
			case 1:
				_, err = began(beginClose(s, o.ID, clock))
			case 2:
				_, err = closeOrder(s, o, clock)
			case 3:
				err = s.NoteFailure(ctx, o.Payment.OutTradeNo, "SYSTEM_ERROR", clock)
			case 4:
				_, err = s.Pay(ctx, o.Payment.OutTradeNo, order.Paid{TransactionID: "4200", Payer: "alice", PaidAt: at}, clock)
			case 5:
				_, err = s.InsertRefund(ctx, order.Refund{ID: id, OrderID: o.ID, OutTradeNo: o.Payment.OutTradeNo, Key: "key-of-" + id, Amount: 100, CreatedAt: clock}, 0)
			case 6:
				_, err = moved(s.MoveRefund(ctx, id, api.RefundProcessing, "50-"+id, time.Time{}, clock))
			case 7:
				_, err = moved(s.MoveRefund(ctx, id, api.RefundSucceeded, "50-"+id, time.Time{}, clock))
			case 8:
				err = s.NoteRefundFailure(ctx, order.Refund{ID: id}, order.RefundFailure{Failure: "NOT_ENOUGH"}, clock)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		storetest.Check(t, db)
	}
}
