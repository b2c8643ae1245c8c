package wechattest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// rsaKeys are shared by all tests, since making one costs 100 ms.
var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key, err := rsa.GenerateKey(rand.Reader, v3KeyBits)
			if err != nil {
				panic(err)
			}
			keys[i] = key
		})
	}
	wg.Wait()
	return keys
})

// merchant is a client of APIv3 written from WeChat's documents alone.
type merchant struct {
	*world
	serial string // of the merchant's certificate
	key    *rsa.PrivateKey
	want   string // Wechatpay-Serial of its requests
	keys   map[string]*rsa.PublicKey
}

// newMerchant starts a world with a merchant who uses the keys that it has now.
func newMerchant(t *testing.T, edit ...func(*Config)) *merchant {
	t.Helper()
	// The clock runs very slowly, so that a slow machine changes no result.
	all := append([]func(*Config){func(c *Config) { c.RSAKeys, c.TimeScale = rsaKeys(), 0.001 }}, edit...)
	m := &merchant{world: newWorld(t, all...)}
	m.refresh()
	return m
}

// mode is an edit of Config.
func mode(m V3Mode) func(*Config) { return func(c *Config) { c.V3Mode = m } }

// refresh copies the keys of the merchant platform.
func (m *merchant) refresh() {
	m.t.Helper()
	id := m.V3()
	m.serial, m.keys = id.Serial, map[string]*rsa.PublicKey{}
	key, err := x509.ParsePKCS8PrivateKey(derOf(m.t, id.PrivateKey))
	if err != nil {
		m.t.Fatal(err)
	}
	m.key = key.(*rsa.PrivateKey)
	for _, c := range id.Certificates {
		cert, err := x509.ParseCertificate(derOf(m.t, c.PEM))
		if err != nil {
			m.t.Fatal(err)
		}
		m.keys[c.Serial], m.want = cert.PublicKey.(*rsa.PublicKey), c.Serial
	}
	if id.PublicKey != "" {
		key, err := x509.ParsePKIXPublicKey(derOf(m.t, id.PublicKey))
		if err != nil {
			m.t.Fatal(err)
		}
		m.keys[id.PublicKeyID], m.want = key.(*rsa.PublicKey), id.PublicKeyID
	}
}

func derOf(t *testing.T, text string) []byte {
	t.Helper()
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(rest) > 0 {
		t.Fatalf("no PEM: %q", text)
	}
	return block.Bytes
}

func signWith(key *rsa.PrivateKey, text string) string {
	sum := sha256.Sum256([]byte(text))
	b, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// request makes a signed request.
func (m *merchant) request(method, uri, body string) *http.Request {
	r := httptest.NewRequest(method, uri, strings.NewReader(body))
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "test")
	r.Header.Set("Wechatpay-Serial", m.want)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	timestamp := fmt.Sprint(m.Now().Unix())
	nonce := "0123456789abcdef"
	m.authorize(r, timestamp, nonce, signWith(m.key, method+"\n"+uri+"\n"+timestamp+"\n"+nonce+"\n"+body+"\n"))
	return r
}

// authorize sets the header Authorization.
func (m *merchant) authorize(r *http.Request, timestamp, nonce, signature string) {
	r.Header.Set("Authorization", fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",signature="%s",timestamp="%s",serial_no="%s"`,
		m.cfg.MchID, nonce, signature, timestamp, m.serial))
}

// answer is a response of APIv3.
type answer struct {
	*httptest.ResponseRecorder
	signedBy string // Wechatpay-Serial, "" when the response is not signed
	problem  string // why the signature is rejected
}

// send sends a request and verifies the response's signature.
func (m *merchant) send(r *http.Request) answer {
	m.t.Helper()
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	m.h.ServeHTTP(a, r)
	if a.Header().Get("Wechatpay-Signature") == "" {
		return a
	}
	a.signedBy = a.Header().Get("Wechatpay-Serial")
	a.problem = m.verify(a.Header(), a.Body.String())
	return a
}

// verify returns why a message of WeChat's is rejected, "" if it is accepted.
func (m *merchant) verify(h http.Header, body string) string {
	key := m.keys[h.Get("Wechatpay-Serial")]
	if key == nil {
		return "unknown serial"
	}
	var seconds int64
	if _, err := fmt.Sscan(h.Get("Wechatpay-Timestamp"), &seconds); err != nil {
		return "no timestamp"
	}
	if d := m.Now().Unix() - seconds; d >= 300 || d <= -300 {
		return "stale"
	}
	sig, err := base64.StdEncoding.DecodeString(h.Get("Wechatpay-Signature"))
	if err != nil {
		return "no base64"
	}
	sum := sha256.Sum256([]byte(h.Get("Wechatpay-Timestamp") + "\n" + h.Get("Wechatpay-Nonce") + "\n" + body + "\n"))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) != nil {
		return "wrong signature"
	}
	return ""
}

// v3 makes a call whose answer must be signed, and compares the status.
func (m *merchant) v3(method, uri, body string, status int) map[string]any {
	m.t.Helper()
	a := m.send(m.request(method, uri, body))
	if a.Code != status {
		m.t.Fatalf("%s %s: status %d, want %d: %s (%s)", method, uri, a.Code, status, a.Body, m.last().Note)
	}
	if a.signedBy == "" || a.problem != "" {
		m.t.Fatalf("%s %s: signed by %q: %s", method, uri, a.signedBy, a.problem)
	}
	return decode(m.t, a.Body.String())
}

func decode(t *testing.T, body string) map[string]any {
	t.Helper()
	if body == "" {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return v
}

// body is a good prepay body of a trade type; edits change it.
func (m *merchant) body(no, tradeType string, edit ...func(map[string]any)) string {
	m.t.Helper()
	o := map[string]any{
		"appid": m.cfg.AppID, "mchid": m.cfg.MchID, "description": "山岚小铺-茶", "out_trade_no": no, "notify_url": notifyURL,
		"amount": map[string]any{"total": 880, "currency": "CNY"}, "attach": "a & b",
	}
	switch tradeType {
	case "JSAPI":
		o["payer"] = map[string]any{"openid": m.User().OpenID}
	case "MWEB":
		o["scene_info"] = map[string]any{"payer_client_ip": "2001:db8::1", "h5_info": map[string]any{"type": "Wap"}}
	}
	for _, e := range edit {
		e(o)
	}
	b, err := json.Marshal(o)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b)
}

// set returns an edit of a member of the body.
func set(name string, value any) func(map[string]any) {
	return func(o map[string]any) { o[name] = value }
}

// drop returns an edit that removes a member.
func drop(name string) func(map[string]any) {
	return func(o map[string]any) { delete(o, name) }
}

// place makes an order and returns the response.
func (m *merchant) place(no, tradeType string) map[string]any {
	m.t.Helper()
	path := map[string]string{"JSAPI": PathV3JSAPI, "NATIVE": PathV3Native, "MWEB": PathV3H5, "APP": PathV3App}[tradeType]
	return m.v3("POST", path, m.body(no, tradeType), http.StatusOK)
}

// scanAndPay pays a NATIVE order.
func (m *merchant) scanAndPay(no string) {
	m.t.Helper()
	s, err := m.Scan(m.place(no, "NATIVE")["code_url"].(string))
	if err != nil {
		m.t.Fatal(err)
	}
	if s, err := m.PaySheet(s.ID); err != nil || s.State != SheetPaid {
		m.t.Fatalf("%+v, %v", s, err)
	}
}

func (m *merchant) queryURI(no string) string {
	return "/v3/pay/transactions/out-trade-no/" + no + "?mchid=" + m.cfg.MchID
}

func (m *merchant) closeOf(no string) (method, uri, body string, status int) {
	return "POST", "/v3/pay/transactions/out-trade-no/" + no + "/close", `{"mchid":"` + m.cfg.MchID + `"}`, http.StatusNoContent
}
