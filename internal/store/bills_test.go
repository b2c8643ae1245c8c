package store_test

import (
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
)

// A run that begins at once after another one has ended, and is then stopped, leaves the differences
// of the first.
func TestStoppedRunLeavesTheDifferences(t *testing.T) {
	t.Parallel()
	db := storetest.OpenSQLite(t)
	s := store.New(db)
	const date = "2026-11-22"
	first := order.BillRun{Date: date, ID: "first"}
	if ok, err := s.ClaimBill(ctx, first, time.Minute, now, false); !ok || err != nil {
		t.Fatal(ok, err)
	}
	// The second run begins between the two statements that end the first.
	storetest.Exec(t, db, `CREATE TRIGGER second_begins AFTER UPDATE OF result ON bill_checks
		BEGIN UPDATE bill_checks SET run = 'second', leased_until = 9000000000000 WHERE date = NEW.date; END`)
	found := api.BillCheck{Payments: 1, Differences: []api.BillDifference{{Kind: "amount", OutTradeNo: "n", Ours: "1.00", Theirs: "2.00"}}}
	if ok, err := s.EndBill(ctx, first, found, now, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := s.StopBill(ctx, date, now, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	checks, err := s.BillChecks(ctx, date, 1, 10)
	if err != nil || len(checks) != 1 || checks[0].Status != order.BillDiffers || len(checks[0].Differences) != 1 {
		t.Errorf("%+v, %v", checks, err)
	}
}

// The timer does not begin a run again at once that was stopped while the fund-flow bill was missing.
func TestStoppedRunIsRepeatedLater(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	const date = "2026-11-22"
	run := order.BillRun{Date: date, ID: "first"}
	if ok, err := s.ClaimBill(ctx, run, time.Minute, now, true); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := s.EndBill(ctx, run, api.BillCheck{FundsPending: true}, now, now); !ok || err != nil {
		t.Fatal(ok, err)
	}
	run.ID = "second"
	if ok, err := s.ClaimBill(ctx, run, time.Minute, now, false); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := s.StopBill(ctx, date, now, now.Add(time.Hour)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for after, want := range map[time.Duration]string{0: "", time.Hour - time.Millisecond: "", time.Hour: date} {
		if got, err := s.PendingFunds(ctx, date, now.Add(after)); got != want || err != nil {
			t.Errorf("after %v: %q, %v", after, got, err)
		}
	}
}

// Of two runs of a day only the one with the lease stores a result. The timer repeats no day that
// has one.
func TestBillRunsOfADay(t *testing.T) {
	t.Parallel()
	db := storetest.Open(t)
	s := store.New(db)
	first, second := order.BillRun{Date: "2026-11-20", ID: "first"}, order.BillRun{Date: "2026-11-20", ID: "second"}
	claim := func(run order.BillRun, at time.Time, timer, want bool) {
		t.Helper()
		if ok, err := s.ClaimBill(ctx, run, time.Minute, at, timer); ok != want || err != nil {
			t.Errorf("claimed by %s: %t, %v, want %t", run.ID, ok, err, want)
		}
	}
	claim(first, now, true, true)
	claim(second, now.Add(time.Minute-time.Millisecond), false, false)
	later := now.Add(time.Minute)
	claim(second, later, false, true)
	before := storetest.Dump(t, db)
	late := api.BillCheck{Payments: 7, Differences: []api.BillDifference{{Kind: "amount", OutTradeNo: "1"}}}
	if ended, err := s.EndBill(ctx, first, late, later, later); ended || err != nil {
		t.Errorf("the run without the lease ended: %t, %v", ended, err)
	}
	if storetest.Dump(t, db) != before {
		t.Error("the run without the lease changed the database")
	}
	if ended, err := s.EndBill(ctx, second, api.BillCheck{Payments: 3}, later, later); !ended || err != nil {
		t.Errorf("the run with the lease: %t, %v", ended, err)
	}
	if checks, err := s.BillChecks(ctx, first.Date, 1, 10); err != nil || len(checks) != 1 || checks[0].Payments != 3 || checks[0].Status != order.BillAgrees {
		t.Errorf("%+v, %v", checks, err)
	}
	claim(first, later.Add(time.Hour), true, false)
	claim(first, later.Add(time.Hour), false, true)
}

// A bill adds the payer to the payment of its transaction, and to no other.
func TestCompletePaymentsOfATransaction(t *testing.T) {
	t.Parallel()
	s := store.New(storetest.Open(t))
	no := paid(t, s, "alice").Payment.OutTradeNo // WeChat did not report the payer
	for _, c := range []struct{ transaction, payer string }{{"another", ""}, {"4200-" + no, "bob"}} {
		known := order.KnownPayment{OutTradeNo: no, TransactionID: c.transaction, PaidAt: now.UnixMilli(), Payer: "bob"}
		if err := s.CompletePayments(ctx, []order.KnownPayment{known}); err != nil {
			t.Fatal(err)
		}
		if p, err := s.Payment(ctx, no); err != nil || p.Payer != c.payer {
			t.Errorf("after the bill of %s: %+v, %v", c.transaction, p, err)
		}
	}
}
