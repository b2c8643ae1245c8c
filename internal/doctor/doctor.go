// Package doctor finds out why a shop does not work, by calls to WeChat and to the merchant's own
// endpoints. It makes no payment.
package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/v1"
	"h5pay/wechat"
	"h5pay/wechat/apiv3"
)

// callTimeout is how long one call may take.
const callTimeout = 4 * time.Second

// WeChat has the calls that the doctor makes. *wechat.Client implements it.
type WeChat interface {
	AuthorizeURL(redirectURI string, scope wechat.Scope, state string) (string, error)
	ExchangeCode(ctx context.Context, code string) (wechat.Token, error)
	DownloadCertificates(ctx context.Context) ([]apiv3.PlatformCertificate, error)
	Echo(ctx context.Context, notifyURL string) error
	For(v wechat.Version) (wechat.Merchant, error)
}

// Notifications returns the messages that arrived at the notify URLs, newest first.
type Notifications interface {
	Notifications(ctx context.Context, verdict, outTradeNo string, limit int) ([]order.Notification, error)
}

// Endpoint is a webhook endpoint of the merchant.
type Endpoint struct {
	URL     string
	Secrets []wechat.Secret // in the form of webhook.ParseSecret
	Doer    wechat.Doer     // follows no redirect
}

// Config configures a Doctor.
type Config struct {
	ShopURL    string          // the origin
	AppID      string          // of the service account
	MchID      string          // of the merchant
	Version    wechat.Version  // of new payments
	TradeTypes []api.TradeType // that the shop offers

	WeChat WeChat
	Doer   wechat.Doer // for the authorize page; follows no redirect
	// Certificates means that platform certificates verify WeChat's messages.
	Certificates bool
	// Clock is the Doer of WeChat's calls.
	Clock *Clock
	// Notifications shows whether the callback of an echo arrived.
	Notifications Notifications
	// Endpoints, optional, returns the webhook endpoints.
	Endpoints func(ctx context.Context) ([]Endpoint, error)
	// Simulated means that WeChat is a simulator. The test events then say so.
	Simulated bool
	// Outside, optional, runs the checks of the shop's address, which a Worker cannot call. token is
	// for a probe, see package probe.
	Outside func(ctx context.Context, shopURL, token string) []v1.CheckResult

	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil
}

// Doctor runs the checks that make calls. It is safe for concurrent use.
type Doctor struct {
	cfg Config
	now func() time.Time
}

// New validates cfg and returns a Doctor.
func New(cfg Config) (*Doctor, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.WeChat == nil || cfg.Doer == nil || cfg.Clock == nil || cfg.Notifications == nil || cfg.ShopURL == "" {
		return nil, errors.New("doctor: WeChat, Doer, Clock, Notifications or ShopURL is missing")
	}
	return &Doctor{cfg, cfg.Now}, nil
}

// result is the result of a check. The zero value means ok.
type result struct {
	cause   cause.ID
	setting string
	detail  string
	warn    bool
	skipped bool
}

// skip returns the result of a check that did not run.
func skip(why string) result { return result{skipped: true, detail: why} }

// safely runs a check and returns a panic as a failure. net/http catches only panics of its
// own goroutines.
func (d *Doctor) safely(f func() result) (r result) {
	defer func() {
		if p := recover(); p != nil {
			reqlog.Panic(d.cfg.Log, p)
			r = skip("the check failed, see the log")
		}
	}()
	return f()
}

// The reasons of skipped checks.
const (
	follows   = "not run: it depends on another check, which failed"
	elsewhere = "not run: a Worker cannot call its own address; h5pay doctor -shop URL does it from another machine"
)

// present returns a result in the form of package v1.
func present(name cause.Check, r result) v1.CheckResult {
	c := v1.CheckResult{ID: string(name), Status: v1.CheckOK, Cause: string(r.cause), Setting: r.setting, Detail: r.detail}
	switch {
	case r.skipped:
		c.Status = v1.CheckSkipped
	case r.cause != "" && r.warn:
		c.Status = v1.CheckWarn
	case r.cause != "":
		c.Status = v1.CheckFail
	}
	return c
}

// random returns a new random text.
func random() string {
	text, err := alphabet.Alphanumeric.Random(rand.Reader, 24)
	if err != nil {
		return "000000000000000000000000"
	}
	return text
}
