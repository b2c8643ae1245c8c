package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"h5pay/internal/growthtest"
	"h5pay/wechat/apiv3"
)

// trusting is an RSA that finds every signature valid, or none. So a fuzzer gets
// behind the signatures.
type trusting bool

func (r trusting) Signer([]byte) (apiv3.Signer, error)                  { return r, nil }
func (r trusting) Verifier([]byte) (apiv3.Verifier, error)              { return r, nil }
func (trusting) Sign(context.Context, []byte) ([]byte, error)           { return make([]byte, 256), nil }
func (r trusting) Verify(context.Context, []byte, []byte) (bool, error) { return bool(r), nil }
func (r trusting) header() apiv3.Header                                 { return r.headers().Get }
func (trusting) headers() http.Header {
	return http.Header{
		timestampH: {strconv.FormatInt(testTime.Unix(), 10)}, nonceH: {"n"}, serialH: {testKeyID},
		signatureH: {strings.Repeat("A", 342) + "=="}, "Request-Id": {"A-1"},
	}
}

// trustingClient talks to a WeChat that answers with a status and a body.
func trustingClient(t testing.TB, r trusting, status *int, body *[]byte) (*Client, Merchant) {
	doer := doerFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: *status, Header: r.headers(), Body: respond(*status, string(*body)).Body}, nil
	})
	cfg := Config{AppID: testAppID, AppSecret: testSecret, MchID: testMchID, V3: v3config(t), Doer: doer, Now: func() time.Time { return testTime }}
	cfg.V3.RSA = r
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.For(V3)
	if err != nil {
		t.Fatal(err)
	}
	return c, p
}

// FuzzV3Reply: a response is a trade of this account and this order, or an error that
// can be logged. One that is not signed has no code.
func FuzzV3Reply(f *testing.F) {
	var status int
	var body []byte
	_, signed := trustingClient(f, true, &status, &body)
	_, bare := trustingClient(f, false, &status, &body)
	f.Add(200, []byte(paidV3().json()))
	f.Add(204, []byte(nil))
	f.Add(404, []byte(`{"code":"ORDERNOTEXIST","message":"x","detail":{"field":"/a","issue":"b","location":"body","value":[1]}}`))
	f.Add(401, []byte(`{"code":"SIGN_ERROR","detail":{"detail":{"issue":"sign not match"},"sign_information":{"method":"GET","url":"/v3/x","sign_message_length":66,"truncated_sign_message":"GET\n"}}}`))
	f.Add(502, []byte("<html>"))
	for _, m := range badV3Trades() {
		f.Add(200, []byte(m.json()))
	}
	f.Fuzz(func(t *testing.T, s int, b []byte) {
		status, body = s, b
		trade, err := signed.QueryOrder(t.Context(), testNo)
		if err == nil {
			if trade.OutTradeNo != testNo || trade.AppID != testAppID || trade.MchID != testMchID || trade.State == "" || s != 200 {
				t.Fatalf("%+v of status %d", trade, s)
			}
			checkTrade(t, trade)
		} else {
			loggable(t, err, b)
		}
		_, err = bare.QueryOrder(t.Context(), testNo)
		var e *Error
		if !errors.As(err, &e) || e.Code != "" {
			t.Fatalf("not signed: %v", err)
		}
		loggable(t, err, b)
		if refund, err := signed.QueryRefund(t.Context(), testRefundNo); err == nil {
			checkRefund(t, refund)
		}
		if err := signed.CloseOrder(t.Context(), testNo, time.Time{}); (err == nil) != (s == 200 || s == 204) && len(b) <= maxMessage {
			t.Fatalf("close, status %d: %v", s, err)
		}
	})
}

// loggable checks that an error is one line without what may be an openid.
func loggable(t *testing.T, err error, body []byte) {
	t.Helper()
	text := err.Error()
	if strings.ContainsAny(text, "\r\n") || len(text) > 4096 {
		t.Fatalf("no line for a log: %q", text)
	}
	for _, word := range strings.FieldsFunc(string(body), func(r rune) bool { return r > 0x7f || !inToken(byte(r)) }) {
		// A text in the form of a code is shown: an openid has lower-case letters.
		if len(word) >= longRun && len(word) < 64 && canonicalCode(word) == "" && strings.Contains(text, word) {
			t.Fatalf("%q is in %q", word, text)
		}
	}
}

func checkTrade(t *testing.T, trade Trade) {
	t.Helper()
	if trade.State == StateSuccess && (trade.PaidAt.IsZero() || trade.PaidAt.Location() != time.UTC || !validTransactionID(trade.TransactionID) || trade.Currency == "") ||
		trade.TotalFee < 0 || trade.TotalFee > maxTotalFee || !trade.Paid() && (trade.TotalFee != 0 || trade.TransactionID != "") || trade.Version != V3 {
		t.Fatalf("%+v", trade)
	}
}

func checkRefund(t *testing.T, refund Refund) {
	t.Helper()
	if refund.Amount < 1 || refund.Amount > refund.Total || refund.Total > maxTotalFee || refund.State == "" || !validOutRefundNo(refund.OutRefundNo) ||
		!validOutTradeNo(refund.OutTradeNo) || refund.RefundID == "" || refund.State != RefundSuccess && !refund.RefundedAt.IsZero() {
		t.Fatalf("%+v", refund)
	}
}

// FuzzV3Resource: the decrypted part of a notification is a payment, or a refund, of
// this account, or an error.
func FuzzV3Resource(f *testing.F) {
	var status int
	var body []byte
	c, _ := trustingClient(f, true, &status, &body)
	header := trusting(true).header()
	f.Add("TRANSACTION.SUCCESS", []byte(paidV3().json()))
	f.Add("REFUND.SUCCESS", []byte(refundedV3().with("refund_status", "SUCCESS", "mchid", testMchID).json()))
	for _, m := range badV3Trades() {
		f.Add("TRANSACTION.SUCCESS", []byte(m.json()))
	}
	for _, m := range badV3Refunds() {
		f.Add("REFUND.CLOSED", []byte(m.with("refund_status", "CLOSED", "mchid", testMchID).json()))
	}
	f.Fuzz(func(t *testing.T, event string, resource []byte) {
		name, err := json.Marshal(event)
		if err != nil {
			t.Skip()
		}
		body := []byte(`{"id":"1","create_time":"2026-03-01T10:00:00+08:00","event_type":` + string(name) + `,"resource_type":"encrypt-resource","resource":` +
			sealV3(t, testV3Key, "", string(resource)) + `}`)
		trade, err := c.PaymentNotification(t.Context(), header, body)
		if err == nil {
			if event != "TRANSACTION.SUCCESS" || trade.State != StateSuccess || trade.AppID != testAppID || trade.MchID != testMchID {
				t.Fatalf("%s: %+v", event, trade)
			}
			checkTrade(t, trade)
		} else {
			loggable(t, err, resource)
		}
		refund, err := c.RefundNotification(t.Context(), header, body)
		if err == nil {
			if !strings.HasPrefix(event, "REFUND.") {
				t.Fatalf("%s: %+v", event, refund)
			}
			checkRefund(t, refund)
		} else {
			loggable(t, err, resource)
		}
	})
}

// FuzzV3Notification: no bytes are a notification but those that are encrypted with
// the APIv3 key.
func FuzzV3Notification(f *testing.F) {
	var status int
	var body []byte
	c, _ := trustingClient(f, true, &status, &body)
	header := trusting(true).header()
	f.Add([]byte(`{"id":"EV-1","create_time":"2026-03-01T10:00:00+08:00","event_type":"TRANSACTION.SUCCESS","resource_type":"encrypt-resource","resource":` +
		sealV3(f, strings.Repeat("x", 32), "transaction", paidV3().json()) + `}`))
	f.Add([]byte(`{"resource":{"nonce":"x"}}`))
	f.Add([]byte("<xml><return_code>SUCCESS</return_code></xml>"))
	f.Add([]byte("\ufeff {"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if trade, err := c.PaymentNotification(t.Context(), header, body); err == nil {
			t.Fatalf("%+v", trade)
		} else {
			loggable(t, err, nil)
		}
		if refund, err := c.RefundNotification(t.Context(), header, body); err == nil {
			t.Fatalf("%+v", refund)
		}
	})
}

// FuzzV3Trade is FuzzV3Resource for the reader of a trade alone, which is faster.
func FuzzV3Trade(f *testing.F) {
	var status int
	var body []byte
	c, _ := trustingClient(f, true, &status, &body)
	f.Add([]byte(paidV3().json()))
	for _, m := range badV3Trades() {
		f.Add([]byte(m.json()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m v3trade
		if json.Unmarshal(b, &m) != nil {
			return
		}
		if trade, problem := c.v3.readTrade(m); problem == "" {
			if trade.AppID != testAppID || trade.MchID != testMchID || !validOutTradeNo(trade.OutTradeNo) {
				t.Fatalf("%+v", trade)
			}
			checkTrade(t, trade)
		}
	})
}

// FuzzV3Refund is FuzzV3Resource for the reader of a refund alone.
func FuzzV3Refund(f *testing.F) {
	f.Add([]byte(refundedV3().json()))
	for _, m := range badV3Refunds() {
		f.Add([]byte(m.json()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m v3refund
		if json.Unmarshal(b, &m) != nil {
			return
		}
		if refund, problem := readV3Refund(m, m.Status); problem == "" {
			checkRefund(t, refund)
		}
	})
}

// FuzzV3BillLink: a link is an absolute URL without a fragment that can be signed as it
// is.
func FuzzV3BillLink(f *testing.F) {
	f.Add([]byte(linkTo("x").json()), true)
	f.Add([]byte(linkTo("x").with("download_url", "http://127.0.0.1:1/x?y=%7C|").json()), true)
	f.Add([]byte(linkTo("x").with("hash_value", "").json()), false)
	m, err := apiv3.NewMerchant(apiv3.MerchantConfig{MchID: testMchID, Serial: testSerial, PrivateKey: v3config(f).PrivateKey, RSA: trusting(true)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, plain bool) {
		var link v3billLink
		if json.Unmarshal(body, &link) != nil {
			return
		}
		u, hash, problem := link.read(plain)
		if problem != "" {
			return
		}
		if len(hash) != 20 || u.Host == "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && !plain {
			t.Fatalf("%q: %+v", link.URL, u)
		}
		if _, err := m.Authorization(t.Context(), "GET", u.RequestURI(), nil); err != nil {
			t.Fatalf("%q cannot be signed: %v", link.URL, err)
		}
		req, err := http.NewRequest("GET", link.URL, nil)
		if err != nil || req.URL.RequestURI() != u.RequestURI() {
			t.Fatalf("%q is sent as %v, %v", link.URL, req, err)
		}
	})
}

// worstJSON are messages that cost a reader of JSON the most work per byte.
var worstJSON = map[string]func(n int) []byte{
	"nested objects":  func(n int) []byte { return repeat(n, "", `{"amount":`, "") },
	"nested lists":    func(n int) []byte { return repeat(n, `{"detail":`, "[", "") },
	"closed lists":    func(n int) []byte { return append(repeat(n/2, `{"detail":`, "[", ""), repeat(n/2, "", "]", "}")...) },
	"one member":      func(n int) []byte { return repeat(n, "{", `"amount":{"total":1},`, `"x":1}`) },
	"long names":      func(n int) []byte { return repeat(n, `{"`, "a", `":1}`) },
	"escapes":         func(n int) []byte { return repeat(n, `{"message":"`, `\u0041`, `"}`) },
	"bad surrogates":  func(n int) []byte { return repeat(n, `{"message":"`, `\ud800`, `"}`) },
	"digits":          func(n int) []byte { return repeat(n, `{"amount":{"total":`, "1", `}}`) },
	"white space":     func(n int) []byte { return repeat(n, "", " \n", "{}") },
	"detail in it":    func(n int) []byte { return repeat(n, `{"detail":{"detail":{"issue":"`, "x", `"}}}`) },
	"long words":      func(n int) []byte { return repeat(n, `{"code":"X","message":"`, "abcdefghijklmnopqrstuvwxyz ", `"}`) },
	"a long code":     func(n int) []byte { return repeat(n, `{"code":"`, "A", `"}`) },
	"not JSON at all": func(n int) []byte { return repeat(n, "", "x", "") },
}

// A response and a notification cost a constant amount of work per byte. Anybody may
// send a notification, and a gateway anything.
func TestReadingAPIv3IsLinear(t *testing.T) {
	var status int
	var body []byte
	c, signed := trustingClient(t, true, &status, &body)
	_, bare := trustingClient(t, false, &status, &body)
	header := trusting(true).header()
	for name, input := range worstJSON {
		t.Run("a response of "+name, func(t *testing.T) {
			growthtest.Linear(t, maxMessage, input, func(b []byte) {
				status, body = 200, b
				signed.QueryOrder(t.Context(), testNo)
			})
		})
		t.Run("a failure of "+name, func(t *testing.T) {
			growthtest.Linear(t, maxMessage, input, func(b []byte) {
				status, body = 400, b
				signed.QueryOrder(t.Context(), testNo)
				bare.QueryOrder(t.Context(), testNo)
			})
		})
		t.Run("a notification of "+name, func(t *testing.T) {
			growthtest.Linear(t, maxMessage, input, func(b []byte) {
				c.PaymentNotification(t.Context(), header, b)
			})
		})
		t.Run("a resource of "+name, func(t *testing.T) {
			sealed := func(n int) []byte {
				return []byte(`{"id":"1","create_time":"2026-03-01T10:00:00+08:00","event_type":"TRANSACTION.SUCCESS","resource_type":"encrypt-resource","resource":` +
					sealV3(t, testV3Key, "", string(input(n))) + `}`)
			}
			growthtest.Linear(t, maxMessage, sealed, func(b []byte) {
				c.PaymentNotification(t.Context(), header, b)
			})
		})
	}
}
