package wechat_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// rsaKeys are shared by all simulators, since making one takes 100 ms.
var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 6)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				panic(err)
			}
			keys[i] = key
		})
	}
	wg.Wait()
	return keys
})

// v3modes are the ways to verify WeChat.
var v3modes = []wechattest.V3Mode{wechattest.V3PublicKey, wechattest.V3Certificates, wechattest.V3Both}

// v3world is a simulated WeChat, a client of its APIv3, and the shop's end of the notifications.
type v3world struct {
	*wechattest.WeChat
	t      *testing.T
	client *wechat.Client
	pay    wechat.Merchant
	shop   *v3shop
	// refreshed counts the refreshes of certificates.
	refreshed int
}

func newV3World(t *testing.T, seed int64, mode wechattest.V3Mode, change ...func(*wechat.Config)) *v3world {
	t.Helper()
	w := &v3world{t: t, shop: &v3shop{payments: make(chan v3notice, 16), refunds: make(chan v3notice, 16)}}
	var err error
	w.WeChat, err = wechattest.New(wechattest.Config{
		Seed: seed, Hostile: true, ShopURL: shopURL, Doer: w.shop, V3Mode: mode, RSAKeys: rsaKeys(),
		Epoch: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.connect(w.V3(), change...)
	return w
}

// connect makes a client with the keys that a merchant has.
func (w *v3world) connect(id wechattest.V3Identity, change ...func(*wechat.Config)) {
	w.t.Helper()
	cfg := wechat.Config{
		AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret, MchID: id.MchID,
		V3: &wechat.V3Config{
			Serial: id.Serial, PrivateKey: wechat.Secret(id.PrivateKey), Certificate: id.Certificate, APIv3Key: wechat.Secret(id.APIv3Key),
			PublicKeyID: id.PublicKeyID, PublicKey: id.PublicKey, Certificates: len(id.Certificates) > 0, Refresh: w.refresh,
		},
		MchURL: "http://wechat.example", Doer: v3wire{w.Handler()}, Now: w.Now,
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	if w.client, err = wechat.New(cfg); err != nil {
		w.t.Fatal(err)
	}
	if w.pay, err = w.client.For(wechat.V3); err != nil {
		w.t.Fatal(err)
	}
	w.shop.client = w.client
}

// refresh downloads the certificates, as a shop does.
func (w *v3world) refresh(ctx context.Context) error {
	w.refreshed++
	list, err := w.client.DownloadCertificates(ctx)
	if err != nil {
		return err
	}
	var pems []string
	for _, c := range list {
		pems = append(pems, c.PEM)
	}
	return w.client.SetCertificates(pems)
}

// v3wire carries requests to the simulator without a network, as a server gets them.
type v3wire struct{ handler http.Handler }

func (w v3wire) Do(r *http.Request) (*http.Response, error) {
	got := httptest.NewRequest(r.Method, r.URL.String(), r.Body).WithContext(r.Context())
	got.Header, got.ContentLength = r.Header, r.ContentLength
	got.RequestURI = r.URL.RequestURI()
	return wire(w).Do(got)
}

// v3notice is the result of a notification in the shop.
type v3notice struct {
	trade  wechat.Trade
	refund wechat.Refund
	err    error
}

// v3shop is the Doer of the simulator's notifications.
type v3shop struct {
	client            *wechat.Client
	payments, refunds chan v3notice
}

func (s *v3shop) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var n v3notice
	to := s.payments
	if strings.HasSuffix(r.URL.Path, "/refund") {
		n.refund, n.err = s.client.RefundNotification(r.Context(), r.Header.Get, body)
		to = s.refunds
	} else {
		n.trade, n.err = s.client.PaymentNotification(r.Context(), r.Header.Get, body)
	}
	to <- n
	status, kind, answer := wechat.Acknowledgement(wechat.NotificationVersion(body), n.err == nil, "OK")
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(string(answer)))}, nil
}

// next waits for a notification.
func (w *v3world) next(from chan v3notice) v3notice {
	w.t.Helper()
	select {
	case n := <-from:
		return n
	case <-time.After(10 * time.Second):
		w.t.Fatal("no notification")
		return v3notice{}
	}
}

func (w *v3world) order(no string, tradeType wechat.TradeType) wechat.Order {
	o := wechat.Order{
		OutTradeNo: no, Body: "山岚小铺 - 茶🍵 & <壶> ]]>", Attach: "a=1&b=2\r\n]]>茶", TotalFee: 880, TradeType: tradeType,
		ClientIP: "2001:db8::1", NotifyURL: shopURL + "/api/notify/pay", TimeStart: w.Now(), TimeExpire: w.Now().Add(time.Hour),
	}
	switch tradeType {
	case wechat.TradeJSAPI:
		o.OpenID = w.User().OpenID
	case wechat.TradeMWEB:
		o.WapURL, o.WapName = shopURL, "山岚小铺"
	}
	return o
}

func (w *v3world) place(o wechat.Order) wechat.Prepay {
	w.t.Helper()
	p, err := w.pay.PlaceOrder(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// invoke opens the payment sheet with the result of PayParams.
func (w *v3world) invoke(prepayID string) wechattest.Sheet {
	w.t.Helper()
	p, err := w.pay.PayParams(w.t.Context(), prepayID)
	if err != nil {
		w.t.Fatal(err)
	}
	return openSheet(w.t, w.WeChat, p)
}

func (w *v3world) paySheet(s wechattest.Sheet) {
	w.t.Helper()
	if s, err := w.PaySheet(s.ID); err != nil || s.State != wechattest.SheetPaid {
		w.t.Fatalf("%+v, %v", s, err)
	}
}

// paid places an order and pays it. The notification was read.
func (w *v3world) paid(no string) wechat.Trade {
	w.t.Helper()
	w.paySheet(w.invoke(w.place(w.order(no, wechat.TradeJSAPI)).PrepayID))
	n := w.next(w.shop.payments)
	if n.err != nil {
		w.t.Fatal(n.err)
	}
	return n.trade
}

func (w *v3world) fault(kind, path string) {
	w.t.Helper()
	if err := w.AddFault(wechattest.Fault{Kind: kind, Path: path}); err != nil {
		w.t.Fatal(err)
	}
}

func wantKindOf(t *testing.T, err error, kind wechat.Kind, code string) {
	t.Helper()
	if k, c := kindOf(err); k != kind || c != code {
		t.Errorf("%v, want %v %q", err, kind, code)
	}
}

func inModes(t *testing.T, test func(t *testing.T, mode wechattest.V3Mode)) {
	for _, mode := range v3modes {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			test(t, mode)
		})
	}
}
