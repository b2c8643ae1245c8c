package main

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/server"
	"h5pay/wechat"
)

// app is what the signer does: it answers calls, and by timers of their own it
// reconciles, delivers events and checks bills.
type app struct {
	http.Handler
	reconcile  func(context.Context) error
	deliver    func(context.Context) error
	checkBills func(context.Context) error
}

// unavailable is the app of a signer with a bad setting: it still answers, with
// the code "misconfigured", and names the setting in the log. token, if not empty,
// shows the setting's name on the health page too.
func unavailable(err error, token wechat.Secret, log *slog.Logger) app {
	return app{
		Handler:    server.Unavailable(err, token, log),
		reconcile:  func(context.Context) error { return err },
		deliver:    func(context.Context) error { return nil }, // the first timer complains
		checkBills: func(context.Context) error { return nil },
	}
}

// platform is what the signer stands on: the Worker and its bindings, or this
// machine.
type platform struct {
	getenv func(string) string
	db     *sql.DB
	doer   wechat.Doer
	// certDoer presents the merchant's certificate. Nil when there is none;
	// refunds are refused then, but by a simulator, which asks for none.
	certDoer wechat.Doer
	// Of calls, by the caller's address and by who is signed in; nil without.
	addressLimit, ownerLimit server.Limiter
	// webhookDoer sends webhooks; doer when nil. Only the status of an answer is used.
	webhookDoer wechat.Doer
	// addresses says where the client's address is, see server.Config.
	addresses server.Addresses
	// problem is what is wrong with settings of the platform alone, nil for nothing.
	problem error
	// size returns the size of the database and what the platform has for it; a Capacity
	// of 0 is no limit of the platform's. Nil when the size is not known.
	size func(context.Context) (order.Size, error)
	// d1 says that the statements of an invocation are limited.
	d1 bool
	// catalogueHint tells the operator how to put products in.
	catalogueHint string
	// announce has events delivered at once. Nil leaves them to the timer.
	announce func()
	log      *slog.Logger
}

// newApp wires the signer: settings, store, WeChat client, server.
func newApp(p platform) app {
	log := p.log
	set, err := loadSettings(p.getenv)
	if err = errors.Join(err, p.problem); err != nil {
		return unavailable(err, set.AdminToken, log)
	}
	if p.certDoer == nil && set.BaseURL != "" {
		p.certDoer = p.doer
	}
	if p.webhookDoer == nil {
		p.webhookDoer = p.doer
	}
	client, err := wechat.New(wechat.Config{
		AppID:     set.AppID,
		AppSecret: set.AppSecret,
		MchID:     set.MchID,
		APIKey:    set.APIKey,
		SignType:  set.SignType,
		OpenURL:   set.BaseURL,
		APIURL:    set.BaseURL,
		MchURL:    set.BaseURL,
		Doer:      p.doer,
		CertDoer:  p.certDoer,
	})
	if err != nil {
		return unavailable(err, set.AdminToken, log)
	}
	store := order.NewStore(p.db)
	store.Bounds = set.Unpaid
	statements := 0
	if p.d1 {
		statements = set.D1Statements
	}
	srv, err := server.New(server.Config{
		ShopName:      set.ShopName,
		ShopURL:       set.ShopURL,
		Scope:         set.Scope,
		TradeTypes:    set.TradeTypes,
		AppID:         set.AppID,
		MchID:         set.MchID,
		Simulated:     set.BaseURL != "",
		SellingOff:    set.SellingOff,
		PayerDays:     set.PayerDays,
		SessionKey:    set.SessionKey,
		SessionKeyOld: set.SessionKeyOld,
		ManualBalance: set.ManualBalance,
		AdminToken:    set.AdminToken,
		Store:         store,
		Statements:    statements,
		KeepUnpaid:    time.Duration(set.KeepUnpaidDays) * 24 * time.Hour,
		Size:          p.sizeWithin(int64(set.DatabaseMB) * 1_000_000),
		WeChat:        client,
		Webhook:       set.webhook(p.webhookDoer),
		Announce:      p.announce,
		CatalogueHint: p.catalogueHint,
		Addresses:     p.addresses,
		AddressLimit:  p.addressLimit,
		OwnerLimit:    p.ownerLimit,
		Checks:        p.checks(set),
		Log:           log,
	})
	if err != nil {
		return unavailable(err, set.AdminToken, log)
	}
	reconcile := func(ctx context.Context) error {
		srv.LogHeld()
		return srv.Reconcile(ctx)
	}
	return app{srv.Handler(), reconcile, srv.Deliver, srv.CheckBills}
}

// sizeWithin returns the size of the database within the operator's limit in bytes.
func (p platform) sizeWithin(limit int64) func(context.Context) (order.Size, error) {
	if p.size == nil {
		return nil
	}
	return func(ctx context.Context) (order.Size, error) {
		size, err := p.size(ctx)
		if size.Capacity == 0 || size.Capacity > limit {
			size.Capacity = limit
		}
		return size, err
	}
}

// checks is what the health page says of the platform. A shop takes payments
// without a certificate and limits. A public shop must not take simulated payments.
func (p platform) checks(set settings) []api.HealthCheck {
	wechat := api.HealthCheck{Name: "wechat", OK: true}
	if set.BaseURL != "" {
		wechat = api.HealthCheck{Name: "wechat", OK: !set.public(), Problem: "WECHAT_BASE_URL is set: WeChat is a simulation and no payment is real"}
	}
	checks := []api.HealthCheck{wechat}
	for _, c := range []struct {
		name    string
		there   bool
		without string
	}{
		{"certificate", p.certDoer != nil, "WECHAT_CERT is not bound, or natively WECHAT_CERT_FILE not set: there are no refunds"},
		{"limits", p.addressLimit != nil && p.ownerLimit != nil, "ADDRESS_LIMIT or OWNER_LIMIT is not bound: anyone may call as often as they like"},
	} {
		check := api.HealthCheck{Name: c.name, OK: true}
		if !c.there {
			check.Problem = c.without
		}
		checks = append(checks, check)
	}
	return checks
}
