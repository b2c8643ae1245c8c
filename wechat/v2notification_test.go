package wechat

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePayment(t *testing.T) {
	dollars := paidTrade()
	dollars.Currency = "USD"
	downgraded := paidTrade()
	downgraded.Downgraded = true
	for name, tt := range map[string]struct {
		body string
		want Trade
	}{
		"HMAC":               {paid().signed(SignHMAC), paidTrade()},
		"MD5":                {paid().signed(SignMD5), downgraded},
		"sign_type":          {paid().with("sign_type", "HMAC-SHA256").signed(SignHMAC), paidTrade()},
		"wrong sign_type":    {paid().with("sign_type", "HMAC-SHA256").signed(SignMD5), downgraded},
		"unknown fields":     {paid().with("new_field", "x & <y>", "coupon_id_10", "1", "coupon_id_2", "1", "version", "").signed(SignHMAC), paidTrade()},
		"no currency":        {paid().with("fee_type", "-").signed(SignHMAC), paidTrade()},
		"empty currency":     {paid().with("fee_type", "").signed(SignHMAC), paidTrade()},
		"other currency":     {paid().with("fee_type", "USD").signed(SignHMAC), dollars},
		"coupons, unindexed": {paid().with("coupon_id", "1", "coupon_type", "CASH").signed(SignHMAC), paidTrade()},
		"trade_state too":    {paid().with("trade_state", "SUCCESS").signed(SignHMAC), paidTrade()},
		"CDATA":              {string(write(append(fieldsOf(paid()), Field{"sign", paid().digest(testKey, SignHMAC)}))), paidTrade()},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, unread(t))
			got, err := c.ParsePayment([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("trade (-want +got):\n%s", diff)
			}
		})
	}
}

// At an MD5 account every notification is signed with MD5.
func TestMD5IsNoDowngradeAtAnMD5Account(t *testing.T) {
	for _, signed := range []SignType{SignMD5, SignHMAC} {
		c, _ := newClient(t, unread(t), func(cfg *Config) { cfg.SignType = SignMD5 })
		if got, err := c.ParsePayment([]byte(paid().signed(signed))); err != nil || got.Downgraded {
			t.Errorf("%s: %+v, %v", signed, got, err)
		}
	}
}

func TestParsePaymentOfAFailedOne(t *testing.T) {
	c, _ := newClient(t, unread(t))
	got, err := c.ParsePayment([]byte(paid().with("result_code", "FAIL", "err_code", "SYSTEMERROR", "total_fee", "-", "transaction_id", "-", "time_end", "-").signed(SignHMAC)))
	if err != nil || got.State != StatePayError || got.Paid() || got.OutTradeNo != testNo || got.TotalFee != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestParsePaymentRejectsForgeries(t *testing.T) {
	good := paid()
	sign := good.digest(testKey, SignHMAC)
	bodies := map[string]string{
		"no sign":                  good.xml(),
		"empty sign":               good.with("sign", "").xml(),
		"random sign":              good.with("sign", strings.Repeat("0", 64)).xml(),
		"one digit changed":        good.with("sign", map[bool]string{true: "1", false: "0"}[sign[0] == '0']+sign[1:]).xml(),
		"sign of 40 digits":        good.with("sign", "70EA570631E4BB79628FBCA90534C63FF7FADD89").xml(),
		"half a sign":              good.with("sign", sign[:32]).xml(),
		"signed with AppSecret":    good.with("sign", good.digest(testSecret, SignHMAC)).xml(),
		"signed with no key":       good.with("sign", good.digest("", SignMD5)).xml(),
		"amount changed":           good.with("sign", sign, "total_fee", "1").xml(),
		"order changed":            good.with("sign", sign, "out_trade_no", testNo+"2").xml(),
		"field added":              good.with("sign", sign, "attach2", "x").xml(),
		"field removed":            good.with("sign", sign, "attach", "-").xml(),
		"value moved":              good.with("sign", sign, "attach", "a", "b", " b").xml(),
		"other appid":              good.with("appid", "wxffffffffffffffff").signed(SignHMAC),
		"other mch_id":             good.with("mch_id", "1230000110").signed(SignHMAC),
		"no appid":                 good.with("appid", "-").signed(SignHMAC),
		"no mch_id":                good.with("mch_id", "-").signed(SignHMAC),
		"return_code FAIL":         good.with("return_code", "FAIL").signed(SignHMAC),
		"no return_code":           good.with("return_code", "-").signed(SignHMAC),
		"no result_code":           good.with("result_code", "-").signed(SignHMAC),
		"odd result_code":          good.with("result_code", "SUCCESS ").signed(SignHMAC),
		"failed, no number":        good.with("result_code", "FAIL", "out_trade_no", "-").signed(SignHMAC),
		"reply of unifiedorder":    taken().signed(SignHMAC),
		"reply of a query, unpaid": good.with("trade_state", "NOTPAY").signed(SignHMAC),
		"reply of a query, closed": good.with("trade_state", "CLOSED").signed(SignHMAC),
		"paySign":                  message{"appId": testAppID, "timeStamp": "1", "nonceStr": "n", "package": "prepay_id=x", "signType": "MD5"}.signed(SignMD5),
		"nothing":                  "",
		"HTML":                     "<html></html>",
		"JSON":                     `{"return_code":"SUCCESS"}`,
		"too long":                 strings.Replace(good.signed(SignHMAC), "<xml>", "<xml>"+strings.Repeat(" ", maxMessage), 1),
	}
	for name, r := range badTrades(good) {
		bodies[name] = r.body
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, unread(t))
			got, err := c.ParsePayment([]byte(body))
			wantError(t, err, Untrusted, "")
			if got != (Trade{}) {
				t.Errorf("%+v was returned with the error", got)
			}
		})
	}
}

func TestParsePaymentNamesTheParserRule(t *testing.T) {
	c, _ := newClient(t, unread(t))
	good := paid().signed(SignHMAC)
	for rule, body := range map[string]string{
		"document type declaration":      `<!DOCTYPE foo [<!ENTITY x SYSTEM "http://tst.qq.com/xxe_inject/1">]>` + good,
		"repeated element":               strings.Replace(good, "<xml>", "<xml><total_fee>1</total_fee>", 1),
		"nested element":                 strings.Replace(good, "a &amp; b", "<b>1</b>", 1),
		"element outside of the message": good + good,
		"prefix or attribute":            strings.Replace(good, "<total_fee>", `<total_fee x="1">`, 1),
		"comment":                        strings.Replace(good, "880", "8<!-- -->80", 1),
		"not UTF-8":                      strings.Replace(good, "a &amp; b", "\xd6\xd0", 1),
	} {
		_, err := c.ParsePayment([]byte(body))
		wantError(t, err, Untrusted, "")
		var e *ParseError
		if !errors.As(err, &e) || e.Rule != rule {
			t.Errorf("want the rule %q: %v", rule, err)
		}
	}
}

func TestAnswer(t *testing.T) {
	for _, tt := range []struct {
		ok            bool
		message, want string
	}{
		{true, "OK", "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"},
		{false, "amount", "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[amount]]></return_msg></xml>"},
		{false, "a]]>\x00\r\nb", "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[a]]]]><![CDATA[>b]]></return_msg></xml>"},
	} {
		if got := string(acknowledgementV2(tt.ok, tt.message)); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// The signed text does not say where a value ends. A field that is moved into the
// value of the field before it has to be missed.
func TestFieldMovedIntoAnotherIsRejected(t *testing.T) {
	c, _ := newClient(t, unread(t))
	usd := paid().with("fee_type", "USD", "coupon_fee", "-", "coupon_count", "-", "coupon_fee_0", "-", "coupon_type_0", "-", "device_info", "-")
	for _, sign := range []SignType{SignHMAC, SignMD5} {
		signature := usd.digest(testKey, sign)
		if trade, err := c.ParsePayment([]byte(usd.signed(sign))); err != nil || trade.Currency != "USD" {
			t.Fatalf("as it was signed: %+v, %v", trade, err)
		}
		moved := usd.with("fee_type", "-", "cash_fee", usd["cash_fee"]+"&fee_type=USD", "sign", signature)
		if moved.digest(testKey, sign) != signature {
			t.Fatal("the signature does not fit the moved field: the test tests nothing")
		}
		trade, err := c.ParsePayment([]byte(moved.xml()))
		wantError(t, err, Untrusted, "")
		if trade != (Trade{}) {
			t.Errorf("%+v", trade)
		}
		// trade_state, which makes a response differ from a notification.
		state := usd.with("trade_state", "NOTPAY")
		hidden := usd.with("total_fee", usd["total_fee"]+"&trade_state=NOTPAY", "sign", state.digest(testKey, sign))
		_, err = c.ParsePayment([]byte(hidden.xml()))
		wantError(t, err, Untrusted, "")
	}
	// Values that only look like fields are values of WeChat or the merchant.
	for _, value := range []string{"a & b", "&", "a=1&b=2", "&total_fee=1", "fee_type=USD", "x&sku=9&fee_types=1", "https://wx.tenpay.com/x?prepay_id=wx1&package=2"} {
		if trade, err := c.ParsePayment([]byte(paid().with("attach", value).signed(SignHMAC))); err != nil || trade.Attach != value {
			t.Errorf("attach %q: %+v, %v", value, trade, err)
		}
	}
}
