package wechat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"h5pay/wechat/apiv3"
)

// certificateList is the response to GET /v3/certificates.
func certificateList(t *testing.T, apiV3Key string, pems map[string]string) string {
	var data []string
	for serial, pem := range pems {
		data = append(data, fmt.Sprintf(`{"serial_no":%q,"effective_time":"2025-03-01T10:00:00+08:00","expire_time":"2030-03-01T10:00:00+08:00","encrypt_certificate":%s}`,
			serial, sealV3(t, apiV3Key, "certificate", pem)))
	}
	slices.Sort(data)
	return `{"data":[` + strings.Join(data, ",") + `]}`
}

// inCertificateMode is a merchant without WeChat's public key.
func inCertificateMode(c *Config) {
	c.V3.PublicKey, c.V3.PublicKeyID, c.V3.Certificates = "", "", true
}

// The first download has no key to verify it with but those that it brings.
func TestFirstDownloadOfCertificates(t *testing.T) {
	pem := certPEM(t, wechatKey(t), certSerial)
	body := certificateList(t, testV3Key, map[string]string{certSerial: pem})
	c, p, w := newV3Client(t, func(r *http.Request, _ []byte) v3answer {
		if r.URL.Path == "/v3/certificates" {
			return v3answer{status: 200, body: body, serial: certSerial}
		}
		return v3answer{status: 200, body: paidV3().json(), serial: certSerial}
	}, inCertificateMode)
	_, err := p.QueryOrder(t.Context(), testNo)
	wantError(t, err, Retry, "")
	list, err := c.DownloadCertificates(t.Context())
	if err != nil || len(list) != 1 || list[0].PEM != pem || list[0].Key.ID != certSerial {
		t.Fatalf("%v, %v", list, err)
	}
	if len(c.WeChatKeys()) != 0 {
		t.Error("a download alone changes the keys")
	}
	if err := c.SetCertificates([]string{pem}); err != nil {
		t.Fatal(err)
	}
	if got, err := p.QueryOrder(t.Context(), testNo); err != nil || got != paidV3Trade() {
		t.Errorf("%+v, %v", got, err)
	}
	if w.sent[0].serial != "" || w.sent[2].serial != certSerial {
		t.Errorf("Wechatpay-Serial was %q, then %q", w.sent[0].serial, w.sent[2].serial)
	}
}

func TestBadCertificateLists(t *testing.T) {
	pem := certPEM(t, wechatKey(t), certSerial)
	good := certificateList(t, testV3Key, map[string]string{certSerial: pem})
	for name, tt := range map[string]struct {
		answer v3answer
		kind   Kind
		code   string
	}{
		"another APIv3 key":   {v3answer{status: 200, body: certificateList(t, strings.Repeat("x", 32), map[string]string{certSerial: pem}), serial: certSerial}, Operator, ""},
		"unsigned":            {v3answer{status: 200, body: good, header: unsigned}, Untrusted, ""},
		"forged":              {v3answer{status: 200, body: good, serial: certSerial, key: otherKey(t)}, Untrusted, ""},
		"a key of nobody":     {v3answer{status: 200, body: good, serial: "PUB_KEY_ID_01"}, Operator, ""},
		"a probe":             {v3answer{status: 200, body: good, serial: certSerial, header: map[string]string{signatureH: "WECHATPAY/SIGNTEST/x"}}, Retry, ""},
		"another serial":      {v3answer{status: 200, body: certificateList(t, testV3Key, map[string]string{newSerial: pem}), serial: certSerial}, Untrusted, ""},
		"no certificate":      {v3answer{status: 200, body: certificateList(t, testV3Key, map[string]string{certSerial: "x"}), serial: certSerial}, Untrusted, ""},
		"nothing":             {v3answer{status: 200, body: `{"data":[]}`}, Untrusted, ""},
		"no JSON":             {v3answer{status: 200, body: `x`}, Untrusted, ""},
		"too long":            {v3answer{status: 200, body: strings.Repeat("x", maxCertificates+1)}, Untrusted, ""},
		"204":                 {v3answer{status: 204, serial: certSerial}, Retry, ""},
		"public key only":     {v3answer{status: 404, body: `{"code":"RESOURCE_NOT_EXISTS","message":"无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。"}`, header: unsigned}, Declined, ""},
		"the merchant's own":  {v3answer{status: 200, body: certificateList(t, testV3Key, map[string]string{certSerial: certPEM(t, merchantKey(t), certSerial)}), serial: certSerial, key: merchantKey(t)}, Untrusted, ""},
		"lost":                {v3answer{err: errors.New("reset")}, Retry, ""},
		"the wrong signature": {v3answer{status: 401, body: `{"code":"SIGN_ERROR"}`, header: unsigned}, Operator, ""},
	} {
		c, _, _ := newV3Client(t, says3(tt.answer), inCertificateMode)
		list, err := c.DownloadCertificates(t.Context())
		if err == nil || list != nil {
			t.Fatalf("%s: %v, %v", name, list, err)
		}
		if e := wantError(t, err, tt.kind, tt.code); t.Failed() {
			t.Fatalf("%s: %v", name, e)
		}
	}
	// A signed response has the merchant's mode.
	c, _, _ := newV3Client(t, answers(404, `{"code":"RESOURCE_NOT_EXISTS","message":"x"}`))
	_, err := c.DownloadCertificates(t.Context())
	if e := wantError(t, err, Operator, "RESOURCE_NOT_EXISTS"); !strings.Contains(e.Error(), "Set the public key of WeChat Pay") {
		t.Errorf("%v", e)
	}
	v2, _ := newClient(t, unread(t))
	_, err = v2.DownloadCertificates(t.Context())
	wantError(t, err, Operator, CodeNotConfigured)
	wantError(t, v2.SetCertificates(nil), Operator, CodeNotConfigured)
}

// A message with an unknown certificate gets one refresh, and only that.
func TestRefreshOfCertificates(t *testing.T) {
	oldPEM, newPEM := certPEM(t, otherKey(t), certSerial), certPEM(t, wechatKey(t), newSerial)
	for name, tt := range map[string]struct {
		serial  string
		brings  bool
		err     error
		asked   int
		kind    Kind
		refresh bool
	}{
		"a new certificate":    {serial: newSerial, brings: true, asked: 1, refresh: true, kind: -1},
		"still unknown":        {serial: newSerial, asked: 1, refresh: true, kind: Retry},
		"not due":              {serial: newSerial, err: errors.New("not due"), asked: 1, refresh: true, kind: Retry},
		"without a hook":       {serial: newSerial, kind: Retry},
		"another public key's": {serial: "PUB_KEY_ID_02", refresh: true, kind: Operator},
	} {
		t.Run(name, func(t *testing.T) {
			queried := 0
			var c *Client
			c, p, _ := newV3Client(t, func(r *http.Request, _ []byte) v3answer {
				return v3answer{status: 200, body: paidV3().json(), serial: tt.serial}
			}, inCertificateMode, func(cfg *Config) {
				cfg.V3.PlatformCertificates = []string{oldPEM}
				if tt.refresh {
					cfg.V3.Refresh = func(context.Context) error {
						queried++
						if tt.brings {
							return c.SetCertificates([]string{oldPEM, newPEM})
						}
						return tt.err
					}
				}
			})
			got, err := p.QueryOrder(t.Context(), testNo)
			if tt.kind < 0 {
				if err != nil || got != paidV3Trade() {
					t.Errorf("%+v, %v", got, err)
				}
			} else {
				wantError(t, err, tt.kind, "")
			}
			if queried != tt.asked {
				t.Errorf("refreshed %d times, want %d", queried, tt.asked)
			}
			body := notification(t, "TRANSACTION.SUCCESS", "transaction", paidV3().json())
			a := v3answer{body: body, serial: tt.serial}
			if _, err := c.PaymentNotification(t.Context(), a.get(t), []byte(body)); (err == nil) != tt.brings {
				t.Errorf("notification: %v", err)
			} else if err != nil {
				wantError(t, err, Untrusted, "")
			}
		})
	}
	// A failure that names an unknown certificate also causes a refresh. Then the failure is verified
	// and has its code.
	var c *Client
	c, p, _ := newV3Client(t, says3(v3answer{status: 404, body: `{"code":"ORDER_NOT_EXIST"}`, serial: newSerial}), inCertificateMode, func(cfg *Config) {
		cfg.V3.Refresh = func(context.Context) error { return c.SetCertificates([]string{newPEM}) }
	})
	_, err := p.QueryOrder(t.Context(), testNo)
	wantError(t, err, Declined, CodeOrderNotExist)
}

// Refresh downloads certificates, and the failure of that causes no other refresh.
func TestRefreshDoesNotCauseItself(t *testing.T) {
	for _, status := range []int{404, 500} {
		refreshed := 0
		var c *Client
		c, p, w := newV3Client(t, says3(v3answer{status: status, body: `{"code":"SYSTEM_ERROR"}`, serial: newSerial}), inCertificateMode, func(cfg *Config) {
			cfg.V3.Refresh = func(ctx context.Context) error {
				if refreshed++; refreshed > 3 {
					t.Fatal("a refresh causes another one")
				}
				_, err := c.DownloadCertificates(ctx)
				return err
			}
		})
		if _, err := p.QueryOrder(t.Context(), testNo); err == nil {
			t.Error("a failure is a success")
		}
		if refreshed != 1 || len(w.sent) != 2 {
			t.Errorf("%d: %d refreshes, %d calls", status, refreshed, len(w.sent))
		}
	}
}

// While a merchant changes from certificates to the public key, or back, each message
// is verified with the key that it names.
func TestBothKeysVerify(t *testing.T) {
	pem := certPEM(t, otherKey(t), certSerial)
	newer := certPEM(t, otherKey(t), newSerial)
	for _, prefer := range []bool{false, true} {
		byCertificate := false
		c, p, w := newV3Client(t, func(*http.Request, []byte) v3answer {
			if byCertificate {
				return v3answer{status: 200, body: paidV3().json(), serial: certSerial, key: otherKey(t)}
			}
			return v3answer{status: 200, body: paidV3().json()}
		}, func(c *Config) {
			c.V3.Certificates, c.V3.PreferCertificates, c.V3.PlatformCertificates = true, prefer, []string{newer, pem}
		})
		for _, byCertificate = range []bool{false, true} {
			if _, err := p.QueryOrder(t.Context(), testNo); err != nil {
				t.Errorf("by certificate %t: %v", byCertificate, err)
			}
		}
		// The certificate that began last is the newer one.
		if want := map[bool]string{false: testKeyID, true: certSerial}[prefer]; w.sent[0].serial != want {
			t.Errorf("requested %s, want %s", w.sent[0].serial, want)
		}
		if n := len(c.WeChatKeys()); n != 3 {
			t.Errorf("%d keys", n)
		}
		// The public key stays when certificates are replaced, and a bad list changes nothing.
		if err := c.SetCertificates(nil); err != nil {
			t.Error(err)
		}
		if err := c.SetCertificates([]string{pem, "x"}); err == nil {
			t.Error("an invalid list was accepted")
		}
		wantError(t, c.SetCertificates([]string{certPEM(t, merchantKey(t), certSerial)}), Operator, "")
		wantError(t, c.SetCertificates([]string{pem, pem}), Operator, "")
		if keys := c.WeChatKeys(); len(keys) != 1 || keys[0].ID != testKeyID {
			t.Errorf("keys are %v", keys)
		}
	}
}

// Each wrong field is named, with what is wrong, and without its content.
func TestNewNamesWrongKeysOfAPIv3(t *testing.T) {
	private := Secret(v3vectorNamed(t, "KEY official-docs-test-key").Inputs.PEM)
	merchantPEM := certPEM(t, merchantKey(t), testSerial)
	for name, tt := range map[string]struct {
		change func(*Config)
		field  string
		words  string
	}{
		"no private key":             {func(c *Config) { c.V3.PrivateKey = "" }, "PrivateKey", "is empty"},
		"certificate as private key": {func(c *Config) { c.V3.PrivateKey = Secret(merchantPEM) }, "PrivateKey", "is a certificate"},
		"public key as private key":  {func(c *Config) { c.V3.PrivateKey = Secret(c.V3.PublicKey) }, "PrivateKey", "is an RSA public key"},
		"no serial":                  {func(c *Config) { c.V3.Serial = "" }, "Serial", "is missing"},
		"public key's ID as serial":  {func(c *Config) { c.V3.Serial = testKeyID }, "Serial", "is the ID of WeChat Pay's public key"},
		"another serial":             {func(c *Config) { c.V3.Certificate, c.V3.Serial = merchantPEM, certSerial }, "Serial", "is not the serial of the certificate"},
		"another certificate":        {func(c *Config) { c.V3.Certificate = certPEM(t, otherKey(t), testSerial) }, "PrivateKey", "does not belong to the certificate"},
		"no APIv3 key":               {func(c *Config) { c.V3.APIv3Key = "" }, "APIv3Key", "is missing"},
		"short APIv3 key":            {func(c *Config) { c.V3.APIv3Key = Secret(testV3Key[:31]) }, "APIv3Key", "has 31 bytes"},
		"blank in the APIv3 key":     {func(c *Config) { c.V3.APIv3Key = testV3Key + " " }, "APIv3Key", "begins or ends with a blank"},
		"private key as APIv3 key":   {func(c *Config) { c.V3.APIv3Key = private }, "APIv3Key", "is PEM"},
		"short old key":              {func(c *Config) { c.V3.APIv3KeyOld = "x" }, "APIv3KeyOld", "has 1 bytes"},
		"no way to verify":           {func(c *Config) { c.V3.PublicKey, c.V3.PublicKeyID = "", "" }, "PublicKey", "platform certificates are not configured"},
		"no ID":                      {func(c *Config) { c.V3.PublicKeyID = "" }, "PublicKeyID", "is missing"},
		"serial as ID":               {func(c *Config) { c.V3.PublicKeyID = certSerial }, "PublicKeyID", "is the serial of a certificate"},
		"no public key":              {func(c *Config) { c.V3.PublicKey = "" }, "PublicKey", "is empty"},
		"certificate as public key":  {func(c *Config) { c.V3.PublicKey = merchantPEM }, "PublicKey", "is a certificate"},
		"private as public key":      {func(c *Config) { c.V3.PublicKey = string(private) }, "PublicKey", "is an RSA private key"},
		"the merchant's public key":  {func(c *Config) { c.V3.PublicKey = publicPEM(t, merchantKey(t)) }, "PublicKey", "is the merchant's own key"},
		"the merchant's certificate": {func(c *Config) { inCertificateMode(c); c.V3.PlatformCertificates = []string{merchantPEM} }, "PlatformCertificates", "is the merchant's own key or certificate"},
		"certificates that are off":  {func(c *Config) { c.V3.PlatformCertificates = []string{certPEM(t, wechatKey(t), certSerial)} }, "Certificates", "are off"},
		"the same twice": {func(c *Config) {
			pem := certPEM(t, wechatKey(t), certSerial)
			inCertificateMode(c)
			c.V3.PlatformCertificates = []string{pem, pem}
		}, "Keys", "twice"},
	} {
		cfg := Config{AppID: testAppID, AppSecret: testSecret, MchID: testMchID, V3: v3config(t), Doer: &script{}}
		tt.change(&cfg)
		c, err := New(cfg)
		var e *apiv3.Error
		if c != nil || !errors.As(err, &e) || e.Kind != apiv3.BadConfig || e.Field != tt.field || !strings.Contains(e.Message, tt.words) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, private := range []string{testSecret, testV3Key[:8], "MII", "-----"} {
			if strings.Contains(err.Error(), private) {
				t.Errorf("%s: the error shows %q: %v", name, private, err)
			}
		}
	}
	// All wrong fields are reported at once.
	cfg := Config{AppID: testAppID, AppSecret: testSecret, MchID: testMchID, V3: &V3Config{}, Doer: &script{}}
	_, err := New(cfg)
	for _, field := range []string{"PrivateKey", "PublicKey", "APIv3Key"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
}

func TestVersionOfNewPayments(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   Version // "" for an error
	}{
		"APIv2 alone":       {func(c *Config) { c.V3 = nil }, V2},
		"APIv3 alone":       {func(c *Config) { c.APIKey = "" }, V3},
		"both":              {func(*Config) {}, V3},
		"both, APIv2 first": {func(c *Config) { c.Version = V2 }, V2},
		"no APIv2 key":      {func(c *Config) { c.APIKey, c.Version = "", V2 }, ""},
		"no APIv3 keys":     {func(c *Config) { c.V3, c.Version = nil, V3 }, ""},
		"neither":           {func(c *Config) { c.V3, c.APIKey = nil, "" }, ""},
		"unknown":           {func(c *Config) { c.Version = "v4" }, ""},
		"a bad APIv2 key":   {func(c *Config) { c.APIKey = "BAD" }, ""},
	} {
		cfg := Config{AppID: testAppID, AppSecret: testSecret, MchID: testMchID, APIKey: testKey, V3: v3config(t), Doer: &script{}}
		tt.change(&cfg)
		c, err := New(cfg)
		if (err == nil) != (tt.want != "") || c != nil && c.Version() != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A client without APIv2 sends nothing by the methods of APIv2.
	c, _, _ := newV3Client(t, silent(t))
	_, err := c.UnifiedOrder(t.Context(), v3testOrder(TradeJSAPI))
	wantError(t, err, Operator, CodeNotConfigured)
	_, err = c.PayParams("wx1")
	wantError(t, err, Operator, CodeNotConfigured)
	_, err = c.QueryOrder(t.Context(), testNo)
	wantError(t, err, Operator, CodeNotConfigured)
	wantError(t, c.CloseOrder(t.Context(), testNo, time.Time{}), Operator, CodeNotConfigured)
	_, err = c.Refund(t.Context(), v3refundRequestOf(nil))
	wantError(t, err, Operator, CodeNotConfigured)
	_, err = c.QueryRefund(t.Context(), testRefundNo)
	wantError(t, err, Operator, CodeNotConfigured)
	_, err = c.QueryRefunds(t.Context(), testNo)
	wantError(t, err, Operator, CodeNotConfigured)
	_, err = c.DownloadBill(t.Context(), billDay)
	wantError(t, err, Operator, CodeNotConfigured)
	_, err = c.ParsePayment([]byte(paid().signed(SignHMAC)))
	wantError(t, err, Operator, CodeNotConfigured)
	_, err = c.ParseRefund(nil)
	wantError(t, err, Operator, CodeNotConfigured)
	if c.CanRefund() {
		t.Error("refunds by APIv2 without its key")
	}
}

func TestPrivateKeyIsChecked(t *testing.T) {
	c, _, _ := newV3Client(t, silent(t), func(c *Config) { c.V3.Certificate = certPEM(t, merchantKey(t), testSerial) })
	if err := c.CheckPrivateKey(t.Context()); err != nil {
		t.Error(err)
	}
	if !c.MerchantExpires().Equal(testTime.AddDate(4, 0, 0)) {
		t.Errorf("expires %v", c.MerchantExpires())
	}
	c, _, _ = newV3Client(t, silent(t), func(c *Config) { c.V3.RSA = brokenRSA{} })
	wantError(t, c.CheckPrivateKey(t.Context()), Retry, "")
	v2, _ := newClient(t, unread(t))
	wantError(t, v2.CheckPrivateKey(t.Context()), Operator, CodeNotConfigured)
	if !v2.MerchantExpires().IsZero() || v2.WeChatKeys() != nil {
		t.Error("APIv2 has no keys of APIv3")
	}
}

// No printed form of the client shows a key of APIv3.
func TestPrintingHidesKeysOfAPIv3(t *testing.T) {
	c, p, _ := newV3Client(t, silent(t), func(c *Config) { c.APIKey, c.V3.APIv3KeyOld = testKey, Secret(strings.Repeat("OLDkey99", 4)) })
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "client", c, "pay", p, "config", *v3config(t))
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "client", c, "pay", p, "config", *v3config(t))
	for _, v := range []any{c, *c, p, c.v3, *c.v3, *v3config(t), []any{c.v3}} {
		fmt.Fprintf(&b, "%v %+v %#v %s %x %d", v, v, v, v, v, v)
	}
	for _, private := range []string{testV3Key, "OLDkey99", testKey, testSecret, "MIIEv", "MIIEo", "PRIVATE", fmt.Sprintf("%x", testV3Key[:8])} {
		if strings.Contains(b.String(), private) {
			t.Errorf("%q is printed", private)
		}
	}
}
