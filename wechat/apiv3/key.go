package apiv3

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// The sizes of keys that are accepted, in bits. WeChat issues 2048.
const (
	minBits = 2048
	maxBits = 8192
)

// PrivateKey is the private key of a merchant API certificate. Printing it shows
// nothing of it.
type PrivateKey struct {
	public *PublicKey
	pkcs8  func() []byte // a function, so that printing does not show the key
}

// ParsePrivateKey reads a private key, PKCS #1 or PKCS #8, as people paste it; see ParseCertificate
// for the accepted forms. It must be RSA, of at least 2048 bits. The error names what the text is
// instead, such as a certificate, without its content.
func ParsePrivateKey(text Secret) (*PrivateKey, error) {
	const field = "PrivateKey"
	b, problem := decodePEM(string(text))
	if problem != "" {
		return nil, fail(BadConfig, field, problem)
	}
	c := classify(b)
	if c.what != rsaPrivate {
		return nil, fail(BadConfig, field, "is "+c.what+", want the merchant's private key (apiclient_key.pem)")
	}
	// RSAPrivateKey: version, n, e, d, p, q, d mod (p-1), d mod (q-1), 1/q mod p.
	d := &der{rest: c.content}
	s := d.open(tagSequence)
	version := s.natural()
	n, e := s.natural(), s.natural()
	for range 6 {
		if len(s.natural()) == 0 {
			s.fail()
		}
	}
	if len(version) != 0 || !s.end() || !d.end() {
		return nil, fail(BadConfig, field, "is damaged: its numbers cannot be read")
	}
	public, problem := newPublicKey(n, e)
	if problem != "" {
		return nil, fail(BadConfig, field, problem)
	}
	pkcs8 := encode(tagSequence, encodeNatural(nil), rsaAlgorithm(), encode(tagOctetString, c.content))
	return &PrivateKey{public: public, pkcs8: func() []byte { return bytes.Clone(pkcs8) }}, nil
}

// Public returns the public key.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// PKCS8 returns the key as a PrivateKeyInfo in DER. It is the secret itself.
func (k *PrivateKey) PKCS8() []byte { return k.pkcs8() }

// Format prints the size and nothing else.
func (k *PrivateKey) Format(f fmt.State, _ rune) {
	if k == nil {
		fmt.Fprint(f, "no private key")
		return
	}
	fmt.Fprintf(f, "RSA private key of %d bits, %s", k.public.bits, redacted)
}

// PublicKey is an RSA public key.
type PublicKey struct {
	bits int
	spki []byte
}

// ParsePublicKey reads a public key: WeChat Pay's (pub_key.pem), or one in PKCS #1.
func ParsePublicKey(text string) (*PublicKey, error) {
	const field = "PublicKey"
	b, problem := decodePEM(text)
	if problem != "" {
		return nil, fail(BadConfig, field, problem)
	}
	c := classify(b)
	if c.what != rsaPublic {
		return nil, fail(BadConfig, field, "is "+c.what+", want WeChat Pay's public key (pub_key.pem)")
	}
	key, problem := readPublicKey(c.content)
	if problem != "" {
		return nil, fail(BadConfig, field, problem)
	}
	return key, nil
}

// readPublicKey reads an RSAPublicKey: n and e.
func readPublicKey(content []byte) (k *PublicKey, problem string) {
	d := &der{rest: content}
	s := d.open(tagSequence)
	n, e := s.natural(), s.natural()
	if !s.end() || !d.end() {
		return nil, "is damaged: its numbers cannot be read"
	}
	return newPublicKey(n, e)
}

// newPublicKey checks the sizes that every RSA implementation requires, and returns the key.
func newPublicKey(n, e []byte) (k *PublicKey, problem string) {
	size := 0
	if len(n) > 0 {
		size = len(n)*8 - bits.LeadingZeros8(n[0])
	}
	switch {
	case size < minBits:
		return nil, fmt.Sprintf("is an RSA key of %d bits, want %d at least", size, minBits)
	case size > maxBits:
		return nil, fmt.Sprintf("is an RSA key of %d bits, want %d at most", size, maxBits)
	case n[len(n)-1]&1 == 0:
		return nil, "is damaged: its modulus is even"
	case !bytes.Equal(e, []byte{1, 0, 1}) && !bytes.Equal(e, []byte{3}):
		return nil, "has a public exponent other than 65537 and 3"
	}
	pkcs1 := encode(tagSequence, encodeNatural(n), encodeNatural(e))
	return &PublicKey{
		bits: size,
		spki: encode(tagSequence, rsaAlgorithm(), encode(tagBitString, []byte{0}, pkcs1)),
	}, ""
}

// SPKI returns the key as a SubjectPublicKeyInfo in DER.
func (k *PublicKey) SPKI() []byte { return bytes.Clone(k.spki) }

// Bits returns the size of the modulus.
func (k *PublicKey) Bits() int { return k.bits }

// Equal reports whether two keys are the same.
func (k *PublicKey) Equal(other *PublicKey) bool {
	return k != nil && other != nil && bytes.Equal(k.spki, other.spki)
}

// Format prints the size.
func (k *PublicKey) Format(f fmt.State, _ rune) {
	if k == nil {
		fmt.Fprint(f, "no public key")
		return
	}
	fmt.Fprintf(f, "RSA public key of %d bits", k.bits)
}

// Certificate is the part of a certificate that APIv3 needs. No signature on it is checked. The
// merchant's own certificate is a setting, and WeChat has encrypted a platform certificate.
type Certificate struct {
	Serial              string // upper-case hex digits, without leading zeros
	NotBefore, NotAfter time.Time
	PublicKey           *PublicKey
}

// ParseCertificate reads a certificate with an RSA key, as people paste it: one PEM block. It
// accepts a byte order mark, CRLF, the two characters \n in place of line breaks, blanks or no line
// breaks, and quotes around the text. The first and the last line may be missing.
func ParseCertificate(text string) (*Certificate, error) {
	const field = "Certificate"
	b, problem := decodePEM(text)
	if problem != "" {
		return nil, fail(BadConfig, field, problem)
	}
	c := classify(b)
	if c.what != certificate {
		return nil, fail(BadConfig, field, "is "+c.what+", want a certificate")
	}
	d := &der{rest: c.content}
	all := d.open(tagSequence)
	tbs := all.open(tagSequence)
	all.take(tagSequence)  // signatureAlgorithm
	all.take(tagBitString) // signature
	if tbs.peek() == tagVersion {
		tbs.take(tagVersion)
	}
	serial := tbs.natural()
	tbs.take(tagSequence) // signature
	tbs.take(tagSequence) // issuer
	validity := tbs.open(tagSequence)
	notBefore, notAfter := validity.time(), validity.time()
	tbs.take(tagSequence) // subject
	algorithm, key := openSPKI(tbs)
	switch {
	case tbs.bad || !validity.end() || !all.end() || !d.end() || len(serial) == 0 || len(serial) > 20 || notAfter.Before(notBefore):
		return nil, fail(BadConfig, field, "is damaged: its fields cannot be read")
	case algorithm != rsaPublic:
		return nil, fail(BadConfig, field, "has "+algorithm+", WeChat Pay uses RSA")
	}
	public, problem := readPublicKey(key)
	if problem != "" {
		return nil, fail(BadConfig, field, "its key "+problem)
	}
	return &Certificate{
		Serial:    strings.TrimLeft(fmt.Sprintf("%X", serial), "0"),
		NotBefore: notBefore, NotAfter: notAfter, PublicKey: public,
	}, nil
}

// The kinds of texts, as errors name them.
const (
	rsaPrivate  = "an RSA private key"
	rsaPublic   = "an RSA public key"
	certificate = "a certificate"
	ecPrivate   = "an EC private key"
	ecPublic    = "an EC public key"
	pkcs12      = "a PKCS #12 file (apiclient_cert.p12)"
	other       = "neither a key nor a certificate that can be read"
)

// class is the kind of a block's content. content is the RSAPrivateKey or RSAPublicKey of an RSA
// key, and the whole block of a certificate.
type class struct {
	what    string
	content []byte
}

// classify reads the structure and not the label, because labels may be wrong or missing in pasted
// text.
func classify(b block) class {
	switch b.label {
	case "OPENSSHPRIVATEKEY":
		return class{what: "a private key of OpenSSH"}
	case "CERTIFICATEREQUEST", "NEWCERTIFICATEREQUEST":
		return class{what: "a certificate request"}
	}
	d := &der{rest: b.der}
	s := d.open(tagSequence)
	if !d.end() {
		return class{what: other}
	}
	switch s.peek() {
	case tagSequence:
		// SubjectPublicKeyInfo is SEQUENCE and BIT STRING, a certificate SEQUENCE,
		// SEQUENCE and BIT STRING, an encrypted key SEQUENCE and OCTET STRING.
		inner := &der{rest: b.der}
		if what, key := openSPKI(inner); !inner.bad {
			return class{what, key}
		}
		s.take(tagSequence)
		switch s.peek() {
		case tagSequence:
			return class{certificate, b.der}
		case tagOctetString:
			return class{what: "a private key that is encrypted with a passphrase"}
		}
	case tagInteger:
		version := s.natural()
		switch {
		case len(version) > 1:
			// RSAPublicKey: its first number is the modulus.
			return class{rsaPublic, b.der}
		case len(version) == 1 && version[0] == 1 && s.peek() == tagOctetString:
			return class{what: ecPrivate}
		case len(version) == 1 && version[0] == 3 && s.peek() == tagSequence:
			return class{what: pkcs12}
		case len(version) == 0 && s.peek() == tagInteger:
			return class{rsaPrivate, b.der}
		case s.peek() == tagSequence:
			return classifyPKCS8(s)
		}
	}
	return class{what: other}
}

// classifyPKCS8 reads a PrivateKeyInfo after its version.
func classifyPKCS8(s *der) class {
	algorithm := s.open(tagSequence)
	oid := algorithm.take(tagOID)
	key := s.take(tagOctetString)
	switch {
	case s.bad || algorithm.bad:
		return class{what: other}
	case bytes.Equal(oid, oidEC):
		return class{what: ecPrivate}
	case !bytes.Equal(oid, oidRSA):
		return class{what: "a private key of another algorithm"}
	}
	return class{rsaPrivate, key}
}

// openSPKI reads a SubjectPublicKeyInfo: what it is, and of RSA the RSAPublicKey.
func openSPKI(d *der) (what string, key []byte) {
	s := d.open(tagSequence)
	algorithm := s.open(tagSequence)
	oid := algorithm.take(tagOID)
	bitString := s.take(tagBitString)
	if algorithm.bad || !s.end() || len(bitString) == 0 || bitString[0] != 0 {
		d.fail()
		return other, nil
	}
	switch {
	case bytes.Equal(oid, oidEC):
		return ecPublic, nil
	case !bytes.Equal(oid, oidRSA):
		return "a public key of another algorithm", nil
	}
	return rsaPublic, bitString[1:]
}

// publicKeyPrefix begins the ID of a public key of WeChat Pay.
const publicKeyPrefix = "PUB_KEY_ID_"

// keyID returns the ID of a key of WeChat's in the form in which IDs are compared. The ID of a
// public key is unchanged. The serial of a certificate is in upper case without leading zeros.
// keyID returns "" for anything else.
func keyID(s string) string {
	if number, ok := strings.CutPrefix(s, publicKeyPrefix); ok {
		if number == "" || len(number) > 64 || strings.Trim(number, "0123456789") != "" {
			return ""
		}
		return s
	}
	return serial(s)
}

// serial returns a certificate's serial in upper case without leading zeros, ""
// if it is none. A serial has 20 bytes at most.
func serial(s string) string {
	if len(s) > 40 || strings.Trim(s, "0123456789ABCDEFabcdef") != "" {
		return ""
	}
	return strings.TrimLeft(strings.ToUpper(s), "0")
}
