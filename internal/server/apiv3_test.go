package server_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/store"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// rsaKeys are shared by all simulators, since making one costs 100 ms.
var rsaKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 5)
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// v3Config is what a merchant configures of what the simulator has now.
func v3Config(sim *wechattest.WeChat) *wechat.V3Config {
	id := sim.V3()
	return &wechat.V3Config{
		Serial: id.Serial, PrivateKey: wechat.Secret(id.PrivateKey), APIv3Key: wechat.Secret(id.APIv3Key),
		PublicKeyID: id.PublicKeyID, PublicKey: id.PublicKey, Certificates: len(id.Certificates) > 0,
	}
}

// v2Shop is a shop with the key of APIv2, at a WeChat that has both versions.
func v2Shop(t testing.TB, at wechattest.Config) *shop {
	at.RSAKeys = rsaKeys()
	return newShopAt(t, at, nil)
}

// v3Shop is a shop with the keys of APIv3 alone.
func v3Shop(t testing.TB, at wechattest.Config) *shop {
	s := v2Shop(t, at)
	s.reopen(func(_ *settings, c *wechat.Config) { c.V3, c.APIKey, c.CertDoer = v3Config(s.sim), "", nil })
	return s
}

// reopen starts the signer again with other settings, over the same database.
func (s *shop) reopen(change func(*settings, *wechat.Config)) {
	s.t.Helper()
	s.change = change
	s.handler = s.open(change)
	s.back.handler = s.handler
}

// wantNoV2 fails the test when the shop called APIv2.
func (s *shop) wantNoV2() {
	s.t.Helper()
	for _, kind := range []string{"unifiedorder", "orderquery", "closeorder", "refund", "refundquery", "downloadbill"} {
		if n := s.calls(kind); n > 0 {
			s.t.Errorf("%d calls of %s in APIv2", n, kind)
		}
	}
}

func TestPaymentWithAPIv3(t *testing.T) {
	t.Parallel()
	s := v3Shop(t, wechattest.Config{})
	p, op, guest := s.signedIn(0), s.operator(), s.guest(2)
	c := p.order("tea", 1)
	if c.Pay == nil || c.Pay.SignType != "RSA" {
		t.Fatalf("%+v", c.Pay)
	}
	p.pay(c.Pay)
	s.deliver()
	s.wantStatus(c.Order.ID, api.StatusPaid)
	s.wantPath(c.Order.ID, api.StatusPending, api.StatusPaid)

	code := guest.byCode("tea", 1)
	var again api.Checkout
	guest.must("POST", api.OrderPayPath(code.Order.ID), struct{}{}, &again)
	if n := s.calls("v3_native"); n != 1 || again.CodeURL != code.CodeURL {
		t.Errorf("%d calls for one code, %q and %q", n, code.CodeURL, again.CodeURL) // another code voids the first
	}
	if err := s.scan(1, code.CodeURL); err != nil {
		t.Fatal(err)
	}
	s.deliver()
	s.wantStatus(code.Order.ID, api.StatusPaid)

	cancelled := p.order("tea", 2)
	p.close(cancelled.Order.ID)
	s.sim.Advance(6 * time.Minute)
	s.reconcile()
	s.wantStatus(cancelled.Order.ID, api.StatusClosed)

	op.refund(c.Order.ID, refundOf(800))
	s.sim.Advance(time.Minute)
	s.deliver()
	s.wantRefunds(c.Order.ID, "succeeded 800")
	s.wantStatus(c.Order.ID, api.StatusPaid)
	op.refund(c.Order.ID, refundOf(c.Order.Total-800))
	s.sim.Advance(time.Minute)
	s.deliver()
	s.wantStatus(c.Order.ID, api.StatusRefunded)
	for _, n := range s.sim.Ledger().Notifications {
		if len(n.Attempts) != 1 || !n.Attempts[0].OK || n.Attempts[0].Status != http.StatusNoContent {
			t.Errorf("%+v", n.Attempts)
		}
	}
	s.until(1, "11:00:00")
	s.checkBills()
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "agrees", Payments: 2, Refunds: 2})
	s.wantNoV2()
	if s.loud() != 0 {
		t.Errorf("log:\n%s", s.log)
	}
}

// A notification of the other version than the order's is rejected, and causes no query: who has
// the key of one version cannot forge messages about the orders of the other.
func TestNotificationOfTheOtherVersionIsRejected(t *testing.T) {
	t.Parallel()
	s := v2Shop(t, wechattest.Config{})
	p := s.signedIn(0)
	old := p.order("tea", 1)
	s.reopen(func(_ *settings, c *wechat.Config) { c.V3 = v3Config(s.sim) })
	young := p.order("tea", 1)
	before := s.calls("v3_query") + s.calls("orderquery")
	code, text := s.post(s.leaked(young.Order.ID, wechat.SignHMAC))
	if code != http.StatusOK || !strings.Contains(text, "API version differs") {
		t.Errorf("%d %s", code, text)
	}
	s.wantStatus(young.Order.ID, api.StatusPending)
	if n := s.calls("v3_query") + s.calls("orderquery"); n != before {
		t.Errorf("%d queries", n-before)
	}
	if s.loud() != 1 {
		t.Errorf("%d loud lines", s.loud())
	}
	p.pay(young.Pay)
	p.pay(old.Pay)
	s.deliver()
	s.wantStatus(young.Order.ID, api.StatusPaid)
	s.wantStatus(old.Order.ID, api.StatusPaid)
}

// A probe of WeChat's is rejected and is no alarm; the right notification follows.
func TestProbeIsNoAlarm(t *testing.T) {
	t.Parallel()
	s := v3Shop(t, wechattest.Config{})
	p := s.signedIn(0)
	s.fault(wechattest.FaultV3Probe, "/v3/pay/transactions/jsapi")
	var c api.Checkout
	pay := api.OrderPayPath(p.place(basket("tea", 1)).ID)
	if a := p.call("POST", pay, api.PayRequest{}); a.status != http.StatusOK {
		p.must("POST", pay, api.PayRequest{}, &c) // the same again gets a right signature
	}
	p.must("POST", pay, api.PayRequest{}, &c)
	s.fault(wechattest.FaultV3Probe, "")
	p.pay(c.Pay)
	s.deliver()
	s.wantStatus(c.Order.ID, api.StatusPending)
	s.sim.Advance(15 * time.Second)
	s.wantStatus(c.Order.ID, api.StatusPaid)
	attempts := s.sim.Ledger().Notifications[0].Attempts
	if len(attempts) != 2 || attempts[0].OK || attempts[0].Status < 400 || !attempts[1].OK {
		t.Errorf("%+v", attempts)
	}
	if s.loud() != 0 || !strings.Contains(s.log.String(), "a probe") {
		t.Errorf("log:\n%s", s.log)
	}
}

// A notification with a clock of 400 s from the shop's, or by a key that is not known, changes
// nothing.
func TestAPIv3NotificationsThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]string{
		wechattest.FaultV3ClockAhead: "five minutes", wechattest.FaultV3ClockBehind: "five minutes", wechattest.FaultV3WrongSerial: "no key is known",
	} {
		t.Run(fault, func(t *testing.T) {
			s := v3Shop(t, wechattest.Config{})
			p := s.signedIn(0)
			c := p.order("tea", 1)
			s.fault(fault, "")
			p.pay(c.Pay)
			s.deliver()
			s.wantStatus(c.Order.ID, api.StatusPending)
			if s.loud() != 1 || !strings.Contains(s.log.String(), want) {
				t.Errorf("log:\n%s", s.log)
			}
			s.sim.Advance(15 * time.Second)
			s.wantStatus(c.Order.ID, api.StatusPaid)
		})
	}
}

// A refund that the shop did not make becomes known with the bill of the day, when there is no key
// of APIv2 to list the refunds of an order.
func TestRefundByHandIsInTheBill(t *testing.T) {
	t.Parallel()
	s := v3Shop(t, wechattest.Config{RefundNotifyURL: shopURL + api.PathNotifyRefund})
	p, op := s.signedIn(0), s.operator()
	o := p.paidOrder("tea", 1)
	if _, err := s.sim.Refund(s.outTradeNo(o.ID), 1200); err != nil {
		t.Fatal(err)
	}
	s.sim.Advance(time.Minute)
	s.deliver()
	s.wantRefunds(o.ID, "")
	if text := s.log.String(); s.loud() != 0 || !strings.Contains(text, "退款配置") {
		t.Errorf("log:\n%s", text)
	}
	for _, n := range s.sim.Ledger().Notifications { // it would come 15 times
		if len(n.Attempts) != 1 || !n.Attempts[0].OK {
			t.Errorf("%+v", n.Attempts)
		}
	}
	s.until(1, "11:00:00")
	s.checkBills()
	s.wantRefunds(o.ID, "succeeded 1200")
	if bills := op.bills("?date=2026-11-23"); len(bills) != 1 || bills[0].Status != "differs" {
		t.Errorf("%+v", bills)
	}
	s.wantNoV2()
}

// Orders and refunds that are open when a shop moves from one version to the other end with the
// version with which they began, right after the move and later.
func TestMoveBetweenVersions(t *testing.T) {
	t.Parallel()
	both := func(s *shop, version wechat.Version) func(*settings, *wechat.Config) {
		return func(_ *settings, c *wechat.Config) { c.V3, c.Version = v3Config(s.sim), version }
	}
	for name, versions := range map[string][2]wechat.Version{"v2 to v3": {wechat.V2, wechat.V3}, "v3 to v2": {wechat.V3, wechat.V2}} {
		t.Run(name, func(t *testing.T) {
			s := v2Shop(t, wechattest.Config{})
			s.reopen(both(s, versions[0]))
			s.moves(func() { s.reopen(both(s, versions[1])) })
			var made string
			if err := s.db.QueryRow(`SELECT group_concat(DISTINCT api_version) FROM (SELECT api_version FROM orders ORDER BY created_at)`).Scan(&made); err != nil ||
				made != string(versions[0])+","+string(versions[1]) {
				t.Errorf("orders of %s, %v", made, err)
			}
			var mixed int
			if err := s.db.QueryRow(`SELECT COUNT(*) FROM refunds JOIN orders ON orders.id = order_id WHERE refunds.api_version <> orders.api_version`).Scan(&mixed); err != nil || mixed != 0 {
				t.Errorf("%d refunds of another version than their order's, %v", mixed, err)
			}
		})
	}
}

// moves has open orders and refunds, makes a move, and wants all of them to end.
func (s *shop) moves(move func()) {
	s.t.Helper()
	p, op, guest := s.signedIn(0), s.operator(), s.guest(2)
	refunded, later := p.paidOrder("tea", 1), p.paidOrder("tea", 1)
	open, unheard, cancelled := p.order("tea", 1), p.order("tea", 1), p.order("tea", 1)
	code := guest.byCode("tea", 1)
	op.refund(refunded.ID, refundOf(refunded.Total)) // WeChat is at it
	p.close(cancelled.Order.ID)
	p.pay(unheard.Pay) // the notification arrives after the move

	move()

	s.deliver()
	s.wantStatus(unheard.Order.ID, api.StatusPaid)
	var again api.Checkout
	p.must("POST", api.OrderPayPath(open.Order.ID), struct{}{}, &again)
	if again.Pay.SignType != open.Pay.SignType {
		s.t.Errorf("the order began with %s and goes on with %s", open.Pay.SignType, again.Pay.SignType)
	}
	p.pay(again.Pay)
	if err := s.scan(1, code.CodeURL); err != nil {
		s.t.Fatal(err)
	}
	s.deliver()
	s.wantStatus(open.Order.ID, api.StatusPaid)
	s.wantStatus(code.Order.ID, api.StatusPaid)
	s.sim.Advance(6 * time.Minute)
	s.reconcile()
	s.wantStatus(cancelled.Order.ID, api.StatusClosed)
	s.wantStatus(refunded.ID, api.StatusRefunded)
	op.refund(later.ID, refundOf(later.Total))
	fresh := p.paidOrder("tea", 1)
	s.sim.Advance(time.Minute)
	s.deliver()
	s.wantStatus(later.ID, api.StatusRefunded)
	s.wantStatus(fresh.ID, api.StatusPaid)
	s.until(1, "11:00:00")
	s.checkBills()
	op.wantBills(api.BillCheck{Date: "2026-11-23", Status: "agrees", Payments: 6, Refunds: 2})
	if s.loud() != 0 {
		s.t.Errorf("log:\n%s", s.log)
	}
}

// The merchant's key and the APIv3 key are replaced while orders are open. The shop has the new
// APIv3 key, and the old one beside it, before WeChat uses the new one: no notification is missed.
func TestMoveToNewKeys(t *testing.T) {
	t.Parallel()
	const newKey = "t9Kd2mQv7Xc4Zp1Lr8Bn5Hs3Wy6Gf0Ja"
	s := v3Shop(t, wechattest.Config{})
	s.moves(func() {
		s.sim.RotateV3MerchantKey()
		s.reopen(func(_ *settings, c *wechat.Config) {
			c.V3, c.APIKey = v3Config(s.sim), ""
			c.V3.APIv3Key, c.V3.APIv3KeyOld = newKey, c.V3.APIv3Key
		})
		if err := s.sim.SetAPIv3Key(newKey); err != nil {
			t.Fatal(err)
		}
		s.sim.RevokeV3MerchantKeys()
	})
}

// A shop without the key of an open order's version says so, and goes on with the order once the
// key is there again.
func TestOpenOrdersWithoutTheirKey(t *testing.T) {
	t.Parallel()
	s := v2Shop(t, wechattest.Config{})
	p := s.signedIn(0)
	c := p.order("tea", 1)
	paid := p.paidOrder("tea", 1)
	change := func(_ *settings, c *wechat.Config) { c.V3, c.APIKey = v3Config(s.sim), "" }
	s.reopen(change)
	s.sim.Advance(2 * time.Minute)
	s.reconcile()
	s.wantWrong("orders", "1 unpaid order or open refund was made with APIv2")
	s.operator().fails(api.CodeMisconfigured, "POST", refundPath(paid.ID), refundOf(100))
	s.wantStatus(c.Order.ID, api.StatusPending)
	s.reopen(nil)
	p.pay(c.Pay)
	s.deliver()
	s.wantStatus(c.Order.ID, api.StatusPaid)
}

// A shop in certificate mode has no certificate at first. The first response names one, which is
// downloaded, and stored for all instances.
func TestPaymentWithPlatformCertificates(t *testing.T) {
	t.Parallel()
	s := v3Shop(t, wechattest.Config{V3Mode: wechattest.V3Certificates})
	s.reconcile()
	s.wantWrong("certificates", "no platform certificate was downloaded yet")
	p, op := s.signedIn(0), s.operator()
	o := p.paidOrder("tea", 1)
	op.refund(o.ID, refundOf(o.Total))
	s.sim.Advance(time.Minute)
	s.deliver()
	s.wantStatus(o.ID, api.StatusRefunded)
	if n := s.calls("v3_certificates"); n != 1 {
		t.Errorf("%d downloads", n)
	}
	// Another instance reads them from the database.
	s.reopen(s.change)
	s.sim.Advance(time.Second)
	p.paidOrder("tea", 1)
	if n := s.calls("v3_certificates"); n != 1 {
		t.Errorf("%d downloads with a second instance", n)
	}
	// WeChat signs with a certificate that nobody has seen.
	s.sim.Advance(time.Hour)
	s.sim.RotateV3Certificate()
	p.paidOrder("tea", 1)
	if n := s.calls("v3_certificates"); n != 2 {
		t.Errorf("%d downloads after a rotation", n)
	}
	if s.loud() != 0 {
		t.Errorf("log:\n%s", s.log)
	}
}

// The timer downloads the certificates twice a day, so that a new one is there before WeChat signs
// with it.
func TestTimerRefreshesCertificates(t *testing.T) {
	t.Parallel()
	s := v3Shop(t, wechattest.Config{V3Mode: wechattest.V3Certificates})
	for range 6 * 24 * 2 {
		if err := s.keeper.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.sim.Advance(10 * time.Minute)
	}
	if n := s.calls("v3_certificates"); n != 4 {
		t.Errorf("%d downloads in two days", n)
	}
	s.sim.AnnounceV3Certificate()
	s.sim.Advance(12 * time.Hour)
	if err := s.keeper.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.calls("v3_certificates")
	s.sim.RotateV3Certificate()
	s.signedIn(0).paidOrder("tea", 1)
	if n := s.calls("v3_certificates") - before; n > 1 {
		t.Errorf("%d downloads", n)
	}
	// WeChat gives no certificates for a day: the health page says so.
	s.wire.handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	for range 6 * 25 {
		_ = s.keeper.Tick(t.Context())
		s.sim.Advance(10 * time.Minute)
	}
	s.reconcile()
	s.wantWrong("certificates", "the platform certificates were last downloaded 25h")
}

// Strangers who name certificates that nobody has cost a bounded number of reads and downloads.
func TestUnknownCertificatesCostLittle(t *testing.T) {
	t.Parallel()
	s := v3Shop(t, wechattest.Config{V3Mode: wechattest.V3Certificates})
	s.signedIn(0).paidOrder("tea", 1)
	s.sim.Advance(time.Minute)
	downloads := s.calls("v3_certificates")
	ctx, statements := store.CountStatements(t.Context())
	for i := range 600 {
		r, err := http.NewRequestWithContext(ctx, "POST", shopURL+api.PathNotifyPay, strings.NewReader(`{"id":"1"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Wechatpay-Serial", fmt.Sprintf("%040X", i+1))
		r.Header.Set("Wechatpay-Timestamp", fmt.Sprint(s.now().Unix()))
		r.Header.Set("Wechatpay-Nonce", "n")
		r.Header.Set("Wechatpay-Signature", strings.Repeat("A", 342)+"==")
		if code, text := status(s.handler, r); code < 400 {
			t.Fatalf("%d %s", code, text)
		}
		if i%10 == 9 {
			s.sim.Advance(time.Second)
		}
	}
	// In a minute: 5 reads in 10 seconds, each with a claim at most.
	if n := statements.Load(); n < 10 || n > 6*5*2+10 {
		t.Errorf("%d statements for 600 messages", n)
	}
	if n := s.calls("v3_certificates") - downloads; n > 1 {
		t.Errorf("%d downloads", n)
	}
}

// A shop moves from platform certificates to WeChat Pay's public key: both verify for a time.
func TestMoveFromCertificatesToThePublicKey(t *testing.T) {
	t.Parallel()
	s := v3Shop(t, wechattest.Config{V3Mode: wechattest.V3Certificates})
	s.moves(func() {
		if err := s.sim.SetV3Mode(wechattest.V3Both); err != nil {
			t.Fatal(err)
		}
		s.reopen(func(_ *settings, c *wechat.Config) { c.V3, c.APIKey = v3Config(s.sim), "" })
	})
	if err := s.sim.SetV3Mode(wechattest.V3PublicKey); err != nil {
		t.Fatal(err)
	}
	s.reopen(func(_ *settings, c *wechat.Config) { c.V3, c.APIKey = v3Config(s.sim), "" })
	s.signedIn(0).paidOrder("tea", 1)
	if s.loud() != 0 {
		t.Errorf("log:\n%s", s.log)
	}
}
