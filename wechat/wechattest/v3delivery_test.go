package wechattest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// v3Shop is a merchant's server that keeps the callbacks with their headers.
type v3Shop struct {
	mu     sync.Mutex
	got    []*http.Request
	bodies []string
	status func(n int) int // of the n-th answer, from 1; 0 is no response
}

func (s *v3Shop) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got, s.bodies = append(s.got, r), append(s.bodies, string(body))
	status := http.StatusNoContent
	if s.status != nil {
		if status = s.status(len(s.got)); status == 0 {
			return nil, errors.New("refused")
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// callbacks returns what has arrived.
func (s *v3Shop) callbacks() ([]*http.Request, []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got), slices.Clone(s.bodies)
}

func withShop(s *v3Shop) func(*Config) { return func(c *Config) { c.Doer = s } }

// open decrypts the resource of a callback, or returns why it cannot.
func open(t *testing.T, body, key string) (map[string]any, string) {
	t.Helper()
	resource, _ := decode(t, body)["resource"].(map[string]any)
	return openResource(t, resource, key)
}

func openResource(t *testing.T, resource map[string]any, key string) (map[string]any, string) {
	t.Helper()
	if resource == nil {
		return nil, "no resource"
	}
	nonce, _ := resource["nonce"].(string)
	associated, _ := resource["associated_data"].(string)
	sealed, err := base64.StdEncoding.DecodeString(resource["ciphertext"].(string))
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	if len(nonce) != gcm.NonceSize() {
		return nil, "nonce"
	}
	plain, err := gcm.Open(nil, []byte(nonce), sealed, []byte(associated))
	if err != nil {
		return nil, "tag"
	}
	if strings.HasPrefix(string(plain), "-----BEGIN") {
		return map[string]any{"pem": string(plain)}, ""
	}
	return decode(t, string(plain)), ""
}

func TestV3PaymentCallback(t *testing.T) {
	t.Parallel()
	for _, md := range []V3Mode{V3PublicKey, V3Certificates} {
		shop := &v3Shop{}
		m := newMerchant(t, mode(md), withShop(shop), tame)
		m.scanAndPay("notify-1")
		m.Advance(0)
		requests, bodies := shop.callbacks()
		if len(bodies) != 1 {
			t.Fatalf("%d callbacks", len(bodies))
		}
		h := requests[0].Header
		if problem := m.verify(h, bodies[0]); problem != "" || h.Get("Wechatpay-Serial") != m.want || h.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s in %v", md, problem, h)
		}
		message := decode(t, bodies[0])
		if message["event_type"] != "TRANSACTION.SUCCESS" || message["resource_type"] != "encrypt-resource" || message["summary"] != "支付成功" || len(message["id"].(string)) != 36 {
			t.Errorf("%v", message)
		}
		if resource := message["resource"].(map[string]any); resource["associated_data"] != "transaction" || resource["original_type"] != "transaction" {
			t.Errorf("%v", resource)
		}
		got, problem := open(t, bodies[0], DefaultAPIv3Key)
		trade := m.Ledger().Trades[0]
		if problem != "" || got["transaction_id"] != trade.TransactionID || got["out_trade_no"] != "notify-1" || got["trade_state"] != "SUCCESS" ||
			got["amount"].(map[string]any)["total"] != 880.0 || got["promotion_detail"] != nil {
			t.Errorf("%s: %v", problem, got)
		}
		if n := m.notification(); n.State != NotifyAcknowledged || len(n.Attempts) != 1 {
			t.Errorf("%+v", n)
		}
		last := m.last()
		if !strings.Contains(last.Plain, "notify-1") || last.Signed == nil || !last.Signed.OK || !strings.Contains(last.RequestHeader, "Wechatpay-Signature: ") {
			t.Errorf("the log: %+v", last)
		}
	}
}

// 200 and 204 acknowledge; everything else is repeated on WeChat's schedule, each
// time with another signature and the same id.
func TestV3CallbackRepeats(t *testing.T) {
	t.Parallel()
	statuses := []int{500, 403, 302, 0, 202, 200}
	shop := &v3Shop{status: func(n int) int { return statuses[min(n, len(statuses))-1] }}
	m := newMerchant(t, withShop(shop))
	m.scanAndPay("repeat-1")
	m.Advance(25 * time.Hour)
	n := m.notification()
	if n.State != NotifyAcknowledged || len(n.Attempts) != len(statuses) {
		t.Fatalf("%+v", n)
	}
	for i, want := range []time.Duration{15 * time.Second, 15 * time.Second, 30 * time.Second, 3 * time.Minute, 10 * time.Minute} {
		if d := n.Attempts[i+1].Time.Sub(n.Attempts[i].Time) - want; d < -time.Second || d > time.Second {
			t.Errorf("repeat %d is %s late", i+1, d)
		}
	}
	requests, bodies := shop.callbacks()
	if a, b := decode(t, bodies[0])["id"], decode(t, bodies[1])["id"]; a != b {
		t.Errorf("ids %v and %v", a, b)
	}
	if requests[0].Header.Get("Wechatpay-Signature") == requests[1].Header.Get("Wechatpay-Signature") {
		t.Error("the repeat has the same signature")
	}
	never := newMerchant(t, withShop(&v3Shop{status: func(int) int { return 500 }}))
	never.scanAndPay("repeat-2")
	never.Advance(48 * time.Hour)
	if n := never.notification(); n.State != NotifyAbandoned || len(n.Attempts) != 16 {
		t.Errorf("%s after %d sends", n.State, len(n.Attempts))
	}
}

func TestV3RefundCallback(t *testing.T) {
	t.Parallel()
	shop := &v3Shop{}
	m := newMerchant(t, withShop(shop), tame, func(c *Config) { c.RefundNotifyURL = shopOrigin + "/platform" })
	m.scanAndPay("rletter-1")
	m.scanAndPay("rletter-2")
	m.v3("POST", PathV3Refund, refundBody("rletter-1", "rl-1", 300), http.StatusOK)
	m.Advance(m.cfg.RefundTime)
	requests, bodies := shop.callbacks()
	i := len(bodies) - 1
	if problem := m.verify(requests[i].Header, bodies[i]); problem != "" {
		t.Error(problem)
	}
	if e := decode(t, bodies[i])["event_type"]; e != "REFUND.SUCCESS" {
		t.Errorf("%v", e)
	}
	got, problem := open(t, bodies[i], DefaultAPIv3Key)
	if problem != "" || got["out_refund_no"] != "rl-1" || got["refund_status"] != "SUCCESS" || got["success_time"] == nil || got["amount"].(map[string]any)["refund"] != 300.0 {
		t.Errorf("%s: %v", problem, got)
	}
	if !strings.HasSuffix(requests[i].URL.Path, "/api/notify/refund") {
		t.Errorf("sent to %s", requests[i].URL)
	}
	// Without a notify_url of its own, and by hand, it is the XML of APIv2.
	body := strings.Replace(refundBody("rletter-2", "rl-2", 300), `"notify_url":"`+shopOrigin+`/api/notify/refund",`, "", 1)
	m.v3("POST", PathV3Refund, body, http.StatusOK)
	m.Advance(m.cfg.RefundTime)
	if requests, bodies = shop.callbacks(); !strings.HasPrefix(bodies[len(bodies)-1], "<xml>") || requests[len(bodies)-1].URL.Path != "/platform" {
		t.Errorf("to %s: %s", requests[len(bodies)-1].URL, bodies[len(bodies)-1])
	}
	for no, c := range map[string]struct{ kind, event string }{"rletter-3": {FaultRefundClosed, "REFUND.CLOSED"}, "rletter-4": {FaultRefundChange, "REFUND.ABNORMAL"}} {
		m.scanAndPay(no)
		if err := m.AddFault(Fault{Kind: c.kind}); err != nil {
			t.Fatal(err)
		}
		m.v3("POST", PathV3Refund, refundBody(no, "rl-"+no, 300), http.StatusOK)
		m.Advance(m.cfg.RefundTime)
		_, bodies = shop.callbacks()
		if got := decode(t, bodies[len(bodies)-1])["event_type"]; got != c.event {
			t.Errorf("%s: %v", c.kind, got)
		}
	}
}

// The share of callbacks that the public key signs during a change.
func TestV3ShareOfCallbacks(t *testing.T) {
	t.Parallel()
	shop := &v3Shop{}
	m := newMerchant(t, mode(V3Both), withShop(shop))
	if err := m.SetV3Share(30); err != nil {
		t.Fatal(err)
	}
	m.scanAndPay("share-1")
	m.Advance(0)
	for range 9 {
		if _, err := m.Notify("share-1", ""); err != nil {
			t.Fatal(err)
		}
	}
	requests, bodies := shop.callbacks()
	public := 0
	for i, r := range requests {
		if problem := m.verify(r.Header, bodies[i]); problem != "" {
			t.Error(problem)
		}
		if strings.HasPrefix(r.Header.Get("Wechatpay-Serial"), "PUB_KEY_ID_") {
			public++
		}
	}
	if public != 3 || len(requests) != 10 {
		t.Errorf("%d of %d callbacks are signed with the public key, want 3 of 10", public, len(requests))
	}
}

// Every forgery is one that a receiver can find out.
func TestV3Forgeries(t *testing.T) {
	t.Parallel()
	shop := &v3Shop{}
	m := newMerchant(t, withShop(shop), tame)
	m.scanAndPay("forge-0")
	m.scanAndPay("forge-1")
	m.Advance(0)
	id := m.Ledger().Trades[1].TransactionID
	send := func(forge string, notify func(string, string) (Attempt, error), no string) (*http.Request, string) {
		t.Helper()
		if _, err := notify(no, forge); err != nil {
			t.Fatalf("%s: %v", forge, err)
		}
		requests, bodies := shop.callbacks()
		return requests[len(requests)-1], bodies[len(bodies)-1]
	}
	// found returns the check that detects a forgery.
	found := func(r *http.Request, body string) string {
		switch signature := r.Header.Get("Wechatpay-Signature"); {
		case strings.Contains(body, "<xml>"):
			return "XML"
		case signature == "":
			return "unsigned"
		case strings.HasPrefix(signature, "WECHATPAY/SIGNTEST/"):
			return "probe"
		}
		if problem := m.verify(r.Header, body); problem != "" {
			return problem
		}
		got, problem := open(t, body, DefaultAPIv3Key)
		switch {
		case problem != "":
			return problem
		case got["amount"].(map[string]any)["total"] != 880.0 || got["out_refund_no"] != nil && got["amount"].(map[string]any)["refund"] != 300.0:
			return "amount"
		case got["transaction_id"] != id:
			return "transaction"
		}
		return ""
	}
	want := map[string]string{
		ForgeBadSign: "wrong signature", ForgeNoSign: "unsigned", ForgeOtherKey: "wrong signature", ForgeWrongAmount: "amount",
		ForgeOtherTrade: "transaction", ForgeLeakedKey: "transaction", ForgeReplay: "", ForgeDoctype: "XML", ForgeProbe: "probe", ForgeStale: "stale",
		ForgeUnknownSerial: "unknown serial", ForgeBadTag: "tag", ForgeShortNonce: "nonce", ForgeOtherVersion: "XML", "": "",
	}
	for _, forge := range append(append(Forgeries(), V3Forgeries()...), "") {
		if got := found(send(forge, m.Notify, "forge-1")); got != want[forge] {
			t.Errorf("%s: found by %q, want %q", forge, got, want[forge])
		}
	}
	m.v3("POST", PathV3Refund, refundBody("forge-1", "fr-1", 300), http.StatusOK)
	m.Advance(m.cfg.RefundTime)
	want[ForgeNoInfo], want[ForgeBadPadding], want[ForgeTooEarly] = "no resource", "tag", ""
	for _, forge := range append(append(RefundForgeries(), V3RefundForgeries()...), "") {
		if got := found(send(forge, m.NotifyRefund, "fr-1")); got != want[forge] {
			t.Errorf("refund, %s: found by %q, want %q", forge, got, want[forge])
		}
	}
	m.paid("forge-v2")
	if _, err := m.Notify("forge-v2", ForgeProbe); err == nil || !strings.Contains(err.Error(), "known:") {
		t.Errorf("a probe of APIv2: %v", err)
	}
}

// The APIv3 key changes: callbacks and certificates follow.
func TestV3KeyChange(t *testing.T) {
	t.Parallel()
	shop := &v3Shop{}
	m := newMerchant(t, mode(V3Certificates), withShop(shop))
	next := strings.Repeat("k", 32)
	if err := m.SetAPIv3Key(next); err != nil {
		t.Fatal(err)
	}
	m.scanAndPay("keychange-1")
	m.Advance(0)
	_, bodies := shop.callbacks()
	if _, problem := open(t, bodies[0], DefaultAPIv3Key); problem != "tag" {
		t.Errorf("the old key: %q", problem)
	}
	if _, problem := open(t, bodies[0], next); problem != "" {
		t.Errorf("the new key: %s", problem)
	}
	if m.V3().APIv3Key != next {
		t.Error("V3 returns the old key")
	}
	for _, msg := range m.Messages(0) {
		if strings.Contains(msg.Request+msg.Response+msg.Plain+msg.Note, next) {
			t.Errorf("the key is in message %d", msg.Seq)
		}
	}
}

// The list of certificates opens with the APIv3 key; in public key mode there is
// none.
func TestV3Certificates(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, mode(V3Both))
	m.AnnounceV3Certificate()
	list := m.v3("GET", PathV3Certificates, "", http.StatusOK)["data"].([]any)
	want := m.V3().Certificates
	if len(list) != 2 || len(want) != 2 {
		t.Fatalf("%d certificates, want %d", len(list), len(want))
	}
	for i, item := range list {
		c := item.(map[string]any)
		got, problem := openResource(t, c["encrypt_certificate"].(map[string]any), DefaultAPIv3Key)
		if problem != "" || c["serial_no"] != want[i].Serial || got["pem"] != want[i].PEM {
			t.Errorf("%s %v", problem, c)
		}
		if _, err := time.Parse(time.RFC3339, c["effective_time"].(string)); err != nil {
			t.Error(err)
		}
	}
	m.want = m.serial // an SDK sends the merchant's own serial here
	m.v3("GET", PathV3Certificates+"?algorithm_type=RSA", "", http.StatusOK)
	if got := m.v3("GET", PathV3Certificates+"?algorithm_type=DSA", "", http.StatusBadRequest)["code"]; got != "PARAM_ERROR" {
		t.Errorf("%v", got)
	}
	public := newMerchant(t)
	if got := public.v3("GET", PathV3Certificates, "", http.StatusNotFound); got["code"] != "RESOURCE_NOT_EXISTS" || !strings.Contains(got["message"].(string), "微信支付公钥") {
		t.Errorf("%v", got)
	}
	r := public.request("GET", PathV3Certificates, "")
	r.Header.Del("Authorization")
	r.Header.Del("User-Agent")
	if a := public.send(r); a.Code != 400 || !strings.Contains(a.Body.String(), "INVALID_REQUEST") {
		t.Errorf("without User-Agent: %d %s", a.Code, a.Body)
	}
	r.Header.Set("User-Agent", "test")
	if a := public.send(r); a.Code != 401 || !strings.Contains(a.Body.String(), "Http头Authorization值格式错误") || a.Header().Get("Request-Id") == "" {
		t.Errorf("without Authorization: %d %s", a.Code, a.Body)
	}
	r.Header.Set("Authorization", "WECHATPAY2-SM2-WITH-SM3 x")
	if a := public.send(r); a.Code != 401 || !strings.Contains(a.Body.String(), "认证类型不正确") {
		t.Errorf("another scheme: %d %s", a.Code, a.Body)
	}
}

func TestV3Echo(t *testing.T) {
	t.Parallel()
	shop := &v3Shop{}
	m := newMerchant(t, withShop(shop))
	sealed, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, m.keys[m.want], []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"echo_message":"hello","encrypted_echo_message":"` + base64.StdEncoding.EncodeToString(sealed) + `","notify_url":"` + notifyURL + `"}`
	got := m.v3("POST", PathV3Echo, body, http.StatusOK)
	back, err := base64.StdEncoding.DecodeString(got["encrypted_echo_message"].(string))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := rsa.DecryptOAEP(sha1.New(), nil, m.key, back, nil)
	if err != nil || string(plain) != "secret" || got["echo_message"] != "hello" {
		t.Errorf("%s, %v: %v", plain, err, got)
	}
	m.Advance(0)
	requests, bodies := shop.callbacks()
	if len(bodies) != 1 || m.verify(requests[0].Header, bodies[0]) != "" || decode(t, bodies[0])["event_type"] != "SECURITY_ECHO.SUCCESS" {
		t.Errorf("callbacks: %v", bodies)
	}
	if text, problem := open(t, bodies[0], DefaultAPIv3Key); problem != "" || text["echo_message"] != "hello" {
		t.Errorf("%s %v", problem, text)
	}
	m.v3("POST", PathV3Echo, `{"echo_message":"x","encrypted_echo_message":"AAAA"}`, http.StatusBadRequest)
	r := m.request("POST", PathV3Echo, `{"echo_message":"x"}`)
	r.Header.Del("Wechatpay-Serial")
	if a := m.send(r); a.Code != 400 {
		t.Errorf("without Wechatpay-Serial: %d %s", a.Code, a.Body)
	}
}
