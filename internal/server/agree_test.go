package server_test

import (
	"cmp"
	"strings"
	"time"

	"h5pay/internal/cst"
	"h5pay/internal/fen"
	"h5pay/internal/paytest"
)

// ordersAgree compares all orders and payments with WeChat's ledger, when no payment is under way. Before the
// bills were compared, the payer and the time of a payment may be unknown.
func ordersAgree(s *paytest.Shop, billed bool) ([]paytest.Order, []paytest.Payment) {
	s.T.Helper()
	orders, err := paytest.ReadRows[paytest.Order](s.DB, paytest.EveryOrder)
	if err != nil {
		s.T.Fatal(err)
	}
	payments, err := paytest.ReadRows[paytest.Payment](s.DB, paytest.EveryPayment)
	if err != nil {
		s.T.Fatal(err)
	}
	ledger := s.Sim.Ledger()
	for _, trade := range ledger.Trades {
		for i := range payments {
			if o := &payments[i]; !billed && o.Transaction == trade.TransactionID {
				o.Payer = cmp.Or(o.Payer, trade.OpenID)
				o.Paid = cmp.Or(o.Paid, trade.Paid.Unix()*1000)
			}
		}
	}
	reportFindings(s, paytest.CompareOrders(orders, payments, ledger))
	return orders, payments
}

// reportFindings fails the test for each finding.
func reportFindings(s *paytest.Shop, findings []paytest.Finding) {
	s.T.Helper()
	for _, f := range findings {
		s.T.Errorf("%s: %s %s\n%s", f.Verdict, f.Text, f.Order, strings.Join(s.Log.Lines(f.Order), "\n"))
	}
}

// refundsEnd runs the timer until no refund is open, except those that wait for the operator, and
// every duplicate is refunded.
func refundsEnd(s *paytest.Shop) {
	s.T.Helper()
	s.Sim.PayIn()
	for range 60 {
		s.Sim.Advance(31 * time.Minute)
		for range 4 {
			s.Reconcile()
		}
		var open int
		if err := s.DB.QueryRow(`SELECT COUNT(*) FROM refunds WHERE status IN ('created', 'processing')`).Scan(&open); err != nil {
			s.T.Fatal(err)
		}
		if open == 0 && !refundDuplicates(s) {
			return
		}
	}
	s.T.Errorf("a refund does not end\n%s", s.Log)
}

// refundDuplicates refunds each duplicate whose refund WeChat has closed or declined, as the runbook
// says, and reports whether there was one.
func refundDuplicates(s *paytest.Shop) bool {
	s.T.Helper()
	payments, err := paytest.ReadRows[paytest.Payment](s.DB, paytest.EveryPayment)
	if err != nil {
		s.T.Fatal(err)
	}
	again := false
	for _, p := range payments {
		var abnormal bool
		if err := s.DB.QueryRow(`SELECT COUNT(*) > 0 FROM refunds WHERE out_trade_no = ? AND status = 'abnormal'`, p.Number).Scan(&abnormal); err != nil {
			s.T.Fatal(err)
		}
		if p.Duplicate == 0 || p.Refunded == p.Total || abnormal { // abnormal: the operator acts on the merchant platform
			continue
		}
		again = true
		req := paytest.RefundRequest(fen.Fen(p.Total - p.Refunded))
		req.OutTradeNo = p.Number
		s.Operator().Refund(p.Order, req)
	}
	return again
}

// billsAgree checks the bill of every day until it agrees, as an operator does.
func billsAgree(s *paytest.Shop, from time.Time) {
	s.T.Helper()
	op := s.Operator()
	for day := from; day.Before(s.Now().Add(-34 * time.Hour)); day = day.Add(24 * time.Hour) {
		date := cst.In(day).Format("2006-01-02")
		for tries := 0; ; tries++ {
			c := checkBill(op, date)
			if c.Status == "agrees" {
				break
			}
			if tries == 20 {
				s.T.Errorf("the bill of %s still differs: %+v\n%s", date, c, s.Log)
				break
			}
		}
	}
}
