//go:build stock

package main

import (
	"database/sql"
	"log/slog"
	"net/http"
	"os"
	"syscall/js"

	"github.com/syumai/workers"
	"github.com/syumai/workers/cloudflare"
	_ "github.com/syumai/workers/cloudflare/d1"
	"github.com/syumai/workers/cloudflare/fetch"
)

// serve runs the same handlers with the library's own entry, driver and fetch, which starts a Go
// program for each request. Only `make bench` uses it, for comparison.
func serve() {
	db, err := sql.Open("d1", "DB")
	if err != nil {
		panic(err)
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	workers.Serve(newApp(platform{getenv: stockEnv, db: db, doer: stockDoer{fetch.NewClient()}, log: log}))
}

func stockEnv(name string) string {
	if v := cloudflare.GetBinding(name); v.Type() == js.TypeString {
		return v.String()
	}
	return ""
}

type stockDoer struct{ client *fetch.Client }

func (d stockDoer) Do(req *http.Request) (*http.Response, error) {
	if req.ContentLength == 0 {
		req.Body = nil // the library's fetch would send a body even with GET
	}
	return d.client.Do(&fetch.Request{Request: req}, nil)
}
