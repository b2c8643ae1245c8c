// Package wechat speaks WeChat's side of a payment: web authorization, orders
// inside WeChat, by QR code and in a phone's browser, their state and end,
// refunds, notifications, bills, and the signature for the page. It is version 2
// of the merchant API, with MD5 or HMAC-SHA256.
//
// What it returns is neutral: no caller sees XML, a signature or a field name
// of v2, so that version 3 can stand behind the same methods.
//
// The package is pure computation over a Doer. It keeps no state and puts no
// secret, code, token, openid or body into an error. It retries nothing, but
// that a merchant call that is lost on the way goes to WeChat's backup host.
package wechat

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Fen is an amount in fen, a hundredth of a yuan.
type Fen int64

// Doer sends a request and returns the answer, whatever its status. It must not
// follow redirects: a request to WeChat carries secrets. *http.Client is one
// when its CheckRedirect says so.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// WeChat's own hosts.
const (
	openHost      = "https://open.weixin.qq.com"
	apiHost       = "https://api.weixin.qq.com"
	mchHost       = "https://api.mch.weixin.qq.com"
	mchBackupHost = "https://api2.mch.weixin.qq.com" // in another city
)

// Config is what a Client is made of.
type Config struct {
	AppID     string   // of the service account: "wx" and 16 letters or digits
	AppSecret Secret   // of the service account, 32 letters or digits
	MchID     string   // of the merchant, digits
	APIKey    Secret   // the merchant's APIv2 key, 32 letters or digits
	SignType  SignType // of what is sent; SignHMAC when empty. Replies may have either

	// Base URLs without a final slash; WeChat's hosts when empty.
	OpenURL, APIURL, MchURL string
	// Where a merchant call goes that is lost on the way to MchURL. When it is
	// empty: WeChat's backup host if MchURL is WeChat's own, else nowhere.
	MchBackupURL string

	Doer Doer
	// CertDoer sends requests with the merchant's TLS client certificate, which
	// refunds need: through Cloudflare's mTLS binding in a Worker, with a
	// tls.Config natively. When it is nil refunds are refused before they are
	// sent.
	CertDoer Doer
	Now      func() time.Time // time.Now when nil
	Rand     io.Reader        // crypto/rand when nil
}

// Client speaks for one service account and one merchant. It is safe for
// concurrent use.
type Client struct {
	*account
	v2 *v2client
}

// account is who the calls are for, and how they are sent.
type account struct {
	cfg Config // without the secrets
	// Functions, so that no way of printing a Client, or what holds one, comes
	// by the secrets: in an unexported field fmt does not ask a Secret first.
	appSecret, apiKey func() Secret
}

// New checks cfg. The error names the field that is wrong, never its value.
func New(cfg Config) (*Client, error) {
	if cfg.SignType == "" {
		cfg.SignType = SignHMAC
	}
	for _, u := range []struct {
		field    *string
		fallback string
	}{{&cfg.OpenURL, openHost}, {&cfg.APIURL, apiHost}, {&cfg.MchURL, mchHost}} {
		if *u.field == "" {
			*u.field = u.fallback
		}
		*u.field = strings.TrimSuffix(*u.field, "/")
	}
	if cfg.MchBackupURL == "" && cfg.MchURL == mchHost {
		cfg.MchBackupURL = mchBackupHost
	}
	cfg.MchBackupURL = strings.TrimSuffix(cfg.MchBackupURL, "/")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	for _, rule := range []struct {
		field string
		ok    bool
	}{
		{"AppID", cfg.AppID != "" && len(cfg.AppID) <= 32 && alphanumeric(cfg.AppID)},
		{"AppSecret", len(cfg.AppSecret) == 32 && alphanumeric(string(cfg.AppSecret))},
		{"MchID", len(cfg.MchID) <= 32 && digits(cfg.MchID)},
		{"APIKey", len(cfg.APIKey) == 32 && alphanumeric(string(cfg.APIKey))},
		{"SignType", cfg.SignType == SignMD5 || cfg.SignType == SignHMAC},
		{"OpenURL", baseURL(cfg.OpenURL)},
		{"APIURL", baseURL(cfg.APIURL)},
		{"MchURL", baseURL(cfg.MchURL)},
		{"MchBackupURL", cfg.MchBackupURL == "" || baseURL(cfg.MchBackupURL)},
		{"Doer", cfg.Doer != nil},
	} {
		if !rule.ok {
			return nil, fmt.Errorf("wechat: %s is missing or malformed", rule.field)
		}
	}
	appSecret, apiKey := cfg.AppSecret, cfg.APIKey
	cfg.AppSecret, cfg.APIKey = "", ""
	a := &account{
		cfg:       cfg,
		appSecret: func() Secret { return appSecret },
		apiKey:    func() Secret { return apiKey },
	}
	return &Client{account: a, v2: &v2client{a}}, nil
}

// baseURL reports whether a path can be appended to s.
func baseURL(s string) bool { return absolute(s) && !strings.ContainsAny(s, "?#") }

// nonce returns 32 random letters and digits.
func (a *account) nonce() (string, error) {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	out := make([]byte, 0, 32)
	b := make([]byte, 48)
	for {
		if _, err := io.ReadFull(a.cfg.Rand, b); err != nil {
			return "", fmt.Errorf("drawing a nonce: %w", err)
		}
		for _, v := range b {
			// 248 is the last multiple of 62: no letter is likelier.
			if v < 248 {
				if out = append(out, alphabet[v%62]); len(out) == cap(out) {
					return string(out), nil
				}
			}
		}
	}
}
