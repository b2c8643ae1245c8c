package wechattest

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Defaults of Config: the merchant that .dev.vars.example describes. They are worthless outside the
// simulator.
const (
	DefaultAppID     = "wx5a1e0f7c3b2d4968"
	DefaultAppSecret = "h5paysimulatorappsecret000000000"
	DefaultMchID     = "1900000109"
	DefaultAPIKey    = "h5paysimulatorapikey000000000000"
	DefaultShopName  = "山岚小铺"
)

// Doer sends the simulator's own requests, the notifications.
// *http.Client is one; it must not follow redirects, since WeChat does not.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Config describes one simulated WeChat. The zero value is complete.
type Config struct {
	// AppID is the Official Account: "wx" and 16 lower-case hex digits.
	// Default DefaultAppID.
	AppID string
	// AppSecret is the account's secret, 32 letters and digits. Default
	// DefaultAppSecret.
	AppSecret string
	// MchID is the merchant number, 8 to 10 digits. Default DefaultMchID.
	MchID string
	// APIKey is the APIv2 key, 32 letters and digits. Default DefaultAPIKey.
	APIKey string
	// APIv3Key is the APIv3 key, 32 letters and digits. Default DefaultAPIv3Key.
	APIv3Key string
	// V3Mode selects the keys of WeChat's that the merchant sees in APIv3. Default V3PublicKey, which
	// new merchants have.
	V3Mode V3Mode
	// RSAKeys are the RSA keys of APIv3, in the order of their use: merchant, public key, platform
	// certificate, then each rotation. When all are used a new one is made, which takes about 100
	// ms. Tests that start many simulators should share some. Default none.
	RSAKeys []*rsa.PrivateKey
	// ShopName is the merchant's name on the sheet and on the consent page.
	// Default DefaultShopName.
	ShopName string

	// Users are the people who can hold the phone; the first one does at the
	// start. Default: three people made from Seed.
	Users []User

	// ShopURL is the origin where the shop listens, PublicURL that under which
	// browsers open it, if it is another. Default none (unknown); see SetShop.
	ShopURL, PublicURL string
	// WeChatURL is the origin under which Handler is reached. Listen and Start
	// set it. Default none: the host of each request.
	WeChatURL string
	// OAuthDomain is the web-authorization domain: a bare host, or host and
	// path. Default: the hosts of PublicURL and ShopURL; any host when both are
	// unknown.
	OAuthDomain string
	// PayDirs are the payment directories, at most 5, each with a scheme and
	// ending in "/". Default: the roots of PublicURL and ShopURL; any page when
	// both are unknown.
	PayDirs []string
	// H5Domains are the hosts from which MWEB orders may be paid and to which
	// WeChat returns: bare hosts. Default: the hosts of PublicURL and ShopURL; any
	// host when both are unknown.
	H5Domains []string
	// Environment is where the shop is open at the start. Default Android.
	Environment Environment

	// Seed determines the users and, together with Epoch, every id, nonce and hostile variation.
	// Default 1. Two simulators with one seed and one epoch that get the same calls in the same
	// order give the same responses. A restarted one has the same users and new transaction ids.
	Seed int64
	// Hostile adds variations that WeChat may make at any time. Responses have undocumented fields and
	// reordered elements, and up to three coupons lower cash_fee. Default false, because SDKs that
	// check a signature over a fixed struct fail then.
	Hostile bool

	// Epoch is where the simulator's clock starts. Default time.Now().
	Epoch time.Time
	// RealTimeShop means that the shop's clock runs in real time and does not follow this one. A
	// time_expire from the shop is then shifted by as much as this clock was advanced. Default false,
	// for shops in tests that read Now.
	RealTimeShop bool
	// TimeScale is simulator seconds per real second, up to 100000. Default 1;
	// at 60 a minute takes a second.
	TimeScale float64
	// NotifyTimeout is how long a notification waits for the shop's response, in real
	// time. Default 5 s: the limit of v2 is not published, v3's is 5 s.
	NotifyTimeout time.Duration
	// NotifyIntervals is the retry list of notifications, in simulator time.
	// Default WeChat's own 15 intervals (docs/wechat.md 6.4).
	NotifyIntervals []time.Duration

	// TLSAddr is where Listen serves Handler over TLS too, host:port with port 0
	// for any. Default none; Start takes localhost:0.
	TLSAddr string
	// PlainRefunds accepts refund without the merchant's certificate on a connection without TLS,
	// for shops that cannot present one (wrangler dev). Default false: WeChat requires it.
	PlainRefunds bool
	// RefundTime is how long a refund is PROCESSING, in simulator time. Default 5 s. At WeChat it
	// is minutes, or days for cards.
	RefundTime time.Duration
	// RefundNotifyURL is the merchant platform's setting: the address that WeChat notifies of
	// refunds whose request names no notify_url. Default none: WeChat sends no notifications of
	// those.
	RefundNotifyURL string

	// Doer sends the notifications. Default an http.Client that follows no
	// redirect.
	Doer Doer
	// History is how many messages are kept. Default 2000.
	History int
	// Log gets one line per declined call. Default none.
	Log *slog.Logger
}

var (
	appIDForm = regexp.MustCompile(`^wx[0-9a-f]{16}$`)
	mchIDForm = regexp.MustCompile(`^[0-9]{8,10}$`)
	keyForm   = regexp.MustCompile(`^[0-9A-Za-z]{32}$`)
)

// withDefaults sets the fields that are zero to their defaults.
func (c Config) withDefaults() Config {
	text := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	text(&c.AppID, DefaultAppID)
	text(&c.AppSecret, DefaultAppSecret)
	text(&c.MchID, DefaultMchID)
	text(&c.APIKey, DefaultAPIKey)
	text(&c.APIv3Key, DefaultAPIv3Key)
	text((*string)(&c.V3Mode), string(V3PublicKey))
	text(&c.ShopName, DefaultShopName)
	if c.Environment == "" {
		c.Environment = Android
	}
	if c.Seed == 0 {
		c.Seed = 1
	}
	if c.Epoch.IsZero() {
		c.Epoch = time.Now()
	}
	if c.TimeScale == 0 {
		c.TimeScale = 1
	}
	if c.NotifyTimeout == 0 {
		c.NotifyTimeout = notifyTimeout
	}
	if c.NotifyIntervals == nil {
		c.NotifyIntervals = notifyIntervals()
	}
	if c.RefundTime == 0 {
		c.RefundTime = refundTime
	}
	if c.History == 0 {
		c.History = 2000
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// validate returns an error that names every invalid field, and never the value of a secret.
func (c Config) validate() error {
	var errs []error
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(appIDForm.MatchString(c.AppID), "AppID: want wx and 16 hex digits, got %q", c.AppID)
	bad(keyForm.MatchString(c.AppSecret), "AppSecret: want 32 letters and digits")
	bad(mchIDForm.MatchString(c.MchID), "MchID: want 8 to 10 digits, got %q", c.MchID)
	bad(keyForm.MatchString(c.APIKey), "APIKey: want 32 letters and digits")
	bad(keyForm.MatchString(c.APIv3Key), "APIv3Key: want 32 letters and digits")
	bad(c.APIv3Key != c.APIKey, "APIv3Key: must differ from APIKey")
	bad(c.V3Mode.known(), "V3Mode: want %s, %s or %s, got %q", V3PublicKey, V3Certificates, V3Both, c.V3Mode)
	for i, k := range c.RSAKeys {
		bad(k != nil && k.N.BitLen() == v3KeyBits, "RSAKeys[%d]: want a key of %d bits", i, v3KeyBits)
	}
	bad(c.APIKey != c.AppSecret, "APIKey: must differ from AppSecret")
	for _, o := range []struct{ name, url string }{
		{"ShopURL", c.ShopURL}, {"WeChatURL", c.WeChatURL}, {"PublicURL", c.PublicURL},
	} {
		if o.url != "" {
			if err := checkOrigin(o.url); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", o.name, err))
			}
		}
	}
	// docs/wechat.md 1.5: no scheme, no port.
	bad(!strings.Contains(c.OAuthDomain, ":"), "OAuthDomain: want a bare host or host/path, got %q", c.OAuthDomain)
	// docs/wechat.md 5.5: up to 5 entries, each with scheme and final slash.
	bad(len(c.PayDirs) <= 5, "PayDirs: at most 5, got %d", len(c.PayDirs))
	for _, d := range c.PayDirs {
		u, err := url.Parse(d)
		bad(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.HasSuffix(d, "/") && u.RawQuery == "" && u.Fragment == "",
			"PayDirs: want scheme://host/path/, got %q", d)
	}
	for _, d := range c.H5Domains {
		bad(d != "" && !strings.ContainsAny(d, ":/?#"), "H5Domains: want a bare host, got %q", d)
	}
	_, known := c.Environment.place()
	bad(known, "Environment: want one of %s, got %q", environmentNames(), c.Environment)
	bad(c.TimeScale > 0 && c.TimeScale <= 100000, "TimeScale: want more than 0, at most 100000, got %v", c.TimeScale)
	bad(c.NotifyTimeout > 0, "NotifyTimeout: want more than 0, got %v", c.NotifyTimeout)
	for _, d := range c.NotifyIntervals {
		bad(d > 0, "NotifyIntervals: want more than 0, got %v", d)
	}
	bad(c.RefundTime > 0, "RefundTime: want more than 0, got %v", c.RefundTime)
	bad(c.RefundNotifyURL == "" || validNotifyURL(c.RefundNotifyURL) && len(c.RefundNotifyURL) <= 256,
		"RefundNotifyURL: want an absolute URL of 256 bytes at most without a query, got %q", c.RefundNotifyURL)
	bad(c.History > 0, "History: want more than 0, got %d", c.History)
	seen := map[string]bool{}
	for i, u := range c.Users {
		bad(openIDForm.MatchString(u.OpenID), "Users[%d]: openid: want 28 of [0-9A-Za-z_-], got %q", i, u.OpenID)
		bad(!seen[u.OpenID], "Users[%d]: openid repeated", i)
		seen[u.OpenID] = true
	}
	return errors.Join(errs...)
}

// checkOrigin reports whether s is scheme://host[:port] and nothing more.
func checkOrigin(s string) error {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || s != u.Scheme+"://"+u.Host {
		return fmt.Errorf("want an origin such as http://localhost:8787, got %q", s)
	}
	return nil
}
