package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/api"
	"h5pay/internal/fen"
	"h5pay/internal/paytest"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// money returns the sums of a day.
func money(income, refunded, fees fen.Fen) v1.BillMoney {
	return v1.BillMoney{Income: income, Refunded: refunded, Fees: fees, Settlement: income - refunded - fees}
}

// Fees and settlement of a day come from both bills, in one run, and the table has them.
func TestFeesAndSettlementOfADay(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{})
	op := s.Operator()
	s.SignedIn(0).PaidOrder("tea", 1) // 68.00, and the fee is 0.41
	o := s.SignedIn(1).PaidOrder("tea", 2)
	op.Refund(o.ID, paytest.RefundRequest(300)) // the fee that goes back is 0.02
	s.Sim.Advance(time.Minute)
	s.AdvanceTo(1, "10:00:00")
	for range 3 {
		s.CheckBills()
	}
	want := v1.Bill{Date: "2026-11-23", Status: v1.BillAgrees, Payments: 2, Refunds: 1}
	trade := money(20400, 300, 41+82-2)
	want.Trade, want.Funds = &trade, &v1.BillFunds{BillMoney: trade, Balance: 1_000_000 + 20400 - 300 - 121}
	got := billChecks(op, "?date=2026-11-23")[0]
	got.CheckedAt = 0
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if trades, funds := s.Calls("v3_tradebill"), s.Calls("v3_fundflowbill"); trades != 1 || funds != 1 {
		t.Errorf("%d trade bills and %d fund-flow bills were fetched", trades, funds)
	}
	// A day on which nothing moved.
	s.AdvanceTo(2, "10:00:00")
	s.CheckBills()
	got = billChecks(op, "?date=2026-11-24")[0]
	if got.Status != v1.BillAgrees || *got.Trade != money(0, 0, 0) || got.Funds == nil || *got.Funds != (v1.BillFunds{}) {
		t.Errorf("%+v", got)
	}

	b := newBackEnd(s, v1.ScopeRead)
	var table v1.Table
	b.must("GET", "/v1/tables/settlements", nil, &table)
	rows := rowsOf(t, table)
	day := "2026-11-23,2,1,204.00,3.00,1.21,199.79,204.00,3.00,1.21,199.79,0.00,0.00,10199.79"
	if len(rows) != 3 || strings.Join(rows[1], ",") != day || rows[2][0] != "2026-11-24" {
		t.Errorf("%q", rows)
	}
	midnight := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC).UnixMilli() // of the 24th in Beijing
	for query, days := range map[string]string{
		fmt.Sprintf("?from=%d", midnight): "2026-11-24", fmt.Sprintf("?to=%d", midnight): "2026-11-23", fmt.Sprintf("?from=%d", midnight+1): "",
		fmt.Sprintf("?from=%d&to=%d", midnight, midnight+1): "2026-11-24", "?cursor=2026-11-23": "2026-11-24",
	} {
		b.must("GET", "/v1/tables/settlements"+query, nil, &table)
		var got []string
		for _, row := range rowsOf(t, table)[1:] {
			got = append(got, row[0])
		}
		if strings.Join(got, " ") != days {
			t.Errorf("%s: %q, want %q", query, got, days)
		}
	}
	b.fails(api.CodeBadRequest, "cursor", "GET", "/v1/tables/settlements?cursor=x", nil)
}

// A day whose refunds are larger than its payments has a negative settlement, which is a number
// in a spreadsheet.
func TestNegativeSettlement(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil) // APIv2, which has no fund-flow bill
	op := s.Operator()
	o := s.SignedIn(0).PaidOrder("tea", 1)
	s.AdvanceTo(1, "12:00:00")
	op.Refund(o.ID, paytest.RefundRequest(o.Total))
	s.AdvanceTo(2, "10:00:00")
	for range 3 {
		s.CheckBills()
	}
	got := billChecks(op, "?date=2026-11-24")[0]
	if got.Trade == nil || *got.Trade != money(0, 6800, -41) || got.Funds != nil || got.FundsPending || got.FundsDifference != 0 {
		t.Errorf("%+v", got)
	}
	var table v1.Table
	op.Must("GET", "/v1/tables/settlements", nil, &table)
	if rows := rowsOf(t, table); strings.Join(rows[2], ",") != "2026-11-24,0,1,0.00,68.00,-0.41,-67.59,,,,,,," {
		t.Errorf("%q", rows)
	}
}

// Without the fund-flow bill the comparison counts. The timer fetches the bill again, and what an
// earlier run has read stays.
func TestFundFlowThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{})
	op := s.Operator()
	s.SignedIn(0).PaidOrder("tea", 1)
	wire, broken := s.ToWeChat.Handler, true
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken && r.URL.Path == wechattest.PathV3FundFlowBill {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		wire.ServeHTTP(w, r)
	})
	s.AdvanceTo(1, "10:00:00")
	for range 3 {
		s.CheckBills()
	}
	got := billChecks(op, "?date=2026-11-23")[0]
	if got.Status != v1.BillAgrees || *got.Trade != money(6800, 0, 41) || got.Funds != nil || !got.FundsPending {
		t.Errorf("%+v", got)
	}
	if n := s.Calls("v3_tradebill"); n != 1 {
		t.Errorf("%d trade bills were fetched", n)
	}
	broken = false
	s.AdvanceTo(1, "10:59:00")
	s.CheckBills()
	if n := s.Calls("v3_fundflowbill"); n != 0 {
		t.Errorf("fetched again too early")
	}
	s.AdvanceTo(1, "11:01:00")
	for range 3 {
		s.CheckBills()
	}
	got = billChecks(op, "?date=2026-11-23")[0]
	if got.Funds == nil || got.Funds.BillMoney != money(6800, 0, 41) || got.FundsPending || s.Calls("v3_fundflowbill") != 1 {
		t.Errorf("%+v after %d calls", got, s.Calls("v3_fundflowbill"))
	}
	broken = true
	if again := checkBill(op, "2026-11-23"); again.Funds == nil || again.FundsPending || again.Funds.BillMoney != money(6800, 0, 41) {
		t.Errorf("%+v", again)
	}
	if stored := billChecks(op, "?date=2026-11-23")[0]; stored.Funds == nil || stored.FundsPending {
		t.Errorf("%+v", stored)
	}
	if s.ErrorLines() != 0 {
		t.Errorf("log:\n%s", s.Log)
	}
}

// A settlement of the fund-flow bill that differs is reported, and does not make the bill differ.
func TestSettlementsThatDiffer(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{})
	op := s.Operator()
	s.SignedIn(0).PaidOrder("tea", 1)
	s.AdvanceTo(1, "10:00:00")
	checkBill(op, "2026-11-23")
	// As if WeChat booked the payment a day later.
	if _, err := s.DB.Exec(`UPDATE bill_checks SET funds_income = 0, funds_fees = 0, funds_settlement = 0`); err != nil {
		t.Fatal(err)
	}
	if got := billChecks(op, "?date=2026-11-23")[0]; got.FundsDifference != -(6800-41) || got.Status != v1.BillAgrees {
		t.Errorf("%+v", got)
	}
}
