package wechattest

import (
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
)

const (
	shopOrigin = "https://shop.example"
	notifyURL  = shopOrigin + "/api/notify/pay"
	ackBody    = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"
)

// shop simulates the merchant's server: it records the requests that it gets, and responds as the
// test sets.
type shop struct {
	mu     sync.Mutex
	got    []string
	answer func(n int) (status int, body string, err error) // n counts from 1
}

func (s *shop) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.got = append(s.got, string(body))
	n, answer := len(s.got), s.answer
	s.mu.Unlock()
	status, text := http.StatusOK, ackBody
	if answer != nil {
		if status, text, err = answer(n); err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func (s *shop) bodies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

// world is a simulator and its shop.
type world struct {
	*WeChat
	t    *testing.T
	h    http.Handler
	shop *shop
}

func newWorld(t *testing.T, edit ...func(*Config)) *world {
	t.Helper()
	s := &shop{}
	cfg := Config{Hostile: true, ShopURL: shopOrigin, Doer: s, Epoch: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)}
	for _, e := range edit {
		e(&cfg)
	}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return &world{WeChat: w, t: t, h: w.Handler(), shop: s}
}

func tame(c *Config) { c.Hostile = false }

// do makes one request.
func (w *world) do(method, target, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, httptest.NewRequest(method, target, strings.NewReader(body)))
	return rec
}

// last is the newest message.
func (w *world) last() Message {
	w.t.Helper()
	ms := w.Messages(0)
	if len(ms) == 0 {
		w.t.Fatal("no message")
	}
	return ms[len(ms)-1]
}

// link is a good authorize link, with the path only.
func (w *world) link(scope string) string {
	return pathAuthorize + "?appid=" + w.cfg.AppID + "&redirect_uri=" + url.QueryEscape(shopOrigin+"/pay?from=1") + "&response_type=code&scope=" + scope + "&state=State1"
}

// code signs the phone's holder in and returns the code.
func (w *world) code(scope string) string {
	w.t.Helper()
	rec := w.do("GET", w.link(scope), "")
	location := rec.Header().Get("Location")
	if scope == scopeUserInfo {
		cs := w.Consents()
		c, err := w.Decide(cs[len(cs)-1].ID, true)
		if err != nil {
			w.t.Fatal(err)
		}
		location = c.Location
	}
	u, err := url.Parse(location)
	if err != nil || u.Query().Get("code") == "" {
		w.t.Fatalf("no code in %q (%v)", location, err)
	}
	return u.Query().Get("code")
}

// exchangePath is the access_token call with good arguments.
func (w *world) exchangePath(code string) string {
	return pathAccessToken + "?appid=" + w.cfg.AppID + "&secret=" + w.cfg.AppSecret + "&code=" + code + "&grant_type=authorization_code"
}

// json makes a GET and decodes the response.
func (w *world) json(target string) map[string]any {
	w.t.Helper()
	rec := w.do("GET", target, "")
	if rec.Code != 200 || rec.Header().Get("Content-Type") != "text/plain" {
		w.t.Fatalf("status %d, content type %q", rec.Code, rec.Header().Get("Content-Type"))
	}
	var m map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &m); err != nil {
		w.t.Fatalf("%v in %s", err, rec.Body)
	}
	return m
}

// order is a good unifiedorder request without its sign.
func (w *world) order(no string) []pair {
	return []pair{
		{"appid", w.cfg.AppID}, {"mch_id", w.cfg.MchID}, {"nonce_str", "n0nce"}, {"sign_type", signHMAC},
		{"body", "山岚小铺-茶"}, {"out_trade_no", no}, {"total_fee", "880"}, {"spbill_create_ip", "2001:db8::1"},
		{"notify_url", notifyURL}, {"trade_type", "JSAPI"}, {"openid", w.User().OpenID}, {"attach", "a & b"},
	}
}

// with sets, adds or (with "") removes a field.
func with(fields []pair, name, value string) []pair {
	out := make([]pair, 0, len(fields)+1)
	found := false
	for _, f := range fields {
		if f.name == name {
			found = true
			f.value = value
			if value == "" {
				continue
			}
		}
		out = append(out, f)
	}
	if !found && value != "" {
		out = append(out, pair{name, value})
	}
	return out
}

// signedXML signs by sign_type and writes the message with code of its own.
func signedXML(fields []pair, key string) string {
	alg := valueOf(fields, "sign_type")
	if alg == "" {
		alg = signMD5
	}
	return plainXML(append(append([]pair(nil), fields...), pair{"sign", digest(alg, canonical(fields, key), key)}))
}

func plainXML(fields []pair) string {
	var b strings.Builder
	b.WriteString("<xml>")
	for _, f := range fields {
		fmt.Fprintf(&b, "<%s>%s</%s>", f.name, strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(f.value), f.name)
	}
	return b.String() + "</xml>"
}

// pay posts signed fields and returns the reply; signed replies are checked.
func (w *world) pay(path string, fields []pair) []pair {
	w.t.Helper()
	rec := w.do("POST", path, signedXML(fields, w.cfg.APIKey))
	return w.reply(rec, valueOf(fields, "sign_type"))
}

func (w *world) reply(rec *httptest.ResponseRecorder, alg string) []pair {
	w.t.Helper()
	got, err := parseXML(rec.Body.String())
	if err != nil || rec.Code != 200 {
		w.t.Fatalf("status %d, %v in %s", rec.Code, err, rec.Body)
	}
	sign := valueOf(got, "sign")
	if valueOf(got, "return_code") == "FAIL" {
		if sign != "" {
			w.t.Error("a return_code FAIL is unsigned")
		}
		return got
	}
	if alg == "" {
		alg = signMD5
	}
	if want := digest(alg, canonical(got, w.cfg.APIKey), w.cfg.APIKey); sign != want {
		w.t.Errorf("sign of the reply is %s, want %s", sign, want)
	}
	return got
}

// prepay makes an order and returns its prepay_id.
func (w *world) prepay(no string) string {
	w.t.Helper()
	got := w.pay(pathUnifiedOrder, w.order(no))
	id := valueOf(got, "prepay_id")
	if id == "" {
		w.t.Fatalf("no prepay_id: %v", got)
	}
	return id
}

// payArgs are the six fields, signed.
func (w *world) payArgs(prepayID string) map[string]json.RawMessage {
	fields := []pair{
		{"appId", w.cfg.AppID}, {"timeStamp", fmt.Sprint(w.Now().Unix())}, {"nonceStr", "abc123"},
		{"package", "prepay_id=" + prepayID}, {"signType", signHMAC},
	}
	return rawArgs(append(fields, pair{"paySign", digest(signHMAC, canonical(fields, w.cfg.APIKey), w.cfg.APIKey)}))
}

func rawArgs(fields []pair) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	for _, f := range fields {
		b, err := json.Marshal(f.value)
		if err != nil {
			panic(err)
		}
		m[f.name] = b
	}
	return m
}

func (w *world) call(args map[string]json.RawMessage) InvokeCall {
	return InvokeCall{API: payAPI, Args: args, URL: shopOrigin + "/pay?x=1", Landing: shopOrigin + "/"}
}

// sheet makes an order and opens its sheet.
func (w *world) sheet(no string) Sheet {
	w.t.Helper()
	s, bad := w.Invoke(w.call(w.payArgs(w.prepay(no))))
	if bad != nil {
		w.t.Fatalf("%+v", bad)
	}
	return s
}

// paid makes an order and pays it. The notification is not yet sent.
func (w *world) paid(no string) {
	w.t.Helper()
	s, err := w.PaySheet(w.sheet(no).ID)
	if err != nil || s.State != SheetPaid {
		w.t.Fatalf("%+v, %v", s, err)
	}
}

// notification is the newest one in the ledger.
func (w *world) notification() Notification {
	w.t.Helper()
	ns := w.Ledger().Notifications
	if len(ns) == 0 {
		w.t.Fatal("no notification")
	}
	return ns[len(ns)-1]
}

var errShopDown = errors.New("connection refused")
