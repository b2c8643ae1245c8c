package wechattest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Requests whose Authorization WeChat declines: 401, unsigned, with WeChat's texts.
func TestV3DeclinesAuthorization(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	m.place("auth-1", "NATIVE")
	uri := m.queryURI("auth-1")
	now := m.Now().Unix()
	good := func(timestamp string) string {
		return signWith(m.key, "GET\n"+uri+"\n"+timestamp+"\nn0nce\n\n")
	}
	header := func(edit func(string) string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", edit(r.Header.Get("Authorization"))) }
	}
	stamped := func(seconds int64) func(*http.Request) {
		return func(r *http.Request) { m.authorize(r, itoa(seconds), "n0nce", good(itoa(seconds))) }
	}
	const words, form, clock = "签名信息错误，验签失败", "Http头Authorization值格式错误", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"
	for name, c := range map[string]struct {
		edit          func(*http.Request)
		message, note string
	}{
		"missing":           {func(r *http.Request) { r.Header.Del("Authorization") }, words, "missing"},
		"another scheme":    {header(func(s string) string { return strings.Replace(s, "RSA2048", "SM2", 1) }), words, "scheme"},
		"two blanks":        {header(func(s string) string { return strings.Replace(s, " ", "  ", 1) }), words, "unknown"},
		"blank after comma": {header(func(s string) string { return strings.Replace(s, ",", ", ", 1) }), words, "no blanks"},
		"no quotes":         {header(func(s string) string { return strings.ReplaceAll(s, `"`, "") }), words, "double quotes"},
		"no nonce":          {header(func(s string) string { return strings.Replace(s, `nonce_str="0123456789abcdef",`, "", 1) }), words, "nonce_str is missing"},
		"a pair twice":      {header(func(s string) string { return s + `,mchid="1"` }), words, "repeated"},
		"no closing quote":  {header(func(s string) string { return strings.TrimSuffix(s, `"`) }), words, "closing"},
		"a long nonce":      {header(func(s string) string { return strings.Replace(s, "0123456789abcdef", strings.Repeat("n", 33), 1) }), form, "32"},
		"another merchant":  {header(func(s string) string { return strings.Replace(s, m.cfg.MchID, "1900000001", 1) }), "商户未申请过证书", "merchant is"},
		"ten minutes ahead": {stamped(now + 600), clock, "10m0s"},
		"behind":            {stamped(now - 600), clock, "10m0s"},
		"milliseconds":      {stamped(now * 1000), clock, "milliseconds"},
		"no number":         {header(func(s string) string { return strings.Replace(s, `timestamp="`, `timestamp="x`, 1) }), clock, "Unix seconds"},
		"serial":            {header(func(s string) string { return strings.Replace(s, m.serial, strings.Repeat("A", 40), 1) }), "商户证书序列号有误", "the newest is"},
		"wrong signature": {func(r *http.Request) {
			m.authorize(r, itoa(now), "n0nce", signWith(m.key, "something else"))
		}, "签名错误", ""},
	} {
		r := m.request("GET", uri, "")
		c.edit(r)
		a := m.send(r)
		got := decode(t, a.Body.String())
		text, _ := got["message"].(string)
		if a.Code != http.StatusUnauthorized || got["code"] != "SIGN_ERROR" || !strings.Contains(text, c.message) {
			t.Errorf("%s: %d %v", name, a.Code, got)
		}
		if a.signedBy != "" || a.Header().Get("Request-Id") != "" {
			t.Errorf("%s: signed by %q, Request-ID %q", name, a.signedBy, a.Header().Get("Request-Id"))
		}
		if !strings.Contains(m.last().Note, c.note) {
			t.Errorf("%s: note %q", name, m.last().Note)
		}
	}
	// SDKs that read the serial from the certificate send it in lower case.
	r := m.request("GET", uri, "")
	header(func(s string) string { return strings.Replace(s, m.serial, strings.ToLower(m.serial), 1) })(r)
	if a := m.send(r); a.Code != http.StatusOK || !strings.Contains(m.last().Note, "lower case") {
		t.Errorf("serial_no in lower case: %d, note %q", a.Code, m.last().Note)
	}
	for _, d := range []time.Duration{299 * time.Second, -299 * time.Second} {
		r := m.request("GET", uri, "")
		stamped(now + int64(d.Seconds()))(r)
		if a := m.send(r); a.Code != http.StatusOK {
			t.Errorf("%s off: %d %s", d, a.Code, a.Body)
		}
	}
}

// A 401 shows what WeChat signed, cut shortly after the body begins.
func TestV3SignInformation(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	body := m.body("info-1", "NATIVE")
	r := m.request("POST", PathV3Native, body)
	timestamp := itoa(m.Now().Unix())
	m.authorize(r, timestamp, "n0nce", signWith(m.key, "x"))
	got := decode(t, m.send(r).Body.String())
	head := "POST\n" + PathV3Native + "\n" + timestamp + "\nn0nce\n"
	want := map[string]any{
		"code": "SIGN_ERROR", "message": "签名错误",
		"detail": map[string]any{
			"detail": map[string]any{"issue": "sign not match"}, "field": "signature", "location": "authorization",
			"sign_information": map[string]any{
				"method": "POST", "url": PathV3Native, "sign_message_length": float64(len(head + body + "\n")), "truncated_sign_message": head + body[:8],
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The headers besides Authorization.
func TestV3DeclinesHeaders(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	for name, c := range map[string]struct {
		edit func(http.Header)
		code string
	}{
		"no User-Agent":     {func(h http.Header) { h.Del("User-Agent") }, "INVALID_REQUEST"},
		"no Accept":         {func(h http.Header) { h.Del("Accept") }, "INVALID_REQUEST"},
		"Accept of a page":  {func(h http.Header) { h.Set("Accept", "text/html") }, "INVALID_REQUEST"},
		"unknown serial":    {func(h http.Header) { h.Set("Wechatpay-Serial", "PUB_KEY_ID_0") }, "PARAM_ERROR"},
		"merchant's serial": {func(h http.Header) { h.Set("Wechatpay-Serial", m.serial) }, "PARAM_ERROR"},
		"lower-case serial": {func(h http.Header) { h.Set("Wechatpay-Serial", strings.ToLower(m.want)) }, "PARAM_ERROR"},
	} {
		r := m.request("POST", PathV3Native, m.body("headers-1", "NATIVE"))
		c.edit(r.Header)
		a := m.send(r)
		if got := decode(t, a.Body.String())["code"]; a.Code != http.StatusBadRequest || got != c.code || a.signedBy != "" {
			t.Errorf("%s: %d %v, signed by %q", name, a.Code, got, a.signedBy)
		}
	}
	r := m.request("POST", PathV3Native, m.body("headers-1", "NATIVE"))
	r.Header.Set("Accept", "*/*")
	if a := m.send(r); a.Code != http.StatusOK {
		t.Errorf("Accept */*: %d %s", a.Code, a.Body)
	}
}

// Unknown paths and wrong methods have an empty body and no signature.
func TestV3UnknownPaths(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	for uri, status := range map[string]int{"/v3/nothing": 404, PathV3Native: 405, "/v3/pay/transactions/out-trade-no/": 404} {
		a := m.send(m.request("GET", uri, ""))
		if a.Code != status || a.Body.Len() != 0 || a.signedBy != "" {
			t.Errorf("%s: %d %s, signed by %q", uri, a.Code, a.Body, a.signedBy)
		}
	}
}

// Wechatpay-Serial of the request chooses the key that signs the response.
func TestV3SignsByTheRequestedSerial(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, mode(V3Both))
	id := m.V3()
	m.place("serial-1", "NATIVE")
	for want, sent := range map[string]string{id.PublicKeyID: id.PublicKeyID, id.Certificates[0].Serial: id.Certificates[0].Serial} {
		m.want = sent
		if a := m.send(m.request("GET", m.queryURI("serial-1"), "")); a.signedBy != want || a.problem != "" {
			t.Errorf("requested %s, signed by %s: %s", sent, a.signedBy, a.problem)
		}
	}
	r := m.request("GET", m.queryURI("serial-1"), "")
	r.Header.Del("Wechatpay-Serial")
	if a := m.send(r); a.signedBy != id.Certificates[0].Serial || a.problem != "" {
		t.Errorf("without the header: signed by %s: %s", a.signedBy, a.problem)
	}
}

// The keys of the merchant and of WeChat change while the old ones are in use.
func TestV3RotatesKeys(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, mode(V3Both))
	before := m.V3()
	query := func() answer { return m.send(m.request("GET", m.queryURI("rotate-1"), "")) }
	m.place("rotate-1", "NATIVE")

	m.RotateV3MerchantKey()
	if a := query(); a.Code != http.StatusOK {
		t.Errorf("the merchant's old key: %d %s", a.Code, a.Body)
	}
	m.RevokeV3MerchantKeys()
	if a := query(); a.Code != http.StatusUnauthorized || !strings.Contains(a.Body.String(), "已作废") {
		t.Errorf("the revoked key: %d %s", a.Code, a.Body)
	}
	m.refresh()
	if a := query(); a.Code != http.StatusOK {
		t.Errorf("the merchant's new key: %d %s", a.Code, a.Body)
	}

	announced := m.AnnounceV3Certificate()
	r := m.request("GET", m.queryURI("rotate-1"), "")
	r.Header.Del("Wechatpay-Serial")
	if a := m.send(r); a.signedBy != before.Certificates[0].Serial {
		t.Errorf("announced: signed by %s", a.signedBy)
	}
	if got := m.RotateV3Certificate(); got != announced {
		t.Errorf("rotated to %s, announced was %s", got, announced)
	}
	if a := m.send(r); a.signedBy != announced || a.problem != "unknown serial" {
		t.Errorf("rotated: signed by %s: %s", a.signedBy, a.problem)
	}
	m.want = before.Certificates[0].Serial
	if a := query(); a.signedBy != before.Certificates[0].Serial || a.problem != "" {
		t.Errorf("the old certificate by name: %s %s", a.signedBy, a.problem)
	}

	next := m.RotateV3PublicKey()
	m.refresh()
	if m.want != next || next == before.PublicKeyID {
		t.Errorf("public key %s after %s", next, before.PublicKeyID)
	}
	if a := query(); a.signedBy != next || a.problem != "" {
		t.Errorf("the new public key: %s %s", a.signedBy, a.problem)
	}
	if got := len(m.V3().Certificates); got != 2 {
		t.Errorf("%d certificates", got)
	}
}

// A change of mode ends what the other mode offers, and brings it back.
func TestV3Modes(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	public := m.want
	if err := m.SetV3Mode(V3Certificates); err != nil {
		t.Fatal(err)
	}
	if id := m.V3(); id.PublicKeyID != "" || len(id.Certificates) != 1 || !id.Certificates[0].Signs {
		t.Errorf("%+v", id)
	}
	if a := m.send(m.request("POST", PathV3Native, m.body("modes-1", "NATIVE"))); a.Code != http.StatusBadRequest {
		t.Errorf("the public key in certificate mode: %d", a.Code)
	}
	if err := m.SetV3Mode(V3Both); err != nil {
		t.Fatal(err)
	}
	if id := m.V3(); id.PublicKeyID != public {
		t.Errorf("the public key changed: %s", id.PublicKeyID)
	}
	if m.SetV3Mode("none") == nil || m.SetV3Share(101) == nil || m.SetV3Share(-1) == nil || m.SetAPIv3Key("short") == nil {
		t.Error("an invalid setting was accepted")
	}
}

func TestV3Config(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"APIv3Key":                  {APIv3Key: "short"},
		"APIv3Key: must differ":     {APIKey: strings.Repeat("k", 32), APIv3Key: strings.Repeat("k", 32)},
		"V3Mode: want":              {V3Mode: "none"},
		"RSAKeys[0]: want a key of": {RSAKeys: append(rsaKeys()[:0:0], nil)},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "kkkk") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
