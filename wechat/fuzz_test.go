package wechat

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse: an accepted message is flat and unambiguous, and it is the same when it is written
// again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "<xml></xml>", "<xml><a>1</a><b><![CDATA[x]]></b></xml>", "\ufeff<?xml version='1.0' encoding='utf-8'?><xml><a/></xml>",
		"<!DOCTYPE a [<!ENTITY e 'x'>]><xml><a>&e;</a></xml>", "<xml><a>1</a><a>2</a></xml>", "<xml><a><b/></a></xml>", "<xml/>x",
		"<xml><a>]]]]><![CDATA[></a></xml>", "<xml><a>&#13;&#10;\r\n&#x1F375;</a></xml>", "<xml><a>1<!-- -->2</a></xml>", "<xml><p:a/></xml>",
		"<?xml version=\"1.0\" encoding=\"gbk\"?><xml></xml>", "<xml><a\u00b7>x</a\u00b7></xml>", "<xml><a>\x00</a></xml>", "<xml><sign/></xml>",
		paid().signed(SignHMAC), taken().signed(SignMD5),
	} {
		f.Add([]byte(seed))
	}
	for _, worst := range worstMessages {
		f.Add(worst(4 << 10))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fields, err := parse(body)
		if err != nil {
			var e *ParseError
			if !errors.As(err, &e) || e.Rule == "" || fields != nil {
				t.Fatalf("%v, %v", fields, err)
			}
			return
		}
		seen := map[string]bool{}
		for _, f := range fields {
			if f.Name == "" || seen[f.Name] || strings.ContainsAny(f.Name, ": <>\"'&") || !utf8.ValidString(f.Name+f.Value) {
				t.Fatalf("field %q", f)
			}
			seen[f.Name] = true
			if strings.ContainsFunc(f.Value, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }) {
				t.Fatalf("control character in %q", f)
			}
		}
		if strings.Contains(string(body), "<!DOCTYPE") && !strings.Contains(string(body), "CDATA") {
			t.Fatalf("a document type declaration was read: %q", body)
		}
		// A CR that was written as a reference cannot be written as text.
		for i := range fields {
			fields[i].Value = strings.ReplaceAll(fields[i].Value, "\r", "")
		}
		written := write(fields)
		again, err := parse(written)
		if err != nil {
			if len(written) > maxMessage {
				return
			}
			t.Fatalf("%v in %q", err, written)
		}
		if !slices.Equal(fields, again) {
			t.Fatalf("%v became %v", fields, again)
		}
	})
}

// FuzzWrite: what is cleaned arrives as it was sent, so its signature holds.
func FuzzWrite(f *testing.F) {
	for _, seed := range []string{"", "茶🍵", "]]>", "]]]]>>", "a\r\n\tb", "\x00\x1f\x7f", "\xff\xfe", "<xml>&amp;", "\ufffe\uffff\ufffd", "\u0085\u2028"} {
		f.Add(seed, "x"+seed)
	}
	f.Fuzz(func(t *testing.T, body, attach string) {
		sent := []Field{{"body", CutBody(body)}, {"attach", clean(attach)}}
		sent = append(sent, Field{"sign", Sign(sent, testKey, SignHMAC)})
		written := write(sent)
		if len(written) > maxMessage {
			return
		}
		got, err := parse(written)
		if err != nil || !slices.Equal(got, sent) || !verify(got, testKey) {
			t.Fatalf("%q became %q, %v", sent, got, err)
		}
	})
}

// FuzzSNS: the result of a response is a usable token and profile, or an error.
func FuzzSNS(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", "[]", `{"errcode":40029,"errmsg":"invalid code"}`, `{"errcode":"-1"}`, `{"errcode":1e3}`,
		`{"access_token":"T","expires_in":7200,"refresh_token":"R","openid":"o","scope":"snsapi_base"}`,
		`{"access_token":"T","openid":"o","expires_in":-1,"is_snapshotuser":1,"unionid":null}`,
		`{"openid":"o","nickname":"a\u0000b🍵","sex":"1","headimgurl":"https:\/\/x","privilege":[]}`,
		"{\"openid\":\"o\",\"nickname\":\"\x14\xff\"}", "\ufeff{\"openid\":\"o\",\"access_token\":\"T\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, _ := newClient(t, says(string(body)))
		token, err := c.ExchangeCode(t.Context(), "THECODE")
		if (err == nil) == (token == Token{}) {
			t.Fatalf("%v, %v", token, err)
		}
		if err == nil && (token.AccessToken == "" || !validOpenID(token.OpenID) || token.ExpiresIn < 0 || token.ExpiresIn.Hours() > 30*24) {
			t.Fatalf("%+v", token)
		}
		user, err := c.UserInfo(t.Context(), Token{AccessToken: "T", OpenID: "o"}, "en")
		if (err == nil) != (user.OpenID == "o") || clean(user.Nickname) != user.Nickname {
			t.Fatalf("%+v, %v", user, err)
		}
	})
}

// FuzzParsePayment: an unsigned message is rejected, and a signed one that is accepted as paid is
// complete.
func FuzzParsePayment(f *testing.F) {
	for _, m := range []message{paid(), taken(), paid().with("result_code", "FAIL"), paid().with("total_fee", "-"), paid().with("trade_state", "REFUND"), {}} {
		f.Add([]byte(m.signed(SignHMAC)), false)
		f.Add([]byte(m.xml()), true)
	}
	f.Add([]byte("<!DOCTYPE a><xml></xml>"), false)
	f.Add([]byte(paid().with("fee_type", "-", "cash_fee", "780&fee_type=USD").xml()), true)
	for _, worst := range worstMessages {
		f.Add(signedAs(worst, 4<<10), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, sign bool) {
		c, _ := newClient(t, unread(t))
		if fields, err := parse(body); sign && err == nil {
			// Signed as WeChat signs it, so that the later checks run.
			fields = slices.DeleteFunc(fields, func(f Field) bool { return f.Name == "sign" })
			body = write(append(fields, Field{"sign", Sign(fields, testKey, SignMD5)}))
		}
		trade, err := c.ParsePayment(body)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Kind != Untrusted || trade != (Trade{}) {
				t.Fatalf("%+v, %v", trade, err)
			}
			return
		}
		fields, err := parse(body)
		if err != nil || !verify(fields, testKey) {
			t.Fatalf("unsigned: %+v, %v", trade, err)
		}
		if trade.AppID != testAppID || trade.MchID != testMchID || trade.OutTradeNo == "" || trade.Paid() && (trade.TransactionID == "" || trade.PaidAt.IsZero() || trade.TotalFee < 0 || trade.Currency == "") {
			t.Fatalf("%+v", trade)
		}
	})
}

// FuzzParseRefund: an accepted message was encrypted with the key and reports a possible refund.
func FuzzParseRefund(f *testing.F) {
	for _, m := range []message{
		inner(), inner().with("refund_status", "CHANGE", "success_time", ""), inner().with("refund_fee", "881"), inner().with("total_fee", "-"),
		inner().with("refund_status", "NEW"), inner().with("out_refund_no", "a_b-c|d*e@"), {},
	} {
		f.Add([]byte(m.root()), true)
		f.Add([]byte(notifying(encrypt(pad(m.root()), testKey)).xml()), false)
	}
	for _, v := range readRefundVectors(f) {
		f.Add([]byte(v.Plaintext), true)
		f.Add([]byte(notifying(v.ReqInfo).xml()), false)
	}
	f.Add([]byte("<!DOCTYPE root><root></root>"), true)
	for _, worst := range worstMessages {
		f.Add(worst(4<<10), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, secret bool) {
		if secret {
			// Encrypted as WeChat encrypts it, so that the later checks run.
			body = []byte(notifying(encrypt(pad(string(body)), testKey)).xml())
		}
		c, _ := newClient(t, unread(t))
		refund, err := c.ParseRefund(body)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Kind != Untrusted || refund != (Refund{}) {
				t.Fatalf("%+v, %v", refund, err)
			}
			return
		}
		fields, err := parse(body)
		if err != nil || value(fields, "appid") != testAppID || value(fields, "mch_id") != testMchID {
			t.Fatalf("%+v for another: %v", refund, err)
		}
		if refund.Amount < 1 || refund.Amount > refund.Total || refund.State == "" || refund.OutTradeNo == "" || refund.OutRefundNo == "" ||
			refund.RefundID == "" || refund.TransactionID == "" || !refund.RefundedAt.IsZero() && refund.State != RefundSuccess {
			t.Fatalf("%+v", refund)
		}
	})
}

// FuzzParseBill: the sums of an accepted bill are correct, and it has all rows.
func FuzzParseBill(f *testing.F) {
	good := string(theBill(f))
	f.Add([]byte(good))
	f.Add([]byte(strings.ReplaceAll(good, "\r\n", "\n")))
	f.Add([]byte(good[:len(good)-1]))
	f.Add([]byte(strings.Replace(good, "8.80", "8.800", 1)))
	f.Add([]byte(strings.Replace(good, "8.80", "-8.80", 1)))
	f.Add([]byte(strings.Replace(good, "茶", ",`", 1)))
	f.Add([]byte(good + good))
	names, _, _ := strings.Cut(good, "\n")
	f.Add([]byte(names + "\n" + sumNames + "\n`0,`0,`0,`0,`0"))
	f.Add([]byte(columnNames + "\n`2026-03-01 00:00:00,`a,`" + testMchID + ",`b,`c,`d,`JSAPI,`SUCCESS,`CNY,`1,`0,`0,`0,`0,`0,`,`e,`f,`0,`0%,`1,`0\n" + sumNames + "\n`1,`1,`0,`1,`0"))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, _ := newClient(t, unread(t))
		bill, err := c.ParseBill(body)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Kind != Untrusted || bill.Rows != nil {
				t.Fatalf("%+v, %v", bill, err)
			}
			return
		}
		sum := Bill{}
		for _, r := range bill.Rows {
			if r.MchID != testMchID || r.Total < 0 || r.Refund < 0 || r.Settled < 0 || r.SettledBack < 0 || r.Coupon < 0 || r.CouponBack < 0 || r.Time.IsZero() && !strings.Contains(string(body), "0001") ||
				r.State == "" || r.OutTradeNo == "" || r.TransactionID == "" || strings.Contains(r.Body+r.Attach, "\n") {
				t.Fatalf("%+v", r)
			}
			// Each row is one line, whatever its cells contain.
			if !strings.Contains(string(body), "`"+r.Body+",`") {
				t.Fatalf("%q is not in the bill", r.Body)
			}
			sum.Total, sum.Refund, sum.Settled, sum.SettledBack, sum.Fee = sum.Total+r.Total, sum.Refund+r.Refund, sum.Settled+r.Settled, sum.SettledBack+r.SettledBack, sum.Fee+r.Fee
		}
		sum.Rows = bill.Rows
		if lines := strings.Count(string(body), "\n"); len(bill.Rows) > lines || bill.Total != sum.Total || bill.Refund != sum.Refund || bill.Settled != sum.Settled || bill.SettledBack != sum.SettledBack || bill.Fee != sum.Fee {
			t.Fatalf("%+v, want %+v", bill, sum)
		}
	})
}
