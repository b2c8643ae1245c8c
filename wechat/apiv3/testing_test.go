package apiv3

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// vector is a published or recomputed sample; testdata/vectors.json says where
// each comes from.
type vector struct {
	Name   string
	Kind   string
	Inputs struct {
		Op, Message, Body            string
		PEM                          string
		Headers                      map[string]string
		Nonce, Ciphertext            string
		AssociatedData               string `json:"associated_data"`
		SerialNo                     string `json:"serial_no"`
		CertificateSerial            string `json:"certificate_serial"`
		Parts                        []string
		MchID, Signature, Timestamp  string
		NonceStr                     string `json:"nonce_str"`
		Method, URL                  string
		TimestampDigits, NonceLength int
	}
	Key         string
	Expected    text
	Verified    bool
	ExpectValid *bool `json:"expect_valid"`
}

func (v vector) negative() bool { return v.ExpectValid != nil && !*v.ExpectValid }

func (v vector) expected() string { return string(v.Expected) }

var readVectors = sync.OnceValues(func() ([]vector, error) {
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		return nil, err
	}
	// These two names have an underscore.
	s := strings.NewReplacer(`"timestamp_digits"`, `"timestampdigits"`, `"nonce_length"`, `"noncelength"`).Replace(string(b))
	var vs []vector
	return vs, json.Unmarshal([]byte(s), &vs)
})

func vectors(t testing.TB) []vector {
	t.Helper()
	vs, err := readVectors()
	if err != nil {
		t.Fatal(err)
	}
	return vs
}

// vectorPEM returns key material of the vectors.
func vectorPEM(t testing.TB, name string) string {
	t.Helper()
	for _, v := range vectors(t) {
		if v.Kind == "key-material" && v.Name == "KEY "+name {
			return v.Inputs.PEM
		}
	}
	t.Fatalf("no key %q", name)
	return ""
}

// The names of keys in the vectors that the other tests use.
const (
	merchantKeyName = "official-docs-test-key"
	wechatKeyName   = "wechatpay-go-testing-key"
	testMchID       = "1900007291"
	testSerial      = "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB"
	testKeyID       = "PUB_KEY_ID_0119000072912024081500382100000666"
	testAPIv3Key    = "a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb"
)

var testNow = time.Date(2026, 11, 28, 4, 0, 0, 0, time.UTC)

// private returns a private key of the vectors as crypto/rsa has it.
func private(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	k, err := ParsePrivateKey(Secret(vectorPEM(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(k.PKCS8())
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

// publicPEM returns the public half of a private key of the vectors.
func publicPEM(t testing.TB, name string) string {
	t.Helper()
	k, err := ParsePrivateKey(Secret(vectorPEM(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	return toPEM("PUBLIC KEY", k.Public().SPKI())
}

func toPEM(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

// certify returns a certificate, PEM, for a key, signed by itself.
func certify(t testing.TB, key *rsa.PrivateKey, serial string, from, to time.Time) string {
	t.Helper()
	n, ok := new(big.Int).SetString(serial, 16)
	if !ok {
		t.Fatalf("serial %q", serial)
	}
	template := &x509.Certificate{
		SerialNumber: n, NotBefore: from, NotAfter: to,
		Subject: pkix.Name{CommonName: "Tenpay.com sign", Organization: []string{"Tenpay.com"}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return toPEM("CERTIFICATE", der)
}

// drawn is a source of random numbers from which Merchant draws this nonce.
func drawn(nonce string) io.Reader {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := make([]byte, 48)
	for i := range nonce {
		b[i] = byte(strings.IndexByte(alphabet, nonce[i]))
	}
	return strings.NewReader(string(b))
}

func merchantConfig(t testing.TB) MerchantConfig {
	return MerchantConfig{
		MchID: testMchID, Serial: testSerial, PrivateKey: Secret(vectorPEM(t, merchantKeyName)),
		Now: func() time.Time { return testNow },
	}
}

func newMerchant(t testing.TB, change func(*MerchantConfig)) *Merchant {
	t.Helper()
	cfg := merchantConfig(t)
	if change != nil {
		change(&cfg)
	}
	m, err := NewMerchant(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// weChatKey is the public key with which the tests' messages verify.
func weChatKey(t testing.TB) Key {
	t.Helper()
	k, err := NewPublicKey(testKeyID, publicPEM(t, wechatKeyName))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keySet(t testing.TB, keys ...Key) *KeySet {
	t.Helper()
	s, err := NewKeySet(nil, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newReceiver(t testing.TB, keys ...Key) *Receiver {
	t.Helper()
	r, err := NewReceiver(ReceiverConfig{
		Keys: keySet(t, keys...), APIv3Key: testAPIv3Key, Now: func() time.Time { return testNow },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// headers are those of a message, with lower-case names as in a Worker.
type headers map[string]string

func (h headers) get(name string) string { return h[strings.ToLower(name)] }

// with returns h with one header changed, or removed when value is "".
func (h headers) with(name, value string) headers {
	changed := headers{}
	for k, v := range h {
		changed[k] = v
	}
	changed[strings.ToLower(name)] = value
	return changed
}

// signed returns the headers of a message that WeChat signs at a time.
func signed(t testing.TB, keyName, serial string, at time.Time, body string) headers {
	t.Helper()
	const nonce = "d824f2e086d3c1df967785d13fcd22ef"
	timestamp := strconv.FormatInt(at.Unix(), 10)
	s, err := standard{}.Signer(pkcs8(t, keyName))
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Sign(t.Context(), []byte(timestamp+"\n"+nonce+"\n"+body+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return headers{
		"wechatpay-timestamp": timestamp, "wechatpay-nonce": nonce, "wechatpay-serial": serial,
		"wechatpay-signature": base64.StdEncoding.EncodeToString(b), "wechatpay-signature-type": Scheme,
	}
}

func pkcs8(t testing.TB, keyName string) []byte {
	t.Helper()
	b, err := x509.MarshalPKCS8PrivateKey(private(t, keyName))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// seal encrypts as WeChat does.
func seal(t testing.TB, key, nonce, associatedData, text string) string {
	t.Helper()
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(gcm.Seal(nil, []byte(nonce), []byte(text), []byte(associatedData)))
}

// wantKind checks that err is an Error of a kind about a field.
func wantKind(t testing.TB, err error, kind Kind, field string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind || e.Field != field {
		t.Errorf("got %v, want %s of %s", err, kind, field)
	}
}

// answers is an RSA that knows no key: every signature is valid, or every call
// fails.
type answers struct{ err error }

func (a answers) Signer([]byte) (Signer, error)                        { return a, nil }
func (a answers) Verifier([]byte) (Verifier, error)                    { return a, nil }
func (a answers) Sign(context.Context, []byte) ([]byte, error)         { return make([]byte, 256), a.err }
func (a answers) Verify(context.Context, []byte, []byte) (bool, error) { return a.err == nil, a.err }
