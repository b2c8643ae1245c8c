package main

import (
	"context"
	"database/sql"
	"net/http"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/wechat"
)

// warmUp serves what the first request of a cold Worker often is. It runs in a program whose
// database is empty and which is thrown away: see warm.Program.
func (a app) warmUp(ctx context.Context) {
	var cookies []string
	for _, call := range warmUpCalls {
		r, err := http.NewRequestWithContext(ctx, call.method, call.path, strings.NewReader(call.body))
		if err != nil {
			return // the paths are constants
		}
		r.Header.Set("Content-Type", call.contentType)
		r.RemoteAddr = "192.0.2.1" // reserved for documentation
		r.Header.Set("Cookie", strings.Join(cookies, "; "))
		w := headerWriter{}
		a.ServeHTTP(w, r)
		for _, set := range w["Set-Cookie"] {
			pair, _, _ := strings.Cut(set, ";")
			cookies = append(cookies, pair)
		}
	}
	a.warmUpRest(ctx)
}

// warmUpRest uses what the calls reach only with an order: results of the database, times as text,
// and WeChat. No result matters.
func warmUpRest(ctx context.Context, db *sql.DB, client *wechat.Client) {
	var text string
	var number int64
	var null sql.NullInt64
	db.QueryRowContext(ctx, `SELECT ?, ?, ?`, "", 0, nil).Scan(&text, &number, &null)
	db.ExecContext(ctx, `SELECT 1`)
	const layout = "20060102150405" // WeChat's
	if _, err := time.Parse(layout, time.Now().Format(layout)); err != nil {
		return
	}
	if pay, err := client.For(client.Version()); err == nil {
		pay.QueryOrder(ctx, "00000000")
		pay.PayParams(ctx, "wx00000000")
	}
}

// warmUpCalls are the calls of warmUp, in order. Cookies of one call are sent with the next ones.
var warmUpCalls = []struct{ method, path, contentType, body string }{
	{http.MethodGet, api.PathConfig, "", ""},
	{http.MethodPost, api.PathAuthorize, asJSON, `{"return_to":"/"}`},
	{http.MethodPost, api.PathSession, asJSON, `{}`},
	{http.MethodGet, api.PathSession, "", ""},
	{http.MethodGet, api.PathProducts, "", ""},
	{http.MethodPost, api.PathOrders, asJSON, `{"items":[{"product_id":"none","quantity":1}],"client_key":"0123456789abcdef"}`},
	{http.MethodPost, api.OrderPayPath("0123456789abcdefghijklmn"), asJSON, `{"trade_types":["NATIVE"]}`},
	{http.MethodPost, api.PathNotifyPay, "text/xml", `<xml><return_code>SUCCESS</return_code><sign>00000000000000000000000000000000</sign></xml>`},
}

const asJSON = "application/json"

// headerWriter is an http.ResponseWriter that keeps the headers only.
type headerWriter http.Header

func (w headerWriter) Header() http.Header         { return http.Header(w) }
func (w headerWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w headerWriter) WriteHeader(int)             {}
