package wechat

import (
	"bytes"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// theBill is the bill of 1 March 2026 in testdata/bill.csv. It is written by hand in the form of
// published bills. It has a byte order mark, CRLF, commas and backticks in names, and rows of
// another appid.
func theBill(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/bill.csv")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseBill(t *testing.T) {
	c, _ := newClient(t, unread(t))
	got, err := c.ParseBill(theBill(t))
	if err != nil {
		t.Fatal(err)
	}
	beijing := func(h, m, s int) time.Time { return time.Date(2026, 3, 1, h-8, m, s, 0, time.UTC) }
	payment := BillRow{
		Time: beijing(7, 30, 15), AppID: testAppID, MchID: testMchID, TransactionID: "4200000000202603010000000001", OutTradeNo: testNo,
		OpenID: testOpenID, TradeType: TradeJSAPI, State: StateSuccess, Currency: "CNY", Total: 880, Settled: 780, Coupon: 100,
		Body: "山岚小铺 - 茶", Attach: "a=1", Fee: 5000, Rate: "0.60%",
	}
	awkward := payment
	awkward.Time, awkward.TransactionID, awkward.OutTradeNo = beijing(9, 0, 0), "4200000000202603010000000002", "H5PAY20260301_0002"
	awkward.TradeType, awkward.Total, awkward.Settled, awkward.Coupon = TradeNative, 1, 1, 0
	awkward.Body, awkward.Attach, awkward.Fee = "a, b,`9999.99,`", "", 0
	refund := payment
	refund.Time, refund.State, refund.Total, refund.Settled, refund.Coupon = beijing(23, 59, 59), StateRefund, 0, 0, 0
	refund.RefundID, refund.OutRefundNo, refund.Refund, refund.SettledBack, refund.CouponBack = "50000000002026030100000000001", testRefundNo, 300, 250, 50
	refund.RefundState, refund.Attach, refund.Fee = RefundSuccess, "", -2000
	foreign := awkward
	foreign.Time, foreign.AppID, foreign.TransactionID, foreign.OutTradeNo = beijing(12, 0, 0), "wxffffffffffffffff", "4200000000202603010000000003", "till|7*@1"
	foreign.TradeType, foreign.Total, foreign.Settled, foreign.Body = "MICROPAY", 1200000050, 1200000050, "=1+1"
	foreign.OpenID = "oOther"
	want := Bill{
		Rows: []BillRow{payment, awkward, refund, foreign}, Total: 1200000931, Refund: 300, Settled: 1200000831, SettledBack: 250, Fee: 3000,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bill (-want +got):\n%s", diff)
	}
}

// Columns are found by name, so new columns and another order are accepted.
func TestParseBillFindsColumnsByName(t *testing.T) {
	text := string(theBill(t))
	head, rest, _ := strings.Cut(text, "\r\n")
	var b strings.Builder
	b.WriteString("\ufeff新列," + strings.TrimPrefix(head, "\ufeff") + ",末列\n")
	for line := range strings.SplitSeq(rest, "\r\n") {
		if strings.HasPrefix(line, "`2026") {
			line = "`," + line + ",`x"
		}
		b.WriteString(line + "\n")
	}
	c, _ := newClient(t, unread(t))
	want, err := c.ParseBill([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.ParseBill([]byte(strings.TrimSuffix(b.String(), "\n")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bill (-want +got):\n%s", diff)
	}
}

func TestParseBillOfNothing(t *testing.T) {
	text := string(theBill(t))
	head, _, _ := strings.Cut(text, "\r\n")
	empty := head + "\n总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n`0.0,`0.00,`0,`0.0,`0.00000,`0.00,`0\n"
	c, _ := newClient(t, unread(t))
	if got, err := c.ParseBill([]byte(empty)); err != nil || len(got.Rows) != 0 || got.Total != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestParseBillRejectsWrongTotals(t *testing.T) {
	good := string(theBill(t))
	lines := strings.Split(strings.TrimSuffix(good, "\r\n"), "\r\n")
	const first, sums = 1, 6 // of lines: the first row, the totals
	line := func(i int, old, new string) string {
		changed := slices.Clone(lines)
		if changed[i] = strings.Replace(changed[i], old, new, 1); changed[i] == lines[i] {
			t.Fatalf("line %d has no %q", i, old)
		}
		return strings.Join(changed, "\r\n")
	}
	for name, tt := range map[string]struct{ body, want string }{
		"nothing":              {"", "line 1"},
		"HTML":                 {"<html></html>", "line 1"},
		"names only":           {lines[0], "line 2"},
		"not UTF-8":            {line(first, "茶", "\xd6\xd0"), "not UTF-8"},
		"UTF-16":               {"\xff\xfe" + good, "not UTF-8"},
		"too long":             {good + strings.Repeat("\n", maxBill), "8 MiB"},
		"endless names":        {line(0, "费率备注", strings.Repeat("x,", 1<<12)), "line 1"},
		"a name missing":       {line(0, ",商户号", ""), "line 1"},
		"a name twice":         {line(0, "设备号", "订单金额"), "line 1"},
		"a row missing":        {strings.Join(slices.Delete(slices.Clone(lines), 2, 3), "\n"), "line 6"},
		"a row twice":          {strings.Join(slices.Insert(slices.Clone(lines), 2, lines[2]), "\n"), "line 8"},
		"no totals":            {strings.Join(lines[:5], "\r\n"), "line 6"},
		"names of totals only": {strings.Join(lines[:6], "\r\n"), "line 7"},
		"cut in a row":         {good[:strings.Index(good, "`0.60%")], "line 2"},
		"cut in the totals":    {strings.TrimSuffix(good, ",`3.00\r\n"), "line 7"},
		"something after":      {good + "`x\n", "line 8"},
		"bill twice":           {good + good, "line 8"},
		"row without backtick": {line(first, "`2026", "2026"), "line 2"},
		"cell without one":     {line(first, ",`JSAPI", ",JSAPI"), "line 2"},
		"cells too many":       {line(first, ",`a=1", strings.Repeat(",`", 200)), "line 2"},
		"another merchant":     {line(first, testMchID, "1230000110"), "line 2"},
		"odd time":             {line(first, "2026-03-01 07:30:15", "2026/03/01 07:30:15"), "line 2 of the bill: 交易时间: want a time"},
		"no time":              {line(first, "2026-03-01 07:30:15", ""), "line 2"},
		"no state":             {line(first, "`SUCCESS", "`"), "line 2"},
		"no transaction":       {line(first, "`4200000000202603010000000001", "`0"), "line 2"},
		"no number":            {line(first, testNo, ""), "line 2"},
		"another amount":       {line(first, "`8.80", "`8.81"), "line 7"},
		"half a fen":           {line(first, "`8.80", "`8.805"), "line 2 of the bill: 订单金额: want a number of yuan"},
		"negative amount":      {line(first, "`8.80", "`-8.80"), "line 2"},
		"negative nought":      {line(first, "`8.80", "`-0"), "line 2"},
		"no amount":            {line(first, "`8.80", "`"), "line 2"},
		"thousands":            {line(first, "`8.80", "`1 008.80"), "line 2"},
		"exponent":             {line(first, "`8.80", "`88e-1"), "line 2"},
		"huge amount":          {line(first, "`8.80", "`999999999999"), "line 2"},
		"odd fee":              {line(first, "`0.05000", "`0.050000"), "line 2 of the bill: 手续费: want a number of yuan"},
		"another count":        {line(sums, "`4.0", "`5.0"), "line 7"},
		"count of 4.01":        {line(sums, "`4.0", "`4.01"), "line 7"},
		"no count":             {line(sums, "`4.0", "`"), "line 7"},
		"another total":        {line(sums, "`12000009.31", "`12000009.3"), "line 7"},
		"another refund total": {line(sums, "`3.00", "`3.01"), "line 7"},
		"totals, cell more":    {line(sums, "`3.00", "`3.00,`1"), "line 7"},
		"settled differs":      {line(sums, "`12000008.31", "`12000008.32"), "line 7"},
		"settled back differs": {line(sums, "`2.50", "`2.5001"), "line 7"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, unread(t))
			got, err := c.ParseBill([]byte(tt.body))
			wantError(t, err, Untrusted, "")
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want %q: %v", tt.want, err)
			}
			if got.Rows != nil || got.Total != 0 {
				t.Errorf("%+v was returned with the error", got)
			}
		})
	}
}

func TestParseFee(t *testing.T) {
	for in, want := range map[string]Fee{"0.00000": 0, "-0.01000": -1000, "0.00600": 600, "0.00001": 1, "-1": -100000} {
		if got, ok := parseFee(in); !ok || got != want {
			t.Errorf("%q is %d, %v", in, got, ok)
		}
	}
}

// afternoon is a clock at which the bill of 1 March 2026 is ready.
func afternoon(cfg *Config) {
	cfg.Now = func() time.Time { return time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC) }
}

var march1 = time.Date(2026, 2, 28, 16, 0, 0, 0, time.UTC) // its midnight in Beijing

func TestDownloadBill(t *testing.T) {
	for _, algorithm := range []SignType{SignMD5, SignHMAC} {
		c, s := newClient(t, says(string(theBill(t))), afternoon, func(cfg *Config) { cfg.SignType = algorithm })
		for _, day := range []time.Time{march1, march1.Add(24*time.Hour - 1)} {
			got, err := c.DownloadBill(t.Context(), day)
			if err != nil || len(got.Rows) != 4 || got.Total != 1200000931 {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		if s.urls[0].String() != "https://api.mch.weixin.qq.com/pay/downloadbill" {
			t.Errorf("sent to %s", s.urls[0])
		}
		for _, body := range s.bodies {
			sent := readMessage(t, body)
			if sent["sign"] != sent.digest(testKey, algorithm) {
				t.Error("the request is badly signed")
			}
			want := message{"appid": testAppID, "mch_id": testMchID, "bill_date": "20260301", "bill_type": "ALL", "sign_type": string(algorithm)}
			if diff := cmp.Diff(want, sent.with("sign", "-", "nonce_str", "-")); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		}
	}
}

func TestDownloadBillWaitsUntilItIsReady(t *testing.T) {
	ready := time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC) // ten in Beijing
	for _, now := range []time.Time{ready.Add(-1), march1, march1.Add(-time.Hour)} {
		c, _ := newClient(t, unread(t), func(cfg *Config) { cfg.Now = func() time.Time { return now } })
		_, err := c.DownloadBill(t.Context(), march1)
		wantError(t, err, Retry, "")
	}
	c, _ := newClient(t, says(string(theBill(t))), func(cfg *Config) { cfg.Now = func() time.Time { return ready } })
	if _, err := c.DownloadBill(t.Context(), march1.Add(23*time.Hour)); err != nil {
		t.Error(err)
	}
}

func TestDownloadBillOfADayWithoutTrades(t *testing.T) {
	for name, m := range map[string]message{
		"text":        {"return_code": "FAIL", "return_msg": "No Bill Exist"},
		"other case":  {"return_code": "FAIL", "return_msg": "NO Bill Exist"},
		"code":        {"return_code": "FAIL", "return_msg": "?", "error_code": "20002"},
		"text & code": {"return_code": "FAIL", "return_msg": "No Bill Exist", "error_code": "20002"},
	} {
		c, _ := newClient(t, says(m.xml()), afternoon)
		if got, err := c.DownloadBill(t.Context(), march1); err != nil || got.Rows != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestDownloadBillReplies(t *testing.T) {
	fail := func(text string) answer { return says(message{"return_code": "FAIL", "return_msg": text}.xml()) }
	for name, tt := range map[string]struct {
		answer answer
		kind   Kind
	}{
		"not ready":         {fail("Bill Creating"), Retry},
		"busy":              {fail("SYSTEMERROR"), Retry},
		"gzip":              {fail("CompressGZip Error"), Retry},
		"bad type":          {fail("invalid bill_type"), Developer},
		"bad date":          {fail("data format error"), Developer},
		"missing parameter": {fail("missing parameter"), Developer},
		"bad sign":          {fail("SIGN ERROR"), Operator},
		"unknown":           {fail("no: " + testKey), Declined},
		"no words":          {says("<xml><return_code>FAIL</return_code></xml>"), Declined},
		"success in XML":    {says(message{"return_code": "SUCCESS", "error_code": "20002"}.signed(SignHMAC)), Untrusted},
		"half a message":    {says("<xml><return_code>FAIL"), Untrusted},
		"DOCTYPE":           {says("<!DOCTYPE a><xml><return_code>FAIL</return_code><error_code>20002</error_code></xml>"), Untrusted},
		"HTML":              {says("\n<html><body>502</body></html>"), Retry},
		"nothing":           {says(""), Retry},
		"a mark":            {says("\ufeff\r\n"), Retry},
		"503":               {status(http.StatusServiceUnavailable, ""), Retry},
		"404":               {status(http.StatusNotFound, ""), Operator},
		"text":              {says("upstream connect error"), Untrusted},
		"gzip bytes":        {says("\x1f\x8b\x08\x00\x00"), Untrusted},
		"half a bill":       {says(string(bytes.TrimSuffix(theBill(t), []byte("`3.00\r\n")))), Untrusted},
		"too long":          {says(strings.Repeat("x", maxBill+1)), Untrusted},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, tt.answer, afternoon)
			got, err := c.DownloadBill(t.Context(), march1)
			e := wantError(t, err, tt.kind, "")
			if e.Op != "downloadbill" || got.Rows != nil {
				t.Errorf("%q, %+v", e.Op, got)
			}
		})
	}
}
