// Package simtest is a simulated WeChat with a merchant's server, for the tests
// of phone and desk.
package simtest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
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

// ShopURL is the origin of the merchant's server in a World.
const ShopURL = "https://shop.example"

// Acknowledged is the response of the merchant's server to a notification.
const Acknowledged = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"

// World is a simulated WeChat and the merchant's side of it.
type World struct {
	*wechattest.WeChat
	t    *testing.T
	mu   sync.Mutex
	sent []string
}

// New starts a World that ends with the test. It is hostile and its clock begins on 2026-03-01,
// 10:00 in Beijing, unless an edit changes that.
func New(t *testing.T, edits ...func(*wechattest.Config)) *World {
	t.Helper()
	w := &World{t: t}
	cfg := wechattest.Config{Hostile: true, ShopURL: ShopURL, Doer: w, Epoch: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)}
	for _, edit := range edits {
		edit(&cfg)
	}
	var err error
	if w.WeChat, err = wechattest.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// Do acknowledges a notification.
func (w *World) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, string(body))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(Acknowledged)), Request: r}, nil
}

// Notifications returns the bodies of the notifications so far.
func (w *World) Notifications() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.sent...)
}

// Last returns the newest message.
func (w *World) Last() wechattest.Message {
	w.t.Helper()
	all := w.Messages(0)
	if len(all) == 0 {
		w.t.Fatal("no message")
	}
	return all[len(all)-1]
}

// Move opens the shop elsewhere.
func (w *World) Move(e wechattest.Environment) {
	w.t.Helper()
	if err := w.SetEnvironment(e); err != nil {
		w.t.Fatal(err)
	}
}

// Get requests a path of WeChat's.
func (w *World) Get(path string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec
}

// AuthorizeLink returns the path of a good authorize link.
func (w *World) AuthorizeLink(scope string) string {
	return "/connect/oauth2/authorize?appid=" + w.Config().AppID + "&redirect_uri=https%3A%2F%2Fshop.example%2Fpay&response_type=code&scope=" + scope + "&state=State1"
}

// call posts a signed message and returns the response by field. It fails the
// test when WeChat declines the call.
func (w *World) call(path string, fields ...wechat.Field) map[string]string {
	w.t.Helper()
	cfg := w.Config()
	fields = append([]wechat.Field{{Name: "appid", Value: cfg.AppID}, {Name: "mch_id", Value: cfg.MchID}, {Name: "nonce_str", Value: "n0nce"}}, fields...)
	fields = append(fields, wechat.Field{Name: "sign", Value: wechat.Sign(fields, wechat.Secret(cfg.APIKey), wechat.SignMD5)})
	var body strings.Builder
	body.WriteString("<xml>")
	for _, f := range fields {
		fmt.Fprintf(&body, "<%s>%s</%s>", f.Name, html.EscapeString(f.Value), f.Name)
	}
	body.WriteString("</xml>")
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body.String())))
	var reply struct {
		Fields []struct {
			XMLName xml.Name
			Value   string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(rec.Body.Bytes(), &reply); err != nil {
		w.t.Fatalf("%s: %v in %s", path, err, rec.Body)
	}
	got := map[string]string{}
	for _, f := range reply.Fields {
		got[f.XMLName.Local] = f.Value
	}
	if got["result_code"] != "SUCCESS" {
		w.t.Fatalf("%s: %v", path, got)
	}
	return got
}

func (w *World) order(no, tradeType string) map[string]string {
	w.t.Helper()
	return w.call("/pay/unifiedorder",
		wechat.Field{Name: "body", Value: "山岚小铺-茶"}, wechat.Field{Name: "out_trade_no", Value: no}, wechat.Field{Name: "total_fee", Value: "880"},
		wechat.Field{Name: "spbill_create_ip", Value: "2001:db8::1"}, wechat.Field{Name: "notify_url", Value: ShopURL + "/api/notify/pay"},
		wechat.Field{Name: "trade_type", Value: tradeType}, wechat.Field{Name: "openid", Value: w.User().OpenID}, wechat.Field{Name: "attach", Value: "a & b"})
}

// Prepay places a JSAPI order of 880 fen for the user who holds the phone, and returns its
// prepay_id.
func (w *World) Prepay(no string) string {
	w.t.Helper()
	return w.order(no, "JSAPI")["prepay_id"]
}

// CodeURL places a NATIVE order of 880 fen and returns its code_url.
func (w *World) CodeURL(no string) string {
	w.t.Helper()
	return w.order(no, "NATIVE")["code_url"]
}

// Refund refunds fen of a paid order. It needs Config.PlainRefunds.
func (w *World) Refund(no, outRefundNo, fen string) {
	w.t.Helper()
	w.call("/secapi/pay/refund", wechat.Field{Name: "out_trade_no", Value: no}, wechat.Field{Name: "out_refund_no", Value: outRefundNo},
		wechat.Field{Name: "total_fee", Value: "880"}, wechat.Field{Name: "refund_fee", Value: fen}, wechat.Field{Name: "notify_url", Value: ShopURL + "/api/notify/refund"})
}

// InvokeCall is the call with which the shop's page pays an order.
func (w *World) InvokeCall(prepayID string) wechattest.InvokeCall {
	w.t.Helper()
	cfg := w.Config()
	fields := []wechat.Field{
		{Name: "appId", Value: cfg.AppID}, {Name: "timeStamp", Value: fmt.Sprint(w.Now().Unix())}, {Name: "nonceStr", Value: "abc123"},
		{Name: "package", Value: "prepay_id=" + prepayID}, {Name: "signType", Value: "MD5"},
	}
	fields = append(fields, wechat.Field{Name: "paySign", Value: wechat.Sign(fields, wechat.Secret(cfg.APIKey), wechat.SignMD5)})
	args := map[string]json.RawMessage{}
	for _, f := range fields {
		raw, err := json.Marshal(f.Value)
		if err != nil {
			w.t.Fatal(err)
		}
		args[f.Name] = raw
	}
	return wechattest.InvokeCall{API: "getBrandWCPayRequest", Args: args, URL: w.ShopURL() + "/pay", Landing: w.ShopURL() + "/"}
}

// OpenSheet places an order and opens its payment sheet.
func (w *World) OpenSheet(no string) wechattest.Sheet {
	w.t.Helper()
	sheet, declined := w.Invoke(w.InvokeCall(w.Prepay(no)))
	if declined != nil {
		w.t.Fatalf("%+v", declined)
	}
	return sheet
}

// Fetch makes a request as a browser does and returns the response undecoded.
func Fetch(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip, br")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	// No redirect is followed: tests check the phone's own response.
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(got)
}
