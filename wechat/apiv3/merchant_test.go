package apiv3

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestMerchantConfig(t *testing.T) {
	docs, other := private(t, merchantKeyName), private(t, wechatKeyName)
	from, to := testNow.AddDate(-1, 0, 0), testNow.AddDate(4, 0, 0)
	own := certify(t, docs, testSerial, from, to)
	for name, test := range map[string]struct {
		change func(*MerchantConfig)
		field  string // "" when it is right
		words  string
	}{
		"right":                {func(*MerchantConfig) {}, "", ""},
		"with the certificate": {func(c *MerchantConfig) { c.Certificate = own }, "", ""},
		"serial of the certificate": {func(c *MerchantConfig) {
			c.Serial, c.Certificate = "", own
		}, "", ""},
		"lower-case serial":    {func(c *MerchantConfig) { c.Serial = strings.ToLower(c.Serial) }, "", ""},
		"no merchant":          {func(c *MerchantConfig) { c.MchID = "" }, "MchID", ""},
		"merchant not digits":  {func(c *MerchantConfig) { c.MchID = "wx1900007291" }, "MchID", ""},
		"no serial":            {func(c *MerchantConfig) { c.Serial = "" }, "Serial", "is missing"},
		"ID of the public key": {func(c *MerchantConfig) { c.Serial = testKeyID }, "Serial", "is the ID of WeChat Pay's public key"},
		"serial with colons":   {func(c *MerchantConfig) { c.Serial = "40:8B:07" }, "Serial", "hex digits"},
		"no key":               {func(c *MerchantConfig) { c.PrivateKey = "" }, "PrivateKey", "is empty"},
		"certificate as key":   {func(c *MerchantConfig) { c.PrivateKey = Secret(own) }, "PrivateKey", "is a certificate"},
		"key as certificate":   {func(c *MerchantConfig) { c.Certificate = string(c.PrivateKey) }, "Certificate", "is an RSA private key"},
		"serial of another certificate": {func(c *MerchantConfig) {
			c.Certificate = certify(t, docs, "1234", from, to)
		}, "Serial", "is not the serial of the certificate"},
		"key of another certificate": {func(c *MerchantConfig) {
			c.Certificate = certify(t, other, testSerial, from, to)
		}, "PrivateKey", "does not belong to the certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := merchantConfig(t)
			test.change(&cfg)
			m, err := NewMerchant(cfg)
			if test.field != "" {
				wantKind(t, err, BadConfig, test.field)
				if err != nil && !strings.Contains(err.Error(), test.words) {
					t.Errorf("%v, want %q", err, test.words)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if weChatKey(t).Public.Equal(m.PublicKey()) || !m.PublicKey().Equal(newMerchant(t, nil).PublicKey()) {
				t.Error("another public key")
			}
			if m.Serial() != testSerial || m.MchID() != testMchID {
				t.Errorf("got %s of %s", m.Serial(), m.MchID())
			}
			if want := cfg.Certificate != ""; m.Expires().Equal(to) != want || m.Expires().IsZero() == want {
				t.Errorf("expires %s", m.Expires())
			}
		})
	}
}

// The platform's serial may begin with zeros, which Go and Java leave out. The request has the
// serial as the operator copied it.
func TestSerialKeepsItsZeros(t *testing.T) {
	cfg := merchantConfig(t)
	cfg.Serial, cfg.Certificate = "00ab12", certify(t, private(t, merchantKeyName), "ab12", testNow, testNow)
	m, err := NewMerchant(cfg)
	if err != nil || m.Serial() != "00AB12" {
		t.Errorf("got %v, %v", m, err)
	}
}

var authorizationForm = regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 mchid="(\d+)",serial_no="([0-9A-F]+)",timestamp="(\d{10})",nonce_str="([0-9A-Za-z]{32})",signature="([0-9A-Za-z+/]{342}==)"$`)

// The signature covers what an HTTP client sends, as the request of net/http shows.
func TestAuthorizationCoversWhatIsSent(t *testing.T) {
	m := newMerchant(t, nil)
	verifier, err := standard{}.Verifier(m.public.SPKI())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, test := range []struct{ method, url, body string }{
		{"GET", "https://api.mch.weixin.qq.com/v3/certificates", ""},
		{"GET", "https://api.mch.weixin.qq.com/v3/pay/transactions/out-trade-no/A%7CB*C_1-2?mchid=1900007291", ""},
		{"GET", "https://api.mch.weixin.qq.com/v3/billdownload/file?token=a%2Bb%3D&x", ""},
		{"POST", "https://api.mch.weixin.qq.com/v3/pay/transactions/jsapi", `{"description":"茶 <&>"}`},
		{"POST", "https://api.mch.weixin.qq.com/v3/pay/transactions/jsapi", "a\nb\n"},
	} {
		req, err := http.NewRequest(test.method, test.url, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Authorization(t.Context(), req.Method, req.URL.RequestURI(), []byte(test.body))
		if err != nil {
			t.Fatal(err)
		}
		part := authorizationForm.FindStringSubmatch(got)
		if part == nil || part[1] != testMchID || part[2] != testSerial || part[3] != "1795838400" {
			t.Fatalf("got %s", got)
		}
		if seen[part[4]] {
			t.Errorf("the nonce %s was used twice", part[4])
		}
		seen[part[4]] = true
		signature, err := base64.StdEncoding.DecodeString(part[5])
		if err != nil {
			t.Fatal(err)
		}
		_, uri, _ := strings.Cut(test.url, "weixin.qq.com")
		text := test.method + "\n" + uri + "\n" + part[3] + "\n" + part[4] + "\n" + test.body + "\n"
		if ok, err := verifier.Verify(t.Context(), []byte(text), signature); !ok || err != nil {
			t.Errorf("%s %s: the signature is over something else", test.method, test.url)
		}
	}
}

func TestBadRequestsAreNotSigned(t *testing.T) {
	m := newMerchant(t, nil)
	for _, test := range []struct{ method, uri, field string }{
		{"", "/v3", "method"}, {"get", "/v3", "method"}, {"GET\n", "/v3", "method"},
		{"GET", "", "uri"}, {"GET", "v3", "uri"}, {"GET", "https://api.mch.weixin.qq.com/v3", "uri"}, {"GET", "//host/v3", "uri"},
		{"GET", "/v3 x", "uri"}, {"GET", "/v3\n1", "uri"}, {"GET", "/v3#a", "uri"}, {"GET", "/v3/订单", "uri"},
	} {
		_, err := m.Authorization(t.Context(), test.method, test.uri, nil)
		wantKind(t, err, BadRequest, test.field)
	}
	for _, test := range []struct{ appID, prepayID, field string }{
		{"", "wx1", "appid"}, {"wx\n", "wx1", "appid"}, {"wx1", "", "prepay_id"}, {"wx1", "a b", "prepay_id"},
		{"wx1", "a&b", "prepay_id"}, {"wx1", "a\nb", "prepay_id"}, {"wx1", strings.Repeat("a", 129), "prepay_id"},
	} {
		_, err := m.PayParams(t.Context(), test.appID, test.prepayID)
		wantKind(t, err, BadRequest, test.field)
		_, err = m.AppParams(t.Context(), test.appID, test.prepayID)
		wantKind(t, err, BadRequest, test.field)
	}
}

// A failure outside of this package can be retried. Its text is not in the error.
func TestUnavailable(t *testing.T) {
	m := newMerchant(t, func(cfg *MerchantConfig) { cfg.Rand = strings.NewReader("short") })
	_, err := m.Authorization(t.Context(), "GET", "/v3/certificates", nil)
	wantKind(t, err, Unavailable, "nonce_str")
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	m = newMerchant(t, func(cfg *MerchantConfig) { cfg.RSA = answers{errors.New("the key is MIIE")} })
	_, err = m.PayParams(t.Context(), "wx1", "wx2")
	wantKind(t, err, Unavailable, "RSA")
	if strings.Contains(err.Error(), "MIIE") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m.Authorization(ctx, "GET", "/v3/certificates", nil)
	wantKind(t, err, Unavailable, "RSA")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The letters of a nonce are equally likely. If the source returns all bytes in order, 16 nonces
// have each letter 8 or 9 times. If the bytes from 248 on counted too, the first letters would
// occur 10 times.
func TestNonceIsFair(t *testing.T) {
	all := make([]byte, 0, 256)
	for v := range 256 {
		all = append(all, byte(v))
	}
	count := map[rune]int{}
	random := repeat(all)
	seen := map[string]bool{}
	for range 16 {
		nonce, err := Nonce(random)
		if err != nil || len(nonce) != 32 || seen[nonce] {
			t.Fatalf("%q, %v", nonce, err)
		}
		seen[nonce] = true
		for _, c := range nonce {
			count[c]++
		}
	}
	if len(count) != 62 {
		t.Errorf("%d letters", len(count))
	}
	for c, n := range count {
		if n < 8 || n > 9 {
			t.Errorf("%c occurs %d times", c, n)
		}
	}
}

// repeat reads the same bytes again and again.
func repeat(b []byte) io.Reader {
	i := 0
	return readerFunc(func(p []byte) (int, error) {
		for j := range p {
			p[j] = b[i%len(b)]
			i++
		}
		return len(p), nil
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// The real clock and the real random numbers are the defaults.
func TestMerchantDefaults(t *testing.T) {
	m := newMerchant(t, func(cfg *MerchantConfig) { cfg.Now = nil })
	p, err := m.PayParams(t.Context(), "wx1", "wx2")
	if err != nil || p.NonceStr == "" {
		t.Fatalf("got %+v, %v", p, err)
	}
	q, err := m.PayParams(t.Context(), "wx1", "wx2")
	if err != nil || q.NonceStr == p.NonceStr {
		t.Errorf("the nonce %s was used twice, %v", q.NonceStr, err)
	}
	if since := time.Since(m.now()); since < -time.Minute || since > time.Minute {
		t.Errorf("its clock differs by %s", since)
	}
}
