//go:build !stock

package main

import (
	"log/slog"
	"syscall/js"

	"github.com/syumai/workers/cloudflare"

	"h5pay/internal/server"
	"h5pay/signer/warm"
)

// serve answers the events that worker.mjs hands over, for as long as the
// instance lives.
func serve() {
	worker := warm.New()
	log := slog.New(slog.NewJSONHandler(worker.Log(), nil))
	if cloudflare.GetBinding("DB").IsUndefined() {
		err := &settingError{"d1_databases", "needs a binding named DB"}
		worker.Serve(warm.Program{Handler: server.Unavailable(err, log)})
	}
	worker.Serve(warm.Program{Handler: newHandler(getenv, worker.OpenD1("DB"), worker.Fetch(), log)})
}

// getenv reads a variable or a secret of the Worker, "" when it is not set.
func getenv(name string) string {
	if v := cloudflare.GetBinding(name); v.Type() == js.TypeString {
		return v.String()
	}
	return ""
}
