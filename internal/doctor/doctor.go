// Package doctor finds out why a shop does not work, by calls to WeChat and to the merchant's own
// endpoints. It makes no payment.
package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"
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

// How long the checks may take.
const (
	budget      = 9 * time.Second // all of them
	callTimeout = 4 * time.Second // one call
)

// WeChat has the calls that the doctor makes. *wechat.Client is one.
type WeChat interface {
	AuthorizeURL(redirectURI string, scope wechat.Scope, state string) (string, error)
	ExchangeCode(ctx context.Context, code string) (wechat.Token, error)
	DownloadCertificates(ctx context.Context) ([]apiv3.PlatformCertificate, error)
	Echo(ctx context.Context, notifyURL string) error
	For(v wechat.Version) (wechat.Merchant, error)
}

// Notifications has the messages that arrived as WeChat's, the newest first.
type Notifications interface {
	Notifications(ctx context.Context, verdict, outTradeNo string, limit int) ([]order.Notification, error)
}

// Endpoint is a webhook endpoint of the merchant's.
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
	// Certificates says that platform certificates verify WeChat's messages.
	Certificates bool
	// Clock is the Doer of WeChat's calls.
	Clock *Clock
	// Notifications shows whether the callback of an echo arrived.
	Notifications Notifications
	// Endpoints, optional, returns the webhook endpoints.
	Endpoints func(ctx context.Context) ([]Endpoint, error)
	// Simulated says that WeChat is a simulator. The test events then say so.
	Simulated bool
	// Outside, optional, runs the checks of the shop's address, which a Worker cannot call. token is
	// for a probe, see package probe.
	Outside func(ctx context.Context, shopURL, token string) []v1.CheckResult

	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil
}

// Doctor runs the checks that make calls. It can be used by any number of goroutines at once.
type Doctor struct {
	cfg Config
	now func() time.Time
}

// New checks cfg and returns its doctor.
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

// result is what a check found. The zero value is a check that is ok.
type result struct {
	cause   cause.ID
	setting string
	detail  string
	warn    bool
	skipped bool
}

// skip is a check that did not run.
func skip(why string) result { return result{skipped: true, detail: why} }

// Run runs the checks, in 10 s at most, and returns their results in the order of the table. A check
// that fails for a cause that another one has found is skipped.
func (d *Doctor) Run(ctx context.Context, token string) []v1.CheckResult {
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	var all []v1.CheckResult
	var mu sync.Mutex
	found := map[cause.Check]result{}
	var group sync.WaitGroup
	check := func(name cause.Check, f func(ctx context.Context) result) {
		group.Go(func() {
			began := d.now()
			r := d.safely(func() result { return f(ctx) })
			out := present(name, r)
			out.TookMS = d.now().Sub(began).Milliseconds()
			mu.Lock()
			defer mu.Unlock()
			found[name], all = r, append(all, out)
		})
	}
	check(cause.SignIn, d.signIn)
	check(cause.SignInDomain, d.signInDomain)
	check(cause.CallV2, d.callV2)
	check(cause.CallV3, d.callV3)
	check(cause.PlatformKeys, d.platformKeys)
	group.Go(func() {
		results := d.endpoints(ctx) // each is safe by itself
		mu.Lock()
		defer mu.Unlock()
		all = append(all, results...)
	})
	group.Go(func() {
		results := []v1.CheckResult{present(cause.NotifyURL, skip(elsewhere)), present(cause.DomainFile, skip(elsewhere))}
		if d.cfg.Outside != nil {
			d.safely(func() result {
				results = d.cfg.Outside(ctx, d.cfg.ShopURL, token)
				return result{}
			})
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, results...)
	})
	group.Wait()
	clock := present(cause.Clock, d.clock())
	blocked := slices.ContainsFunc(all, func(c v1.CheckResult) bool {
		return c.ID == string(cause.NotifyURL) && c.Cause != ""
	})
	signIn, call := found[cause.SignIn], found[cause.CallV3]
	if d.cfg.Version == wechat.V2 {
		call = found[cause.CallV2]
	}
	check(cause.Order, func(ctx context.Context) result {
		switch {
		case call.cause != "" || call.skipped || signIn.cause == cause.AppIDUnknown || clock.Status == v1.CheckFail:
			return skip(follows)
		}
		return d.order(ctx)
	})
	check(cause.Echo, func(ctx context.Context) result {
		v3 := found[cause.CallV3]
		switch {
		case v3.skipped:
			return skip("only APIv3 has a test callback")
		case v3.cause != "" || blocked || clock.Status == v1.CheckFail || found[cause.PlatformKeys].cause != "":
			return skip(follows)
		}
		return d.echo(ctx)
	})
	group.Wait()
	return once(append(all, clock))
}

// safely runs a check. net/http catches only panics of its own goroutines.
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
	follows   = "not run: another check has failed on which it depends"
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

// sequence is the order of the results. The first check that finds a cause has it.
var sequence = [...]cause.Check{
	cause.Clock, cause.SignIn, cause.SignInDomain, cause.CallV2, cause.CallV3, cause.PlatformKeys, cause.Order,
	cause.NotifyURL, cause.DomainFile, cause.Echo, cause.Webhook,
}

// once sorts results and keeps each cause once: the check that runs first has it.
func once(all []v1.CheckResult) []v1.CheckResult {
	slices.SortStableFunc(all, func(a, b v1.CheckResult) int {
		return cmp.Compare(slices.Index(sequence[:], cause.Check(a.ID)), slices.Index(sequence[:], cause.Check(b.ID)))
	})
	first := map[string]string{}
	for i, c := range all {
		switch by, ok := first[c.Cause]; {
		case c.Cause == string(cause.AppIDNotBound) && first[string(cause.AppIDUnknown)] != "":
			all[i] = v1.CheckResult{ID: c.ID, Status: v1.CheckSkipped, Detail: follows, TookMS: c.TookMS}
		case c.Cause == "" || c.ID == string(cause.Webhook):
		case ok && by != c.ID:
			all[i] = v1.CheckResult{ID: c.ID, Status: v1.CheckSkipped, Detail: "the same cause as " + by, TookMS: c.TookMS}
		default:
			first[c.Cause] = c.ID
		}
	}
	return all
}

// random returns a text that nobody has used.
func random() string {
	text, err := alphabet.Alphanumeric.Random(rand.Reader, 24)
	if err != nil {
		return "000000000000000000000000"
	}
	return text
}
