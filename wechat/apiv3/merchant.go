package apiv3

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// MerchantConfig configures a Merchant.
type MerchantConfig struct {
	MchID      string // of the merchant, digits
	Serial     string // of the merchant API certificate, hex digits; default that of Certificate
	PrivateKey Secret // of that certificate, PEM (apiclient_key.pem)
	// Certificate is the merchant API certificate, PEM (apiclient_cert.pem). It may
	// be empty when Serial is set. With it, New finds a private key or a serial that
	// does not belong to it.
	Certificate string

	RSA  RSA              // the standard library's when nil, but for js
	Now  func() time.Time // time.Now when nil
	Rand io.Reader        // crypto/rand when nil
}

// Merchant signs the requests and the pay parameters of a merchant. It is safe for concurrent use.
type Merchant struct {
	mchID, serial string
	expires       time.Time
	public        *PublicKey
	rsa           RSA
	signer        func() Signer // a function, so that printing does not show the key
	now           func() time.Time
	rand          io.Reader
}

// NewMerchant checks cfg. Its errors are of the kind BadConfig.
func NewMerchant(cfg MerchantConfig) (*Merchant, error) {
	m := &Merchant{mchID: cfg.MchID, now: cfg.Now, rand: cfg.Rand}
	if m.now == nil {
		m.now = time.Now
	}
	if m.rand == nil {
		m.rand = rand.Reader
	}
	var err error
	if m.rsa, err = orDefault(cfg.RSA); err != nil {
		return nil, err
	}
	if cfg.MchID == "" || len(cfg.MchID) > 32 || strings.Trim(cfg.MchID, "0123456789") != "" {
		return nil, fail(BadConfig, "MchID", "want digits")
	}
	key, err := ParsePrivateKey(cfg.PrivateKey)
	if err != nil {
		return nil, err
	}
	m.public = key.Public()
	switch {
	case cfg.Serial == "" && cfg.Certificate == "":
		return nil, fail(BadConfig, "Serial", "is missing, and there is no certificate to take it from")
	case strings.HasPrefix(cfg.Serial, publicKeyPrefix):
		return nil, fail(BadConfig, "Serial", "is the ID of WeChat Pay's public key, want the serial of the merchant API certificate")
	case cfg.Serial != "" && serial(cfg.Serial) == "":
		return nil, fail(BadConfig, "Serial", "want 40 hex digits, as the merchant platform shows them")
	}
	// WeChat rejects lower-case digits. Leading zeros are kept.
	m.serial = strings.ToUpper(cfg.Serial)
	if cfg.Certificate != "" {
		c, err := ParseCertificate(cfg.Certificate)
		switch {
		case err != nil:
			return nil, err
		case cfg.Serial != "" && c.Serial != serial(cfg.Serial):
			return nil, fail(BadConfig, "Serial", "is not the serial of the certificate")
		case !c.PublicKey.Equal(m.public):
			return nil, fail(BadConfig, "PrivateKey", "does not belong to the certificate")
		case cfg.Serial == "":
			m.serial = c.Serial
		}
		m.expires = c.NotAfter
	}
	signer, err := m.rsa.Signer(key.PKCS8())
	if err != nil {
		return nil, misfit() // not err, whose text might contain the key
	}
	m.signer = func() Signer { return signer }
	return m, nil
}

// MchID returns the merchant's number.
func (m *Merchant) MchID() string { return m.mchID }

// Serial returns the serial that requests carry.
func (m *Merchant) Serial() string { return m.serial }

// PublicKey returns the public half of the merchant's key. No key of WeChat's equals it. If one
// does, the operator has configured the merchant's certificate as WeChat's.
func (m *Merchant) PublicKey() *PublicKey { return m.public }

// Expires returns when the merchant API certificate ends. The time is zero without a certificate.
// WeChat declines every request after it, and this package does not check it.
func (m *Merchant) Expires() time.Time { return m.expires }

// Check signs a text and verifies the signature. It detects a private key whose numbers do not
// belong together. A platform may notice that only when it signs. Only WeChat knows whether the
// serial belongs to the key.
func (m *Merchant) Check(ctx context.Context) error {
	text := []byte("apiv3")
	signature, err := m.signer().Sign(ctx, text)
	switch {
	case errors.Is(err, ErrKey):
		return misfit()
	case err != nil:
		return unavailable(ctx, "RSA", err)
	}
	verifier, err := m.rsa.Verifier(m.public.SPKI())
	if err != nil {
		return misfit()
	}
	ok, err := verifier.Verify(ctx, text, signature)
	switch {
	case err != nil:
		return unavailable(ctx, "RSA", err)
	case !ok:
		return misfit()
	}
	return nil
}

func misfit() error {
	return fail(BadConfig, "PrivateKey", "is damaged: its numbers do not fit together")
}

// Authorization signs a request and returns the header of that name (docs/wechat.md 18.3). uri has
// path and query exactly as they are sent, as URL.RequestURI of net/url returns them. body has the
// sent bytes; nil and empty are the same. For an upload it is only the part named meta.
func (m *Merchant) Authorization(ctx context.Context, method, uri string, body []byte) (string, error) {
	if method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", fail(BadRequest, "method", "want upper-case letters")
	}
	if !strings.HasPrefix(uri, "/") || strings.HasPrefix(uri, "//") || strings.Contains(uri, "#") || !visible(uri) {
		return "", fail(BadRequest, "uri", "want path and query as they are sent, escaped, without host and fragment")
	}
	nonce, err := Nonce(m.rand)
	if err != nil {
		return "", err
	}
	timestamp := m.timestamp()
	signature, err := m.sign(ctx, requestMessage(method, uri, timestamp, nonce, body))
	if err != nil {
		return "", err
	}
	return authorization(m.mchID, m.serial, timestamp, nonce, signature), nil
}

// authorization returns the header's value. The order of the pairs is free.
func authorization(mchID, serial, timestamp, nonce, signature string) string {
	return Scheme + ` mchid="` + mchID + `",serial_no="` + serial + `",timestamp="` + timestamp +
		`",nonce_str="` + nonce + `",signature="` + signature + `"`
}

// requestMessage returns the signed text of a request: five lines, each with its line feed.
func requestMessage(method, uri, timestamp, nonce string, body []byte) []byte {
	return lines(method, uri, timestamp, nonce, string(body))
}

// lines ends each text with a line feed.
func lines(texts ...string) []byte {
	size := 0
	for _, s := range texts {
		size += len(s) + 1
	}
	b := make([]byte, 0, size)
	for _, s := range texts {
		b = append(append(b, s...), '\n')
	}
	return b
}

// PayParams are the fields of getBrandWCPayRequest in JSAPI, and of wx.requestPayment in a mini
// program, which has no appId. All are texts.
type PayParams struct {
	AppID     string
	TimeStamp string // Unix seconds
	NonceStr  string
	Package   string // "prepay_id=..."
	SignType  string // "RSA"
	PaySign   string
}

// PayParams signs the pay parameters of a page or a mini program (docs/wechat.md 18.8). Payments by
// QR code (Native) and in a phone's browser (H5) need no parameters.
func (m *Merchant) PayParams(ctx context.Context, appID, prepayID string) (PayParams, error) {
	p := PayParams{AppID: appID, SignType: "RSA", Package: "prepay_id=" + prepayID}
	var err error
	p.TimeStamp, p.NonceStr, p.PaySign, err = m.signPayment(ctx, appID, prepayID, p.Package)
	if err != nil {
		return PayParams{}, err
	}
	return p, nil
}

// AppParams are the fields that an app hands to WeChat's SDK.
type AppParams struct {
	AppID     string
	PartnerID string // the MchID
	PrepayID  string
	Package   string // "Sign=WXPay"
	NonceStr  string
	TimeStamp string // Unix seconds
	Sign      string
}

// AppParams signs the pay parameters of an app (docs/wechat.md 18.11).
func (m *Merchant) AppParams(ctx context.Context, appID, prepayID string) (AppParams, error) {
	p := AppParams{AppID: appID, PartnerID: m.mchID, PrepayID: prepayID, Package: "Sign=WXPay"}
	var err error
	p.TimeStamp, p.NonceStr, p.Sign, err = m.signPayment(ctx, appID, prepayID, prepayID)
	if err != nil {
		return AppParams{}, err
	}
	return p, nil
}

// signPayment signs four lines, the last of which differs between page and app.
func (m *Merchant) signPayment(ctx context.Context, appID, prepayID, last string) (timestamp, nonce, signature string, err error) {
	if appID == "" || len(appID) > 32 || !visible(appID) {
		return "", "", "", fail(BadRequest, "appid", "is missing or malformed")
	}
	if prepayID == "" || len(prepayID) > 128 || !visible(prepayID) || strings.Contains(prepayID, "&") {
		return "", "", "", fail(BadRequest, "prepay_id", "is missing or malformed")
	}
	if nonce, err = Nonce(m.rand); err != nil {
		return "", "", "", err
	}
	timestamp = m.timestamp()
	signature, err = m.sign(ctx, lines(appID, timestamp, nonce, last))
	return timestamp, nonce, signature, err
}

func (m *Merchant) sign(ctx context.Context, message []byte) (string, error) {
	b, err := m.signer().Sign(ctx, message)
	switch {
	case errors.Is(err, ErrKey):
		return "", misfit()
	case err != nil:
		return "", unavailable(ctx, "RSA", err)
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// unavailable is the error of a platform that failed. It omits the platform's text, which might
// contain the key.
func unavailable(ctx context.Context, field string, err error) error {
	if ended := ctx.Err(); ended != nil {
		return &Error{Kind: Unavailable, Field: field, Message: "the context ended", Err: ended}
	}
	return fail(Unavailable, field, fmt.Sprintf("failed with a %T", err))
}

func (m *Merchant) timestamp() string { return strconv.FormatInt(m.now().Unix(), 10) }

// Nonce returns 32 letters and digits for a nonce_str, drawn from random. The error is of the kind
// Unavailable.
func Nonce(random io.Reader) (string, error) {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := make([]byte, 0, 32)
	b := make([]byte, 48)
	for {
		if _, err := io.ReadFull(random, b); err != nil {
			return "", &Error{Kind: Unavailable, Field: "nonce_str", Message: "no random numbers", Err: err}
		}
		for _, v := range b {
			// 248 is a multiple of 62, so all letters are equally likely.
			if v < 248 {
				if out = append(out, alphabet[v%62]); len(out) == cap(out) {
					return string(out), nil
				}
			}
		}
	}
}

// visible reports whether s has visible ASCII characters only. A line feed would shift the lines of
// a signed message.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
