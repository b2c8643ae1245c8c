package main

import (
	"context"
	"net/http"
	"strings"

	"h5pay/internal/api"
)

// warmUp serves what the first request of a cold Worker often is. It runs in a program whose
// database is empty and which is thrown away: see warm.Program.
func (a app) warmUp(ctx context.Context) {
	var cookies []*http.Cookie
	for _, call := range warmUpCalls {
		r, err := http.NewRequestWithContext(ctx, call.method, call.path, strings.NewReader(call.body))
		if err != nil {
			return // the paths are constants
		}
		r.Header.Set("Content-Type", call.contentType)
		r.RemoteAddr = "192.0.2.1" // reserved for documentation
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := headerWriter{}
		a.ServeHTTP(w, r)
		cookies = append(cookies, (&http.Response{Header: http.Header(w)}).Cookies()...)
	}
}

// warmUpCalls are the calls of warmUp, in order. Cookies of one call are sent with the next ones.
var warmUpCalls = []struct{ method, path, contentType, body string }{
	{http.MethodGet, api.PathConfig, "", ""},
	{http.MethodPost, api.PathAuthorize, asJSON, `{"return_to":"/"}`},
	{http.MethodPost, api.PathSession, asJSON, `{}`},
	{http.MethodGet, api.PathSession, "", ""},
	{http.MethodGet, api.PathProducts, "", ""},
	{http.MethodPost, api.PathOrders, asJSON, `{"items":[{"product_id":"none","quantity":1}],"trade_type":"NATIVE","client_key":"0123456789abcdef"}`},
	{http.MethodPost, api.OrderPayPath("0123456789abcdefghijklmn"), asJSON, `{}`},
	{http.MethodPost, api.PathNotifyPay, "text/xml", `<xml><return_code>SUCCESS</return_code><sign>00000000000000000000000000000000</sign></xml>`},
}

const asJSON = "application/json"

// headerWriter is an http.ResponseWriter that keeps the headers only.
type headerWriter http.Header

func (w headerWriter) Header() http.Header         { return http.Header(w) }
func (w headerWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w headerWriter) WriteHeader(int)             {}
