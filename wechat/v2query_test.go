package wechat

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// paid returns WeChat's fields of testNo when it is paid, in the response to a query or in a
// notification; orderquery adds trade_state.
func paid() message {
	return message{
		"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": testAppID, "mch_id": testMchID, "nonce_str": "n", "device_info": "WEB",
		"openid": testOpenID, "is_subscribe": "N", "trade_type": "JSAPI", "bank_type": "OTHERS", "total_fee": "880", "cash_fee": "780",
		"coupon_fee": "100", "coupon_count": "1", "coupon_fee_0": "100", "coupon_type_0": "CASH", "fee_type": "CNY",
		"transaction_id": "4200000000202603010000000001", "out_trade_no": testNo, "attach": "a & b", "time_end": "20260301073015",
	}
}

func paidTrade() Trade {
	return Trade{
		Version: V2, AppID: testAppID, MchID: testMchID, OutTradeNo: testNo, State: StateSuccess, TransactionID: "4200000000202603010000000001",
		OpenID: testOpenID, TradeType: TradeJSAPI, TotalFee: 880, Currency: "CNY", Attach: "a & b",
		PaidAt: time.Date(2026, 2, 28, 23, 30, 15, 0, time.UTC),
	}
}

func TestQueryOrderStates(t *testing.T) {
	bare := message{"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": testAppID, "mch_id": testMchID, "out_trade_no": testNo}
	unpaid := Trade{Version: V2, AppID: testAppID, MchID: testMchID, OutTradeNo: testNo}
	for state, isPaid := range map[TradeState]bool{
		StateSuccess: true, StateRefund: true, StateNotPay: false, StateClosed: false,
		StateRevoked: false, StateUserPaying: false, StatePayError: false, StateAccept: false, "NEW_STATE": false,
	} {
		t.Run(string(state), func(t *testing.T) {
			reply, want := bare, unpaid
			if isPaid {
				reply, want = paid(), paidTrade()
			}
			want.State = state
			c, s := newClient(t, says(reply.with("trade_state", string(state), "trade_state_desc", "说明").signed(SignHMAC)))
			got, err := c.QueryOrder(t.Context(), testNo)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("trade (-want +got):\n%s", diff)
			}
			if got.Paid() != isPaid {
				t.Errorf("paid is %v", got.Paid())
			}
			if got.PaidAt.Location() != time.UTC {
				t.Errorf("PaidAt is in %v", got.PaidAt.Location())
			}
			if s.urls[0].String() != "https://api.mch.weixin.qq.com/pay/orderquery" {
				t.Errorf("sent to %s", s.urls[0])
			}
			sent := readMessage(t, s.bodies[0])
			if sent["sign"] != sent.digest(testKey, SignHMAC) {
				t.Error("the request is badly signed")
			}
			want2 := message{"appid": testAppID, "mch_id": testMchID, "out_trade_no": testNo, "sign_type": "HMAC-SHA256"}
			if diff := cmp.Diff(want2, sent.with("sign", "-", "nonce_str", "-")); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

// badTrades are paid messages in which something that must be there is wrong.
func badTrades(good message) map[string]reply {
	bad := map[string]reply{}
	for name, change := range map[string][]string{
		"no out_trade_no":        {"out_trade_no", "-"},
		"no transaction_id":      {"transaction_id", "-"},
		"empty transaction_id":   {"transaction_id", ""},
		"no total_fee":           {"total_fee", "-"},
		"empty total_fee":        {"total_fee", ""},
		"total_fee with space":   {"total_fee", " 880"},
		"total_fee with newline": {"total_fee", "880\n"},
		"signed total_fee":       {"total_fee", "+880"},
		"negative total_fee":     {"total_fee", "-880"},
		"fraction":               {"total_fee", "880.0"},
		"exponent":               {"total_fee", "88e1"},
		"hexadecimal":            {"total_fee", "0x370"},
		"eleven digits":          {"total_fee", "00000000880"},
		"huge total_fee":         {"total_fee", "99999999999999999999"},
		"full-width digits":      {"total_fee", "８８０"},
		"no time_end":            {"time_end", "-"},
		"short time_end":         {"time_end", "2026030107301"},
		"fraction of a second":   {"time_end", "20260301073015.5"},
		"time_end with space":    {"time_end", "20260301073015 "},
		"time_end with dashes":   {"time_end", "2026-03-01 07:"},
		"month 13":               {"time_end", "20261301073015"},
		"31 February":            {"time_end", "20260231073015"},
		"hour 24":                {"time_end", "20260301240000"},
	} {
		bad[name] = reply{good.with(change...).signed(SignHMAC), Untrusted, ""}
	}
	return bad
}

// For a refunded order WeChat guarantees only out_trade_no, but the fields that it has must be
// right.
func TestQueryOrderOfARefundedOrder(t *testing.T) {
	good := paid().with("trade_state", "REFUND")
	bare := message{"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": testAppID, "mch_id": testMchID, "out_trade_no": testNo, "trade_state": "REFUND"}
	want := Trade{Version: V2, AppID: testAppID, MchID: testMchID, OutTradeNo: testNo, State: StateRefund, Currency: "CNY"}
	c, _ := newClient(t, says(bare.signed(SignHMAC)))
	got, err := c.QueryOrder(t.Context(), testNo)
	if err != nil || got != want || !got.Paid() {
		t.Errorf("%+v, %v", got, err)
	}
	want = paidTrade()
	want.State, want.TotalFee = StateRefund, 0
	c, _ = newClient(t, says(good.with("total_fee", "-").signed(SignHMAC)))
	if got, err = c.QueryOrder(t.Context(), testNo); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for name, r := range badTrades(good) {
		if strings.HasPrefix(name, "no ") && name != "no out_trade_no" || strings.HasPrefix(name, "empty ") {
			continue // it is optional
		}
		c, _ := newClient(t, says(r.body))
		got, err := c.QueryOrder(t.Context(), testNo)
		wantError(t, err, r.kind, r.code)
		if got != (Trade{}) {
			t.Errorf("%s: %+v was returned with the error", name, got)
		}
	}
}

func TestQueryOrderReplies(t *testing.T) {
	good := paid().with("trade_state", "SUCCESS")
	replies := commonReplies(good)
	for name, r := range badTrades(good) {
		replies[name] = r
	}
	replies["another order"] = reply{good.with("out_trade_no", testNo+"2").signed(SignHMAC), Untrusted, ""}
	replies["another case"] = reply{good.with("out_trade_no", strings.ToLower(testNo)).signed(SignHMAC), Untrusted, ""}
	replies["another order, unpaid"] = reply{good.with("out_trade_no", testNo+"2", "trade_state", "NOTPAY").signed(SignHMAC), Untrusted, ""}
	replies["no trade_state"] = reply{good.with("trade_state", "-").signed(SignHMAC), Untrusted, ""}
	replies["a reply of unifiedorder"] = reply{taken().signed(SignHMAC), Untrusted, ""}
	for name, r := range replies {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, says(r.body))
			got, err := c.QueryOrder(t.Context(), testNo)
			wantError(t, err, r.kind, r.code)
			if got != (Trade{}) {
				t.Errorf("%+v was returned with the error", got)
			}
		})
	}
}

func TestQueryOrderOfAMalformedNumberIsNotSent(t *testing.T) {
	c, _ := newClient(t, unread(t))
	for _, no := range []string{"", "12345", "a b c d", "x</out_trade_no>", strings.Repeat("1", 33)} {
		_, err := c.QueryOrder(t.Context(), no)
		wantError(t, err, Developer, "PARAM_ERROR")
	}
}
