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
