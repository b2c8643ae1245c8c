package apiv3

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// notOffered are the kinds of vectors that do not apply. Sensitive fields, such as
// the payer's name, are in no call of a basic payment, refund or bill.
var notOffered = []string{"rsa-oaep-v3", "rsa-pkcs1-v3"}

// Every vector is used.
func TestVectors(t *testing.T) {
	count := map[string]int{}
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			switch {
			case v.Kind == "key-material":
				testKeyMaterial(t, v)
			case v.Kind == "rsa-v3" && v.Inputs.Op == "format":
				testFormat(t, v)
			case v.Kind == "rsa-v3" && !v.Verified:
				testUnverifiable(t, v)
			case v.Kind == "rsa-v3" && v.Inputs.Op == "sign":
				testSign(t, v)
			case v.Kind == "rsa-v3" && v.Inputs.Op == "verify":
				testVerify(t, v)
			case v.Kind == "aes-gcm-v3":
				testGCM(t, v)
			case v.Kind == "sign-message-length":
				got := len(requestMessage(v.Inputs.Method, v.Inputs.URL,
					strings.Repeat("1", v.Inputs.TimestampDigits), strings.Repeat("n", v.Inputs.NonceLength), []byte(v.Inputs.Body)))
				if strconv.Itoa(got) != v.expected() {
					t.Errorf("got %d bytes, want %s", got, v.expected())
				}
			case slices.Contains(notOffered, v.Kind):
			default:
				t.Errorf("kind %s, op %s has no test", v.Kind, v.Inputs.Op)
			}
			count[v.Kind]++
		})
	}
	for kind, want := range map[string]int{"rsa-v3": 33, "aes-gcm-v3": 11, "sign-message-length": 2, "key-material": 8} {
		if count[kind] != want {
			t.Errorf("%s: %d vectors, want %d", kind, count[kind], want)
		}
	}
}

func testKeyMaterial(t *testing.T, v vector) {
	text := v.Inputs.PEM
	var err error
	switch {
	case strings.Contains(text, "CERTIFICATE"):
		_, err = ParseCertificate(text)
	case strings.Contains(text, "PRIVATE"):
		_, err = ParsePrivateKey(Secret(text))
	default:
		_, err = ParsePublicKey(text)
	}
	if err != nil {
		t.Error(err)
	}
}

func testFormat(t *testing.T, v vector) {
	in := v.Inputs
	got := string(lines(in.Parts...))
	if in.MchID != "" {
		got = authorization(in.MchID, in.SerialNo, in.Timestamp, in.NonceStr, in.Signature)
	}
	if got != v.expected() {
		t.Errorf("got %q, want %q", got, v.expected())
	}
}

// testSign signs as this package does. The text decides how: a request has five
// lines, pay parameters four, a message of WeChat's three.
func testSign(t *testing.T, v vector) {
	text := v.Inputs.Message
	s, err := standard{}.Signer(pkcs8(t, v.Key))
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Sign(t.Context(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := base64.StdEncoding.EncodeToString(b); got != v.expected() {
		t.Errorf("got %s, want %s", got, v.expected())
	}
	part := strings.Split(text, "\n")
	at := func(i int) func() time.Time {
		seconds, err := strconv.ParseInt(part[i], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return func() time.Time { return time.Unix(seconds, 0) }
	}
	newFor := func(timestamp, nonce int) *Merchant {
		return newMerchant(t, func(cfg *MerchantConfig) {
			cfg.PrivateKey, cfg.Now, cfg.Rand = Secret(vectorPEM(t, v.Key)), at(timestamp), drawn(part[nonce])
		})
	}
	switch {
	case text == "source": // a text of a library's test
	case part[0] == "GET" || part[0] == "POST":
		body := strings.TrimSuffix(strings.Join(part[4:], "\n"), "\n")
		got, err := newFor(2, 3).Authorization(t.Context(), part[0], part[1], []byte(body))
		want := Scheme + ` mchid="` + testMchID + `",serial_no="` + testSerial + `",timestamp="` + part[2] +
			`",nonce_str="` + part[3] + `",signature="` + v.expected() + `"`
		if got != want || err != nil {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	case strings.HasPrefix(part[3], "prepay_id="):
		got, err := newFor(1, 2).PayParams(t.Context(), part[0], strings.TrimPrefix(part[3], "prepay_id="))
		want := PayParams{part[0], part[1], part[2], part[3], "RSA", v.expected()}
		if got != want || err != nil {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	case strings.HasPrefix(part[0], "wx"):
		got, err := newFor(1, 2).AppParams(t.Context(), part[0], part[3])
		want := AppParams{part[0], testMchID, part[3], "Sign=WXPay", part[2], part[1], v.expected()}
		if got != want || err != nil {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	case v.Inputs.Headers != nil:
		testVerify(t, v)
	default:
		t.Errorf("a message of an unknown form: %q", text)
	}
}

// vectorKey returns the public key of a vector, under an ID.
func vectorKey(t *testing.T, v vector, id string) Key {
	t.Helper()
	text := vectorPEM(t, v.Key)
	if strings.Contains(text, "CERTIFICATE") {
		k, err := NewPlatformKey(text)
		if err != nil {
			t.Fatal(err)
		}
		if want := v.Inputs.CertificateSerial; want != "" && k.ID != want {
			t.Errorf("serial %s, want %s", k.ID, want)
		}
		return k
	}
	if strings.Contains(text, "PRIVATE") {
		text = publicPEM(t, v.Key)
	}
	public, err := ParsePublicKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return Key{ID: id, Public: public}
}

// testVerify verifies a vector's text, and the message with its headers as a
// Receiver does.
func testVerify(t *testing.T, v vector) {
	id := v.Inputs.Headers[HeaderSerial]
	if id == "" {
		id = testKeyID
	}
	key := vectorKey(t, v, id)
	verifier, err := standard{}.Verifier(key.Public.SPKI())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := base64.StdEncoding.DecodeString(v.expected()); err == nil {
		ok, err := verifier.Verify(t.Context(), []byte(v.Inputs.Message), b)
		if ok == v.negative() || err != nil {
			t.Errorf("verified: %t, %v", ok, err)
		}
	} else if !v.negative() {
		t.Error(err)
	}
	if v.Inputs.Headers == nil {
		return
	}
	h := headers{}
	for name, value := range v.Inputs.Headers {
		h[strings.ToLower(name)] = value
	}
	h["wechatpay-serial"], h["wechatpay-signature"] = key.ID, v.expected()
	seconds, err := strconv.ParseInt(h["wechatpay-timestamp"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	got, err := verify(t.Context(), keySet(t, key), time.Unix(seconds, 0).Add(time.Minute), h.get, []byte(v.Inputs.Body))
	switch {
	case strings.HasPrefix(v.expected(), probePrefix):
		wantKind(t, err, Probe, HeaderSignature)
	case v.negative():
		wantKind(t, err, Forged, HeaderSignature)
	case err != nil:
		t.Error(err)
	case got != Signature{Serial: key.ID, Time: time.Unix(seconds, 0).UTC(), Nonce: h["wechatpay-nonce"]}:
		t.Errorf("got %+v", got)
	case strings.HasPrefix(v.Name, "complete "):
		// Key, headers and body belong together: the whole callback is read.
		r := newReceiver(t, key)
		r.now = func() time.Time { return time.Unix(seconds, 0) }
		n, err := r.Notification(t.Context(), h.get, []byte(v.Inputs.Body))
		if err != nil || !strings.Contains(v.Inputs.Body, n.EventType) || !strings.HasPrefix(string(n.Resource.Bytes()), "{") {
			t.Errorf("got %+v, %v", n, err)
		}
	}
}

// testUnverifiable: the keys of these samples were never published, so none of the
// published keys may verify them.
func testUnverifiable(t *testing.T, v vector) {
	signature, err := base64.StdEncoding.DecodeString(v.expected())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range vectors(t) {
		if k.Kind != "key-material" {
			continue
		}
		v.Key = strings.TrimPrefix(k.Name, "KEY ")
		verifier, err := standard{}.Verifier(vectorKey(t, v, testKeyID).Public.SPKI())
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := verifier.Verify(t.Context(), []byte(v.Inputs.Message), signature); ok || err != nil {
			t.Errorf("verified with %s: %t, %v", v.Key, ok, err)
		}
	}
}

// testGCM decrypts. Some vectors have an APIv3 key of 16 bytes, which no merchant
// has: a Receiver rejects the key, and the cipher alone is tested. Two have a
// nonce of 16 bytes, which WeChat never sends: it is rejected, and does not panic.
func testGCM(t *testing.T, v vector) {
	in := v.Inputs
	if len(v.Key) != 32 {
		_, err := NewReceiver(ReceiverConfig{Keys: keySet(t), APIv3Key: Secret(v.Key)})
		wantKind(t, err, BadConfig, "APIv3Key")
	}
	got, err := decrypt(Resource{
		Algorithm: algorithmGCM, Ciphertext: in.Ciphertext, Nonce: in.Nonce, AssociatedData: in.AssociatedData,
	}, [][]byte{[]byte(v.Key)})
	switch {
	case len(in.Nonce) != 12:
		wantKind(t, err, Undecryptable, "resource.nonce")
		return
	case v.negative():
		wantKind(t, err, Undecryptable, "resource.ciphertext")
		return
	case err != nil || string(got) != v.expected():
		t.Errorf("got %q, %v, want %q", string(got), err, v.expected())
	}
	if in.SerialNo != "" {
		if c, err := ParseCertificate(string(got)); err != nil || c.Serial != in.SerialNo {
			t.Errorf("certificate %+v, %v, want serial %s", c, err, in.SerialNo)
		}
	}
}

// A Failure carries the code only if it is signed: the two live error samples cannot be verified,
// so their messages are only logged.
func TestLiveErrorSampleIsNotVerified(t *testing.T) {
	for _, v := range vectors(t) {
		if v.Name != "live 403 NOT_ENOUGH refund reply of 2024-07" {
			continue
		}
		h := headers{}
		for name, value := range v.Inputs.Headers {
			h[strings.ToLower(name)] = value
		}
		h["wechatpay-signature"] = v.expected()
		r := newReceiver(t, weChatKey(t))
		seconds, _ := strconv.ParseInt(h["wechatpay-timestamp"], 10, 64)
		r.now = func() time.Time { return time.Unix(seconds, 0) }
		var f *Failure
		if err := r.Response(t.Context(), 403, h.get, []byte(v.Inputs.Body)); !errors.As(err, &f) {
			t.Fatalf("got %v", err)
		}
		wantKind(t, f.Unverified, UnknownSerial, HeaderSerial)
		if f.Signed || f.Code != "" || f.Claimed != "NOT_ENOUGH" || f.Message != "基本账户余额不足，请充值后重新发起" {
			t.Errorf("got %+v", f)
		}
		return
	}
	t.Error("the sample is missing")
}
