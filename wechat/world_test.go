package wechat_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// The simulator shares no code with the client: each checks the other.

const shopURL = "https://shop.example"

// world is a simulated WeChat, a client of it, and the shop's end of the
// notifications.
type world struct {
	*wechattest.WeChat
	t      *testing.T
	client *wechat.Client
	shop   *shop
}

func newWorld(t *testing.T, seed int64, signType wechat.SignType) *world {
	t.Helper()
	w := &world{t: t, shop: &shop{arrived: make(chan struct{}, 16), refunded: make(chan notice, 16)}}
	var err error
	w.WeChat, err = wechattest.New(wechattest.Config{
		Seed: seed, Hostile: true, ShopURL: shopURL, Doer: w.shop, Epoch: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.client, err = wechat.New(wechat.Config{
		AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret,
		MchID: wechattest.DefaultMchID, APIKey: wechattest.DefaultAPIKey, SignType: signType,
		Doer: wire{w.Handler()}, CertDoer: certified{w.WeChat}, Now: w.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.shop.client = w.client
	return w
}

// wire carries requests to the simulator without a network. Like the network it returns an error
// when the request's context ends.
type wire struct{ handler http.Handler }

func (w wire) Do(r *http.Request) (*http.Response, error) {
	answered := make(chan *http.Response, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				panic(p)
			}
		}()
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		answered <- rec.Result()
	}()
	select {
	case res := <-answered:
		return res, nil
	case <-r.Context().Done():
		return nil, &url.Error{Op: r.Method, URL: r.URL.String(), Err: r.Context().Err()}
	}
}

// certified is a wire that adds the merchant's certificate to each request.
type certified struct{ *wechattest.WeChat }

func (c certified) Do(r *http.Request) (*http.Response, error) {
	cert, err := c.Certificate()
	if err != nil {
		return nil, err
	}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert.Leaf}}
	return wire{c.Handler()}.Do(r)
}

// notice is the result of ParseRefund for a notification.
type notice struct {
	refund wechat.Refund
	err    error
}

// shop is the Doer of the simulator's notifications.
type shop struct {
	client   *wechat.Client
	arrived  chan struct{}
	refunded chan notice

	mu     sync.Mutex
	trades []wechat.Trade
	errs   []error
}

func (s *shop) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(r.URL.Path, "/refund") {
		var n notice
		n.refund, n.err = s.client.ParseRefund(body)
		s.refunded <- n
		err = n.err
	} else {
		var trade wechat.Trade
		trade, err = s.client.ParsePayment(body)
		s.mu.Lock()
		s.trades, s.errs = append(s.trades, trade), append(s.errs, err)
		s.mu.Unlock()
		s.arrived <- struct{}{}
	}
	status, _, acknowledgement := wechat.Acknowledgement(wechat.V2, err == nil, "OK")
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(acknowledgement))}, nil
}

// last waits for a notification and returns the result of ParsePayment.
func (s *shop) last(t *testing.T) (wechat.Trade, error) {
	t.Helper()
	select {
	case <-s.arrived:
	case <-time.After(10 * time.Second):
		t.Fatal("no notification")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trades[len(s.trades)-1], s.errs[len(s.errs)-1]
}

// lastRefund waits for a notification of a refund.
func (s *shop) lastRefund(t *testing.T) (wechat.Refund, error) {
	t.Helper()
	select {
	case n := <-s.refunded:
		return n.refund, n.err
	case <-time.After(10 * time.Second):
		t.Fatal("no notification of a refund")
		return wechat.Refund{}, nil
	}
}

// signIn goes through web authorization and returns the code.
func (w *world) signIn(scope wechat.Scope) string {
	w.t.Helper()
	link, err := w.client.AuthorizeURL(shopURL+"/?item=tea&n=1", scope, "State1")
	if err != nil {
		w.t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, strings.TrimSuffix(link, "#wechat_redirect"), nil))
	location := rec.Header().Get("Location")
	if scope == wechat.ScopeUserInfo {
		consents := w.Consents()
		if len(consents) == 0 {
			w.t.Fatalf("no consent page: status %d, %s", rec.Code, rec.Body)
		}
		c, err := w.Decide(consents[len(consents)-1].ID, true)
		if err != nil {
			w.t.Fatal(err)
		}
		location = c.Location
	}
	u, err := url.Parse(location)
	if err != nil || u.Query().Get("code") == "" || u.Query().Get("state") != "State1" || u.Query().Get("item") != "tea" {
		w.t.Fatalf("sent back to %q, %v; status %d, %s", location, err, rec.Code, rec.Body)
	}
	return u.Query().Get("code")
}

func (w *world) order(no string) wechat.Order {
	return wechat.Order{
		OutTradeNo: no, Body: "山岚小铺 - 茶🍵 & <壶> ]]>", Attach: "a=1&b=2\r\n]]>🍵", Detail: `{"goods_detail":[]}`,
		TotalFee: 880, TradeType: wechat.TradeJSAPI, OpenID: w.User().OpenID, ClientIP: "2001:db8::1",
		NotifyURL: shopURL + "/api/notify/pay", TimeStart: w.Now(), TimeExpire: w.Now().Add(time.Hour),
	}
}

// invoke opens the payment sheet with the result of PayParams.
func (w *world) invoke(prepayID string) wechattest.Sheet {
	w.t.Helper()
	p, err := w.client.PayParams(prepayID)
	if err != nil {
		w.t.Fatal(err)
	}
	return openSheet(w.t, w.WeChat, p)
}

// openSheet opens the payment sheet with the parameters of a page.
func openSheet(t testing.TB, phone *wechattest.WeChat, p wechat.PayParams) wechattest.Sheet {
	t.Helper()
	args := map[string]json.RawMessage{}
	for name, v := range map[string]string{
		"appId": p.AppID, "timeStamp": p.TimeStamp, "nonceStr": p.NonceStr, "package": p.Package, "signType": string(p.SignType), "paySign": p.PaySign,
	} {
		var err error
		if args[name], err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	sheet, declined := phone.Invoke(wechattest.InvokeCall{API: "getBrandWCPayRequest", Args: args, URL: shopURL + "/", Landing: shopURL + "/"})
	if declined != nil {
		t.Fatalf("the phone declined: %+v", declined)
	}
	return sheet
}

// pay makes an order and pays it. WeChat has sent no notification yet.
func (w *world) pay(no string) {
	w.t.Helper()
	prepay, err := w.client.UnifiedOrder(w.t.Context(), w.order(no))
	if err != nil {
		w.t.Fatal(err)
	}
	if s, err := w.PaySheet(w.invoke(prepay.PrepayID).ID); err != nil || s.State != wechattest.SheetPaid {
		w.t.Fatalf("%+v, %v", s, err)
	}
}

func (w *world) fault(kind, path string) {
	w.t.Helper()
	if err := w.AddFault(wechattest.Fault{Kind: kind, Path: path}); err != nil {
		w.t.Fatal(err)
	}
}

func kindOf(err error) (wechat.Kind, string) {
	var e *wechat.Error
	if !errors.As(err, &e) {
		return -1, fmt.Sprint(err)
	}
	return e.Kind, e.Code
}

// each runs a test with both algorithms and a dozen seeds, which decide the
// order of elements, unknown fields and coupons.
func each(t *testing.T, seeds int64, test func(t *testing.T, w *world)) {
	for _, signType := range []wechat.SignType{wechat.SignMD5, wechat.SignHMAC} {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s/%d", signType, seed+1), func(t *testing.T) { test(t, newWorld(t, seed+1, signType)) })
		}
	}
}
