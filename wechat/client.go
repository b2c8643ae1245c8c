package wechat

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"h5pay/internal/fen"
)

// Fen is an amount in fen, a hundredth of a yuan. Its String prints yuan, "12.30".
type Fen = fen.Fen

// Doer sends a request and returns the response of any status. It must not
// follow redirects: a request to WeChat carries secrets. An *http.Client is a Doer if
// its CheckRedirect returns http.ErrUseLastResponse.
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

// Config configures a Client.
type Config struct {
	AppID     string // of the service account: "wx" and 16 letters or digits
	AppSecret Secret // of the service account, 32 letters or digits
	MchID     string // of the merchant, digits

	// A merchant has APIv2, APIv3, or both while it changes from one to the other. A payment is ended
	// with the version with which it began.
	APIKey   Secret    // the merchant's APIv2 key, 32 letters or digits; "" without APIv2
	SignType SignType  // of requests of APIv2; SignHMAC when empty. Responses may have either
	V3       *V3Config // nil without APIv3
	Version  Version   // of new payments; V3 if there is one when empty

	// Base URLs without a final slash; WeChat's hosts when empty.
	OpenURL, APIURL, MchURL string
	// MchBackupURL gets a merchant call whose connection to MchURL failed. Default WeChat's backup
	// host if MchURL is WeChat's own, else none.
	MchBackupURL string

	Doer Doer
	// CertDoer sends requests with the merchant's TLS client certificate, which
	// refunds of APIv2 need: through Cloudflare's mTLS binding in a Worker, with a
	// tls.Config natively. When it is nil refunds of APIv2 are not sent.
	CertDoer Doer
	Now      func() time.Time // time.Now when nil
	Rand     io.Reader        // crypto/rand when nil
}

// Client makes the calls of one service account and one merchant. It is safe for concurrent use.
type Client struct {
	*account
	v2 *v2client // nil without an APIv2 key
	v3 *v3client // nil without keys of APIv3
}

// account has the account of the calls, and how they are sent.
type account struct {
	cfg Config // without the secrets
	// Functions, so that a printed Client does not show the secrets: fmt prints an unexported field
	// without the methods of Secret.
	appSecret, apiKey func() Secret
}

// New checks cfg. The error names the field that is wrong, never its value. About
// the fields of V3 it has one *apiv3.Error for each.
func New(cfg Config) (*Client, error) {
	if cfg.SignType == "" {
		cfg.SignType = SignHMAC
	}
	if cfg.Version == "" {
		cfg.Version = V2
		if cfg.V3 != nil {
			cfg.Version = V3
		}
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
		{"APIKey", cfg.APIKey == "" && cfg.V3 != nil || len(cfg.APIKey) == 32 && alphanumeric(string(cfg.APIKey))},
		{"SignType", cfg.SignType == SignMD5 || cfg.SignType == SignHMAC},
		{"OpenURL", baseURL(cfg.OpenURL)},
		{"APIURL", baseURL(cfg.APIURL)},
		{"MchURL", baseURL(cfg.MchURL)},
		{"MchBackupURL", cfg.MchBackupURL == "" || baseURL(cfg.MchBackupURL)},
		{"Doer", cfg.Doer != nil},
		{"Version", cfg.Version == V2 && cfg.APIKey != "" || cfg.Version == V3 && cfg.V3 != nil},
	} {
		if !rule.ok {
			return nil, fmt.Errorf("wechat: %s is missing or malformed", rule.field)
		}
	}
	appSecret, apiKey, v3 := cfg.AppSecret, cfg.APIKey, cfg.V3
	cfg.AppSecret, cfg.APIKey, cfg.V3 = "", "", nil
	a := &account{
		cfg:       cfg,
		appSecret: func() Secret { return appSecret },
		apiKey:    func() Secret { return apiKey },
	}
	c := &Client{account: a}
	if apiKey != "" {
		c.v2 = &v2client{a}
	}
	if v3 != nil {
		var err error
		if c.v3, err = newV3(a, *v3); err != nil {
			return nil, fmt.Errorf("wechat: %w", err)
		}
	}
	return c, nil
}

// baseURL reports whether a path can be appended to s.
func baseURL(s string) bool { return absolute(s) && !strings.ContainsAny(s, "?#") }
