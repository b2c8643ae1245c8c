package wechat

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// refunded is WeChat's response to a query for the refunds of testNo with the given
// numbers, 100 fen each.
func refunded(numbers ...string) message {
	m := message{
		"return_code": "SUCCESS", "result_code": "SUCCESS", "return_msg": "OK", "appid": testAppID, "mch_id": testMchID, "nonce_str": "n",
		"transaction_id": "4200000000202603010000000001", "out_trade_no": testNo, "total_fee": "10000", "cash_fee": "10000", "fee_type": "CNY",
		"refund_count": strconv.Itoa(len(numbers)),
	}
	for i, no := range numbers {
		for name, v := range map[string]string{
			"out_refund_no": no, "refund_id": "500000" + strconv.Itoa(i), "refund_fee": "100", "settlement_refund_fee": "90", "refund_channel": "ORIGINAL",
			"refund_account": "REFUND_SOURCE_UNSETTLED_FUNDS", "refund_recv_accout": "支付用户零钱", "refund_status": "SUCCESS",
			"refund_success_time": "2026-03-01 07:30:15",
		} {
			m[fmt.Sprintf("%s_%d", name, i)] = v
		}
	}
	return m
}

func TestQueryRefundStates(t *testing.T) {
	at := time.Date(2026, 2, 28, 23, 30, 15, 0, time.UTC)
	for _, tt := range []struct {
		status, time string
		state        RefundState
		at           time.Time
	}{
		{"SUCCESS", "2026-03-01 07:30:15", RefundSuccess, at},
		{"SUCCESS", "", RefundSuccess, time.Time{}},
		{"SUCCESS", "-", RefundSuccess, time.Time{}},
		{"PROCESSING", "-", RefundProcessing, time.Time{}},
		{"PROCESSING", "never", RefundProcessing, time.Time{}},
		{"REFUNDCLOSE", "", RefundClosed, time.Time{}},
		{"CHANGE", "2026-03-01 07:30:15", RefundAbnormal, time.Time{}},
		{"FAIL", "-", RefundAbnormal, time.Time{}},
		{"NEW_STATE", "-", "NEW_STATE", time.Time{}},
	} {
		c, s := newClient(t, says(refunded(testRefundNo).with("refund_status_0", tt.status, "refund_success_time_0", tt.time).signed(SignHMAC)))
		got, err := c.QueryRefund(t.Context(), testRefundNo)
		if err != nil {
			t.Fatalf("%s: %v", tt.status, err)
		}
		want := Refund{
			Version:    V2,
			OutTradeNo: testNo, OutRefundNo: testRefundNo, TransactionID: "4200000000202603010000000001", RefundID: "5000000",
			Total: 10000, Amount: 100, State: tt.state, RefundedAt: tt.at,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.status, diff)
		}
		if s.urls[0].String() != "https://api.mch.weixin.qq.com/pay/refundquery" {
			t.Errorf("sent to %s", s.urls[0])
		}
		sent := readMessage(t, s.bodies[0])
		if sent["sign"] != sent.digest(testKey, SignHMAC) {
			t.Error("the request is badly signed")
		}
		wantSent := message{"appid": testAppID, "mch_id": testMchID, "out_refund_no": testRefundNo, "sign_type": "HMAC-SHA256"}
		if diff := cmp.Diff(wantSent, sent.with("sign", "-", "nonce_str", "-")); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
	}
}

func TestQueryRefundReturnsTheQueriedRefund(t *testing.T) {
	c, _ := newClient(t, says(refunded("R1", "R2", testRefundNo, "R3").with("refund_fee_2", "7", "refund_status_2", "PROCESSING").signed(SignMD5)))
	got, err := c.QueryRefund(t.Context(), testRefundNo)
	if err != nil || got.OutRefundNo != testRefundNo || got.Amount != 7 || got.RefundID != "5000002" || got.State != RefundProcessing {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestQueryRefundReplies(t *testing.T) {
	good := refunded(testRefundNo)
	replies := commonReplies(good)
	replies["unknown"] = reply{good.with("result_code", "FAIL", "err_code", "REFUNDNOTEXIST").signed(SignHMAC), Declined, CodeRefundNotExist}
	for name, m := range badRefunds(good.with("total_fee", "880"), "_0") {
		replies[name] = reply{m.signed(SignHMAC), Untrusted, ""}
	}
	for name, change := range map[string][]string{
		"another refund":            {"out_refund_no_0", testRefundNo + "2"},
		"another case":              {"out_refund_no_0", strings.ToLower(testRefundNo)},
		"no refunds":                {"out_refund_no_0", "-"},
		"without an index":          {"out_refund_no_0", "-", "out_refund_no", testRefundNo},
		"no refund_count":           {"refund_count", "-"},
		"refund_count more":         {"refund_count", "2"},
		"refund_count less":         {"refund_count", "0"},
		"odd refund_count":          {"refund_count", "1.0"},
		"odd total_refund_count":    {"total_refund_count", "-1"},
		"no refund_status":          {"refund_status_0", "-"},
		"odd time":                  {"refund_success_time_0", "20260301073015"},
		"time, fraction":            {"refund_success_time_0", "2026-03-01 07:30:1."},
		"time, hour of one digit":   {"refund_success_time_0", "2026-03-01  7:30:15"},
		"time, 31 February":         {"refund_success_time_0", "2026-02-31 07:30:15"},
		"second refund, incomplete": {"refund_count", "2", "out_refund_no_1", "R2"},
	} {
		replies[name] = reply{good.with(change...).signed(SignHMAC), Untrusted, ""}
	}
	for name, r := range replies {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, says(r.body))
			got, err := c.QueryRefund(t.Context(), testRefundNo)
			wantError(t, err, r.kind, r.code)
			if got != (Refund{}) {
				t.Errorf("%+v was returned with the error", got)
			}
		})
	}
}

// refundLedger answers refundquery by the order, ten refunds at a time.
func refundLedger(t *testing.T, n int) answer {
	return func(_ *http.Request, body []byte) (*http.Response, error) {
		sent := readMessage(t, string(body))
		if sent["out_trade_no"] != testNo || sent["out_refund_no"] != "" || sent["offset"] == "0" {
			t.Errorf("sent %v", sent)
		}
		offset, _ := strconv.Atoi(sent["offset"])
		var numbers []string
		for i := offset; i < min(n, offset+10); i++ {
			numbers = append(numbers, "R"+strconv.Itoa(i))
		}
		m := refunded(numbers...)
		if len(numbers) == 0 {
			m = m.with("result_code", "FAIL", "err_code", "REFUNDNOTEXIST")
		}
		if n > 10 {
			m["total_refund_count"] = strconv.Itoa(n)
		}
		return respond(http.StatusOK, m.signed(SignHMAC)), nil
	}
}

func TestQueryRefundsTurnsThePages(t *testing.T) {
	for n, calls := range map[int]int{0: 1, 1: 1, 9: 1, 10: 1, 11: 2, 20: 2, 36: 4, 50: 5} {
		c, s := newClient(t, refundLedger(t, n))
		got, err := c.QueryRefunds(t.Context(), testNo)
		if err != nil || len(got) != n || len(s.urls) != calls {
			t.Errorf("%d: %d refunds after %d calls, %v", n, len(got), len(s.urls), err)
		}
		for i, r := range got {
			if r.OutRefundNo != "R"+strconv.Itoa(i) || r.Amount != 100 || r.State != RefundSuccess {
				t.Errorf("%d: %+v", i, r)
			}
		}
	}
}

func TestQueryRefundsEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		answer answer
		kind   Kind
		code   string
	}{
		"51 refunds":       {refundLedger(t, 51), Untrusted, ""},
		"fewer than there": {says(refunded("R0", "R1").with("total_refund_count", "1").signed(SignHMAC)), Untrusted, ""},
		"the same again":   {says(refunded("R0", "R1").with("total_refund_count", "4").signed(SignHMAC)), Untrusted, ""},
		"a refund twice":   {says(refunded("R0", "R0").signed(SignHMAC)), Untrusted, ""},
		"another order":    {says(refunded("R0").with("out_trade_no", testNo+"2").signed(SignHMAC)), Untrusted, ""},
		"ends early": {func(r *http.Request, body []byte) (*http.Response, error) {
			if readMessage(t, string(body))["offset"] != "" {
				return respond(http.StatusOK, refunded().with("result_code", "FAIL", "err_code", "REFUNDNOTEXIST").signed(SignHMAC)), nil
			}
			return refundLedger(t, 12)(r, body)
		}, Declined, CodeRefundNotExist},
		"busy": {says(refunded().with("result_code", "FAIL", "err_code", "SYSTEMERROR").signed(SignHMAC)), Retry, "SYSTEM_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newClient(t, tt.answer)
			got, err := c.QueryRefunds(t.Context(), testNo)
			wantError(t, err, tt.kind, tt.code)
			if got != nil || len(s.urls) > 6 {
				t.Errorf("%v after %d calls", got, len(s.urls))
			}
		})
	}
}

func TestQueryRefundOfAMalformedNumberIsNotSent(t *testing.T) {
	c, _ := newClient(t, unread(t))
	for _, no := range []string{"", "a b", "茶", strings.Repeat("1", 65), "x&y"} {
		_, err := c.QueryRefund(t.Context(), no)
		wantError(t, err, Developer, "PARAM_ERROR")
		_, err = c.QueryRefunds(t.Context(), no)
		wantError(t, err, Developer, "PARAM_ERROR")
	}
}
