package wechat

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// closed is WeChat's response to closing an order; it does not name it.
func closed() message {
	return message{
		"return_code": "SUCCESS", "return_msg": "OK", "result_code": "SUCCESS", "result_msg": "OK",
		"appid": testAppID, "mch_id": testMchID, "nonce_str": "n",
	}
}

func TestCloseOrder(t *testing.T) {
	for name, body := range map[string]string{
		"plain": closed().signed(SignHMAC), "MD5": closed().signed(SignMD5), "named": closed().with("out_trade_no", testNo).signed(SignHMAC),
	} {
		c, s := newClient(t, says(body))
		if err := c.CloseOrder(t.Context(), testNo, time.Time{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.urls[0].String() != "https://api.mch.weixin.qq.com/pay/closeorder" {
			t.Errorf("sent to %s", s.urls[0])
		}
		sent := readMessage(t, s.bodies[0])
		if sent["sign"] != sent.digest(testKey, SignHMAC) {
			t.Error("the request is badly signed")
		}
		want := message{"appid": testAppID, "mch_id": testMchID, "out_trade_no": testNo, "sign_type": "HMAC-SHA256"}
		if diff := cmp.Diff(want, sent.with("sign", "-", "nonce_str", "-")); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
	}
}

func TestCloseOrderKeepsTheFiveMinuteRule(t *testing.T) {
	now := time.Unix(1772330400, 0)
	for _, age := range []time.Duration{0, time.Second, MinCloseAge - 1, -time.Hour} {
		c, _ := newClient(t, unread(t))
		err := c.CloseOrder(t.Context(), testNo, now.Add(-age))
		wantError(t, err, Retry, "")
	}
	for _, age := range []time.Duration{MinCloseAge, time.Hour} {
		c, _ := newClient(t, says(closed().signed(SignHMAC)))
		if err := c.CloseOrder(t.Context(), testNo, now.Add(-age)); err != nil {
			t.Errorf("%v old: %v", age, err)
		}
	}
}

func TestCloseOrderReplies(t *testing.T) {
	good := closed()
	replies := commonReplies(good)
	replies["another order"] = reply{good.with("out_trade_no", testNo+"2").signed(SignHMAC), Untrusted, ""}
	replies["odd state"] = reply{good.with("result_code", "FAIL", "err_code", "TRADE_STATE_ERROR").signed(SignHMAC), Declined, "TRADE_STATE_ERROR"}
	for name, r := range replies {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, says(r.body))
			wantError(t, c.CloseOrder(t.Context(), testNo, time.Time{}), r.kind, r.code)
		})
	}
}

func TestCloseOrderOfAMalformedNumberIsNotSent(t *testing.T) {
	c, _ := newClient(t, unread(t))
	for _, no := range []string{"", "12345", "a b c d", strings.Repeat("1", 33)} {
		wantError(t, c.CloseOrder(t.Context(), no, time.Time{}), Developer, "PARAM_ERROR")
	}
}
