package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// The page outside WeChat on a phone: guests, QR codes, WeChat's payment page.

const (
	desktopUA = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0 Safari/537.36"
	phoneUA   = "Mozilla/5.0 (Linux; Android 10; K) Chrome/131.0.0.0 Mobile Safari/537.36"
	workUA    = "Mozilla/5.0 (Linux; Android 14) Mobile wxwork/4.1.28 MicroMessenger/7.0.1"

	postSession = "POST " + api.PathSession
	closeO1     = "POST /api/orders/o1/close"
)

var (
	guest          = api.Session{User: api.User{Guest: true}}
	allTypesConfig = api.Config{ShopName: "山岚小铺", TradeTypes: []api.TradeType{api.TradeJSAPI, api.TradeNative, api.TradeMWEB}}
	nativeO1       = api.Order{ID: "o1", Status: api.StatusOpen, Total: 6800, TradeType: api.TradeNative, ExpiresAt: 7_200_000}
	mwebO1         = api.Order{ID: "o1", Status: api.StatusOpen, Total: 6800, TradeType: api.TradeMWEB, ExpiresAt: 7_200_000}
	codeO1         = api.Checkout{Order: nativeO1, CodeURL: "weixin://wxpay/bizpayurl?pr=first0000", PayUntil: 3_600_000}
	mwebCheckoutO1 = api.Checkout{Order: mwebO1, MWebURL: "https://wx.tenpay.com/x?prepay_id=1", PayUntil: 3_600_000}
)

func TestCanPayWith(t *testing.T) {
	all := []api.TradeType{api.TradeMWEB, api.TradeJSAPI, api.TradeNative}
	for _, test := range []struct {
		place    place
		accepted []api.TradeType
		want     bool
	}{
		{inWeChat, all, true},
		{inWeChat, all[2:], true},
		{inWeChat, all[:1], false},
		{inDesktopWeChat, all[:2], true},
		{onPhone, all[:1], true},
		{onPhone, all[2:], true},
		{onPhone, all[1:2], false},
		{onDesktop, all, true},
		{onDesktop, all[:2], false},
		{inWork, all, false},
		{inMiniProgram, all, false},
		{inWeChat, nil, false},
	} {
		if got := test.place.canPayWith(test.accepted); got != test.want {
			t.Errorf("place %d with %v: %t, want %t", test.place, test.accepted, got, test.want)
		}
	}
}

// The pay page requests the trade types of its place, the best one first, and renews the one that
// it got.
func TestPayPageRequestsItsTradeTypes(t *testing.T) {
	for ua, want := range map[string]string{
		wechatUA:  `"trade_types":["JSAPI","NATIVE"]`,
		phoneUA:   `"trade_types":["MWEB","NATIVE"]`,
		desktopUA: `"trade_types":["NATIVE"]`,
	} {
		f := newFake(t, "https://shop.example/pay?order=o1").on(payO1, checkoutO1).on(getO1, pendingO1).on(getSession, me)
		f.ua = ua
		p := newPayPage(f)
		mount(t, p)
		sent := ""
		for _, c := range f.calls {
			if strings.HasPrefix(c, payO1) {
				sent = c
			}
		}
		if !strings.Contains(sent, want) {
			t.Errorf("%s: sent %s, want %s", ua, sent, want)
		}
	}
}

// Viewing creates no guest session; the first order creates one.
func TestGuestOrders(t *testing.T) {
	for _, test := range []struct {
		name    string
		ua      string
		orders  []any
		session []any
		went    string
		canPay  string
	}{
		{"a guest already", desktopUA, []any{nativeO1}, nil, "/pay?order=o1", textOrdering.ZH},
		{"the first order", phoneUA, []any{api.CodeUnauthenticated, mwebO1}, []any{guest}, "/pay?order=o1", textOrdering.ZH},
		{"cookies are blocked", desktopUA, []any{api.CodeUnauthenticated}, []any{guest}, "", `data-error="cookies"`},
		{"offline in between", desktopUA, []any{api.CodeUnauthenticated}, []any{errors.New("down")}, "", `data-error="offline"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/").on(getConfig, allTypesConfig).on(getProducts, catalogue).
				on(postOrder, test.orders...).on(postSession, test.session...)
			f.ua = test.ua
			p := newShopPage(f)
			client := mount(t, p)
			if f.countCalls("GET "+api.PathSession)+f.countCalls(postSession) != 0 {
				t.Errorf("viewing the shop made the calls %q", f.calls)
			}
			p.basket.add("tea", 1)
			p.order(client.Context(), app.Event{})
			p.order(client.Context(), app.Event{})
			client.Consume()
			if f.lastNavigation() != test.went || f.countCalls(postSession) > 1 {
				t.Errorf("navigated to %q after %q", f.lastNavigation(), f.calls)
			}
			shows(t, p, test.canPay)
			keys := map[string]bool{}
			for _, c := range f.calls {
				if _, key, ok := strings.Cut(c, "client_key"); ok {
					keys[key] = true
				}
			}
			if len(keys) != 1 {
				t.Errorf("%d orders", len(keys))
			}
		})
	}
}

func TestPlacesWithoutPayment(t *testing.T) {
	for _, test := range []struct {
		name        string
		ua          string
		miniProgram bool
		says        text
	}{
		{"Enterprise WeChat", workUA, false, textWorkHint},
		{"a mini program", wechatUA + " miniProgram/wx1", false, textMiniHint},
		{"a mini program that only the bridge reports", wechatUA, true, textMiniHint},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/").on(getSession, me).on(getConfig, allTypesConfig).on(getProducts, catalogue)
			f.ua, f.miniProgram = test.ua, test.miniProgram
			p := newShopPage(f)
			client := mount(t, p)
			shows(t, p, "data-outside", test.says.ZH, `data-product="tea"`)
			p.basket.add("tea", 1)
			p.order(client.Context(), app.Event{})
			client.Consume()
			if f.countCalls(postOrder) != 0 {
				t.Error("it ordered")
			}
			q := newFake(t, "https://shop.example/pay?order=o1").on(payO1, checkoutO1)
			q.ua, q.miniProgram = test.ua, test.miniProgram
			pay := newPayPage(q)
			mount(t, pay)
			shows(t, pay, "data-outside", test.says.ZH, textCopy.ZH)
		})
	}
}

// The page polls the code's order, renews the code before it expires by the signer's clock, and
// then shows the result.
func TestQRCodeIsPolledAndRenewed(t *testing.T) {
	second := codeO1
	second.CodeURL, second.PayUntil = "weixin://wxpay/bizpayurl?pr=second000", nativeO1.ExpiresAt
	for _, test := range []struct {
		name   string
		left   time.Duration // time until the first code expires
		polls  int           // queries until the order is paid
		codes  int
		blind  bool // no response has a Date header
		renews time.Duration
	}{
		{"paid soon", time.Hour, 20, 1, false, 0},
		{"paid with the second code", 5 * time.Minute, 100, 2, false, 3 * time.Minute},
		{"a code about to expire is shown for a minimum time", time.Second, 50, 2, false, codeMargin},
		{"the second one lasts as long as the order", 5 * time.Minute, 3000, 2, false, 3 * time.Minute},
		{"no Date header", time.Hour, 1900, 2, true, codeLifetime},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/pay?order=o1").on(payO1, codeO1, second)
			for range test.polls {
				f.on(getO1, nativeO1)
			}
			f.on(getO1, errors.New("down"), paidO1)
			f.ua = desktopUA
			if !test.blind {
				f.now = time.UnixMilli(codeO1.PayUntil).Add(-test.left)
			}
			mount(t, newPayPage(f))
			if f.lastNavigation() != "/result?order=o1" || f.countCalls(payO1) != test.codes || f.countCalls(payO1+` {"trade_types":["NATIVE"],"renew":true}`) != test.codes-1 {
				t.Errorf("navigated to %q after %d codes", f.lastNavigation(), f.countCalls(payO1))
			}
			before := 0
			for _, c := range f.calls[1:] {
				if strings.HasPrefix(c, payO1) {
					break
				}
				before++
			}
			if waited := time.Duration(before) * codePollInterval; test.renews != 0 && (waited < test.renews || waited > test.renews+2*codePollInterval) {
				t.Errorf("renewed after %v, want %v", waited, test.renews)
			}
		})
	}
}

func TestCodePage(t *testing.T) {
	for _, test := range []struct {
		name   string
		pay    any
		went   string
		canPay string
	}{
		{"paid meanwhile", api.CodeOrderPaid, "/result?order=o1", ""},
		{"ended", api.CodeOrderNotPayable, "/result?order=o1", ""},
		{"WeChat is busy", api.CodeWeChatBusy, "", `data-error="wechat_unavailable"`},
		{"no code", api.Checkout{Order: nativeO1, CodeURL: strings.Repeat("x", 4000)}, "", "data-error"},
	} {
		f := newFake(t, "https://shop.example/pay?order=o1").on(getO1, api.Order{ID: "o1", Status: api.StatusClosed}).on(payO1, test.pay)
		f.ua = desktopUA
		p := newPayPage(f)
		mount(t, p)
		if f.lastNavigation() != test.went {
			t.Errorf("%s: navigated to %q", test.name, f.lastNavigation())
		}
		shows(t, p, test.canPay)
	}
	p := newPayPage(newFake(t, "https://shop.example/pay?order=o1"))
	p.order, p.place, p.code = &nativeO1, onDesktop, "data:image/svg+xml,x"
	shows(t, p, textScan.ZH, `alt="`+textCode.ZH, "68.00", textCopy.ZH)
	p.place = inDesktopWeChat
	shows(t, p, textScan.ZH)
	p.place = onPhone
	shows(t, p, textScanOther.ZH)
}

// Buyers return from WeChat's page for browsers whether they have paid or not.
func TestBrowserPaysOnWeChatsPage(t *testing.T) {
	f := newFake(t, "https://shop.example/pay?order=o1").on(payO1, mwebCheckoutO1)
	f.ua, f.sleeps, f.now = phoneUA, make(chan struct{}), time.UnixMilli(1)
	p := newPayPage(f)
	client := mount(t, p)
	p.pay(client.Context(), app.Event{})
	p.pay(client.Context(), app.Event{})
	for range 1000 {
		f.mu.Lock()
		went := f.lastNavigation()
		f.mu.Unlock()
		if went != "" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if f.lastNavigation() != mwebCheckoutO1.MWebURL || f.countCalls(payO1) != 1 || f.invoked != 0 {
		t.Errorf("navigated to %q after %q", f.lastNavigation(), f.calls)
	}
	p.onReturn(client.Context(), fromHistory)
	client.Consume()
	if f.lastNavigation() != "/result?order=o1" {
		t.Errorf("back, navigated to %q", f.lastNavigation())
	}

	g := newFake(t, "https://shop.example/result?order=o1").on(getO1, mwebO1)
	g.ua = phoneUA
	r := newResultPage(g)
	client = mount(t, r)
	shows(t, r, `data-status="unconfirmed"`, textHavePaid.ZH, textPayAgain.ZH)
	if n := g.countCalls(getO1); n != len(pollPauses)+1 {
		t.Errorf("%d queries before the user claimed to have paid", n)
	}
	g.script[getO1] = []any{mwebO1, paidO1}
	r.again(client.Context(), app.Event{})
	client.Consume()
	shows(t, r, `data-status="paid"`)
}

// The payment becomes known while the page asks whether it was made.
func TestPaymentBecomesKnownWhileThePageAsks(t *testing.T) {
	const getLink = "GET /api/o/0123456789abcdefghijklmnop"
	link := func(status api.OrderStatus) api.CustomerOrder {
		return api.CustomerOrder{Order: api.Order{ID: "o1", Status: status, Total: 700}, TradeTypes: []api.TradeType{api.TradeMWEB}}
	}
	for address, open := range map[string]func(browser) app.Composer{
		"/result?order=o1":                       func(b browser) app.Composer { return newResultPage(b) },
		"/o/0123456789abcdefghijklmnop?result=1": func(b browser) app.Composer { return newCustomerPage(b) },
	} {
		f := newFake(t, "https://shop.example"+address).on(getO1, mwebO1, mwebO1, paidO1).
			on(getLink, link(api.StatusOpen), link(api.StatusOpen), link(api.StatusPaid))
		f.ua = phoneUA
		p := open(f)
		mount(t, p).Consume()
		shows(t, p, `="paid"`)
		if n := f.countCalls(getO1) + f.countCalls(getLink); n != 3 {
			t.Errorf("%s: %d queries", address, n)
		}
	}
}

// A call failed, and then a query finds the payment.
func TestPaymentIsShownInPlaceOfAnError(t *testing.T) {
	const get = "GET /api/o/0123456789abcdefghijklmnop"
	f := newFake(t, "https://shop.example/o/0123456789abcdefghijklmnop").on(get, errors.New("down"))
	p := newCustomerPage(f)
	client := mount(t, p)
	shows(t, p, `data-error="offline"`)
	p.show(client.Context(), api.CustomerOrder{Order: api.Order{ID: "o1", Status: api.StatusPaid, Total: 700}})
	shows(t, p, `data-state="paid"`)
}

// An order that was made inside WeChat is not found in a browser, and the page gives the reason.
func TestBrowserWithoutASession(t *testing.T) {
	for _, page := range []struct {
		at   string
		open func(browser) app.Composer
	}{
		{"pay?order=o1", func(b browser) app.Composer { return newPayPage(b) }},
		{"result?order=o1", func(b browser) app.Composer { return newResultPage(b) }},
		{"order?order=o1", func(b browser) app.Composer { return newOrderPage(b) }},
	} {
		f := newFake(t, "https://shop.example/"+page.at).on(getO1, api.CodeUnauthenticated).on(payO1, api.CodeUnauthenticated)
		f.ua = phoneUA
		p := page.open(f)
		mount(t, p)
		shows(t, p, `data-error="no_session"`, `href="/"`)
		if len(f.calls) != 1 || f.navigations != nil {
			t.Errorf("%s: %q, navigated to %q", page.at, f.calls, f.navigations)
		}
	}
}
