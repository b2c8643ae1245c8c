package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// billChecks returns what the operator sees of the checks.
func billChecks(p *paytest.Person, query string) []v1.Bill {
	p.T.Helper()
	if day, ok := strings.CutPrefix(query, "?date="); ok {
		var one v1.Bill
		p.Must("GET", "/v1/bills/"+day, nil, &one)
		return []v1.Bill{one}
	}
	var list v1.Bills
	p.Must("GET", "/v1/bills", nil, &list)
	return list.Bills
}

// checkBill checks a day's bill now.
func checkBill(p *paytest.Person, date string) v1.Bill {
	p.T.Helper()
	var c v1.Bill
	p.Must("POST", "/v1/bills/"+date+"/check", nil, &c)
	return c
}

// wantBills compares the checks without their times.
func wantBills(p *paytest.Person, want ...v1.Bill) {
	p.T.Helper()
	got := billChecks(p, "")
	for i := range got {
		if (got[i].CheckedAt != 0) != (got[i].Status == "agrees" || got[i].Status == "differs") {
			p.T.Errorf("checked at %d: %+v", got[i].CheckedAt, got[i])
		}
		got[i].CheckedAt = 0
		got[i].Trade, got[i].Funds = nil, nil // billmoney_test.go compares them
	}
	if d := cmp.Diff(append([]v1.Bill{}, want...), got); d != "" {
		p.T.Errorf("(-want +got):\n%s\n%s", d, p.Log)
	}
}

func TestBillsAgreeWithTheBooks(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	a := s.SignedIn(0).PaidOrder("tea", 1)
	b := s.SignedIn(1).PaidOrder("bun", 2)
	s.SignedIn(2).Order("tea", 1) // not paid
	op.Refund(a.ID, paytest.RefundRequest(a.Total))
	s.AdvanceTo(0, "20:00:00")
	op.Refund(b.ID, paytest.RefundRequest(1))
	s.CheckBills() // the day is not over
	s.AdvanceTo(1, "09:59:59")
	s.CheckBills() // WeChat has not finished it
	wantBills(op)
	if n := s.Calls("downloadbill"); n != 0 {
		t.Errorf("downloaded %d times", n)
	}
	s.AdvanceTo(1, "10:00:00")
	for range 3 {
		s.CheckBills()
	}
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "agrees", Payments: 2, Refunds: 2})
	if n := s.Calls("downloadbill"); n != 1 {
		t.Errorf("downloaded %d times", n)
	}
	// Nothing on the second day.
	s.AdvanceTo(2, "12:00:00")
	s.CheckBills()
	wantBills(op, v1.Bill{Date: "2026-11-24", Status: "agrees"}, v1.Bill{Date: "2026-11-23", Status: "agrees", Payments: 2, Refunds: 2})
	if s.ErrorLines() != 0 {
		t.Errorf("the log has lines of level ERROR:\n%s", s.Log)
	}
}

func TestBillFaultsAreFound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault string
		first func(p *paytest.Person, op *paytest.Person) // makes the payments and refunds of the bill
		want  func(no, refund string) v1.BillDifference
	}{
		{wechattest.FaultBillRowLost, payOnly, func(no, _ string) v1.BillDifference {
			return v1.BillDifference{Kind: "missing_there", OutTradeNo: no, Ours: "68.00 paid"}
		}},
		{wechattest.FaultBillRowChanged, payOnly, func(no, _ string) v1.BillDifference {
			return v1.BillDifference{Kind: "amount", OutTradeNo: no, Ours: "68.00", Theirs: "68.01"}
		}},
		{wechattest.FaultBillRowAdded, payOnly, func(string, string) v1.BillDifference {
			return v1.BillDifference{Kind: "missing_here", OutTradeNo: "SIM", Theirs: "68.00 SUCCESS"}
		}},
		{wechattest.FaultBillRowLost, refundOnly, func(no, refund string) v1.BillDifference {
			return v1.BillDifference{Kind: "missing_there", OutTradeNo: no, OutRefundNo: refund, Ours: "68.00 succeeded"}
		}},
		{wechattest.FaultBillRowChanged, refundOnly, func(no, refund string) v1.BillDifference {
			return v1.BillDifference{Kind: "amount", OutTradeNo: no, OutRefundNo: refund, Ours: "68.00", Theirs: "68.01"}
		}},
	} {
		s := paytest.NewShop(t, nil)
		p, op := s.SignedIn(0), s.Operator()
		test.first(p, op)
		var no, refund, date string
		if err := s.DB.QueryRow(`SELECT out_trade_no, COALESCE((SELECT id FROM refunds), '') FROM payments`).Scan(&no, &refund); err != nil {
			t.Fatal(err)
		}
		date = "2026-11-23"
		if refund != "" {
			date = "2026-11-24"
		}
		loud := s.ErrorLines()
		s.Fault(test.fault, "")
		c := checkBill(op, date)
		want := test.want(no, refund)
		if len(c.Differences) == 1 && want.OutTradeNo == "SIM" && strings.HasPrefix(c.Differences[0].OutTradeNo, "SIM") {
			want.OutTradeNo = c.Differences[0].OutTradeNo
		}
		if d := cmp.Diff([]v1.BillDifference{want}, c.Differences); d != "" || c.Status != "differs" {
			t.Errorf("%s: %s (-want +got):\n%s", test.fault, c.Status, d)
		}
		stored := billChecks(op, "?date="+date)
		if len(stored) != 1 || !cmp.Equal(stored[0], c) {
			t.Errorf("stored %+v, want %+v", stored, c)
		}
		if _, without := s.Health(); !strings.Contains(without["bills"], "1 differ") {
			t.Errorf("%s: the health page says %v", test.fault, without)
		}
		if n := s.ErrorLines() - loud; n != 1 || !strings.Contains(s.Log.String(), "the bill differs") {
			t.Errorf("%s: %d log lines of level ERROR", test.fault, n)
		}
		// Without the fault the bill agrees, and the result is replaced.
		if c := checkBill(op, date); c.Status != "agrees" || len(c.Differences) != 0 {
			t.Errorf("%s: then %+v", test.fault, c)
		}
		var left int
		if err := s.DB.QueryRow(`SELECT count(*) FROM bill_differences`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d differences are left, %v", left, err)
		}
	}
}

// payOnly makes a payment on the first day.
func payOnly(p *paytest.Person, _ *paytest.Person) {
	p.PaidOrder("tea", 1)
	p.AdvanceTo(1, "10:00:00")
}

// refundOnly pays on the first day and refunds on the second.
func refundOnly(p *paytest.Person, op *paytest.Person) {
	o := p.PaidOrder("tea", 1)
	p.AdvanceTo(1, "12:00:00")
	op.Refund(o.ID, paytest.RefundRequest(o.Total))
	p.AdvanceTo(2, "10:00:00")
}

// A payment or refund near midnight is in one of two bills and is not missing in the other.
func TestBillsAboutMidnight(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 30 * time.Second, -30 * time.Second} {
		s := paytest.NewShop(t, nil)
		op := s.Operator()
		s.Ahead = ahead
		for _, at := range []string{"23:49:59", "23:52:00", "23:59:50", "23:59:59"} {
			s.AdvanceTo(0, at)
			o := s.SignedIn(0).PaidOrder("tea", 1)
			op.Refund(o.ID, paytest.RefundRequest(o.Total))
		}
		for _, at := range []string{"00:00:05", "00:00:30", "00:11:00"} {
			s.AdvanceTo(1, at)
			o := s.SignedIn(0).PaidOrder("tea", 1)
			// WeChat accepts it, and the response is lost for an hour.
			s.Fault(wechattest.FaultTimeoutAfter, "/secapi/pay/refund")
			op.Refund(o.ID, paytest.RefundRequest(o.Total))
		}
		s.AdvanceTo(1, "01:30:00")
		for range 4 {
			s.Reconcile()
			s.Sim.Advance(time.Minute)
		}
		s.AdvanceTo(1, "23:59:55")
		o := s.SignedIn(0).PaidOrder("tea", 1)
		s.Fault(wechattest.FaultTimeoutAfter, "/secapi/pay/refund")
		op.Refund(o.ID, paytest.RefundRequest(o.Total)) // known on the third day
		for range 4 {
			s.Sim.Advance(2 * time.Minute)
			s.Reconcile()
		}
		s.AdvanceTo(3, "11:00:00")
		for range 4 {
			s.CheckBills()
		}
		payments, refunds := 0, 0
		for _, c := range billChecks(op, "") {
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

// The bill has a payment whose notification was lost, and a query confirms it.
func TestBillFindsALostPayment(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	p, op := s.SignedIn(0), s.Operator()
	c := p.Order("tea", 1)
	closeHere(s, c.Order.ID)
	s.Fault(wechattest.FaultNotifyLost, "")
	p.Pay(c.Pay)
	s.AdvanceTo(1, "10:00:00")
	s.CheckBills()
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "differs", Payments: 1, Differences: []v1.BillDifference{
		{Kind: "missing_here", OutTradeNo: s.OutTradeNo(c.Order.ID), Ours: "closed", Theirs: "68.00 SUCCESS"},
	}})
	s.WantStatus(c.Order.ID, api.StatusPaid)
	if c := checkBill(op, "2026-11-23"); c.Status != "agrees" {
		t.Errorf("%+v", c)
	}
}

// A refund by hand at the merchant platform, without a notification.
func TestBillFindsARefundByHand(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	by, err := s.Sim.Refund(s.OutTradeNo(o.ID), 800)
	if err != nil {
		t.Fatal(err)
	}
	s.AdvanceTo(1, "10:00:00")
	s.CheckBills()
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "differs", Payments: 1, Refunds: 1, Differences: []v1.BillDifference{
		{Kind: "missing_here", OutTradeNo: by.OutTradeNo, OutRefundNo: by.OutRefundNo, Theirs: "8.00 SUCCESS"},
	}})
	s.WantRefunds(o.ID, "succeeded 800")
	s.WantStatus(o.ID, api.StatusPaid)
	if c := checkBill(op, "2026-11-23"); c.Status != "agrees" {
		t.Errorf("%+v", c)
	}
	s.AdvanceTo(2, "10:00:00")
	s.CheckBills() // it was found on this day and is not expected in its bill
	if c := billChecks(op, "?date=2026-11-24"); len(c) != 1 || c[0].Status != "agrees" {
		t.Errorf("%+v", c)
	}
}

// The notification of a refund was lost: the bill has a later status than the shop.
func TestBillBringsRefundsUpToDate(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	s.Fault(wechattest.FaultNotifyLost, "")
	op.Refund(o.ID, paytest.RefundRequest(o.Total))
	s.AdvanceTo(1, "10:00:00")
	s.WantStatus(o.ID, api.StatusRefunding)
	s.CheckBills()
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "agrees", Payments: 1, Refunds: 1})
	s.WantStatus(o.ID, api.StatusRefunded)
	// A refund that is succeeded in the shop and closed in the bill is a difference.
	storetest.Exec(t, s.DB, `DROP TRIGGER keep_refund; DROP TRIGGER keep_order; DROP TRIGGER keep_payment; UPDATE refunds SET status = 'closed'; UPDATE payments SET refunded = 0; UPDATE orders SET refunded = 0, status = 'paid'; DELETE FROM history; DELETE FROM refund_history`)
	if err := s.Signer.CheckBills(t.Context()); err != nil {
		t.Error(err)
	}
	var c v1.Bill
	a := op.Send(op.Request("POST", "/v1/bills/2026-11-23/check", nil))
	if a.Status != http.StatusOK || !strings.Contains(string(a.Body), `"kind":"status"`) {
		t.Errorf("%d %s %+v", a.Status, a.Body, c)
	}
}
