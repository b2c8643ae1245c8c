package server_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/store/storetest"
	"h5pay/wechat/wechattest"
)

func TestBillThatCannotBeHad(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	s.signedIn(0).paidOrder("tea", 1)
	s.until(1, "10:00:00")
	s.fault(wechattest.FaultBillCreating, "")
	s.checkBills()
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "waiting"})
	s.checkBills() // not before its time
	if n := s.calls("downloadbill"); n != 1 {
		t.Errorf("asked %d times", n)
	}
	right := s.wire.handler
	s.sim.Advance(10 * time.Minute)
	s.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("<xml><return_code>FAIL</return_code><return_msg>invalid bill_type</return_msg></xml>"))
	})
	s.checkBills()
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "failed"})
	if _, without := s.health(); !strings.Contains(without["bills"], "1 differ from the books or are unavailable") {
		t.Errorf("the health page says %v", without)
	}
	if s.loud() != 1 {
		t.Errorf("%d loud lines", s.loud())
	}
	s.wire.handler = right
	s.sim.Advance(time.Hour)
	s.checkBills()
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "agrees", Payments: 1})
	if _, without := s.health(); without["bills"] != "" {
		t.Errorf("the health page says %v", without)
	}
	// A failure later on leaves what was found.
	s.fault(wechattest.FaultBillCreating, "")
	if c := op.checkBill("2026-11-23"); c.Status != "waiting" {
		t.Errorf("%+v", c)
	}
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "agrees", Payments: 1})
}

// The signer was away for days: a day at a time, the oldest first, and not what is
// too long ago.
func TestBillsOfDaysThatWereMissed(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	s.signedIn(0).paidOrder("tea", 1)
	s.until(10, "10:30:00")
	for i := range 9 {
		s.checkBills()
		if got, want := len(op.bills("")), min(i+1, 7); got != want {
			t.Errorf("after %d calls there are %d", i+1, got)
		}
	}
	checks := op.bills("")
	if checks[0].Date != "2026-12-02" || checks[6].Date != "2026-11-26" {
		t.Errorf("%+v", checks)
	}
	if c := op.checkBill("2026-11-23"); c.Status != "agrees" || c.Payments != 1 {
		t.Errorf("%+v", c)
	}
}

func TestBillIsComparedByOneAtATime(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	s.signedIn(0).paidOrder("tea", 1)
	s.until(1, "10:00:00")
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[api.Code]int{}
	for range 10 {
		wg.Go(func() {
			if err := s.signer.CheckBills(t.Context()); err != nil {
				t.Error(err)
			}
		})
		r := op.request("POST", api.PathAdminBills, []byte(`{"date":"2026-11-23"}`))
		wg.Go(func() {
			a := op.send(r)
			mu.Lock()
			defer mu.Unlock()
			codes[a.err.Code]++
		})
	}
	wg.Wait()
	s.check()
	if codes[""]+codes[api.CodeRateLimited] != 10 {
		t.Errorf("%v", codes)
	}
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "agrees", Payments: 1})
}

// A run that died is taken up again when its lease is over, and what it left
// counts nothing.
func TestBillRunThatDies(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	s.signedIn(0).paidOrder("tea", 1)
	s.until(1, "10:00:00")
	s.fault(wechattest.FaultBillRowLost, "")
	storetest.Exec(t, s.db, `CREATE TRIGGER dead BEFORE UPDATE OF result ON bill_checks BEGIN SELECT RAISE(ABORT, 'dead'); END`)
	if err := s.signer.CheckBills(t.Context()); err == nil {
		t.Error("no error")
	}
	storetest.Exec(t, s.db, `DROP TRIGGER dead`)
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "waiting"})
	s.checkBills()
	op.fails(api.CodeRateLimited, "POST", api.PathAdminBills, api.BillRequest{Date: "2026-11-23"})
	s.sim.Advance(10 * time.Minute)
	s.checkBills()
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "agrees", Payments: 1})
}

func TestBadBillRequests(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	s.signedIn(0).paidOrder("tea", 1)
	s.until(200, "10:00:00")
	for _, date := range []string{"", "20261123", "2026-11-31", "2026-1-1", "2027-06-11", "2027-06-12", "2026-11-23", "2027-03-10", "2027-06-10 ", "x"} {
		op.unharmed(func() { op.fails(api.CodeBadRequest, "POST", api.PathAdminBills, api.BillRequest{Date: date}) })
	}
	for _, query := range []string{"?date=x", "?date=", "?days=1", "?date=2026-11-23&date=2026-11-24"} {
		op.unharmed(func() { op.fails(api.CodeBadRequest, "GET", api.PathAdminBills+query, nil) })
	}
	if c := op.checkBill("2027-06-10"); c.Status != "agrees" {
		t.Errorf("%+v", c)
	}
}
