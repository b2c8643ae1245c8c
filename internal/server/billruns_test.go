package server_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

func TestBillThatCannotBeHad(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	s.SignedIn(0).PaidOrder("tea", 1)
	s.AdvanceTo(1, "10:00:00")
	s.Fault(wechattest.FaultBillCreating, "")
	s.CheckBills()
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "waiting"})
	s.CheckBills() // not before its time
	if n := s.Calls("downloadbill"); n != 1 {
		t.Errorf("downloaded %d times", n)
	}
	right := s.ToWeChat.Handler
	s.Sim.Advance(10 * time.Minute)
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("<xml><return_code>FAIL</return_code><return_msg>invalid bill_type</return_msg></xml>"))
	})
	s.CheckBills()
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "failed"})
	if _, without := s.Health(); !strings.Contains(without["bills"], "1 differ from the books or are unavailable") {
		t.Errorf("the health page says %v", without)
	}
	if s.ErrorLines() != 1 {
		t.Errorf("%d log lines of level ERROR", s.ErrorLines())
	}
	s.ToWeChat.Handler = right
	s.Sim.Advance(time.Hour)
	s.CheckBills()
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "agrees", Payments: 1})
	if _, without := s.Health(); without["bills"] != "" {
		t.Errorf("the health page says %v", without)
	}
	// A later failure keeps the result.
	s.Fault(wechattest.FaultBillCreating, "")
	if c := checkBill(op, "2026-11-23"); c.Status != "waiting" {
		t.Errorf("%+v", c)
	}
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "agrees", Payments: 1})
}

// The signer was down for days. It checks one day per run, the oldest first, and skips days that
// are too long ago.
func TestBillsOfDaysThatWereMissed(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	s.SignedIn(0).PaidOrder("tea", 1)
	s.AdvanceTo(10, "10:30:00")
	for i := range 9 {
		s.CheckBills()
		if got, want := len(billChecks(op, "")), min(i+1, 7); got != want {
			t.Errorf("after %d calls there are %d", i+1, got)
		}
	}
	checks := billChecks(op, "")
	if checks[0].Date != "2026-12-02" || checks[6].Date != "2026-11-26" {
		t.Errorf("%+v", checks)
	}
	if c := checkBill(op, "2026-11-23"); c.Status != "agrees" || c.Payments != 1 {
		t.Errorf("%+v", c)
	}
}

func TestBillIsComparedByOneAtATime(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	s.SignedIn(0).PaidOrder("tea", 1)
	s.AdvanceTo(1, "10:00:00")
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[api.Code]int{}
	for range 10 {
		wg.Go(func() {
			if err := s.Signer.CheckBills(t.Context()); err != nil {
				t.Error(err)
			}
		})
		r := op.Request("POST", "/v1/bills/2026-11-23/check", nil)
		wg.Go(func() {
			a := op.Send(r)
			mu.Lock()
			defer mu.Unlock()
			codes[a.Err.Code]++
		})
	}
	wg.Wait()
	s.Check()
	if codes[""]+codes[api.CodeRateLimited] != 10 {
		t.Errorf("%v", codes)
	}
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "agrees", Payments: 1})
}

// A run that died is repeated when its lease ends. Its partial result is ignored.
func TestBillRunThatDies(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	s.SignedIn(0).PaidOrder("tea", 1)
	s.AdvanceTo(1, "10:00:00")
	s.Fault(wechattest.FaultBillRowLost, "")
	storetest.Exec(t, s.DB, `CREATE TRIGGER dead BEFORE UPDATE OF result ON bill_checks BEGIN SELECT RAISE(ABORT, 'dead'); END`)
	if err := s.Signer.CheckBills(t.Context()); err == nil {
		t.Error("no error")
	}
	storetest.Exec(t, s.DB, `DROP TRIGGER dead`)
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "waiting"})
	s.CheckBills()
	op.Fails(api.CodeRateLimited, "POST", "/v1/bills/2026-11-23/check", nil)
	s.Sim.Advance(10 * time.Minute)
	s.CheckBills()
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "agrees", Payments: 1})
}

func TestBadBillRequests(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	s.SignedIn(0).PaidOrder("tea", 1)
	s.AdvanceTo(200, "10:00:00")
	for _, date := range []string{"20261123", "2026-11-31", "2026-1-1", "2027-06-11", "2027-06-12", "2026-11-23", "2027-03-10", "2027-06-10%20", "x"} {
		wantUnharmed(op, func() { op.Fails(api.CodeBadRequest, "POST", "/v1/bills/"+date+"/check", nil) })
	}
	for _, query := range []string{"/x", "/20261123", "?days=1"} {
		wantUnharmed(op, func() { op.Fails(api.CodeBadRequest, "GET", "/v1/bills"+query, nil) })
	}
	if c := checkBill(op, "2027-06-10"); c.Status != "agrees" {
		t.Errorf("%+v", c)
	}
}
