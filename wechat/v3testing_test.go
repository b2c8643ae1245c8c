package wechat

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/wechat/apiv3"
)

// The account of APIv3 of the tests.
const (
	testSerial = "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB"
	testKeyID  = "PUB_KEY_ID_0119000072912024081500382100000666"
	testV3Key  = "a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb"
	certSerial = "7132D72A03E93CDDF8C03BBD1F37EEDF00000001"
	newSerial  = "7132D72A03E93CDDF8C03BBD1F37EEDF00000002"
	timestampH = "Wechatpay-Timestamp"
	nonceH     = "Wechatpay-Nonce"
	signatureH = "Wechatpay-Signature"
	serialH    = "Wechatpay-Serial"
)

var testTime = time.Unix(1772330400, 0)

// v3vector is one of the published samples of package apiv3.
type v3vector struct {
	Name, Kind, Key string
	Inputs          struct {
		PEM, Message, Body string
		Headers            map[string]string
	}
	Expected json.RawMessage
}

var readV3Vectors = sync.OnceValues(func() (vs []v3vector, err error) {
	b, err := os.ReadFile("apiv3/testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(b, &vs)
	}
	return vs, err
})

// header returns the headers of a message of WeChat's.
func (v v3vector) header(t testing.TB) http.Header {
	t.Helper()
	h := http.Header{}
	for name, value := range v.Inputs.Headers {
		h.Set(name, value)
	}
	var signature string
	if err := json.Unmarshal(v.Expected, &signature); err != nil {
		t.Fatal(err)
	}
	h.Set(signatureH, signature)
	return h
}

func v3vectorNamed(t testing.TB, name string) v3vector {
	t.Helper()
	vs, err := readV3Vectors()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vs {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("no vector %q", name)
	return v3vector{}
}

// privateKey parses a private key of the vectors with the standard library.
func privateKey(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	var der []byte
	if block, _ := pem.Decode([]byte(v3vectorNamed(t, "KEY "+name).Inputs.PEM)); block != nil {
		der = block.Bytes
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

func merchantKey(t testing.TB) *rsa.PrivateKey { return privateKey(t, "official-docs-test-key") }
func wechatKey(t testing.TB) *rsa.PrivateKey   { return privateKey(t, "wechatpay-go-testing-key") }
func otherKey(t testing.TB) *rsa.PrivateKey {
	return privateKey(t, "wechatpay-java-merchant-private-key")
}

func publicPEM(t testing.TB, key *rsa.PrivateKey) string {
	t.Helper()
	b, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: b}))
}

// certPEM returns a certificate of five years around testTime.
func certPEM(t testing.TB, key *rsa.PrivateKey, serial string) string {
	t.Helper()
	n, _ := new(big.Int).SetString(serial, 16)
	c := &x509.Certificate{
		SerialNumber: n, Subject: pkix.Name{CommonName: "Tenpay.com sign"},
		NotBefore: testTime.AddDate(-1, 0, int(n.Bit(0))), NotAfter: testTime.AddDate(4, 0, 0),
	}
	b, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b}))
}

// v3config is a merchant with WeChat's public key.
func v3config(t testing.TB) *V3Config {
	return &V3Config{
		Serial: testSerial, PrivateKey: Secret(v3vectorNamed(t, "KEY official-docs-test-key").Inputs.PEM), APIv3Key: testV3Key,
		PublicKeyID: testKeyID, PublicKey: publicPEM(t, wechatKey(t)),
	}
}

// v3answer is the response of the tests' WeChat before its signature.
type v3answer struct {
	status int
	body   string
	header map[string]string // "-" removes one
	serial string            // of the key that signs; testKeyID when empty
	key    *rsa.PrivateKey   // WeChat's when nil
	err    error             // in place of a response
}

// v3wechat responds in WeChat's place. It checks the signature of each request and signs its
// responses, with no code of the client.
type v3wechat struct {
	t      testing.TB
	answer func(r *http.Request, body []byte) v3answer
	sent   []v3request
}

type v3request struct {
	method, url, body, authorization, serial string
}

var authorizationForm = regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 mchid="1230000109",serial_no="` + testSerial +
	`",timestamp="(\d{10})",nonce_str="([0-9A-Za-z]{32})",signature="([A-Za-z0-9+/]{342}==)"$`)

func (w *v3wechat) Do(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			w.t.Errorf("reading the request: %v", err)
		}
	}
	if int64(len(body)) != r.ContentLength {
		w.t.Errorf("ContentLength is %d, the body has %d bytes", r.ContentLength, len(body))
	}
	auth := r.Header.Get("Authorization")
	w.sent = append(w.sent, v3request{r.Method, r.URL.String(), string(body), auth, r.Header.Get(serialH)})
	m := authorizationForm.FindStringSubmatch(auth)
	if m == nil {
		w.t.Fatalf("Authorization is %q", auth)
	}
	uri := r.URL.RequestURI()
	signed := r.Method + "\n" + strings.TrimPrefix(uri, "/proxy") + "\n" + m[1] + "\n" + m[2] + "\n" + string(body) + "\n"
	signature, _ := base64.StdEncoding.DecodeString(m[3])
	sum := sha256.Sum256([]byte(signed))
	if err := rsa.VerifyPKCS1v15(&merchantKey(w.t).PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		w.t.Errorf("%s %s is badly signed", r.Method, uri)
	}
	if m[1] != strconv.FormatInt(testTime.Unix(), 10) {
		w.t.Errorf("the time stamp is %s", m[1])
	}
	for name, want := range map[string]string{"Accept": "application/json", "User-Agent": "h5pay"} {
		if got := r.Header.Get(name); got != want {
			w.t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := r.Header.Get("Content-Type"); (got == "application/json") != (len(body) > 0) {
		w.t.Errorf("Content-Type is %q of %d bytes", got, len(body))
	}
	a := w.answer(r, body)
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{StatusCode: a.status, Header: a.headers(w.t), Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

// headers signs a response, or a notification.
func (a v3answer) headers(t testing.TB) http.Header {
	t.Helper()
	key, serial := a.key, a.serial
	if key == nil {
		key = wechatKey(t)
	}
	if serial == "" {
		serial = testKeyID
	}
	timestamp := strconv.FormatInt(testTime.Unix(), 10)
	if v := a.header[timestampH]; v != "" && v != "-" {
		timestamp = v
	}
	const nonce = "d824f2e086d3c1df967785d13fcd22ef"
	h := http.Header{}
	h.Set("Request-ID", "08F78BA9A30610B20118A8D6FE6420EFE6AF1628C7B0B3-268435461")
	h.Set(timestampH, timestamp)
	h.Set(nonceH, nonce)
	h.Set(serialH, serial)
	h.Set(signatureH, signV3(t, key, timestamp+"\n"+nonce+"\n"+a.body+"\n"))
	for name, value := range a.header {
		if h.Set(name, value); value == "-" {
			h.Del(name)
		}
	}
	return h
}

func signV3(t testing.TB, key *rsa.PrivateKey, text string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	b, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// unsigned are the headers of a response without a signature.
var unsigned = map[string]string{signatureH: "-", timestampH: "-", nonceH: "-", serialH: "-"}

// newV3Client makes a Client of APIv3 alone that talks to answer.
func newV3Client(t testing.TB, answer func(*http.Request, []byte) v3answer, change ...func(*Config)) (*Client, Merchant, *v3wechat) {
	t.Helper()
	w := &v3wechat{t: t, answer: answer}
	cfg := Config{AppID: testAppID, AppSecret: testSecret, MchID: testMchID, V3: v3config(t), Doer: w, Now: func() time.Time { return testTime }}
	for _, c := range change {
		c(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.For(V3)
	if err != nil {
		t.Fatal(err)
	}
	return c, p, w
}

// answers returns the same signed response to every request.
func answers(status int, body string) func(*http.Request, []byte) v3answer {
	return func(*http.Request, []byte) v3answer { return v3answer{status: status, body: body} }
}

func says3(a v3answer) func(*http.Request, []byte) v3answer {
	return func(*http.Request, []byte) v3answer { return a }
}

// silent fails a test whose call should not have sent anything.
func silent(t testing.TB) func(*http.Request, []byte) v3answer {
	return func(r *http.Request, body []byte) v3answer {
		t.Errorf("sent %s %s %s", r.Method, r.URL, body)
		return v3answer{status: 500}
	}
}

// sealV3 encrypts a resource as WeChat does.
func sealV3(t testing.TB, key, associated, text string) string {
	t.Helper()
	const nonce = "fdasflkja484"
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{
		"algorithm": "AEAD_AES_256_GCM", "nonce": nonce, "associated_data": associated, "original_type": associated,
		"ciphertext": base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), []byte(text), []byte(associated))),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// notification is the body of a notification of APIv3.
func notification(t testing.TB, event, kind, resource string) string {
	return fmt.Sprintf(`{"id":"EV-1","create_time":"2026-03-01T10:00:00+08:00","event_type":%q,"resource_type":"encrypt-resource","summary":"x","resource":%s}`,
		event, sealV3(t, testV3Key, kind, resource))
}

// header returns headers as a notification has them.
func (a v3answer) get(t testing.TB) apiv3.Header { return a.headers(t).Get }

// object is a JSON object of the tests.
type object map[string]any

// with returns a copy with some members replaced, "a.b" for one of an inner object,
// or removed by "-".
func (o object) with(pairs ...any) object {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	copied := object{}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&copied); err != nil {
		panic(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		in := map[string]any(copied)
		name := pairs[i].(string)
		if outer, inner, ok := strings.Cut(name, "."); ok {
			in, name = in[outer].(map[string]any), inner
		}
		if in[name] = pairs[i+1]; pairs[i+1] == "-" {
			delete(in, name)
		}
	}
	return copied
}

func (o object) json() string {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func unixTime(t testing.TB, s string) time.Time {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(n, 0)
}

// drawnNonce is a source of random numbers from which this nonce is drawn.
func drawnNonce(nonce string) io.Reader {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := make([]byte, 48)
	for i := range nonce {
		b[i] = byte(strings.IndexByte(alphabet, nonce[i]))
	}
	return bytes.NewReader(b)
}
