package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// The shop and the time of the warm-up. The rows that it reads were recorded with them.
const (
	warmUpAppID = "wx0123456789abcdef"
	warmUpMchID = "1900000109"
	warmUpURL   = "https://shop.example.com"
)

var warmUpTime = time.Unix(1_800_000_000, 0).UTC()

// warmUp serves what the first request of a cold Worker often is: the start of the page, a sign-in,
// an order, its payment and the notification. The shop has the keys of set, and its other settings
// are those of the recording. WeChat is warmUpWeChat, and the database repeats what D1 returned in
// TestWarmUp. So nothing leaves the program but the keys that it imports. See warm.Program.
func (p platform) warmUp(ctx context.Context, set settings) error {
	set.AppID, set.MchID, set.ShopURL, set.BaseURL = warmUpAppID, warmUpMchID, warmUpURL, ""
	set.TradeTypes, set.Scope, set.SellingOff = []api.TradeType{api.TradeJSAPI}, api.ScopeBase, false
	w := &warmUpWeChat{fetch: p.doer, set: set}
	p.db = p.recorded(string(set.API))
	p.doer, p.certDoer, p.webhookDoer, p.endpointDoer = w, w, w, w
	p.now, p.random = func() time.Time { return warmUpTime }, &fixedRandom{}
	a, err := p.build(set)
	if err != nil {
		return err
	}
	b := &warmUpBrowser{ctx: ctx, shop: a.Handler}
	b.get(api.PathConfig)
	b.post(api.PathSession, struct{}{}, nil) // a guest
	b.get(api.PathSession)
	b.get(api.PathProducts)
	var begun api.AuthorizeResponse
	b.post(api.PathAuthorize, api.AuthorizeRequest{ReturnTo: "/"}, &begun)
	to, err := url.Parse(begun.URL)
	if err != nil {
		return err
	}
	b.post(api.PathToken, api.TokenRequest{Code: "071abc", State: to.Query().Get("state")}, nil)
	var o api.Order
	b.post(api.PathOrders, api.CreateOrderRequest{Items: []api.OrderItem{{ProductID: "tea", Quantity: 1}}, ClientKey: "0123456789abcdef"}, &o)
	if set.API == wechat.V3 && set.PublicKey == "" {
		return b.err // platform certificates are in the shop's database
	}
	b.post(api.OrderPayPath(o.ID), api.PayRequest{TradeTypes: set.TradeTypes}, nil)
	if b.err != nil {
		return b.err
	}
	stored, err := store.New(p.db).ByID(ctx, o.ID)
	if err != nil {
		return err
	}
	w.payment = stored.Payment
	header, body, err := w.notification()
	if err != nil {
		return err
	}
	response := b.call(http.MethodPost, api.PathNotifyPay, header, body)
	if bytes.Contains(response, []byte("FAIL")) { // APIv2 has it with the status 200
		return fmt.Errorf("the notification: %s", response)
	}
	return b.err
}

// warmUpBrowser calls the signer and keeps its cookies. After the first error it calls nothing.
type warmUpBrowser struct {
	ctx     context.Context
	shop    http.Handler
	cookies []string
	err     error
}

func (b *warmUpBrowser) get(path string) { b.call(http.MethodGet, path, http.Header{}, nil) }

// post sends in as JSON and reads the response into out, if that is not nil.
func (b *warmUpBrowser) post(path string, in, out any) {
	body, err := json.Marshal(in)
	if err != nil {
		b.err = err
	}
	response := b.call(http.MethodPost, path, http.Header{"Content-Type": {jsonType}}, body)
	if b.err == nil && out != nil {
		b.err = json.Unmarshal(response, out)
	}
}

// call makes one call and returns the response, whose status must be 2xx.
func (b *warmUpBrowser) call(method, path string, header http.Header, body []byte) []byte {
	if b.err != nil {
		return nil
	}
	r, err := http.NewRequestWithContext(b.ctx, method, path, bytes.NewReader(body))
	if err != nil {
		b.err = err
		return nil
	}
	r.Header = header
	r.Header.Set("Origin", warmUpURL)
	r.Header.Set("Cookie", strings.Join(b.cookies, "; "))
	r.RemoteAddr = "192.0.2.1" // reserved for documentation
	w := &memoryWriter{header: http.Header{}, status: http.StatusOK}
	b.shop.ServeHTTP(w, r)
	for _, set := range w.header["Set-Cookie"] {
		pair, _, _ := strings.Cut(set, ";")
		name, _, _ := strings.Cut(pair, "=")
		b.cookies = slices.DeleteFunc(b.cookies, func(c string) bool { return strings.HasPrefix(c, name+"=") })
		b.cookies = append(b.cookies, pair)
	}
	if w.status/100 != 2 {
		b.err = fmt.Errorf("%s %s: %d %s", method, path, w.status, w.body.Bytes())
	}
	return w.body.Bytes()
}

const jsonType = "application/json"

// memoryWriter is an http.ResponseWriter that keeps the response.
type memoryWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *memoryWriter) Header() http.Header         { return w.header }
func (w *memoryWriter) Write(p []byte) (int, error) { return w.body.Write(p) }
func (w *memoryWriter) WriteHeader(status int)      { w.status = status }

// fixedRandom repeats a sequence in which all bytes occur, so that a program that skips some of
// them ends.
type fixedRandom struct{ last byte }

func (f *fixedRandom) Read(p []byte) (int, error) {
	for i := range p {
		f.last = f.last*5 + 1
		p[i] = f.last
	}
	return len(p), nil
}
