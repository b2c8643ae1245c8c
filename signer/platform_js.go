//go:build !stock

package main

import (
	"context"
	"log/slog"
	"syscall/js"
	"time"

	"github.com/syumai/workers/cloudflare"

	"h5pay/signer/warm"
)

// serve answers the events that worker.mjs hands over, for as long as the
// instance lives.
func serve() {
	worker := warm.New()
	log := slog.New(slog.NewJSONHandler(worker.Log(), nil))
	var a app
	if cloudflare.GetBinding("DB").IsUndefined() {
		a = unavailable(&settingError{"d1_databases", "needs a binding named DB"}, log)
	} else {
		a = newApp(getenv, worker.OpenD1("DB"), worker.Fetch(), log)
	}
	worker.Serve(warm.Program{
		Handler: a,
		Cron:    func(ctx context.Context, _ string, _ time.Time) error { return a.reconcile(ctx) },
	})
}

// getenv reads a variable or a secret of the Worker, "" when it is not set.
func getenv(name string) string {
	if v := cloudflare.GetBinding(name); v.Type() == js.TypeString {
		return v.String()
	}
	return ""
}
