package wechattest

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// billing is a downloadbill without its sign.
func (w *world) billing(day string, more ...string) []pair {
	return w.asking(append([]string{"bill_date", day}, more...)...)
}

// bill fetches a bill; it fails the test when there is none.
func (w *world) fetchBill(day string, more ...string) string {
	w.t.Helper()
	rec := w.do("POST", pathDownloadBill, signedXML(w.billing(day, more...), w.cfg.APIKey))
	text := rec.Body.String()
	if !strings.HasPrefix(text, "\ufeff") || rec.Code != 200 {
		w.t.Fatalf("%d %s", rec.Code, text)
	}
	return text
}

// noBill returns the error response of a bill.
func (w *world) noBill(day string, more ...string) string {
	w.t.Helper()
	fields := w.reply(w.do("POST", pathDownloadBill, signedXML(w.billing(day, more...), w.cfg.APIKey)), "")
	if valueOf(fields, "return_code") != "FAIL" || valueOf(fields, "result_code") != "" {
		w.t.Errorf("%v", fields)
	}
	return strings.TrimSpace(valueOf(fields, "return_msg") + " " + valueOf(fields, "error_code"))
}

// cells splits a bill's lines.
func cells(text string) (lines [][]string) {
	for line := range strings.SplitSeq(strings.TrimRight(strings.TrimPrefix(text, "\ufeff"), "\r\n"), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if rest, ok := strings.CutPrefix(line, "`"); ok {
			lines = append(lines, strings.Split(rest, ",`"))
		} else {
			lines = append(lines, strings.Split(line, ","))
		}
	}
	return lines
}

// aDay returns a world at noon in Beijing, on the day after one with two payments and two refunds.
// The second payment was refunded another way.
func aDay(t *testing.T, edit ...func(*Config)) *world {
	w := newWorld(t, append([]func(*Config){plain, tame}, edit...)...) // 2026-03-01 10:00 in Beijing
	w.paid("bill001")
	if got := w.pay(pathUnifiedOrder, with(with(w.order("bill002"), "body", "a, b,`c"), "total_fee", "100000")); valueOf(got, "prepay_id") == "" {
		t.Fatalf("%v", got)
	} else if s, bad := w.Invoke(w.call(w.payArgs(valueOf(got, "prepay_id")))); bad != nil {
		t.Fatal(bad)
	} else if _, err := w.PaySheet(s.ID); err != nil {
		t.Fatal(err)
	}
	w.refunded("bill001", "r-1", "300")
	w.Advance(refundPause)
	if got := w.pay(pathRefund, with(with(w.refundRequest("bill002", "r-2", "50000"), "total_fee", "100000"), "refund_account", accountRecharge)); valueOf(got, "refund_id") == "" {
		t.Fatalf("%v", got)
	}
	w.Advance(26 * time.Hour)
	return w
}

// UTF-8 with a BOM, a line of names, rows whose cells each begin with a backtick, two
// lines of totals. Amounts are in yuan (docs/wechat.md 12.2).
func TestBillIsTheLedger(t *testing.T) {
	w := aDay(t)
	text := w.fetchBill("20260301")
	if !strings.HasSuffix(text, "\r\n") || strings.Contains(text, "sign") {
		t.Errorf("%s", text)
	}
	lines := cells(text)
	if len(lines) != 7 || len(lines[0]) != 27 || len(lines[5]) != 7 {
		t.Fatalf("%d lines, %d columns:\n%s", len(lines), len(lines[0]), text)
	}
	if diff := cmp.Diff("交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,"+
		"微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注", strings.Join(lines[0], ",")); diff != "" {
		t.Error(diff)
	}
	l := w.Ledger()
	payment, refund := l.Trades[0], l.Refunds[0]
	want := []string{payment.Paid.In(beijing).Format(dateTime), w.cfg.AppID, w.cfg.MchID, "0", "", payment.TransactionID, "bill001", payment.OpenID, "JSAPI", "SUCCESS",
		payment.BankType, "CNY", "8.80", "0.00", "0", "0", "0.00", "0.00", "", "", "山岚小铺-茶", "a & b", "0.05000", "0.60%", "8.80", "0.00", ""}
	if diff := cmp.Diff(want, lines[1]); diff != "" {
		t.Error(diff)
	}
	want = []string{refund.Created.In(beijing).Format(dateTime), w.cfg.AppID, w.cfg.MchID, "0", "", payment.TransactionID, "bill001", payment.OpenID, "JSAPI", "REFUND",
		payment.BankType, "CNY", "0.00", "0.00", refund.RefundID, "r-1", "3.00", "0.00", "ORIGINAL", "SUCCESS", "山岚小铺-茶", "a & b", "-0.02000", "0.60%", "0.00", "3.00", ""}
	if diff := cmp.Diff(want, lines[3]); diff != "" {
		t.Error(diff)
	}
	// 880 + 100000 fen paid, 300 + 50000 refunded, 5 + 600 - 2 - 300 in fees.
	if diff := cmp.Diff([]string{"4.0", "1008.80", "503.00", "0.00", "3.03", "1008.80", "503.00"}, lines[6]); diff != "" {
		t.Error(diff)
	}
	// No quoting: a name with the separator in it makes cells too many.
	if !strings.Contains(text, ",`a, b,`c,`a & b,`6.00000,") {
		t.Error(text)
	}
	if text != w.Bill(l.Trades[0].Paid) {
		t.Error("Bill returns another bill")
	}
}

func TestBillTypes(t *testing.T) {
	w := aDay(t)
	for kind, want := range map[string]struct{ columns, rows int }{"ALL": {27, 4}, "SUCCESS": {20, 2}, "REFUND": {29, 2}, "RECHARGE_REFUND": {29, 1}} {
		text := w.fetchBill("20260301", "bill_type", kind, "sign_type", signHMAC)
		lines := cells(text)
		if len(lines[0]) != want.columns || len(lines) != want.rows+3 {
			t.Errorf("%s: %d columns, %d lines\n%s", kind, len(lines[0]), len(lines), text)
		}
	}
	if refund := cells(w.fetchBill("20260301", "bill_type", "REFUND"))[1]; refund[14] != refund[0] || refund[15] == "" || refund[21] != "SUCCESS" {
		t.Errorf("%v", refund)
	}
}

// A refund is in the bill as it was when the bill was made.
func TestBillShowsTheRefundsOfItsMorning(t *testing.T) {
	w := newWorld(t, plain, tame, func(c *Config) { c.RefundTime = 26 * time.Hour })
	w.paid("late001")
	w.refunded("late001", "r-1", "880")
	w.Advance(48 * time.Hour)
	if got := w.Ledger().Refunds[0].Status; got != RefundSuccess {
		t.Fatal(got)
	}
	if line := cells(w.fetchBill("20260301"))[2]; line[19] != RefundProcessing {
		t.Errorf("%v", line)
	}
	if got := w.noBill("20260302"); got != "No Bill Exist 20002" {
		t.Errorf("the refund's end is no row: %s", got)
	}
}

// GZIP is a gzip stream (docs/wechat.md 12.5).
func TestBillAsGZIP(t *testing.T) {
	w := aDay(t)
	rec := w.do("POST", pathDownloadBill, signedXML(w.billing("20260301", "tar_type", "GZIP"), w.cfg.APIKey))
	z, err := gzip.NewReader(rec.Body)
	if err != nil || rec.Header().Get("Content-Encoding") != "" {
		t.Fatalf("%v %v", err, rec.Header())
	}
	b, err := io.ReadAll(z)
	if err != nil || string(b) != w.fetchBill("20260301") {
		t.Errorf("%v %s", err, b)
	}
	if m := w.Messages(0)[len(w.Messages(0))-2]; !strings.HasPrefix(m.Response, "\ufeff交易时间") {
		t.Errorf("the log shows %q", m.Response)
	}
}

// A bill is made from 9:00 of the next day in Beijing, and ready from 10:00, for three
// months. A day without trades has none (docs/wechat.md 12.1, 12.4).
func TestWhenThereIsABill(t *testing.T) {
	w := newWorld(t, tame) // 10:00
	w.paid("when001")
	for _, tt := range []struct {
		advance time.Duration
		day     string
		want    string
	}{
		{0, "20260301", "No Bill Exist 20002"},
		{0, "20260302", "No Bill Exist 20002"},
		{0, "20260228", "No Bill Exist 20002"}, // a day without trades
		{22*time.Hour + 58*time.Minute, "20260301", "No Bill Exist 20002"},
		{3 * time.Minute, "20260301", "Bill Creating"},
		{time.Hour, "20260301", ""},
		{90 * 24 * time.Hour, "20260301", ""},
		{4 * 24 * time.Hour, "20260301", "No Bill Exist 20002"},
	} {
		w.Advance(tt.advance)
		if tt.want == "" {
			w.fetchBill(tt.day)
		} else if got := w.noBill(tt.day); got != tt.want {
			t.Errorf("%s at %s: %q, want %q", tt.day, w.Now().In(beijing).Format(dateTime), got, tt.want)
		}
	}
}

func TestBillDeclines(t *testing.T) {
	w := aDay(t)
	for _, tt := range []struct {
		day  string
		more []string
		want string
	}{
		{"", nil, "missing parameter 20001"},
		{"2026-03-01", nil, "data format error 20001"},
		{"20260230", nil, "data format error 20001"},
		{"202603011", nil, "data format error 20001"},
		{"20260301", []string{"bill_type", "EVERYTHING"}, "invalid bill_type 20001"},
		{"20260301", []string{"tar_type", "ZIP"}, "data format error 20001"},
	} {
		if got := w.noBill(tt.day, tt.more...); got != tt.want {
			t.Errorf("%s %v: %q, want %q", tt.day, tt.more, got, tt.want)
		}
	}
	got := w.reply(w.do("POST", pathDownloadBill, signedXML(w.billing("20260301"), strings.Repeat("1", 32))), "")
	if valueOf(got, "return_msg") != "SIGN ERROR" {
		t.Errorf("%v", got)
	}
}

// The faults change the bill, not the ledger, and the totals with the rows.
func TestBillFaults(t *testing.T) {
	w := aDay(t)
	for _, tt := range []struct {
		kind, says string
		totals     []string
	}{
		{FaultBillRowLost, "bill001 is not in it", []string{"3.0", "1000.00", "503.00"}},
		{FaultBillRowChanged, "bill001 is a fen more", []string{"4.0", "1008.81", "503.00"}},
		{FaultBillRowAdded, "nobody ordered SIM", []string{"5.0", "2008.80", "503.00"}},
	} {
		if err := w.AddFault(Fault{Kind: tt.kind}); err != nil {
			t.Fatal(err)
		}
		lines := cells(w.fetchBill("20260301"))
		if diff := cmp.Diff(tt.totals, lines[len(lines)-1][:3]); diff != "" || !strings.Contains(w.last().Note, tt.says) {
			t.Errorf("%s: %s %q", tt.kind, diff, w.last().Note)
		}
	}
	if lines := cells(w.fetchBill("20260301")); lines[6][1] != "1008.80" {
		t.Errorf("%v", lines[6])
	}
	for kind, want := range map[string]string{FaultBillCreating: "Bill Creating", FaultSystemError: "SYSTEMERROR"} {
		if err := w.AddFault(Fault{Kind: kind}); err != nil {
			t.Fatal(err)
		}
		if got := w.noBill("20260301"); got != want {
			t.Errorf("%s: %q", kind, got)
		}
	}
}
