package wechat

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestNotificationsOfBothVersions(t *testing.T) {
	both := func(c *Config) { c.APIKey = testKey }
	c, _, _ := newV3Client(t, silent(t), both)
	body := notification(t, "TRANSACTION.SUCCESS", "transaction", paidV3().json())
	got, err := c.PaymentNotification(t.Context(), v3answer{body: body}.get(t), []byte(body))
	if err != nil || got != paidV3Trade() {
		t.Errorf("%+v, %v", got, err)
	}
	none := func(string) string { return "" }
	got, err = c.PaymentNotification(t.Context(), none, []byte(" \r\n"+paid().signed(SignHMAC)))
	if err != nil || got != paidTrade() {
		t.Errorf("%+v, %v", got, err)
	}
	refund := notification(t, "REFUND.SUCCESS", "refund", refundedV3().with("status", "-", "refund_status", "SUCCESS", "mchid", testMchID).json())
	r, err := c.RefundNotification(t.Context(), v3answer{body: refund}.get(t), []byte(refund))
	if err != nil || r != refundV3() {
		t.Errorf("%+v, %v", r, err)
	}
	v2 := notifying(encrypt(pad(inner().root()), testKey)).xml()
	if r, err := c.RefundNotification(t.Context(), none, []byte(v2)); err != nil || r.Version != V2 || r.OutRefundNo != testRefundNo {
		t.Errorf("%+v, %v", r, err)
	}
	// A client without the keys of a version returns an error that says so.
	only2, _ := newClient(t, unread(t))
	only3, _, _ := newV3Client(t, silent(t))
	_, err = only2.PaymentNotification(t.Context(), v3answer{body: body}.get(t), []byte(body))
	wantError(t, err, Operator, CodeNotConfigured)
	_, err = only3.RefundNotification(t.Context(), none, []byte(v2))
	wantError(t, err, Operator, CodeNotConfigured)
	for _, bad := range []string{"", " ", "x", "[]", "null", `"x"`, "\xff{"} {
		_, err = c.PaymentNotification(t.Context(), none, []byte(bad))
		wantError(t, err, Untrusted, "")
		_, err = c.RefundNotification(t.Context(), none, []byte(bad))
		wantError(t, err, Untrusted, "")
	}
}

// The complete notifications that were published are read.
func TestPublishedNotificationsOfAPIv3(t *testing.T) {
	payment := Trade{
		Version: V3, AppID: "wxd678efh567hg6787", MchID: "1230000109", OutTradeNo: "1217752501201407033233368018", State: StateSuccess,
		TransactionID: "1217752501201407033233368018", OpenID: "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", TradeType: TradeJSAPI, TotalFee: 100,
		Currency: "CNY", PaidAt: time.Date(2018, 6, 8, 2, 34, 56, 0, time.UTC),
	}
	refund := Refund{
		Version: V3, OutTradeNo: "20150806125346", OutRefundNo: "7752501201407033233368018", TransactionID: "1008450740201411110005820873",
		RefundID: "50200207182018070300011301001", Total: 999, Amount: 999, State: RefundSuccess, RefundedAt: time.Date(2018, 6, 8, 2, 34, 56, 0, time.UTC),
	}
	for name, mchID := range map[string]string{
		`complete payment notification, associated_data "transaction": header signature`: "1230000109",
		`complete refund notification, associated_data "refund": header signature`:       "1900000100",
		`complete refund notification, empty associated_data: header signature`:          "1900000100",
	} {
		vector := v3vectorNamed(t, name)
		header := vector.header(t)
		at := unixTime(t, header.Get(timestampH))
		c, _, _ := newV3Client(t, silent(t), func(c *Config) {
			c.AppID, c.MchID, c.V3.PublicKeyID = payment.AppID, mchID, header.Get(serialH)
			c.Now = func() time.Time { return at }
		})
		body := []byte(vector.Inputs.Body)
		if strings.Contains(name, "payment") {
			if got, err := c.PaymentNotification(t.Context(), header.Get, body); err != nil || got != payment {
				t.Errorf("%+v, %v", got, err)
			}
			continue
		}
		if got, err := c.RefundNotification(t.Context(), header.Get, body); err != nil || got != refund {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// A genuine response of 2021, signed with a platform certificate.
func TestGenuineResponse(t *testing.T) {
	vector := v3vectorNamed(t, "genuine WeChat Pay h5 prepay reply of 2021-07, platform certificate")
	pem := v3vectorNamed(t, "KEY yansongda-fixture-platform-certificate").Inputs.PEM
	reply := vector.header(t)
	at := unixTime(t, reply.Get(timestampH))
	doer := doerFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: reply, Body: respond(200, vector.Inputs.Body).Body}, nil
	})
	_, p, _ := newV3Client(t, silent(t), func(c *Config) {
		c.V3.PublicKeyID, c.V3.PublicKey, c.V3.Certificates, c.V3.PlatformCertificates = "", "", true, []string{pem}
		c.Now, c.Doer = func() time.Time { return at }, doer
	})
	got, err := p.PlaceOrder(t.Context(), v3testOrder(TradeMWEB))
	if err != nil || !strings.HasPrefix(got.MwebURL, "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=") {
		t.Errorf("%+v, %v", got, err)
	}
}

type doerFunc func(*http.Request) (*http.Response, error)

func (f doerFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// Only WeChat's own message about this account is accepted.
func TestForgedNotificationsOfAPIv3(t *testing.T) {
	c, _, _ := newV3Client(t, silent(t))
	good := notification(t, "TRANSACTION.SUCCESS", "transaction", paidV3().json())
	refund := notification(t, "REFUND.SUCCESS", "refund", refundedV3().with("refund_status", "SUCCESS", "mchid", testMchID).json())
	for name, a := range map[string]v3answer{
		"unsigned":        {body: good, header: unsigned},
		"no serial":       {body: good, header: map[string]string{serialH: "-"}},
		"another key":     {body: good, key: otherKey(t)},
		"unknown key":     {body: good, serial: "PUB_KEY_ID_01"},
		"a certificate":   {body: good, serial: certSerial},
		"old":             {body: good, header: map[string]string{timestampH: "1772330100"}},
		"of the future":   {body: good, header: map[string]string{timestampH: "1772330700"}},
		"a probe":         {body: good, header: map[string]string{signatureH: "WECHATPAY/SIGNTEST/x"}},
		"another scheme":  {body: good, header: map[string]string{"Wechatpay-Signature-Type": "WECHATPAY2-SM2-WITH-SM3"}},
		"another APIv3":   {body: strings.Replace(good, sealV3(t, testV3Key, "transaction", paidV3().json()), sealV3(t, strings.Repeat("x", 32), "transaction", paidV3().json()), 1)},
		"a refund":        {body: refund},
		"of nothing":      {body: notification(t, "TRANSACTION.SUCCESS", "transaction", "")},
		"a list":          {body: notification(t, "TRANSACTION.SUCCESS", "transaction", "[]")},
		"null":            {body: notification(t, "TRANSACTION.SUCCESS", "transaction", "null")},
		"a refund inside": {body: notification(t, "TRANSACTION.SUCCESS", "refund", paidV3().json())},
		"another event":   {body: notification(t, "TRANSACTION.CLOSED", "transaction", paidV3().json())},
		"not paid":        {body: notification(t, "TRANSACTION.SUCCESS", "transaction", paidV3().with("trade_state", "NOTPAY").json())},
		"refunded":        {body: notification(t, "TRANSACTION.SUCCESS", "transaction", paidV3().with("trade_state", "REFUND").json())},
	} {
		got, err := c.PaymentNotification(t.Context(), a.get(t), []byte(a.body))
		if err == nil {
			t.Fatalf("%s: %+v", name, got)
		}
		wantError(t, err, Untrusted, "")
		if IsProbe(err) != (name == "a probe") {
			t.Errorf("%s: probe %t", name, IsProbe(err))
		}
	}
	for name, m := range badV3Trades() {
		body := notification(t, "TRANSACTION.SUCCESS", "transaction", m.json())
		if _, err := c.PaymentNotification(t.Context(), v3answer{body: body}.get(t), []byte(body)); err == nil {
			t.Fatalf("%s: no error", name)
		} else {
			wantError(t, err, Untrusted, "")
		}
	}
	// One byte more than was signed.
	if _, err := c.PaymentNotification(t.Context(), v3answer{body: good}.get(t), []byte(good+"\n")); err == nil {
		t.Error("a changed body was accepted")
	}
	// A payment in the place of a refund, and refunds that contradict their event.
	bad := badV3Refunds()
	bad["another merchant"] = refundedV3().with("mchid", "1230000110")
	bad["no merchant"] = refundedV3()
	bodies := map[string]string{
		"a payment": good, "of another event": notification(t, "REFUND.CLOSED", "refund", refundedV3().with("refund_status", "SUCCESS", "mchid", testMchID).json()),
		"no event":      notification(t, "REFUND", "refund", refundedV3().with("refund_status", "SUCCESS", "mchid", testMchID).json()),
		"a trade in it": notification(t, "REFUND.SUCCESS", "transaction", refundedV3().with("refund_status", "SUCCESS", "mchid", testMchID).json()),
	}
	for name, m := range bad {
		if _, there := m["mchid"]; !there && name != "no merchant" {
			m = m.with("mchid", testMchID)
		}
		bodies[name] = notification(t, "REFUND.SUCCESS", "refund", m.with("refund_status", "SUCCESS").json())
	}
	for name, body := range bodies {
		if _, err := c.RefundNotification(t.Context(), v3answer{body: body}.get(t), []byte(body)); err == nil {
			t.Fatalf("%s: no error", name)
		} else {
			wantError(t, err, Untrusted, "")
		}
	}
}

func TestRefundEventsOfAPIv3(t *testing.T) {
	c, _, _ := newV3Client(t, silent(t))
	for event, state := range map[string]RefundState{"SUCCESS": RefundSuccess, "CLOSED": RefundClosed, "ABNORMAL": RefundAbnormal} {
		m := refundedV3().with("status", "-", "refund_status", event, "mchid", testMchID)
		if event != "SUCCESS" {
			m = m.with("success_time", "-")
		}
		body := notification(t, "REFUND."+event, "refund", m.json())
		got, err := c.RefundNotification(t.Context(), v3answer{body: body}.get(t), []byte(body))
		if err != nil || got.State != state || got.RefundedAt.IsZero() == (state == RefundSuccess) {
			t.Errorf("%s: %+v, %v", event, got, err)
		}
	}
}

func TestAcknowledgements(t *testing.T) {
	for _, tt := range []struct {
		version Version
		ok      bool
		status  int
		kind    string
		body    string
	}{
		{V2, true, 200, "text/xml; charset=utf-8", "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"},
		{V2, false, 200, "text/xml; charset=utf-8", "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"},
		{V3, true, 204, "", ""},
		{V3, false, 500, "application/json", `{"code":"FAIL","message":"OK"}`},
		{"", false, 500, "application/json", `{"code":"FAIL","message":"OK"}`},
	} {
		status, kind, body := Acknowledgement(tt.version, tt.ok, "OK")
		if status != tt.status || kind != tt.kind || string(body) != tt.body {
			t.Errorf("%s, %t: %d, %s, %s", tt.version, tt.ok, status, kind, body)
		}
	}
}

func TestEchoOfAPIv3(t *testing.T) {
	var text string
	c, _, w := newV3Client(t, func(r *http.Request, body []byte) v3answer {
		text = string(body)
		return v3answer{status: 200, body: text}
	})
	if err := c.Echo(t.Context(), "https://shop.example/api/notify/pay"); err != nil {
		t.Error(err)
	}
	if w.sent[0].url != "https://api.mch.weixin.qq.com/v3/security/echo" || !strings.Contains(text, `"notify_url":"https://shop.example/api/notify/pay"`) {
		t.Errorf("sent %+v", w.sent[0])
	}
	if err := c.Echo(t.Context(), ""); err != nil || strings.Contains(text, "notify_url") {
		t.Errorf("%v, sent %s", err, text)
	}
	wantError(t, c.Echo(t.Context(), "/notify"), Developer, codeParam)
	other, _, _ := newV3Client(t, answers(200, `{"echo_message":"x"}`))
	wantError(t, other.Echo(t.Context(), ""), Untrusted, "")
	v2, _ := newClient(t, unread(t))
	wantError(t, v2.Echo(t.Context(), ""), Operator, CodeNotConfigured)
	// The notification is WeChat's, and no payment.
	body := notification(t, "SECURITY_ECHO.SUCCESS", "", `{"echo_message":"x"}`)
	_, err := c.PaymentNotification(t.Context(), v3answer{body: body}.get(t), []byte(body))
	wantError(t, err, Declined, CodeEcho)
	_, err = c.PaymentNotification(t.Context(), v3answer{body: body, key: otherKey(t)}.get(t), []byte(body))
	wantError(t, err, Untrusted, "")
}
