package apiv3

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// addDER adds the DER of the vectors' keys and certificates.
func addDER(f *testing.F) {
	for _, v := range vectors(f) {
		if v.Kind == "key-material" {
			b, _ := pem.Decode([]byte(v.Inputs.PEM))
			f.Add(b.Bytes)
		}
	}
	public := &private(f, wechatKeyName).PublicKey
	f.Add(x509.MarshalPKCS1PublicKey(public))
	f.Add(pkcs8(f, merchantKeyName))
	f.Add(encode(tagSequence, encodeNatural(nil), rsaAlgorithm(), encode(tagOctetString, nil)))
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Add([]byte{0x30, 0x83, 0xff, 0xff, 0xff})
}

// FuzzPEM: a text is at most one of the three, and no error shows a part of it.
func FuzzPEM(f *testing.F) {
	for _, v := range vectors(f) {
		if v.Kind == "key-material" {
			f.Add(v.Inputs.PEM)
		}
	}
	for _, text := range pasted(vectorPEM(f, merchantKeyName)) {
		f.Add(text)
	}
	f.Add("-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END A-----")
	f.Add("-----BEGIN -----END -----")
	f.Fuzz(func(t *testing.T, text string) {
		_, e1 := ParsePrivateKey(Secret(text))
		_, e2 := ParsePublicKey(text)
		_, e3 := ParseCertificate(text)
		read := 0
		for _, err := range []error{e1, e2, e3} {
			if err == nil {
				read++
				continue
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != BadConfig || e.Err != nil {
				t.Fatalf("%v", err)
			}
			// Whatever the text, the error is one of a few sentences.
			if len(err.Error()) > 160 || !utf8.ValidString(err.Error()) {
				t.Fatalf("%v", err)
			}
		}
		if read > 1 {
			t.Fatalf("%q was accepted as %d kinds of key", text, read)
		}
	})
}

// FuzzCertificateDER: a certificate that crypto/x509 and this package accept has the same result,
// and this package misses no certificate that WeChat could send.
func FuzzCertificateDER(f *testing.F) {
	addDER(f)
	f.Fuzz(func(t *testing.T, der []byte) {
		got, err := ParseCertificate(toPEM("CERTIFICATE", der))
		want, wantErr := x509.ParseCertificate(der)
		if wantErr != nil {
			return // crypto/x509 checks much that does not matter here
		}
		key, isRSA := want.PublicKey.(*rsa.PublicKey)
		usable := isRSA && usableKey(key) && want.SerialNumber.Sign() > 0 && len(want.SerialNumber.Bytes()) <= 20 &&
			!want.NotAfter.Before(want.NotBefore) && utcTimes(want) && nothingElse(der, want, key)
		if err != nil {
			if usable && len(der) < maxPEM/2 {
				t.Fatalf("%v", err)
			}
			return
		}
		if !isRSA || got.Serial != fmt.Sprintf("%X", want.SerialNumber) || !got.NotBefore.Equal(want.NotBefore) || !got.NotAfter.Equal(want.NotAfter) {
			t.Fatalf("got %+v, want %X, %s, %s", got, want.SerialNumber, want.NotBefore, want.NotAfter)
		}
		if !sameKey(got.PublicKey, key) {
			t.Fatal("another key")
		}
	})
}

// utcTimes reports whether the times of a certificate have no offset: RFC 5280 allows
// none, crypto/x509 does.
func utcTimes(c *x509.Certificate) bool {
	return c.NotBefore.Location() == time.UTC && c.NotAfter.Location() == time.UTC
}

// nothingElse reports whether a certificate has no elements that nothing defines:
// crypto/x509 passes over those after its key and after its signature.
func nothingElse(der []byte, c *x509.Certificate, key *rsa.PublicKey) bool {
	var parts struct{ TBS, Algorithm, Signature asn1.RawValue }
	if _, err := asn1.Unmarshal(der, &parts); err != nil {
		return false
	}
	again, err := asn1.Marshal(parts)
	if err != nil || !bytes.Equal(again, der) {
		return false
	}
	spki, err := x509.MarshalPKIXPublicKey(key)
	return err == nil && bytes.Equal(spki, c.RawSubjectPublicKeyInfo)
}

func usableKey(k *rsa.PublicKey) bool {
	bits := k.N.BitLen()
	return bits >= minBits && bits <= maxBits && k.N.Bit(0) == 1 && (k.E == 3 || k.E == 65537)
}

func sameKey(got *PublicKey, want *rsa.PublicKey) bool {
	k, err := x509.ParsePKIXPublicKey(got.SPKI())
	return err == nil && want.Equal(k)
}

// FuzzKeyDER: as above for keys.
func FuzzKeyDER(f *testing.F) {
	addDER(f)
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) > maxPEM/2 {
			return
		}
		public, err := ParsePublicKey(toPEM("PUBLIC KEY", der))
		var want *rsa.PublicKey
		if k, err := x509.ParsePKIXPublicKey(der); err == nil {
			want, _ = k.(*rsa.PublicKey)
		} else if k, err := x509.ParsePKCS1PublicKey(der); err == nil {
			want = k
		}
		if want != nil && usableKey(want) {
			spki, marshalErr := x509.MarshalPKIXPublicKey(want)
			if marshalErr != nil {
				t.Fatal(marshalErr)
			}
			// crypto/x509 passes over elements at the end that nothing defines.
			exact := bytes.Equal(der, spki) || bytes.Equal(der, x509.MarshalPKCS1PublicKey(want))
			if err != nil && exact || err == nil && !sameKey(public, want) {
				t.Fatalf("got %v, %v", public, err)
			}
		}
		private, err := ParsePrivateKey(Secret(toPEM("PRIVATE KEY", der)))
		var wantPrivate *rsa.PrivateKey
		if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
			wantPrivate, _ = k.(*rsa.PrivateKey)
		} else if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
			wantPrivate = k
		}
		if wantPrivate == nil || !usableKey(&wantPrivate.PublicKey) || len(wantPrivate.Primes) != 2 || wantPrivate.D.Sign() <= 0 {
			return
		}
		if err != nil {
			// crypto/x509 computes the last three numbers when they are missing or
			// something else is in their place.
			if !bytes.Contains(der, x509.MarshalPKCS1PrivateKey(wantPrivate)) {
				return
			}
			t.Fatal(err)
		}
		if k, err := x509.ParsePKCS8PrivateKey(private.PKCS8()); err != nil || !wantPrivate.Equal(k) {
			t.Fatalf("another key, %v", err)
		}
	})
}

// certain is a Receiver for which every signature is right.
func certain(t testing.TB) *Receiver {
	t.Helper()
	set, err := NewKeySet(answers{}, weChatKey(t))
	if err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t)
	r.Replace(set)
	return r
}

// FuzzVerify: what passes has all headers in their forms, is of this time, and of a
// key that is known.
func FuzzVerify(f *testing.F) {
	good := signed(f, wechatKeyName, testKeyID, testNow, answer)
	add := func(h headers) {
		f.Add(h.get(HeaderSignature), h.get(HeaderTimestamp), h.get(HeaderNonce), h.get(HeaderSerial), h.get(HeaderSignatureType), []byte(answer))
	}
	add(good)
	add(headers{})
	add(good.with(HeaderSignature, probePrefix+"x"))
	add(good.with(HeaderSerial, testSerial))
	add(good.with(HeaderTimestamp, "1"))
	add(good.with(HeaderNonce, "a\n{}"))
	sure, real := certain(f), newReceiver(f, weChatKey(f))
	f.Fuzz(func(t *testing.T, signature, timestamp, nonce, serial, kind string, body []byte) {
		h := headers{
			"wechatpay-signature": signature, "wechatpay-timestamp": timestamp, "wechatpay-nonce": nonce,
			"wechatpay-serial": serial, "wechatpay-signature-type": kind,
		}
		got, err := sure.Verify(t.Context(), h.get, body)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Field == "" || e.Kind == BadConfig || e.Kind == BadRequest || e.Kind == Unavailable {
				t.Fatalf("%v", err)
			}
			if _, again := real.Verify(t.Context(), h.get, body); again == nil || again.Error() != err.Error() {
				t.Fatalf("%v, then %v", err, again)
			}
			return
		}
		seconds, err := strconv.Atoi(timestamp)
		if err != nil || strconv.Itoa(seconds) != strings.TrimLeft(timestamp, "0") || got.Time.Unix() != int64(seconds) ||
			testNow.Sub(got.Time).Abs() >= window || got.Serial != testKeyID || got.Nonce != nonce || strings.ContainsAny(nonce, "\r\n ") ||
			strings.HasPrefix(signature, probePrefix) || kind != "" && kind != Scheme {
			t.Fatalf("%q passed as %+v", h, got)
		}
		// Only one message has this signature.
		if _, err := real.Verify(t.Context(), h.get, body); err == nil && (string(body) != answer || signature != good.get(HeaderSignature)) {
			t.Fatalf("%q passed", h)
		}
	})
}

// FuzzNotification: a callback, signed, is read whole or rejected with a field.
func FuzzNotification(f *testing.F) {
	const nonce = "fAKcOVTdU4VI"
	for _, associatedData := range []string{"transaction", "", "absent"} {
		f.Add([]byte(callback(f, testAPIv3Key, nonce, associatedData)))
	}
	f.Add([]byte(callback(f, testAPIv3Key, nonce, "transaction", nonce, "0123456789abcdef")))
	f.Add([]byte(callback(f, testAPIv3Key, nonce, "transaction", `"resource":`, `"resource":null,"x":`)))
	for _, v := range vectors(f) {
		if v.Inputs.Body != "" {
			f.Add([]byte(v.Inputs.Body))
		}
	}
	r := certain(f)
	h := signed(f, wechatKeyName, testKeyID, testNow, "")
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := r.Notification(t.Context(), h.get, body)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Kind != Malformed && e.Kind != Undecryptable || e.Field == "" || n.Resource.Bytes() != nil {
				t.Fatalf("%+v, %v", n, err)
			}
			return
		}
		if n.ID == "" || n.EventType == "" || n.CreateTime.IsZero() && !bytes.Contains(body, []byte("0001-01-01")) || !json.Valid(n.Resource.Bytes()) {
			t.Fatalf("%+v, %q", n, n.Resource.Bytes())
		}
	})
}

// FuzzCertificates: a list, signed, is read whole or rejected.
func FuzzCertificates(f *testing.F) {
	one := certify(f, private(f, wechatKeyName), "A1", testNow.AddDate(-1, 0, 0), testNow.AddDate(4, 0, 0))
	f.Add([]byte(certificates(f, "certificate", map[string]string{"A1": one})))
	f.Add([]byte(certificates(f, "certificate", map[string]string{"A1": one, "A2": one})))
	f.Add([]byte(certificates(f, "", map[string]string{"A1": "x"})))
	f.Add([]byte(`{"data":[{"encrypt_certificate":null}]}`))
	r := certain(f)
	h := signed(f, wechatKeyName, testKeyID, testNow, "")
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := r.Certificates(t.Context(), h.get, body)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Kind != Malformed && e.Kind != Undecryptable || list != nil {
				t.Fatalf("%v, %v", list, err)
			}
			return
		}
		for _, c := range list {
			if c.Key.ID == "" || c.Key.Public == nil || c.PEM != one || c.Key.NotAfter.Before(c.Key.NotBefore) {
				t.Fatalf("%+v", c)
			}
		}
	})
}

// FuzzResource: what is sealed opens, and nothing else does.
func FuzzResource(f *testing.F) {
	f.Add("fAKcOVTdU4VI", "transaction", transaction, 0, byte(1))
	f.Add("", "", "", 3, byte(0))
	f.Add("0123456789abcdef", "", "x", 20, byte(8))
	f.Fuzz(func(t *testing.T, nonce, associatedData, text string, at int, flip byte) {
		keys := [][]byte{[]byte("0123456789abcdef0123456789abcdef"), []byte(testAPIv3Key)}
		r := Resource{Algorithm: algorithmGCM, Nonce: nonce, AssociatedData: associatedData, Ciphertext: text}
		if got, err := decrypt(r, keys); err == nil {
			t.Fatalf("%q opened as %q", r, got)
		}
		if len(nonce) != nonceSize || len(associatedData) > maxAssociatedData || len(text) > maxCiphertext/2 {
			return
		}
		r.Ciphertext = seal(t, testAPIv3Key, nonce, associatedData, text)
		if got, err := decrypt(r, keys); err != nil || string(got) != text {
			t.Fatalf("got %q, %v", got, err)
		}
		b := []byte(r.Ciphertext)
		if at < 0 || flip == 0 {
			return
		}
		b[at%len(b)] ^= flip
		r.Ciphertext = string(b)
		if got, err := decrypt(r, keys); err == nil {
			t.Fatalf("changed at %d by %d: %q", at%len(b), flip, got)
		}
	})
}

// FuzzFailure: whatever the body is, the error has one line for the log, and a code is one word.
func FuzzFailure(f *testing.F) {
	for _, body := range []string{
		"", "<html>", "null", "[]", `{"code":"ORDERNOTEXIST","message":"订单不存在"}`, `{"code":1,"message":{"a":1},"detail":[]}`,
		`{"code":"SIGN_ERROR","detail":{"detail":{"issue":"sign not match"},"sign_information":{"method":"GET","url":"/v3","sign_message_length":1e99,"truncated_sign_message":"\u0000"}}}`,
		`{"code":"PARAM_ERROR","detail":{"location":null,"value":["/body/payer/openid"]},"message":"\ud800\u202e"}`,
	} {
		f.Add(401, "08F7-268435461", []byte(body), "/v3/certificates")
	}
	f.Fuzz(func(t *testing.T, status int, id string, body []byte, uri string) {
		for _, unverified := range []error{nil, errUnsigned} {
			got := newFailure(status, headers{"request-id": id}.get, body, unverified)
			if (unverified != nil) == got.Signed || got.Signed && got.Claimed != "" || !got.Signed && got.Code != "" {
				t.Fatalf("%+v", got)
			}
			line := got.Error() + got.Number
			if got.Sign != nil {
				if _, err := url.Parse(uri); err == nil {
					line += got.Sign.Compare("GET", uri, body)
				}
				line += got.Sign.Method + got.Sign.URL + got.Sign.Message
			}
			if len(line) > 4000 || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u202e' || r == '\u2028' }) {
				t.Fatalf("%q", line)
			}
			if strings.Trim(got.Code+got.Claimed, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || len(got.Code+got.Claimed) > 48 {
				t.Fatalf("code %q", got.Code)
			}
		}
	})
}

var errUnsigned = fail(Unsigned, HeaderSignature, "is missing")
