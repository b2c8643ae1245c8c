package wechattest

import (
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// billFile downloads a bill and checks its hash.
func (m *merchant) billFile(uri string) string {
	m.t.Helper()
	link := m.v3("GET", uri, "", http.StatusOK)
	u, err := url.Parse(link["download_url"].(string))
	if err != nil {
		m.t.Fatal(err)
	}
	a := m.send(m.request("GET", u.RequestURI(), ""))
	if a.Code != http.StatusOK || a.signedBy != "" {
		m.t.Fatalf("%d, signed by %q: %s", a.Code, a.signedBy, a.Body)
	}
	text := a.Body.String()
	if strings.Contains(uri, "GZIP") {
		z, err := gzip.NewReader(a.Body)
		if err != nil {
			m.t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		if err != nil {
			m.t.Fatal(err)
		}
		text = string(b)
	}
	sum := sha1.Sum([]byte(text))
	if got := hex.EncodeToString(sum[:]); link["hash_type"] != "SHA1" || link["hash_value"] != got {
		m.t.Errorf("%s: hash %v, the file's is %s", uri, link["hash_value"], got)
	}
	return text
}

func TestV3Bills(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame) // March 1st, 10:00 in Beijing
	m.scanAndPay("bill-1")
	m.v3("POST", PathV3Refund, refundBody("bill-1", "b-1", 300), http.StatusOK)
	m.Advance(25 * time.Hour)
	day := "?bill_date=2026-03-01"
	plain := m.billFile(PathV3TradeBill + day)
	for _, want := range []string{"bill-1", "b-1", "`8.80", "`3.00", "总交易单数"} {
		if !strings.Contains(plain, want) {
			t.Errorf("the bill has no %s:\n%s", want, plain)
		}
	}
	if packed := m.billFile(PathV3TradeBill + day + "&tar_type=GZIP"); packed != plain {
		t.Errorf("packed:\n%s", packed)
	}
	if only := m.billFile(PathV3TradeBill + day + "&bill_type=REFUND"); strings.Contains(only, "SUCCESS,`CFT") || !strings.Contains(only, "退款申请时间") {
		t.Errorf("refunds alone:\n%s", only)
	}
	// 8.80 received, 0.05 paid, 3.00 paid, 0.02 returned.
	flow := m.billFile(PathV3FundFlowBill + day)
	for _, want := range []string{"收入,`8.80,`10008.80", "支出,`0.05,`10008.75", "支出,`3.00,`10005.75", "收入,`0.02,`10005.77", "`4,`2,`8.82,`2,`3.05"} {
		if !strings.Contains(flow, want) {
			t.Errorf("the fund flow has no %s:\n%s", want, flow)
		}
	}
}

// A client that calls WeChat's own host name gets a download_url under that name.
func TestV3BillUnderWeChatsName(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	m.scanAndPay("bill-1")
	m.Advance(25 * time.Hour)
	for host, want := range map[string]string{"api.mch.weixin.qq.com": "https://api.mch.weixin.qq.com/", "example.com": "http://example.com/"} {
		r := m.request("GET", PathV3TradeBill+"?bill_date=2026-03-01", "")
		r.Host = host
		if got, _ := decode(t, m.send(r).Body.String())["download_url"].(string); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", host, got)
		}
	}
}

func TestV3BillDeclines(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	m.scanAndPay("bill-1")
	code := func(uri string) any {
		t.Helper()
		return m.v3("GET", uri, "", http.StatusBadRequest)["code"]
	}
	if got := code(PathV3TradeBill + "?bill_date=2026-03-01"); got != "INVALID_REQUEST" {
		t.Errorf("today: %v", got)
	}
	m.Advance(16 * time.Hour) // March 2nd, 2:00
	if got := code(PathV3TradeBill + "?bill_date=2026-03-01"); got != "STATEMENT_CREATING" {
		t.Errorf("too early: %v", got)
	}
	m.Advance(9 * time.Hour)
	for uri, want := range map[string]string{
		PathV3TradeBill + "?bill_date=2026-02-28": "NO_STATEMENT_EXIST",
		PathV3TradeBill + "?bill_date=2025-02-28": "INVALID_REQUEST",
		PathV3TradeBill + "?bill_date=20260301":   "PARAM_ERROR",
		PathV3TradeBill + "?bill_date=2026-02-30": "PARAM_ERROR",
		PathV3TradeBill: "PARAM_ERROR",
		PathV3TradeBill + "?bill_date=2026-03-01&bill_type=NONE":       "PARAM_ERROR",
		PathV3TradeBill + "?bill_date=2026-03-01&tar_type=ZIP":         "PARAM_ERROR",
		PathV3FundFlowBill + "?bill_date=2026-03-01&account_type=FEES": "NO_STATEMENT_EXIST",
		PathV3FundFlowBill + "?bill_date=2026-03-01&bill_type=ALL":     "PARAM_ERROR",
		PathV3BillFile + "?token=unknown":                              "INVALID_REQUEST",
	} {
		if PathV3BillFile == strings.Split(uri, "?")[0] {
			if a := m.send(m.request("GET", uri, "")); a.Code != 400 || !strings.Contains(a.Body.String(), want) {
				t.Errorf("%s: %d %s", uri, a.Code, a.Body)
			}
		} else if got := code(uri); got != want {
			t.Errorf("%s: %v, want %s", uri, got, want)
		}
	}
	if err := m.AddFault(Fault{Kind: FaultBillCreating}); err != nil {
		t.Fatal(err)
	}
	if got := code(PathV3TradeBill + "?bill_date=2026-03-01"); got != "STATEMENT_CREATING" {
		t.Errorf("with the fault: %v", got)
	}
	link := m.v3("GET", PathV3TradeBill+"?bill_date=2026-03-01", "", http.StatusOK)["download_url"].(string)
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AddFault(Fault{Kind: FaultBillDamaged}); err != nil {
		t.Fatal(err)
	}
	damaged, whole := m.send(m.request("GET", u.RequestURI(), "")).Body.String(), m.send(m.request("GET", u.RequestURI(), "")).Body.String()
	if damaged == whole || len(damaged) != len(whole) {
		t.Errorf("damaged:\n%s", damaged)
	}
	m.Advance(6 * time.Minute)
	if a := m.send(m.request("GET", u.RequestURI(), "")); a.Code != 400 || !strings.Contains(a.Body.String(), "已过期") {
		t.Errorf("after five minutes: %d %s", a.Code, a.Body)
	}
}
