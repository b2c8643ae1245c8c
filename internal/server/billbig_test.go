package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store/storetest"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// bigBill returns a bill of APIv2 with n payments of another account of the merchant, of a fen each.
func bigBill(mchID string, n int) string {
	var b strings.Builder
	b.WriteString("交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额," +
		"微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\n")
	for i := range n {
		fmt.Fprintf(&b, "`2026-11-23 12:00:00,`wx0000000000000000,`%s,`0,`,`42000000002026112300%08d,`other-%d,`oOther,`NATIVE,`SUCCESS,`CFT,`CNY,`0.01,`0.00,`0,`0,`0.00,`0.00,`,`,`x,`,`0.00000,`0.60%%,`0.01,`0.00,`\n", mchID, i, i)
	}
	fmt.Fprintf(&b, "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n`%d.0,`%d.%02d,`0.00,`0.00,`0.00000,`%d.%02d,`0.00\n", n, n/100, n%100, n/100, n%100)
	return b.String()
}

// The comparison of a large bill stores its progress, and can be stopped. What was known before stays.
func TestComparisonOfALargeBillCanBeStopped(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	s.SignedIn(0).PaidOrder("tea", 1)
	s.AdvanceTo(1, "10:00:00")
	op.Fails(api.CodeNotFound, "POST", "/v1/bills/2026-11-23/stop", nil)
	if c := checkBill(op, "2026-11-23"); c.Status != v1.BillAgrees || c.Running != nil {
		t.Fatalf("%+v", c)
	}
	during := func() {}
	respondWithBill(s, bigBill(wechattest.DefaultMchID, 4001), func() { during() })
	const day = "/v1/bills/2026-11-23"
	during = func() {
		var b v1.Bill
		if op.Must("GET", day, nil, &b); b.Running == nil || *b.Running != (v1.BillProgress{}) || b.Status != v1.BillAgrees {
			t.Errorf("while the bill is fetched: %+v", b)
		}
		b = v1.Bill{}
		if op.Must("POST", day+"/stop", nil, &b); b.Running != nil || b.Status != v1.BillAgrees {
			t.Errorf("stopped: %+v", b)
		}
	}
	op.Fails(api.CodeConflict, "POST", day+"/check", nil)
	if got := billChecks(op, "?date=2026-11-23")[0]; got.Status != v1.BillAgrees || got.Payments != 1 || got.Running != nil {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(s.Log.String(), "the comparison of a bill was stopped") {
		t.Errorf("log:\n%s", s.Log)
	}
	// It can be compared again at once. The other account's payments are no difference.
	during = func() {}
	if c := checkBill(op, "2026-11-23"); c.Status != v1.BillDiffers || len(c.Differences) != 1 || c.Differences[0].Kind != v1.MissingThere {
		t.Errorf("%+v", c)
	}
	// A key that may not read stops a comparison, and gets no differences.
	var public v1.Bill
	if newBackEnd(s, v1.ScopeWrite).must("POST", day+"/stop", nil, &public); public.Status != v1.BillDiffers || public.Differences != nil {
		t.Errorf("%+v", public)
	}
	var compared, rows int
	if err := s.DB.QueryRow(`SELECT compared, rows_of_bill FROM bill_checks`).Scan(&compared, &rows); err != nil || compared != 4000 || rows != 4001 {
		t.Errorf("compared %d of %d rows, %v", compared, rows, err)
	}
	storetest.Exec(t, s.DB, `UPDATE bill_checks SET leased_until = ?`, s.Now().Add(time.Minute).UnixMilli())
	if got := billChecks(op, "?date=2026-11-23")[0]; got.Running == nil || *got.Running != (v1.BillProgress{Compared: 4000, Rows: 4001}) {
		t.Errorf("%+v", got)
	}
}

// respondWithBill lets WeChat respond to a download of a bill with a text, after during.
func respondWithBill(s *paytest.Shop, bill string, during func()) {
	wire := s.ToWeChat.Handler
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/downloadbill") {
			wire.ServeHTTP(w, r)
			return
		}
		during()
		w.Write([]byte(bill))
	})
}

// The comparison of a small bill stores no progress. If it is stopped, its end says so and stores
// nothing.
func TestComparisonOfASmallBillCanBeStopped(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	s.AdvanceTo(1, "10:00:00")
	respondWithBill(s, bigBill(wechattest.DefaultMchID, 3), func() { op.Must("POST", "/v1/bills/2026-11-23/stop", nil, &v1.Bill{}) })
	op.Fails(api.CodeConflict, "POST", "/v1/bills/2026-11-23/check", nil)
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: v1.BillWaiting})
}

// A refund that WeChat closed is in the totals of a bill, and moved no money.
func TestClosedRefundMovesNoMoney(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	s.AdvanceTo(1, "10:00:00")
	lines := strings.SplitAfter(bigBill(wechattest.DefaultMchID, 1), "\n")
	closed := strings.NewReplacer("`SUCCESS,", "`REFUND,", "`0.01,`0.00,`0,`0,`0.00,", "`0.00,`0.00,`50000000,`R1,`0.01,", "`0.00,`,`,`x", "`0.00,`ORIGINAL,`CLOSED,`x",
		"`0.00000,", "`-0.01000,", "`0.01,`0.00,`\n", "`0.00,`0.01,`\n").Replace(lines[1])
	total := strings.NewReplacer("`1.0,`0.01,`0.00,", "`2.0,`0.01,`0.01,", "`0.00000,", "`-0.01000,", "`0.01,`0.00\n", "`0.01,`0.01\n").Replace(lines[3])
	respondWithBill(s, lines[0]+lines[1]+closed+lines[2]+total, func() {})
	if c := checkBill(s.Operator(), "2026-11-23"); c.Status != v1.BillAgrees || *c.Trade != money(1, 0, 0) {
		t.Errorf("%+v, %+v", c, c.Trade)
	}
}

// A day that was stopped before it had a result is compared by the timer later.
func TestStoppedDayIsComparedLater(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	s.SignedIn(0).PaidOrder("tea", 1)
	s.AdvanceTo(1, "10:00:00")
	wire, large := s.ToWeChat.Handler, true
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !large || !strings.HasSuffix(r.URL.Path, "/downloadbill") {
			wire.ServeHTTP(w, r)
			return
		}
		op.Must("POST", "/v1/bills/2026-11-23/stop", nil, &v1.Bill{})
		w.Write([]byte(bigBill(wechattest.DefaultMchID, 2001)))
	})
	s.CheckBills()
	large = false
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: v1.BillWaiting})
	s.AdvanceTo(1, "10:50:00")
	s.CheckBills()
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: v1.BillWaiting})
	s.AdvanceTo(1, "11:01:00")
	s.CheckBills()
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: v1.BillAgrees, Payments: 1})
}

// The table of bills is read in parts, however many differences a day has.
func TestTableOfBillsInParts(t *testing.T) {
	t.Parallel()
	s := paytest.NewShop(t, nil)
	op := s.Operator()
	storetest.Exec(t, s.DB, `INSERT INTO bill_checks (date, status, run, result, leased_until, next_at) VALUES
		('2026-11-22', 'agrees', 'r', 'r', 0, 0), ('2026-11-23', 'differs', 'r', 'r', 0, 0), ('2026-11-24', 'agrees', 'r', 'r', 0, 0)`)
	storetest.Exec(t, s.DB, `WITH RECURSIVE d(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM d WHERE i < 1200)
		INSERT INTO bill_differences (date, run, n, kind, out_trade_no, out_refund_no, ours, theirs) SELECT '2026-11-23', 'r', i, 'amount', 'n' || i, '', '1.00', '2.00' FROM d`)
	storetest.Exec(t, s.DB, `INSERT INTO bill_differences (date, run, n, kind, out_trade_no, out_refund_no, ours, theirs) VALUES ('2026-11-23', 'earlier', 5000, 'amount', 'old', '', '', '')`)
	var all []string
	cursor, parts := "", 0
	for {
		var table v1.Table
		op.Must("GET", "/v1/tables/bills"+cursor, nil, &table)
		for _, row := range rowsOf(t, table)[1:] {
			all = append(all, row[0]+" "+row[6])
		}
		if parts++; table.Next == "" {
			break
		}
		cursor = "?cursor=" + table.Next
	}
	if len(all) != 1203 || parts != 3 || all[0] != "2026-11-24 " || all[1] != "2026-11-23 n0" || all[1201] != "2026-11-23 n1200" || all[1202] != "2026-11-22 " {
		t.Errorf("%d rows in %d parts", len(all), parts)
	}
	op.Fails(api.CodeBadRequest, "GET", "/v1/tables/bills?cursor=x", nil)
	op.Fails(api.CodeBadRequest, "GET", "/v1/tables/bills?cursor=2026-11-23.x", nil)
}
