package sdk

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/cst"
	"h5pay/simulator/server"
	"h5pay/wechat/wechattest"
)

// v3SDK has the calls of an SDK for APIv3 that a journey makes. Its errors contain WeChat's code.
type v3SDK interface {
	native(no string) (codeURL string, err error)
	jsapi(no, openID string) (payParams map[string]string, err error)
	query(no string) (state string, err error)
	closeOrder(no string) error
	refund(no, refundNo string, fee int64) (status string, err error)
	refundStatus(refundNo string) (string, error)
	bill(date string) (string, error)
	// notification verifies and decrypts a callback and returns the number that it is
	// about: of the order, or of the refund.
	notification(r *http.Request) (no string, err error)
}

// v3World is a simulator and the shop that gets its callbacks.
type v3World struct {
	*server.Server
	t         *testing.T
	keys      wechattest.V3Identity
	notifyURL string

	mu       sync.Mutex
	verify   func(r *http.Request) (string, error)
	notified []string // numbers of the callbacks that verified
}

func newV3World(t *testing.T, mode wechattest.V3Mode) *v3World {
	t.Helper()
	// The SDKs' clocks run in real time, while the simulator's goes to the next day.
	// During a change messages have unknown fields, coupons and another order too.
	w := &v3World{t: t, Server: server.Start(t, server.Config{WeChat: wechattest.Config{V3Mode: mode, RealTimeShop: true, Hostile: mode == wechattest.V3Both}})}
	w.keys = w.V3()
	// To noon in Beijing: payment and refund are to be in one day's bill.
	now := w.Now()
	noon := now.Truncate(24 * time.Hour).Add(4 * time.Hour)
	if noon.Before(now) {
		noon = noon.Add(24 * time.Hour)
	}
	w.Advance(noon.Sub(now))
	shop := httptest.NewServer(http.HandlerFunc(w.callback))
	t.Cleanup(shop.Close)
	w.notifyURL = shop.URL + "/notify"
	return w
}

// callback answers as a shop that uses the SDK.
func (w *v3World) callback(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	no, err := w.verify(r)
	if err != nil {
		rw.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(rw, `{"code":"FAIL","message":%q}`, err.Error())
		return
	}
	w.notified = append(w.notified, no)
	rw.WriteHeader(http.StatusNoContent)
}

// towards sends requests for WeChat's hosts to the simulator, as a hosts file would. The SDK does
// not change.
type towards struct{ origin string }

func (d towards) RoundTrip(r *http.Request) (*http.Response, error) {
	u, err := url.Parse(d.origin)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Host = r.URL.Host
	r.URL.Scheme, r.URL.Host = u.Scheme, u.Host
	return http.DefaultTransport.RoundTrip(r)
}

// journey makes an SDK create, query, close and refund orders, download a bill and verify
// callbacks, genuine and forged ones.
func (w *v3World) journey(sdk v3SDK) {
	t := w.t
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			ms := w.Messages(0)
			t.Fatalf("%v\nthe last message: %+v", err, ms[len(ms)-1])
		}
	}
	w.verify = sdk.notification
	code, err := sdk.native("sdk-paid-1")
	must(err)
	sheet, err := w.Scan(code)
	must(err)
	_, err = w.PaySheet(sheet.ID)
	must(err)
	w.Advance(0)
	w.expectNotified("sdk-paid-1")
	state, err := sdk.query("sdk-paid-1")
	must(err)
	if state != "SUCCESS" {
		t.Errorf("paid: %s", state)
	}

	params, err := sdk.jsapi("sdk-open-1", w.User().OpenID)
	must(err)
	if _, declined := w.Invoke(bridgeCall(t, w.PhoneURL+"/", params)); declined != nil {
		t.Errorf("the phone rejected the SDK's parameters: %+v", declined)
	}
	must(sdk.closeOrder("sdk-open-1"))
	if state, err = sdk.query("sdk-open-1"); err != nil || state != "CLOSED" {
		t.Errorf("closed: %s, %v", state, err)
	}
	if _, err := sdk.query("sdk-unknown"); err == nil || !strings.Contains(err.Error(), "ORDER_NOT_EXIST") {
		t.Errorf("an unknown order: %v", err)
	}

	status, err := sdk.refund("sdk-paid-1", "sdk-refund-1", 300)
	must(err)
	if status != "PROCESSING" {
		t.Errorf("the refund is %s", status)
	}
	w.Advance(w.Config().RefundTime)
	w.expectNotified("sdk-refund-1")
	if status, err = sdk.refundStatus("sdk-refund-1"); err != nil || status != "SUCCESS" {
		t.Errorf("the refund is %s, %v", status, err)
	}

	// None of these verifies or decrypts with the right keys.
	for _, forge := range []string{wechattest.ForgeBadSign, wechattest.ForgeOtherKey, wechattest.ForgeUnknownSerial, wechattest.ForgeProbe, wechattest.ForgeBadTag} {
		attempt, err := w.Notify("sdk-paid-1", forge)
		must(err)
		if attempt.OK {
			t.Errorf("the SDK accepted the forgery %s", forge)
		}
	}
	for range 2 { // one of each key during a change
		if attempt, err := w.Notify("sdk-paid-1", ""); err != nil || !attempt.OK {
			t.Errorf("the SDK rejected a genuine callback: %+v, %v", attempt, err)
		}
	}

	day := cst.In(w.Now()).Format(time.DateOnly)
	w.Advance(24 * time.Hour)
	text, err := sdk.bill(day)
	must(err)
	for _, want := range []string{"sdk-paid-1", "sdk-refund-1", "总交易单数"} {
		if !strings.Contains(text, want) {
			t.Errorf("the bill has no %s:\n%s", want, text)
		}
	}
}

// expectNotified compares the last callback that verified.
func (w *v3World) expectNotified(no string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.notified) == 0 || w.notified[len(w.notified)-1] != no {
		w.t.Errorf("notified of %v, want %s last", w.notified, no)
	}
}

// v3Modes are the modes in which an SDK runs: with the public key, with certificates, and during a
// change. During a change callbacks are signed by both in turn.
func v3Modes(t *testing.T, run func(t *testing.T, w *v3World)) {
	for _, mode := range []wechattest.V3Mode{wechattest.V3PublicKey, wechattest.V3Certificates, wechattest.V3Both} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			run(t, newV3World(t, mode))
		})
	}
}

// readAll reads a response's body and wants the status 200.
func readAll(res *http.Response) (string, error) {
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", res.StatusCode, b)
	}
	return string(b), err
}
