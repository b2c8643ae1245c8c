//go:build !stock

package main

import (
	"context"
	"log/slog"
	"syscall/js"
	"time"

	"github.com/syumai/workers/cloudflare"

	"h5pay/internal/store"
	"h5pay/signer/warm"
)

// The optional bindings in wrangler.toml; DB is required.
const (
	certBinding         = "WECHAT_CERT"   // mtls_certificates: the merchant's client certificate
	addressLimitBinding = "ADDRESS_LIMIT" // ratelimits
	ownerLimitBinding   = "OWNER_LIMIT"   // ratelimits
	keyLimitBinding     = "KEY_LIMIT"     // ratelimits
	outboxBinding       = "OUTBOX"        // queues.producers; starts a delivery of events
)

// serve handles the events that worker.mjs passes on, for as long as the instance runs.
func serve() {
	worker := warm.New()
	log := slog.New(slog.NewJSONHandler(worker.Log(), nil))
	var a app
	if !isBound("DB") {
		set, err := loadSettings(getenv)
		a = unavailable(joinSettingErrors(err, &settingError{"d1_databases", "must bind a database to DB"}), set.AdminToken, log)
	} else {
		db := worker.OpenD1("DB")
		p := platform{getenv: getenv, db: db, doer: worker.Fetch(), rsa: platformRSA{worker.RSA()}, webhookDoer: worker.Fetch().NoBody(), log: log, d1: true,
			catalogueHint: "see README, Going live, for the statement that adds products"}
		p.recorded = worker.OpenD1
		p.size = func(context.Context) (store.Size, error) { return store.Size{Used: warm.DatabaseSize(db)}, nil }
		if isBound(certBinding) {
			p.certDoer = worker.FetchThrough(certBinding)
		}
		if isBound(addressLimitBinding) {
			p.addressLimit = worker.RateLimit(addressLimitBinding)
		}
		if isBound(ownerLimitBinding) {
			p.ownerLimit = worker.RateLimit(ownerLimitBinding)
		}
		if isBound(keyLimitBinding) {
			p.keyLimit = worker.RateLimit(keyLimitBinding)
		}
		if isBound(outboxBinding) {
			outbox := worker.Queue(outboxBinding)
			p.announce = func() { outbox.Send(`"deliver"`) }
		}
		a = newApp(p)
	}
	worker.Serve(warm.Program{
		Handler: a,
		Cron: func(ctx context.Context, pattern string, _ time.Time) error {
			return a.runCron(ctx, pattern)
		},
		// A message only signals that events are due. A batch that fails is delivered again.
		Queue:  func(ctx context.Context, _ *warm.Batch) error { return a.deliver(ctx) },
		WarmUp: a.warmUp,
	})
}

// isBound reports whether wrangler.toml binds something to the name.
func isBound(name string) bool { return !cloudflare.GetBinding(name).IsUndefined() }

// getenv reads a variable or a secret of the Worker, "" if it is not set.
func getenv(name string) string {
	if v := cloudflare.GetBinding(name); v.Type() == js.TypeString {
		return v.String()
	}
	return ""
}
