package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/wechat/wechattest"
)

// checkBills is what the timer does.
func (s *shop) checkBills() {
	s.t.Helper()
	if err := s.signer.CheckBills(s.t.Context()); err != nil {
		s.t.Error(err)
	}
	s.check()
}

// until moves the clocks to an hour of Beijing's day, n days after the first.
func (s *shop) until(day int, clock string) {
	s.t.Helper()
	at, err := time.Parse("2006-01-02 15:04:05 -0700", "2026-11-23 "+clock+" +0800")
	if err != nil {
		s.t.Fatal(err)
	}
	s.sim.Advance(at.AddDate(0, 0, day).Sub(s.sim.Now()))
}

// bills returns what the operator sees of the checks.
func (p *person) bills(query string) []api.BillCheck {
	p.t.Helper()
	var list api.BillCheckList
	p.must("GET", api.PathAdminBills+query, nil, &list)
	return list.Checks
}

// checkBill checks a day's bill now.
func (p *person) checkBill(date string) api.BillCheck {
	p.t.Helper()
	var c api.BillCheck
	p.must("POST", api.PathAdminBills, api.BillRequest{Date: date}, &c)
	return c
}

// wantBills compares the checks without their times.
func (p *person) wantBills(want ...api.BillCheck) {
	p.t.Helper()
	got := p.bills("")
	for i := range got {
		if (got[i].CheckedAt != 0) != (got[i].Status == "agrees" || got[i].Status == "differs") {
			p.t.Errorf("checked at %d: %+v", got[i].CheckedAt, got[i])
		}
		got[i].CheckedAt = 0
	}
	if d := cmp.Diff(append([]api.BillCheck{}, want...), got); d != "" {
		p.t.Errorf("(-want +got):\n%s\n%s", d, p.log)
	}
}

func TestBillsAgreeWithTheBooks(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	a := s.signedIn(0).paidOrder("tea", 1)
	b := s.signedIn(1).paidOrder("bun", 2)
	s.signedIn(2).order("tea", 1) // nobody pays
	op.refund(a.ID, refundOf(a.Total))
	s.until(0, "20:00:00")
	op.refund(b.ID, refundOf(1))
	s.checkBills() // the day is not over
	s.until(1, "09:59:59")
	s.checkBills() // WeChat is still writing it
	op.wantBills()
	if n := s.calls("downloadbill"); n != 0 {
		t.Errorf("asked for it %d times", n)
	}
	s.until(1, "10:00:00")
	for range 3 {
		s.checkBills()
	}
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "agrees", Payments: 2, Refunds: 2})
	if n := s.calls("downloadbill"); n != 1 {
		t.Errorf("asked for it %d times", n)
	}
	// Nothing on the second day.
	s.until(2, "12:00:00")
	s.checkBills()
	op.wantBills(api.BillCheck{Date: "2026-11-24", Status: "agrees"}, api.BillCheck{Date: "2026-11-23", Status: "agrees", Payments: 2, Refunds: 2})
	if s.loud() != 0 {
		t.Errorf("loud:\n%s", s.log)
	}
}

func TestBillFaultsAreFound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault string
		first func(p *person, op *person) // makes what is in the bill first
		want  func(no, refund string) api.BillDifference
	}{
		{wechattest.FaultBillRowLost, payOnly, func(no, _ string) api.BillDifference {
			return api.BillDifference{Kind: "missing_there", OutTradeNo: no, Ours: "68.00 paid"}
		}},
		{wechattest.FaultBillRowChanged, payOnly, func(no, _ string) api.BillDifference {
			return api.BillDifference{Kind: "amount", OutTradeNo: no, Ours: "68.00", Theirs: "68.01"}
		}},
		{wechattest.FaultBillRowAdded, payOnly, func(string, string) api.BillDifference {
			return api.BillDifference{Kind: "missing_here", OutTradeNo: "SIM", Theirs: "68.00 SUCCESS"}
		}},
		{wechattest.FaultBillRowLost, refundOnly, func(no, refund string) api.BillDifference {
			return api.BillDifference{Kind: "missing_there", OutTradeNo: no, OutRefundNo: refund, Ours: "68.00 succeeded"}
		}},
		{wechattest.FaultBillRowChanged, refundOnly, func(no, refund string) api.BillDifference {
			return api.BillDifference{Kind: "amount", OutTradeNo: no, OutRefundNo: refund, Ours: "68.00", Theirs: "68.01"}
		}},
	} {
		s := newShop(t, nil)
		p, op := s.signedIn(0), s.operator()
		test.first(p, op)
		var no, refund, date string
		if err := s.db.QueryRow(`SELECT out_trade_no, COALESCE((SELECT id FROM refunds), '') FROM orders`).Scan(&no, &refund); err != nil {
			t.Fatal(err)
		}
		date = "2026-11-23"
		if refund != "" {
			date = "2026-11-24"
		}
		loud := s.loud()
		s.fault(test.fault, "")
		c := op.checkBill(date)
		want := test.want(no, refund)
		if len(c.Differences) == 1 && want.OutTradeNo == "SIM" && strings.HasPrefix(c.Differences[0].OutTradeNo, "SIM") {
			want.OutTradeNo = c.Differences[0].OutTradeNo
		}
		if d := cmp.Diff([]api.BillDifference{want}, c.Differences); d != "" || c.Status != "differs" {
			t.Errorf("%s: %s (-want +got):\n%s", test.fault, c.Status, d)
		}
		stored := op.bills("?date=" + date)
		if len(stored) != 1 || !cmp.Equal(stored[0], c) {
			t.Errorf("stored %+v, want %+v", stored, c)
		}
		if _, without := s.health(); !strings.Contains(without["bills"], "1 differ") {
			t.Errorf("%s: the health page says %v", test.fault, without)
		}
		if n := s.loud() - loud; n != 1 || !strings.Contains(s.log.String(), "the bill differs") {
			t.Errorf("%s: %d loud lines", test.fault, n)
		}
		// Without the fault all is well, and the result is replaced.
		if c := op.checkBill(date); c.Status != "agrees" || len(c.Differences) != 0 {
			t.Errorf("%s: then %+v", test.fault, c)
		}
		var left int
		if err := s.db.QueryRow(`SELECT count(*) FROM bill_differences`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d differences are left, %v", left, err)
		}
	}
}

// payOnly makes a payment on the first day.
func payOnly(p *person, _ *person) {
	p.paidOrder("tea", 1)
	p.until(1, "10:00:00")
}

// refundOnly pays on the first day and refunds on the second.
func refundOnly(p *person, op *person) {
	o := p.paidOrder("tea", 1)
	p.until(1, "12:00:00")
	op.refund(o.ID, refundOf(o.Total))
	p.until(2, "10:00:00")
}

// What happens about midnight is in one of two bills, and not missed in the other.
func TestBillsAboutMidnight(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 30 * time.Second, -30 * time.Second} {
		s := newShop(t, nil)
		op := s.operator()
		s.ahead = ahead
		for _, at := range []string{"23:49:59", "23:52:00", "23:59:50", "23:59:59"} {
			s.until(0, at)
			o := s.signedIn(0).paidOrder("tea", 1)
			op.refund(o.ID, refundOf(o.Total))
		}
		for _, at := range []string{"00:00:05", "00:00:30", "00:11:00"} {
			s.until(1, at)
			o := s.signedIn(0).paidOrder("tea", 1)
			// WeChat takes it, and nobody hears of that for an hour.
			s.fault(wechattest.FaultTimeoutAfter, "/secapi/pay/refund")
			op.refund(o.ID, refundOf(o.Total))
		}
		s.until(1, "01:30:00")
		for range 4 {
			s.reconcile()
			s.sim.Advance(time.Minute)
		}
		s.until(1, "23:59:55")
		o := s.signedIn(0).paidOrder("tea", 1)
		s.fault(wechattest.FaultTimeoutAfter, "/secapi/pay/refund")
		op.refund(o.ID, refundOf(o.Total)) // known on the third day
		for range 4 {
			s.sim.Advance(2 * time.Minute)
			s.reconcile()
		}
		s.until(3, "11:00:00")
		for range 4 {
			s.checkBills()
		}
		payments, refunds := 0, 0
		for _, c := range op.bills("") {
			if c.Status != "agrees" {
				t.Errorf("ahead by %s: %+v", ahead, c)
			}
			payments += c.Payments
			refunds += c.Refunds
		}
		if payments != 8 || refunds != 8 {
			t.Errorf("%d payments, %d refunds", payments, refunds)
		}
	}
}

// The bill knows of a payment that was never heard of, and WeChat confirms it.
func TestBillFindsALostPayment(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	p, op := s.signedIn(0), s.operator()
	c := p.order("tea", 1)
	if ok, err := store.New(s.db).Close(t.Context(), c.Order.ID, s.now()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	s.fault(wechattest.FaultNotifyLost, "")
	p.pay(c.Pay)
	s.until(1, "10:00:00")
	s.checkBills()
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "differs", Payments: 1, Differences: []api.BillDifference{
		{Kind: "missing_here", OutTradeNo: s.outTradeNo(c.Order.ID), Ours: "closed", Theirs: "68.00 SUCCESS"},
	}})
	s.wantStatus(c.Order.ID, api.StatusPaid)
	if c := op.checkBill("2026-11-23"); c.Status != "agrees" {
		t.Errorf("%+v", c)
	}
}

// A refund by hand on the merchant platform, of which nobody was told.
func TestBillFindsARefundByHand(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	by, err := s.sim.Refund(s.outTradeNo(o.ID), 800)
	if err != nil {
		t.Fatal(err)
	}
	s.until(1, "10:00:00")
	s.checkBills()
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "differs", Payments: 1, Refunds: 1, Differences: []api.BillDifference{
		{Kind: "missing_here", OutTradeNo: by.OutTradeNo, OutRefundNo: by.OutRefundNo, Theirs: "8.00 SUCCESS"},
	}})
	s.wantRefunds(o.ID, "succeeded 800")
	s.wantStatus(o.ID, api.StatusPaid)
	if c := op.checkBill("2026-11-23"); c.Status != "agrees" {
		t.Errorf("%+v", c)
	}
	s.until(2, "10:00:00")
	s.checkBills() // it became known on this day, and is not looked for in its bill
	if c := op.bills("?date=2026-11-24"); len(c) != 1 || c[0].Status != "agrees" {
		t.Errorf("%+v", c)
	}
}

// News of a refund was lost: the bill has it further than we do.
func TestBillBringsRefundsUpToDate(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	op := s.operator()
	o := s.signedIn(0).paidOrder("tea", 1)
	s.fault(wechattest.FaultNotifyLost, "")
	op.refund(o.ID, refundOf(o.Total))
	s.until(1, "10:00:00")
	s.wantStatus(o.ID, api.StatusRefunding)
	s.checkBills()
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "agrees", Payments: 1, Refunds: 1})
	s.wantStatus(o.ID, api.StatusRefunded)
	// What we have as succeeded and the bill as closed is a difference.
	storetest.Exec(t, s.db, `DROP TRIGGER keep_refund; UPDATE refunds SET status = 'closed'; UPDATE orders SET refunded = 0, status = 'paid'; DELETE FROM history; DELETE FROM refund_history`)
	if err := s.signer.CheckBills(t.Context()); err != nil {
		t.Error(err)
	}
	var c api.BillCheck
	a := op.send(op.request("POST", api.PathAdminBills, []byte(`{"date":"2026-11-23"}`)))
	if a.status != http.StatusOK || !strings.Contains(string(a.body), `"kind":"status"`) {
		t.Errorf("%d %s %+v", a.status, a.body, c)
	}
}
