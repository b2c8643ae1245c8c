package apiv3

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// pasted are the forms in which one text reaches a setting.
func pasted(text string) map[string]string {
	text = strings.TrimSpace(text)
	lines := strings.Split(text, "\n")
	inner := strings.Join(lines[1:len(lines)-1], "\n")
	return map[string]string{
		"as it is":                     text,
		"line break at the end":        text + "\n",
		"CRLF":                         strings.ReplaceAll(text, "\n", "\r\n"),
		"CR":                           strings.ReplaceAll(text, "\n", "\r"),
		"written line breaks":          strings.ReplaceAll(text, "\n", `\n`),
		"written CRLF":                 strings.ReplaceAll(text, "\n", `\r\n`),
		"written line breaks, escaped": strings.ReplaceAll(text, "\n", `\\n`),
		"written and real line breaks": strings.ReplaceAll(text, "\n", "\\n\n"),
		"indented":                     "  " + strings.ReplaceAll(text, "\n", "\n\t  "),
		"blanks at the ends of lines":  strings.ReplaceAll(text, "\n", " \t\n"),
		"empty lines":                  "\n\n" + strings.ReplaceAll(text, "\n", "\n\n") + "\n\n",
		"blanks for line breaks":       strings.ReplaceAll(text, "\n", " "),
		"no line breaks":               strings.ReplaceAll(text, "\n", ""),
		"no blanks at all":             unspaced(text),
		"byte order mark":              "\ufeff" + text,
		"double quotes":                `"` + text + `"`,
		"quotes and written breaks":    `"` + strings.ReplaceAll(text, "\n", `\n`) + `\n"`,
		"single quotes":                "'" + text + "\n'",
		"typographic quotes":           "“" + text + "”",
		"invisible characters":         strings.ReplaceAll(text, "\n", "\u200b\n"),
		"no-break and wide blanks":     "\u00a0\u3000" + strings.ReplaceAll(text, "\n", "\u00a0\n") + "\u200b",
		"text before and after":        "subject=CN = Tenpay\n" + text + "\nthe end",
		"without first and last line":  inner,
		"base64 in one line":           unspaced(inner),
	}
}

func TestPrivateKeyAsPasted(t *testing.T) {
	for _, name := range []string{merchantKeyName, wechatKeyName} { // PKCS #1 and PKCS #8
		key := private(t, name)
		p1 := toPEM("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
		p8 := toPEM("PRIVATE KEY", pkcs8(t, name))
		for _, text := range []string{vectorPEM(t, name), p1, p8} {
			for form, text := range pasted(text) {
				k, err := ParsePrivateKey(Secret(text))
				if err != nil {
					t.Errorf("%s, %s: %v", name, form, err)
					continue
				}
				if got, err := x509.ParsePKCS8PrivateKey(k.PKCS8()); err != nil || !key.Equal(got) {
					t.Errorf("%s, %s: another key, %v", name, form, err)
				}
			}
		}
	}
}

func TestPublicKeyAsPasted(t *testing.T) {
	key := &private(t, wechatKeyName).PublicKey
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{toPEM("PUBLIC KEY", spki), toPEM("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(key))} {
		for form, text := range pasted(text) {
			k, err := ParsePublicKey(text)
			if err != nil {
				t.Errorf("%s: %v", form, err)
			} else if string(k.SPKI()) != string(spki) || k.Bits() != 2048 {
				t.Errorf("%s: another key", form)
			}
		}
	}
}

func TestCertificateAsPasted(t *testing.T) {
	text := vectorPEM(t, "yansongda-fixture-platform-certificate")
	b, _ := pem.Decode([]byte(text))
	want, err := x509.ParseCertificate(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for form, text := range pasted(text) {
		c, err := ParseCertificate(text)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if c.Serial != "45F59D4DABF31918AFCEC556D5D2C6E376675D57" || !c.NotBefore.Equal(want.NotBefore) || !c.NotAfter.Equal(want.NotAfter) ||
			string(c.PublicKey.SPKI()) != string(want.RawSubjectPublicKeyInfo) {
			t.Errorf("%s: got %+v", form, c)
		}
	}
}

// The serial has upper-case digits and no leading zero, as WeChat's libraries write
// it. Years after 2049 have another form in a certificate.
func TestCertificateSerialAndTimes(t *testing.T) {
	key := private(t, wechatKeyName)
	for serial, want := range map[string]string{
		"d7ce59d1f522d701": "D7CE59D1F522D701", "0a": "A", "7fffffffffffffffffffffffffffffffffffffff": "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
		"00ff": "FF", "1": "1",
	} {
		from, to := time.Date(1999, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2061, 12, 31, 23, 59, 59, 0, time.UTC)
		c, err := ParseCertificate(certify(t, key, serial, from, to))
		if err != nil || c.Serial != want || !c.NotBefore.Equal(from) || !c.NotAfter.Equal(to) {
			t.Errorf("%s: got %+v, %v", serial, c, err)
		}
	}
}

func TestTimesOfDER(t *testing.T) {
	for _, test := range []struct {
		tag  byte
		text string
		want string // "" when it is rejected
	}{
		{tagUTCTime, "261128040000Z", "2026-11-28T04:00:00Z"}, {tagUTCTime, "500101000000Z", "1950-01-01T00:00:00Z"},
		{tagUTCTime, "491231235959Z", "2049-12-31T23:59:59Z"}, {tagGeneralizedTime, "20500101000000Z", "2050-01-01T00:00:00Z"},
		{tagUTCTime, "2611280400Z", ""}, {tagUTCTime, "261128040000+0800", ""}, {tagUTCTime, "261328040000Z", ""}, {tagUTCTime, "", ""},
		{tagUTCTime, "20500101000000Z", ""}, {tagGeneralizedTime, "261128040000Z", ""}, {tagGeneralizedTime, "20260101000000.5Z", ""},
		{tagGeneralizedTime, "20260101000000", ""}, {tagInteger, "20260101000000Z", ""},
	} {
		d := &der{rest: encode(test.tag, []byte(test.text))}
		got := d.time()
		if d.end() != (test.want != "") || test.want != "" && got.Format(time.RFC3339) != test.want {
			t.Errorf("%s: got %s, rejected: %t", test.text, got, d.bad)
		}
	}
}

// wrongTexts are texts that are pasted in the wrong place, or of the wrong kind.
func wrongTexts(t *testing.T) map[string]string {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	must := func(der []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	small := toPEM("PRIVATE KEY", fromBase64(t, smallKey))
	smallPublic := toPEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537})))
	template := &x509.Certificate{SerialNumber: big.NewInt(5), NotAfter: testNow}
	//lint:ignore SA1019 such files are pasted
	legacy, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private(t, merchantKeyName)), []byte("x"), x509.PEMCipherAES128) //nolint
	if err != nil {
		t.Fatal(err)
	}
	type algorithm struct{ OID asn1.ObjectIdentifier }
	encrypted := must(asn1.Marshal(struct {
		Algorithm algorithm
		Data      []byte
	}{algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}}, make([]byte, 100)}))
	// PFX of RFC 7292: version 3, authSafe, macData. Only its beginning is read.
	pfx := encode(tagSequence, encode(tagInteger, []byte{3}), encode(tagSequence, encode(tagOID, []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1})), encode(tagSequence))
	key := vectorPEM(t, merchantKeyName)
	return map[string]string{
		"nothing":                    " \n",
		"a word":                     "apiclient_key.pem",
		"base64 of something":        base64.StdEncoding.EncodeToString([]byte("apiclient_key.pem")),
		"a private key":              key,
		"a public key":               publicPEM(t, wechatKeyName),
		"a certificate":              vectorPEM(t, "wechatpay-go-notify-certificate"),
		"an EC private key":          toPEM("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ec))),
		"an EC key in PKCS #8":       toPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ec))),
		"an EC public key":           toPEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&ec.PublicKey))),
		"an EC certificate":          toPEM("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, &ec.PublicKey, ec))),
		"an Ed25519 key":             toPEM("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ed))),
		"an Ed25519 public key":      toPEM("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(ed.Public()))),
		"a small key":                small,
		"a small public key":         smallPublic,
		"an encrypted key":           string(pem.EncodeToMemory(legacy)),
		"an encrypted key, PKCS #8":  toPEM("ENCRYPTED PRIVATE KEY", encrypted),
		"the same under a wrong one": toPEM("PRIVATE KEY", encrypted),
		"a certificate request":      toPEM("CERTIFICATE REQUEST", must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}}, ec))),
		"a PKCS #12 file":            base64.StdEncoding.EncodeToString(pfx),
		"an OpenSSH key":             toPEM("OPENSSH PRIVATE KEY", []byte("openssh-key-v1")),
		"two blocks":                 key + vectorPEM(t, "wechatpay-go-notify-certificate"),
		"a beginning alone":          key[:200],
		"an end alone":               key[200:],
		"a key cut in its middle":    key[:400] + key[800:],
		"a changed letter":           strings.Replace(key, "MII", "M!I", 1),
		"two different labels":       strings.Replace(key, "END RSA PRIVATE KEY", "END PRIVATE KEY", 1),
		"a novel":                    strings.Repeat("-----BEGIN ", 5000),
	}
}

// Each text is rejected in the places where it does not belong. The error names the kind of the
// text. No error shows a part of it.
func TestWrongKeysAreNamed(t *testing.T) {
	texts := wrongTexts(t)
	// The texts that an error must contain, for a private key, a public key and a certificate; "" if
	// the text is valid there.
	const encrypted = "encrypted with a passphrase"
	for name, want := range map[string][3]string{
		"nothing":                    {"is empty", "is empty", "is empty"},
		"a word":                     {"neither PEM nor base64", "neither PEM nor base64", "neither PEM nor base64"},
		"base64 of something":        {"is neither a key nor", "is neither a key nor", "is neither a key nor"},
		"a private key":              {"", "is an RSA private key", "is an RSA private key"},
		"a public key":               {"is an RSA public key", "", "is an RSA public key"},
		"a certificate":              {"is a certificate, want the merchant's private key", "is a certificate, want WeChat Pay's public key", ""},
		"an EC private key":          {"is an EC private key", "is an EC private key", "is an EC private key"},
		"an EC key in PKCS #8":       {"is an EC private key", "is an EC private key", "is an EC private key"},
		"an EC public key":           {"is an EC public key", "is an EC public key", "is an EC public key"},
		"an EC certificate":          {"is a certificate", "is a certificate", "has an EC public key, WeChat Pay uses RSA"},
		"an Ed25519 key":             {"a private key of another algorithm", "a private key of another algorithm", "a private key of another algorithm"},
		"an Ed25519 public key":      {"a public key of another algorithm", "a public key of another algorithm", "a public key of another algorithm"},
		"a small key":                {"of 1024 bits, want 2048 at least", "is an RSA private key", "is an RSA private key"},
		"a small public key":         {"is an RSA public key", "of 1024 bits, want 2048 at least", "is an RSA public key"},
		"an encrypted key":           {encrypted, encrypted, encrypted},
		"an encrypted key, PKCS #8":  {encrypted, encrypted, encrypted},
		"the same under a wrong one": {encrypted, encrypted, encrypted},
		"a certificate request":      {"is a certificate request", "is a certificate request", "is a certificate request"},
		"an OpenSSH key":             {"of OpenSSH", "of OpenSSH", "of OpenSSH"},
		"a PKCS #12 file":            {"is a PKCS #12 file", "is a PKCS #12 file", "is a PKCS #12 file"},
		"two blocks":                 {"several PEM blocks", "several PEM blocks", "several PEM blocks"},
		"a beginning alone":          {`no "-----END`, `no "-----END`, `no "-----END`},
		"an end alone":               {`no "-----BEGIN`, `no "-----BEGIN`, `no "-----BEGIN`},
		"a key cut in its middle":    {"", "", ""},
		"a changed letter":           {"is not base64", "is not base64", "is not base64"},
		"two different labels":       {`no "-----END`, `no "-----END`, `no "-----END`},
		"a novel":                    {"is too long", "is too long", "is too long"},
	} {
		text, ok := texts[name]
		if !ok {
			t.Fatalf("no text %q", name)
		}
		delete(texts, name)
		_, e1 := ParsePrivateKey(Secret(text))
		_, e2 := ParsePublicKey(text)
		_, e3 := ParseCertificate(text)
		for i, err := range []error{e1, e2, e3} {
			field := [3]string{"PrivateKey", "PublicKey", "Certificate"}[i]
			if want[i] == "" && err == nil {
				continue
			}
			wantKind(t, err, BadConfig, field)
			if err != nil && !strings.Contains(err.Error(), want[i]) {
				t.Errorf("%s as %s: %v, want %q", name, field, err, want[i])
			}
			if err != nil {
				wantNothingOf(t, text, err.Error())
			}
		}
	}
	for name := range texts {
		t.Errorf("%q is not tested", name)
	}
	if _, err := ParsePrivateKey(Secret(wrongTexts(t)["a key cut in its middle"])); err == nil {
		t.Error("a cut key was accepted")
	}
}

// wantNothingOf checks that no 12 characters in a row of a secret are in a text.
func wantNothingOf(t *testing.T, secret, text string) {
	t.Helper()
	for _, word := range strings.Fields(secret) {
		for i := 0; i+12 <= len(word); i++ {
			if part := word[i : i+12]; strings.Contains(text, part) && !strings.Contains(part, "-----") {
				t.Errorf("%q is in %q", part, text)
				return
			}
		}
	}
}

// The numbers of a key are checked as far as that needs no arithmetic.
func TestDamagedNumbers(t *testing.T) {
	key := private(t, merchantKeyName)
	n, e := key.N.Bytes(), []byte{1, 0, 1}
	number := func(b ...byte) []byte { return encode(tagInteger, b) }
	whole := func(parts ...[]byte) []byte { return encode(tagSequence, parts...) }
	one := number(1)
	even := append([]byte{}, n...)
	even[len(even)-1]--
	for name, der := range map[string][]byte{
		"even":               whole(encodeNatural(even), encodeNatural(e)),
		"exponent 1":         whole(encodeNatural(n), one),
		"exponent 65539":     whole(encodeNatural(n), number(1, 0, 3)),
		"no exponent":        whole(encodeNatural(n)),
		"negative":           whole(number(append([]byte{0x80}, n...)...), encodeNatural(e)),
		"long zero":          whole(number(append([]byte{0, 0}, n...)...), encodeNatural(e)),
		"a third number":     whole(encodeNatural(n), encodeNatural(e), one),
		"something behind":   append(whole(encodeNatural(n), encodeNatural(e)), 0),
		"16,384 bits":        whole(encodeNatural(append(append([]byte{1}, make([]byte, 2046)...), 1)), encodeNatural(e)),
		"length not minimal": whole(encodeNatural(n), []byte{tagInteger, 0x81, 3, 1, 0, 1}),
		"length of a zero":   whole(encodeNatural(n), []byte{tagInteger, 0x82, 0, 3, 1, 0, 1}),
		"zero before length": whole(append([]byte{tagInteger, 0x83, 0, 1, 1, 0}, n...), encodeNatural(e)),
		"open length":        {0x30, 0x80, 0, 0},
		"length of 4 bytes":  append([]byte{0x30, 0x84, 0, 0, 1, 10}, whole(encodeNatural(n), encodeNatural(e))[4:]...),
	} {
		if k, err := ParsePublicKey(toPEM("RSA PUBLIC KEY", der)); err == nil {
			t.Errorf("%s: got %v", name, k)
		}
	}
	for name, der := range map[string][]byte{
		"two primes missing": whole(number(0), encodeNatural(n), encodeNatural(e), one, one, one, one),
		"a zero":             whole(number(0), encodeNatural(n), encodeNatural(e), one, one, one, one, one, number(0)),
		"version 1":          whole(number(1), encodeNatural(n), encodeNatural(e), one, one, one, one, one, one),
		"a third prime":      whole(number(1), encodeNatural(n), encodeNatural(e), one, one, one, one, one, one, whole(one)),
	} {
		p8 := whole(number(0), rsaAlgorithm(), encode(tagOctetString, der))
		for label, der := range map[string][]byte{"RSA PRIVATE KEY": der, "PRIVATE KEY": p8} {
			if _, err := ParsePrivateKey(Secret(toPEM(label, der))); err == nil {
				t.Errorf("%s, %s: no error", name, label)
			}
		}
	}
}

// The numbers of this key do not fit together. That needs arithmetic, which is
// done when the key is used.
func TestKeyOfNumbersThatDoNotFit(t *testing.T) {
	key := private(t, merchantKeyName)
	d := new(big.Int).Sub(key.D, big.NewInt(2))
	text := toPEM("RSA PRIVATE KEY", encode(tagSequence, encodeNatural(nil),
		encodeNatural(key.N.Bytes()), encodeNatural([]byte{1, 0, 1}), encodeNatural(d.Bytes()),
		encodeNatural(key.Primes[0].Bytes()), encodeNatural(key.Primes[1].Bytes()),
		encodeNatural(key.Precomputed.Dp.Bytes()), encodeNatural(key.Precomputed.Dq.Bytes()), encodeNatural(key.Primes[0].Bytes())))
	cfg := merchantConfig(t)
	cfg.PrivateKey = Secret(text)
	if _, err := ParsePrivateKey(Secret(text)); err != nil {
		t.Fatal(err)
	}
	_, err := NewMerchant(cfg)
	wantKind(t, err, BadConfig, "PrivateKey")
	// An RSA that reads the key only when it signs.
	cfg.RSA = late{}
	m, err := NewMerchant(cfg)
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, m.Check(t.Context()), BadConfig, "PrivateKey")
	cfg.RSA = answers{ErrKey}
	if m, err = NewMerchant(cfg); err != nil {
		t.Fatal(err)
	}
	wantKind(t, m.Check(t.Context()), BadConfig, "PrivateKey")
	_, err = m.Authorization(t.Context(), "GET", "/v3/certificates", nil)
	wantKind(t, err, BadConfig, "PrivateKey")
	if err := newMerchant(t, nil).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// late signs with zeros, as a platform may with a key that it did not check.
type late struct{ standard }

func (late) Signer([]byte) (Signer, error) { return answers{}, nil }

func TestKeyIDs(t *testing.T) {
	for id, want := range map[string]string{
		testKeyID: testKeyID, "PUB_KEY_ID_0": "PUB_KEY_ID_0", testSerial: testSerial,
		strings.ToLower(testSerial): testSerial, "0A": "A", "000": "", "": "",
		"PUB_KEY_ID_": "", "PUB_KEY_ID_12a": "", "PUB_KEY_ID_ 1": "", "pub_key_id_1": "", "PUB_KEY_ID_" + strings.Repeat("1", 65): "",
		"45:F5:9D": "", "G": "", strings.Repeat("A", 41): "", "A\n": "",
	} {
		if got := keyID(id); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
	text := publicPEM(t, wechatKeyName)
	for id, words := range map[string]string{
		"": "is missing", testSerial: "is the serial of a certificate", "PUB_KEY_ID_x": "want PUB_KEY_ID_ and digits",
		"0119000072912024081500382100000666x": "want PUB_KEY_ID_ and digits",
	} {
		_, err := NewPublicKey(id, text)
		wantKind(t, err, BadConfig, "PublicKeyID")
		if err != nil && !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if k, err := NewPublicKey(" "+testKeyID+"\n", text); err != nil || k.ID != testKeyID {
		t.Errorf("got %v, %v", k.ID, err)
	}
	_, err := NewPublicKey(testKeyID, vectorPEM(t, merchantKeyName))
	wantKind(t, err, BadConfig, "PublicKey")
}

func fromBase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// smallKey is an RSA key of 1024 bits, made for this test: crypto/rsa makes none so
// small.
const smallKey = "MIICXAIBAAKBgQCpRcDm4JSKg3kGvBP56Lk7vF0vKoDIypCEeliKzjJi0O7lBpfH5Bo+j8NI817sldSbYrkMxgNdCRKQAGDoGn3WbtyJaQpr6HmC5mGNblDd" +
	"DookIveUxuqpl8yGXiMSoJRoq3E8HnuL+NtuFRjxifbxd2YOcqOHwTnIzkQKEVSvcQIDAQABAoGADeKq8EV76eDfDK5g9R8iEsRg4H2cEtyK/lMK8Ff5yiFZ" +
	"d3ATA1Ky1G72lgVgxAeGaTiv9VxI6ljULPva9y81Iz/AZLw2oMhU6kZZL/FhVpEpPnQE2WPjBs9ljvpo5Y22C57yk49RuOy08vldM7PKpVpKiq6E1Cz0/P35" +
	"koHnhAECQQDcBTGtKIwo3idimmfMjcYyqE6efpgcb/WXy+AlmuM3sPMJXrwVxsR/wVFP277Quot2WiN6wbWtSvoVTb0xXKBzAkEAxPQU2Q41IZ8K+nhfCI7m" +
	"vWo7vjhZM8r0pYJAIIm188PG600MIlwBc96y8i7clL4/rHrrTHoSwTXz6ixfYEDriwJBAKxmBX7A/tInAIVqp1rI3DxlVPUsDNR7hdzji0bsDo5cwJLfAFGv" +
	"5diVCbmhXer/wLeD+bj+f/TBgyOePlinU7ECQFyR6FaYsepKiWtuNiScneD7VHc0nuCUDObZ0HA6qbWYGB+yR/jCS8B9NJhV5EFZJi5YW83HNpdvV2SCVJW2" +
	"Db8CQHMQ5iIPGvsGokNp2iVaEsM0UCxuHD1yql/l/Ksaz03KtWISG0UUo7KOpzK4fHthB/ogNqJG2cIJiJYtv7Z0Pfs="
