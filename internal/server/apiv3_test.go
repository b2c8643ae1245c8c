package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/paytest"
	"h5pay/internal/store"
	"h5pay/internal/v1"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestPaymentWithAPIv3(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{})
	p, op, guest := s.SignedIn(0), s.Operator(), s.NewGuest(2)
	c := p.Order("tea", 1)
	if c.Pay == nil || c.Pay.SignType != "RSA" {
		t.Fatalf("%+v", c.Pay)
	}
	p.Pay(c.Pay)
	s.Deliver()
	s.WantStatus(c.Order.ID, api.StatusPaid)
	s.WantPath(c.Order.ID, api.StatusPaid)

	code := guest.OrderByCode("tea", 1)
	var again api.Checkout
	guest.Must("POST", api.OrderPayPath(code.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeNative}}, &again)
	if n := s.Calls("v3_native"); n != 1 || again.CodeURL != code.CodeURL {
		t.Errorf("%d calls for one code, %q and %q", n, code.CodeURL, again.CodeURL) // another code voids the first
	}
	if err := s.Scan(1, code.CodeURL); err != nil {
		t.Fatal(err)
	}
	s.Deliver()
	s.WantStatus(code.Order.ID, api.StatusPaid)

	cancelled := p.Order("tea", 2)
	p.CloseOrder(cancelled.Order.ID)
	s.Sim.Advance(6 * time.Minute)
	s.Reconcile()
	s.WantStatus(cancelled.Order.ID, api.StatusClosed)

	op.Refund(c.Order.ID, paytest.RefundRequest(800))
	s.Sim.Advance(time.Minute)
	s.Deliver()
	s.WantRefunds(c.Order.ID, "succeeded 800")
	s.WantStatus(c.Order.ID, api.StatusPaid)
	op.Refund(c.Order.ID, paytest.RefundRequest(c.Order.Total-800))
	s.Sim.Advance(time.Minute)
	s.Deliver()
	s.WantStatus(c.Order.ID, api.StatusRefunded)
	for _, n := range s.Sim.Ledger().Notifications {
		if len(n.Attempts) != 1 || !n.Attempts[0].OK || n.Attempts[0].Status != http.StatusNoContent {
			t.Errorf("%+v", n.Attempts)
		}
	}
	s.AdvanceTo(1, "11:00:00")
	s.CheckBills()
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "agrees", Payments: 2, Refunds: 2})
	s.WantNoAPIv2()
	if s.ErrorLines() != 0 {
		t.Errorf("log:\n%s", s.Log)
	}
}

// A notification of another version than the payment's is rejected and causes no query. A stolen
// key of one version forges no messages about payments of the other.
func TestNotificationOfTheOtherVersionIsRejected(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv2(t, wechattest.Config{})
	p := s.SignedIn(0)
	old := p.Order("tea", 1)
	s.Reopen(func(_ *paytest.Settings, c *wechat.Config) { c.V3 = paytest.APIv3Config(s.Sim) })
	young := p.Order("tea", 1)
	before := s.Calls("v3_query") + s.Calls("orderquery")
	code, text := postNotification(s, leaked(s, young.Order.ID, wechat.SignHMAC))
	if code != http.StatusOK || !strings.Contains(text, "API version differs") {
		t.Errorf("%d %s", code, text)
	}
	s.WantStatus(young.Order.ID, api.StatusOpen)
	if n := s.Calls("v3_query") + s.Calls("orderquery"); n != before {
		t.Errorf("%d queries", n-before)
	}
	if s.ErrorLines() != 1 {
		t.Errorf("%d log lines of level ERROR", s.ErrorLines())
	}
	p.Pay(young.Pay)
	p.Pay(old.Pay)
	s.Deliver()
	s.WantStatus(young.Order.ID, api.StatusPaid)
	s.WantStatus(old.Order.ID, api.StatusPaid)
}

// A probe of WeChat's is rejected without an ERROR line. The correct notification follows.
func TestProbeLogsNoError(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{})
	p := s.SignedIn(0)
	s.Fault(wechattest.FaultV3Probe, "/v3/pay/transactions/jsapi")
	var c api.Checkout
	pay := api.OrderPayPath(p.Place(paytest.Basket("tea", 1)).ID)
	if a := p.Call("POST", pay, api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}); a.Status != http.StatusOK {
		p.Must("POST", pay, api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}, &c) // the repeated notification has a correct signature
	}
	p.Must("POST", pay, api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}, &c)
	s.Fault(wechattest.FaultV3Probe, "")
	p.Pay(c.Pay)
	s.Deliver()
	s.WantStatus(c.Order.ID, api.StatusOpen)
	s.Sim.Advance(15 * time.Second)
	s.WantStatus(c.Order.ID, api.StatusPaid)
	attempts := s.Sim.Ledger().Notifications[0].Attempts
	if len(attempts) != 2 || attempts[0].OK || attempts[0].Status < 400 || !attempts[1].OK {
		t.Errorf("%+v", attempts)
	}
	if s.ErrorLines() != 0 || !strings.Contains(s.Log.String(), "a probe") {
		t.Errorf("log:\n%s", s.Log)
	}
}

// A notification whose time differs from the shop's by 400 s, or with an unknown key, changes
// nothing.
func TestInvalidAPIv3NotificationsChangeNothing(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]string{
		wechattest.FaultV3ClockAhead: "five minutes", wechattest.FaultV3ClockBehind: "five minutes", wechattest.FaultV3WrongSerial: "no key is known",
	} {
		t.Run(fault, func(t *testing.T) {
			s := paytest.NewShopAPIv3(t, wechattest.Config{})
			p := s.SignedIn(0)
			c := p.Order("tea", 1)
			s.Fault(fault, "")
			p.Pay(c.Pay)
			s.Deliver()
			s.WantStatus(c.Order.ID, api.StatusOpen)
			if s.ErrorLines() != 1 || !strings.Contains(s.Log.String(), want) {
				t.Errorf("log:\n%s", s.Log)
			}
			s.Sim.Advance(15 * time.Second)
			s.WantStatus(c.Order.ID, api.StatusPaid)
		})
	}
}

// Without a key of APIv2, the shop learns of refunds by hand from the daily bill.
func TestRefundByHandIsInTheBill(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{RefundNotifyURL: paytest.ShopURL + api.PathNotifyRefund})
	p, op := s.SignedIn(0), s.Operator()
	o := p.PaidOrder("tea", 1)
	if _, err := s.Sim.Refund(s.OutTradeNo(o.ID), 1200); err != nil {
		t.Fatal(err)
	}
	s.Sim.Advance(time.Minute)
	s.Deliver()
	s.WantRefunds(o.ID, "")
	if text := s.Log.String(); s.ErrorLines() != 0 || !strings.Contains(text, "退款配置") {
		t.Errorf("log:\n%s", text)
	}
	for _, n := range s.Sim.Ledger().Notifications { // WeChat would repeat it 15 times
		if len(n.Attempts) != 1 || !n.Attempts[0].OK {
			t.Errorf("%+v", n.Attempts)
		}
	}
	// A stranger's message is acknowledged only if it looks like one of WeChat's to this merchant.
	byHand := s.Sim.RefundsOf(s.OutTradeNo(o.ID))[0].OutRefundNo
	for forge, want := range map[string]bool{wechattest.ForgeOtherKey: true, wechattest.ForgeDoctype: false} {
		if attempt, err := s.Sim.NotifyRefund(byHand, forge); err != nil || attempt.OK != want {
			t.Errorf("%s: acknowledged %t, %v", forge, attempt.OK, err)
		}
	}
	s.WantRefunds(o.ID, "")
	s.AdvanceTo(1, "11:00:00")
	s.CheckBills()
	s.WantRefunds(o.ID, "succeeded 1200")
	if bills := billChecks(op, "?date=2026-11-23"); len(bills) != 1 || bills[0].Status != "differs" {
		t.Errorf("%+v", bills)
	}
	s.WantNoAPIv2()
}

// When a shop changes the version, open payments and refunds keep the version with which they
// began.
func TestMoveBetweenVersions(t *testing.T) {
	t.Parallel()
	both := func(s *paytest.Shop, version wechat.Version) func(*paytest.Settings, *wechat.Config) {
		return func(_ *paytest.Settings, c *wechat.Config) { c.V3, c.Version = paytest.APIv3Config(s.Sim), version }
	}
	for name, versions := range map[string][2]wechat.Version{"v2 to v3": {wechat.V2, wechat.V3}, "v3 to v2": {wechat.V3, wechat.V2}} {
		t.Run(name, func(t *testing.T) {
			s := paytest.NewShopAPIv2(t, wechattest.Config{})
			s.Reopen(both(s, versions[0]))
			endAfterMove(s, func() { s.Reopen(both(s, versions[1])) })
			var made string
			if err := s.DB.QueryRow(`SELECT (SELECT api_version FROM payments ORDER BY created_at LIMIT 1) || ',' || (SELECT api_version FROM payments ORDER BY created_at DESC LIMIT 1)`).Scan(&made); err != nil ||
				made != string(versions[0])+","+string(versions[1]) {
				t.Errorf("orders of %s, %v", made, err)
			}
			var mixed int
			if err := s.DB.QueryRow(`SELECT COUNT(*) FROM refunds JOIN payments USING (out_trade_no) WHERE refunds.api_version <> payments.api_version`).Scan(&mixed); err != nil || mixed != 0 {
				t.Errorf("%d refunds of another version than their order's, %v", mixed, err)
			}
		})
	}
}

// endAfterMove opens orders and refunds, makes a move, and checks that all of them end.
func endAfterMove(s *paytest.Shop, move func()) {
	s.T.Helper()
	p, op, guest := s.SignedIn(0), s.Operator(), s.NewGuest(2)
	refunded, later := p.PaidOrder("tea", 1), p.PaidOrder("tea", 1)
	open, unheard, cancelled := p.Order("tea", 1), p.Order("tea", 1), p.Order("tea", 1)
	code := guest.OrderByCode("tea", 1)
	op.Refund(refunded.ID, paytest.RefundRequest(refunded.Total)) // WeChat processes it
	p.CloseOrder(cancelled.Order.ID)
	p.Pay(unheard.Pay) // the notification arrives during the move or after it

	move()

	s.Sim.Advance(15 * time.Second) // WeChat repeats a notification that it signed with the keys before the move
	s.Check()
	s.WantStatus(unheard.Order.ID, api.StatusPaid)
	var again api.Checkout
	p.Must("POST", api.OrderPayPath(open.Order.ID), api.PayRequest{TradeTypes: []api.TradeType{api.TradeJSAPI}}, &again)
	if again.Pay.SignType != open.Pay.SignType {
		s.T.Errorf("the payment began with %s and continues with %s", open.Pay.SignType, again.Pay.SignType)
	}
	p.Pay(again.Pay)
	if err := s.Scan(1, code.CodeURL); err != nil {
		s.T.Fatal(err)
	}
	s.Deliver()
	s.WantStatus(open.Order.ID, api.StatusPaid)
	s.WantStatus(code.Order.ID, api.StatusPaid)
	s.Sim.Advance(6 * time.Minute)
	s.Reconcile()
	s.WantStatus(cancelled.Order.ID, api.StatusClosed)
	s.WantStatus(refunded.ID, api.StatusRefunded)
	op.Refund(later.ID, paytest.RefundRequest(later.Total))
	fresh := p.PaidOrder("tea", 1)
	s.Sim.Advance(time.Minute)
	s.Deliver()
	s.WantStatus(later.ID, api.StatusRefunded)
	s.WantStatus(fresh.ID, api.StatusPaid)
	s.AdvanceTo(1, "11:00:00")
	s.CheckBills()
	wantBills(op, v1.Bill{Date: "2026-11-23", Status: "agrees", Payments: 6, Refunds: 2})
	if s.ErrorLines() != 0 {
		s.T.Errorf("log:\n%s", s.Log)
	}
}

// The merchant's key and the APIv3 key are replaced while orders are open. The shop gets the new
// APIv3 key, beside the old one, before WeChat uses it. So no notification is lost.
func TestMoveToNewKeys(t *testing.T) {
	t.Parallel()
	const newKey = "t9Kd2mQv7Xc4Zp1Lr8Bn5Hs3Wy6Gf0Ja"
	s := paytest.NewShopAPIv3(t, wechattest.Config{})
	endAfterMove(s, func() {
		s.Sim.RotateV3MerchantKey()
		s.Reopen(func(_ *paytest.Settings, c *wechat.Config) {
			c.V3, c.APIKey = paytest.APIv3Config(s.Sim), ""
			c.V3.APIv3Key, c.V3.APIv3KeyOld = newKey, c.V3.APIv3Key
		})
		if err := s.Sim.SetAPIv3Key(newKey); err != nil {
			t.Fatal(err)
		}
		s.Sim.RevokeV3MerchantKeys()
	})
}

// A shop without the key of an open payment's version reports that. It continues with the payment
// when it has the key again.
func TestOpenOrdersWithoutTheirKey(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv2(t, wechattest.Config{})
	p := s.SignedIn(0)
	c := p.Order("tea", 1)
	paid := p.PaidOrder("tea", 1)
	change := func(_ *paytest.Settings, c *wechat.Config) { c.V3, c.APIKey = paytest.APIv3Config(s.Sim), "" }
	s.Reopen(change)
	s.Sim.Advance(2 * time.Minute)
	s.Reconcile()
	s.WantWrong("orders", "1 unpaid payment or open refund was made with APIv2")
	s.Operator().Fails(api.CodeMisconfigured, "POST", paytest.RefundPath(paid.ID), paytest.RefundRequest(100))
	s.WantStatus(c.Order.ID, api.StatusOpen)
	s.Reopen(nil)
	p.Pay(c.Pay)
	s.Deliver()
	s.WantStatus(c.Order.ID, api.StatusPaid)
}

// A shop in certificate mode has no certificate at first. The first response names one, which is
// downloaded, and stored for all instances.
func TestPaymentWithPlatformCertificates(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{V3Mode: wechattest.V3Certificates})
	s.Reconcile()
	s.WantWrong("certificates", "no platform certificate was downloaded yet")
	p, op := s.SignedIn(0), s.Operator()
	o := p.PaidOrder("tea", 1)
	op.Refund(o.ID, paytest.RefundRequest(o.Total))
	s.Sim.Advance(time.Minute)
	s.Deliver()
	s.WantStatus(o.ID, api.StatusRefunded)
	if n := s.Calls("v3_certificates"); n != 1 {
		t.Errorf("%d downloads", n)
	}
	// Another instance reads them from the database.
	s.Reopen(s.Change)
	s.Sim.Advance(time.Second)
	p.PaidOrder("tea", 1)
	if n := s.Calls("v3_certificates"); n != 1 {
		t.Errorf("%d downloads with a second instance", n)
	}
	// WeChat signs with a new certificate.
	s.Sim.Advance(time.Hour)
	s.Sim.RotateV3Certificate()
	p.PaidOrder("tea", 1)
	if n := s.Calls("v3_certificates"); n != 2 {
		t.Errorf("%d downloads after a rotation", n)
	}
	if s.ErrorLines() != 0 {
		t.Errorf("log:\n%s", s.Log)
	}
}

// The timer downloads the certificates twice a day, so that a new one is there before WeChat signs
// with it.
func TestTimerRefreshesCertificates(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{V3Mode: wechattest.V3Certificates})
	for range 6 * 24 * 2 {
		if err := s.Keeper.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Sim.Advance(10 * time.Minute)
	}
	if n := s.Calls("v3_certificates"); n != 4 {
		t.Errorf("%d downloads in two days", n)
	}
	s.Sim.AnnounceV3Certificate()
	s.Sim.Advance(12 * time.Hour)
	if err := s.Keeper.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.Calls("v3_certificates")
	s.Sim.RotateV3Certificate()
	s.SignedIn(0).PaidOrder("tea", 1)
	if n := s.Calls("v3_certificates") - before; n > 1 {
		t.Errorf("%d downloads", n)
	}
	// WeChat returns no certificates for a day: the health page fails.
	s.ToWeChat.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	for range 6 * 25 {
		_ = s.Keeper.Tick(t.Context())
		s.Sim.Advance(10 * time.Minute)
	}
	s.Reconcile()
	s.WantWrong("certificates", "the platform certificates were last downloaded 25h")
}

// Strangers who send unknown serial numbers cause a bounded number of reads and downloads.
func TestUnknownCertificatesCostLittle(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{V3Mode: wechattest.V3Certificates})
	s.SignedIn(0).PaidOrder("tea", 1)
	s.Sim.Advance(time.Minute)
	downloads := s.Calls("v3_certificates")
	ctx, statements := store.CountStatements(t.Context())
	for i := range 600 {
		r, err := http.NewRequestWithContext(ctx, "POST", paytest.ShopURL+api.PathNotifyPay, strings.NewReader(`{"id":"1"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Wechatpay-Serial", fmt.Sprintf("%040X", i+1))
		r.Header.Set("Wechatpay-Timestamp", fmt.Sprint(s.Now().Unix()))
		r.Header.Set("Wechatpay-Nonce", "n")
		r.Header.Set("Wechatpay-Signature", strings.Repeat("A", 342)+"==")
		if code, text := paytest.Serve(s.Handler, r); code < 400 {
			t.Fatalf("%d %s", code, text)
		}
		if i%10 == 9 {
			s.Sim.Advance(time.Second)
		}
	}
	// In a minute: 5 reads in 10 seconds, each with a claim at most.
	if n := statements.Load(); n < 10 || n > 6*5*2+10 {
		t.Errorf("%d statements for 600 messages", n)
	}
	if n := s.Calls("v3_certificates") - downloads; n > 1 {
		t.Errorf("%d downloads", n)
	}
}

// A shop changes from platform certificates to WeChat Pay's public key. For some time both are
// accepted.
func TestMoveFromCertificatesToThePublicKey(t *testing.T) {
	t.Parallel()
	s := paytest.NewShopAPIv3(t, wechattest.Config{V3Mode: wechattest.V3Certificates})
	endAfterMove(s, func() {
		if err := s.Sim.SetV3Mode(wechattest.V3Both); err != nil {
			t.Fatal(err)
		}
		s.Reopen(func(_ *paytest.Settings, c *wechat.Config) { c.V3, c.APIKey = paytest.APIv3Config(s.Sim), "" })
	})
	if err := s.Sim.SetV3Mode(wechattest.V3PublicKey); err != nil {
		t.Fatal(err)
	}
	s.Reopen(func(_ *paytest.Settings, c *wechat.Config) { c.V3, c.APIKey = paytest.APIv3Config(s.Sim), "" })
	s.SignedIn(0).PaidOrder("tea", 1)
	if s.ErrorLines() != 0 {
		t.Errorf("log:\n%s", s.Log)
	}
}
