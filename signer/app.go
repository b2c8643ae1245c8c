package main

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/internal/certificate"
	"h5pay/internal/doctor"
	"h5pay/internal/fen"
	"h5pay/internal/outbox"
	"h5pay/internal/payment"
	"h5pay/internal/server"
	"h5pay/internal/store"
	"h5pay/internal/v1"
	"h5pay/wechat"
	"h5pay/wechat/apiv3"
)

// keyLimitCalls is how many calls a minute an API key may make. wrangler.toml sets the same number.
const keyLimitCalls = 6000

// app is the signer: an HTTP handler and the jobs that timers run.
type app struct {
	http.Handler
	patterns   []string // of the calls that Handler handles, as a ServeMux has them
	reconcile  func(context.Context) error
	deliver    func(context.Context) error
	checkBills func(context.Context) error
	check      func(ctx context.Context, network bool) v1.Checks
	warmUp     func(context.Context) error // see warm.Program
	startPage  func(context.Context) (api.StartPage, error)
}

// unavailable returns the app of a misconfigured signer. It responds to every call with the code
// "misconfigured" and logs the setting's name. The health page shows the name to callers who
// present token, if token is not empty.
func unavailable(err error, token wechat.Secret, log *slog.Logger) app {
	handler, check := server.Unavailable(err, token, log)
	return app{
		Handler:    handler,
		check:      check,
		reconcile:  func(context.Context) error { return err },
		deliver:    func(context.Context) error { return nil }, // reconcile reports the error
		checkBills: func(context.Context) error { return nil },
		warmUp:     func(context.Context) error { return nil },
		startPage:  func(context.Context) (api.StartPage, error) { return nil, err },
	}
}

// platform is what the signer runs on: the Worker with its bindings, or this machine.
type platform struct {
	getenv func(string) string
	db     *sql.DB
	doer   wechat.Doer
	rsa    apiv3.RSA // nil natively: crypto/rsa
	// certDoer presents the merchant's certificate. Without it, refunds are rejected, except
	// against the simulator, which requires no certificate.
	certDoer wechat.Doer
	// addressLimit limits calls per client address, ownerLimit per session; nil means no limit.
	addressLimit, ownerLimit server.Limiter
	// keyLimit limits the calls of an API key to keyLimitCalls a minute; nil means no limit.
	keyLimit server.Limiter
	// webhookDoer sends webhooks; nil means doer. Only the status and Retry-After of a response are
	// used.
	webhookDoer wechat.Doer
	// endpointDoer sends webhooks to the endpoints that API calls made, and to no private address;
	// nil means webhookDoer.
	endpointDoer wechat.Doer
	// addresses defines where the client's address is, see server.Config.
	addresses server.Addresses
	// problem is the error in the platform's own settings, or nil.
	problem error
	// size returns the size and the capacity of the database. Capacity 0 means that the platform
	// sets no limit. Nil means that the size is unknown.
	size func(context.Context) (store.Size, error)
	// d1 reports whether the number of statements per invocation is limited.
	d1 bool
	// catalogueHint tells the operator how to add products.
	catalogueHint string
	// database names the database on the health page; "" in the Worker.
	database string
	// nodes checks the nodes that share the database; nil if there is one.
	nodes func(context.Context) api.HealthCheck
	// announce starts a delivery of events now. Nil leaves deliveries to the timer.
	announce func()
	// findings returns the results of the platform's own checks; may be nil.
	findings func() []v1.CheckResult
	// outside runs the checks of the shop's address, see doctor.Config. Nil in a Worker.
	outside func(ctx context.Context, shopURL, token string) []v1.CheckResult
	// explain returns the texts of a cause, see server.Config. Nil in a Worker, which would be larger.
	explain func(id cause.ID, setting string) (zh, en *v1.CauseText)
	// notified counts WeChat's notifications, see server.Config; may be nil.
	notified func(kind, verdict string)
	// recorded opens the database of the warm-up for a version of WeChat's API; nil natively.
	recorded func(version string) *sql.DB
	now      func() time.Time // nil means time.Now
	random   io.Reader        // nil means crypto/rand
	log      *slog.Logger
}

// newApp builds the signer from its settings: the store, the WeChat client, the rules, the outbox
// and the server.
func newApp(p platform) app {
	set, err := loadSettings(p.getenv)
	if err = joinSettingErrors(err, p.problem); err != nil {
		return unavailable(err, set.AdminToken, p.log)
	}
	a, err := p.withDoers(set).build(set)
	if err != nil {
		return unavailable(err, set.AdminToken, p.log)
	}
	return a
}

// build builds the signer from valid settings. The error is one of the settings.
func (p platform) build(set settings) (app, error) {
	st := store.New(p.db)
	st.Bounds = set.Unpaid
	w, err := p.newWeChat(set, st)
	if err != nil {
		return app{}, err
	}
	pay, payErr := payment.New(p.paymentConfig(set, st, w))
	events, eventsErr := outbox.New(p.outboxConfig(set, st))
	if err := errors.Join(payErr, eventsErr); err != nil {
		return app{}, err
	}
	checks, err := doctor.New(p.doctorConfig(set, st, w))
	if err != nil {
		return app{}, err
	}
	cfg := p.serverConfig(set, st, w)
	cfg.Payment, cfg.Outbox, cfg.Doctor = pay, events, checks
	srv, err := server.New(cfg)
	if err != nil {
		return app{}, err
	}
	return app{
		Handler:  srv.Handler(),
		patterns: srv.Patterns(),
		check:    srv.Check,
		reconcile: func(ctx context.Context) error {
			srv.LogHeld()
			return pay.Reconcile(ctx)
		},
		deliver: events.Deliver,
		// The payers of old events, the secrets of endpoints and the certificates have no timer of their own.
		checkBills: func(ctx context.Context) error {
			if w.keeper != nil {
				if err := w.keeper.Tick(ctx); err != nil {
					p.log.Error("refreshing the platform certificates failed", "error", err)
				}
			}
			if err := errors.Join(events.RemovePayers(ctx), events.SealAgain(ctx)); err != nil {
				return err
			}
			return pay.CheckBills(ctx)
		},
		warmUp:    func(ctx context.Context) error { return p.warmUp(ctx, set) },
		startPage: srv.StartPage,
	}, nil
}

// withDoers returns the platform with a doer for each kind of call.
func (p platform) withDoers(set settings) platform {
	if p.certDoer == nil && set.BaseURL != "" {
		p.certDoer = p.doer
	}
	if p.webhookDoer == nil {
		p.webhookDoer = p.doer
	}
	if p.endpointDoer == nil {
		p.endpointDoer = p.webhookDoer
	}
	return p
}

// statements limits the statements of one run of a timer; 0 means no limit.
func (p platform) statements(set settings) int {
	if p.d1 {
		return set.D1Statements
	}
	return 0
}

// wechatClient is the client of WeChat, with its clock and certificates.
type wechatClient struct {
	client *wechat.Client
	clock  *doctor.Clock
	keeper *certificate.Keeper // nil without platform certificates
}

func (p platform) newWeChat(set settings, st *store.Store) (wechatClient, error) {
	w := wechatClient{clock: doctor.NewClock(p.doer, p.now)}
	v3 := set.v3(p.rsa)
	var keeper *certificate.Keeper
	if v3 != nil && v3.Certificates {
		v3.Refresh = func(ctx context.Context) error { return keeper.Refresh(ctx) }
	}
	var err error
	w.client, err = wechat.New(wechat.Config{
		AppID:     set.AppID,
		AppSecret: set.AppSecret,
		MchID:     set.MchID,
		APIKey:    set.APIKey,
		SignType:  set.SignType,
		V3:        v3,
		Version:   set.API,
		OpenURL:   set.BaseURL,
		APIURL:    set.BaseURL,
		MchURL:    set.BaseURL,
		Doer:      w.clock,
		CertDoer:  p.certDoer,
		Now:       p.now,
		Rand:      p.random,
	})
	if err != nil {
		return w, errors.Join(settingErrors(err)...)
	}
	if v3 != nil && v3.Certificates {
		keeper, err = certificate.New(certificate.Config{Store: st, WeChat: w.client, Now: p.now, Log: p.log})
		w.keeper = keeper
	}
	return w, err
}

func (p platform) paymentConfig(set settings, st *store.Store, w wechatClient) payment.Config {
	return payment.Config{
		ShopName:      set.ShopName,
		ShopURL:       set.ShopURL,
		TradeTypes:    set.TradeTypes,
		ReturnHosts:   set.ReturnHosts,
		AppID:         set.AppID,
		MchID:         set.MchID,
		Simulated:     set.BaseURL != "",
		ManualBalance: set.ManualBalance,
		SellingOff:    set.SellingOff,
		Store:         st,
		WeChat:        w.client,
		Announce:      p.announce,
		Statements:    p.statements(set),
		KeepUnpaid:    time.Duration(set.KeepUnpaidDays) * 24 * time.Hour,
		Size:          p.sizeWithin(int64(set.DatabaseMB) * 1_000_000),
		Now:           p.now,
		Rand:          p.random,
		Log:           p.log,
	}
}

func (p platform) outboxConfig(set settings, st *store.Store) outbox.Config {
	return outbox.Config{
		Store:      st,
		Webhook:    set.webhook(p.webhookDoer),
		Simulated:  set.BaseURL != "",
		PayerDays:  set.PayerDays,
		Announce:   p.announce,
		Statements: p.statements(set),
		Now:        p.now,
		Rand:       p.random,
		Log:        p.log,

		EndpointDoer:  p.endpointDoer,
		SessionKey:    set.SessionKey,
		SessionKeyOld: set.SessionKeyOld,
		Origin:        outbox.Origin{Shop: set.ShopURL, AppID: set.AppID, MchID: set.MchID},
	}
}

func (p platform) doctorConfig(set settings, st *store.Store, w wechatClient) doctor.Config {
	return doctor.Config{
		ShopURL:       set.ShopURL,
		AppID:         set.AppID,
		MchID:         set.MchID,
		Version:       set.API,
		TradeTypes:    set.TradeTypes,
		WeChat:        w.client,
		Doer:          p.doer,
		Certificates:  w.keeper != nil,
		Clock:         w.clock,
		Notifications: st,
		Endpoints:     func(context.Context) ([]doctor.Endpoint, error) { return set.endpoints(p.webhookDoer), nil },
		Simulated:     set.BaseURL != "",
		Outside:       p.outside,
		Now:           p.now,
		Log:           p.log,
	}
}

// serverConfig returns the config of the server without Payment, Outbox and Doctor.
func (p platform) serverConfig(set settings, st *store.Store, w wechatClient) server.Config {
	cfg := server.Config{
		Store:         st,
		WeChat:        w.client,
		Scope:         set.Scope,
		SessionKey:    set.SessionKey,
		SessionKeyOld: set.SessionKeyOld,
		AdminToken:    set.AdminToken,
		CatalogueHint: p.catalogueHint,
		Addresses:     p.addresses,
		AddressLimit:  p.addressLimit,
		OwnerLimit:    p.ownerLimit,
		KeyLimit:      p.keyLimit,
		KeyLimitCalls: keyLimitCalls,
		RefundConfirm: fen.Fen(set.RefundConfirm),
		Checks:        p.checks(set),
		Database:      p.database,
		Nodes:         p.nodes,
		Findings:      func() []v1.CheckResult { return append(set.findings(), p.ownFindings()...) },
		Explain:       p.explain,
		Notified:      p.notified,
		Now:           p.now,
		Rand:          p.random,
		Log:           p.log,
	}
	if w.keeper != nil {
		cfg.Certificates = w.keeper.Problem
	}
	return cfg
}

// sizeWithin returns size with the capacity limited to limit bytes.
func (p platform) sizeWithin(limit int64) func(context.Context) (store.Size, error) {
	if p.size == nil {
		return nil
	}
	return func(ctx context.Context) (store.Size, error) {
		size, err := p.size(ctx)
		if size.Capacity == 0 || size.Capacity > limit {
			size.Capacity = limit
		}
		return size, err
	}
}

// ownFindings returns the results of the platform's own checks.
func (p platform) ownFindings() []v1.CheckResult {
	if p.findings == nil {
		return nil
	}
	return p.findings()
}

// checks returns the platform's entries on the health page. A shop may run without a certificate
// and without limits. A public shop must not accept simulated payments.
func (p platform) checks(set settings) []api.HealthCheck {
	wechat := api.HealthCheck{Name: "wechat", OK: true}
	if set.BaseURL != "" {
		wechat = api.HealthCheck{Name: "wechat", OK: !set.public(), Problem: "WECHAT_BASE_URL is set: payments are simulated"}
		if set.public() {
			wechat.Cause, wechat.Setting = string(cause.WeChatSimulated), "WECHAT_BASE_URL"
		}
	}
	checks := []api.HealthCheck{wechat, set.apiv3Check()}
	for _, c := range []struct {
		name    string
		cause   cause.ID
		there   bool
		without string
	}{
		{"certificate", cause.ClientCertMissing, p.certDoer != nil || set.APIKey == "", "WECHAT_CERT is not bound (native server: WECHAT_CERT_FILE is not set): refunds of APIv2 are disabled"},
		{"limits", cause.LimitsMissing, p.addressLimit != nil && p.ownerLimit != nil && p.keyLimit != nil, "ADDRESS_LIMIT, OWNER_LIMIT or KEY_LIMIT is not bound: calls are not rate limited"},
	} {
		check := api.HealthCheck{Name: c.name, OK: true}
		if !c.there {
			check.Problem, check.Cause = c.without, string(c.cause)
		}
		checks = append(checks, check)
	}
	return checks
}
