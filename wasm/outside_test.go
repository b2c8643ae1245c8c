package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// The page outside WeChat's phone: guests, codes, WeChat's page for browsers.

const (
	desktopUA = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0 Safari/537.36"
	phoneUA   = "Mozilla/5.0 (Linux; Android 10; K) Chrome/131.0.0.0 Mobile Safari/537.36"
	workUA    = "Mozilla/5.0 (Linux; Android 14) Mobile wxwork/4.1.28 MicroMessenger/7.0.1"

	postSession = "POST " + api.PathSession
	closeO1     = "POST /api/orders/o1/close"
)

var (
	guest     = api.Session{User: api.User{Guest: true}}
	everyWay  = api.Config{ShopName: "山岚小铺", TradeTypes: []api.TradeType{api.TradeJSAPI, api.TradeNative, api.TradeMWEB}}
	nativeO1  = api.Order{ID: "o1", Status: api.StatusPending, Total: 6800, TradeType: api.TradeNative, ExpiresAt: 7_200_000}
	mwebO1    = api.Order{ID: "o1", Status: api.StatusPending, Total: 6800, TradeType: api.TradeMWEB}
	codeO1    = api.Checkout{Order: nativeO1, CodeURL: "weixin://wxpay/bizpayurl?pr=first0000", PayUntil: 3_600_000}
	elsewhere = api.Checkout{Order: mwebO1, MWebURL: "https://wx.tenpay.com/x?prepay_id=1"}
)

func TestTrade(t *testing.T) {
	all := []api.TradeType{api.TradeMWEB, api.TradeJSAPI, api.TradeNative}
	for _, test := range []struct {
		place place
		taken []api.TradeType
		want  api.TradeType
	}{
		{inWeChat, all, api.TradeJSAPI},
		{inWeChat, all[2:], api.TradeNative},
		{inDesktopWeChat, all, api.TradeNative},
		{inDesktopWeChat, all[:2], api.TradeJSAPI},
		{onPhone, all, api.TradeMWEB},
		{onPhone, all[1:], api.TradeNative},
		{onPhone, all[1:2], ""},
		{onDesktop, all, api.TradeNative},
		{onDesktop, all[:2], ""},
		{inWork, all, ""},
		{inMiniProgram, all, ""},
		{inWeChat, nil, ""},
	} {
		if got := test.place.trade(test.taken); got != test.want {
			t.Errorf("place %d with %v: %q, want %q", test.place, test.taken, got, test.want)
		}
	}
}

// Nobody is made a guest for looking; who orders is, once.
func TestGuestOrders(t *testing.T) {
	for _, test := range []struct {
		name    string
		ua      string
		orders  []any
		session []any
		went    string
		shows   string
	}{
		{"a guest already", desktopUA, []any{codeO1}, nil, "/pay?order=o1", textOrdering.zh},
		{"the first order", phoneUA, []any{api.CodeUnauthenticated, elsewhere}, []any{guest}, "/pay?order=o1", textOrdering.zh},
		{"cookies are blocked", desktopUA, []any{api.CodeUnauthenticated}, []any{guest}, "", `data-error="cookies"`},
		{"offline in between", desktopUA, []any{api.CodeUnauthenticated}, []any{errors.New("down")}, "", `data-error="offline"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/").on(getConfig, everyWay).on(getProducts, catalogue).
				on(postOrder, test.orders...).on(postSession, test.session...)
			f.ua = test.ua
			p := newShopPage(f)
			client := mount(t, p)
			if f.made("GET "+api.PathSession)+f.made(postSession) != 0 {
				t.Errorf("looking asked %q", f.calls)
			}
			p.basket.add("tea", 1)
			p.order(client.Context(), app.Event{})
			p.order(client.Context(), app.Event{})
			client.Consume()
			if f.at() != test.went || f.made(postSession) > 1 {
				t.Errorf("went to %q after %q", f.at(), f.calls)
			}
			shows(t, p, test.shows)
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

func TestPlacesThatCannotPay(t *testing.T) {
	for _, test := range []struct {
		name string
		ua   string
		mini bool
		says text
	}{
		{"Enterprise WeChat", workUA, false, textWorkHint},
		{"a mini program", wechatUA + " miniProgram/wx1", false, textMiniHint},
		{"a mini program that says so on the bridge alone", wechatUA, true, textMiniHint},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/").on(getSession, me).on(getConfig, everyWay).on(getProducts, catalogue)
			f.ua, f.mini = test.ua, test.mini
			p := newShopPage(f)
			client := mount(t, p)
			shows(t, p, "data-outside", test.says.zh, `data-product="tea"`)
			p.basket.add("tea", 1)
			p.order(client.Context(), app.Event{})
			client.Consume()
			if f.made(postOrder) != 0 {
				t.Error("it ordered")
			}
			q := newFake(t, "https://shop.example/pay?order=o1").on(getO1, pendingO1)
			q.ua, q.mini = test.ua, test.mini
			pay := newPayPage(q)
			mount(t, pay)
			shows(t, pay, "data-outside", test.says.zh, textCopy.zh)
		})
	}
}

// The code is shown, followed, renewed before it ends by the signer's clock,
// and the page goes on by itself.
func TestCodeIsFollowedAndRenewed(t *testing.T) {
	second := codeO1
	second.CodeURL, second.PayUntil = "weixin://wxpay/bizpayurl?pr=second000", nativeO1.ExpiresAt
	for _, test := range []struct {
		name   string
		left   time.Duration // that the first code works
		polls  int           // until the order is paid
		codes  int
		blind  bool // no answer says what the time is
		renews time.Duration
	}{
		{"paid soon", time.Hour, 20, 1, false, 0},
		{"paid with the second code", 5 * time.Minute, 100, 2, false, 3 * time.Minute},
		{"a code at its end is given time all the same", time.Second, 50, 2, false, codeMargin},
		{"the second one lasts as long as the order", 5 * time.Minute, 3000, 2, false, 3 * time.Minute},
		{"nobody says what the time is", time.Hour, 1900, 2, true, codeLifetime},
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
			if f.at() != "/result?order=o1" || f.made(payO1) != test.codes || f.made(payO1+` {"renew":true}`) != test.codes-1 {
				t.Errorf("went to %q after %d codes", f.at(), f.made(payO1))
			}
			before := 0
			for _, c := range f.calls[2:] {
				if strings.HasPrefix(c, payO1) {
					break
				}
				before++
			}
			if waited := time.Duration(before) * codePause; test.renews != 0 && (waited < test.renews || waited > test.renews+2*codePause) {
				t.Errorf("renewed after %v, want %v", waited, test.renews)
			}
		})
	}
}

func TestCodePage(t *testing.T) {
	for _, test := range []struct {
		name  string
		pay   any
		went  string
		shows string
	}{
		{"paid meanwhile", api.CodeOrderPaid, "/result?order=o1", ""},
		{"ended", api.CodeOrderNotPayable, "/result?order=o1", ""},
		{"WeChat is busy", api.CodeWeChatBusy, "", `data-error="wechat_unavailable"`},
		{"no code", api.Checkout{Order: nativeO1, CodeURL: strings.Repeat("x", 4000)}, "", "data-error"},
	} {
		f := newFake(t, "https://shop.example/pay?order=o1").on(getO1, nativeO1).on(payO1, test.pay)
		f.ua = desktopUA
		p := newPayPage(f)
		mount(t, p)
		if f.at() != test.went {
			t.Errorf("%s: went to %q", test.name, f.at())
		}
		shows(t, p, test.shows)
	}
	p := newPayPage(newFake(t, "https://shop.example/pay?order=o1"))
	p.order, p.place, p.code = &nativeO1, onDesktop, "data:image/svg+xml,x"
	shows(t, p, textScan.zh, `alt="`+textCode.zh, "68.00", textCopy.zh)
	p.place = inDesktopWeChat
	shows(t, p, textScan.zh)
	p.place = onPhone
	shows(t, p, textScanOther.zh)
}

// From WeChat's page for browsers people come back whether they have paid or not.
func TestBrowserPaysOnWeChatsPage(t *testing.T) {
	f := newFake(t, "https://shop.example/pay?order=o1").on(getO1, mwebO1).on(payO1, elsewhere)
	f.ua, f.naps = phoneUA, make(chan struct{})
	p := newPayPage(f)
	client := mount(t, p)
	p.pay(client.Context(), app.Event{})
	p.pay(client.Context(), app.Event{})
	for range 1000 {
		f.mu.Lock()
		went := f.at()
		f.mu.Unlock()
		if went != "" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if f.at() != elsewhere.MWebURL || f.made(payO1) != 1 || f.invoked != 0 {
		t.Errorf("went to %q after %q", f.at(), f.calls)
	}
	p.returned(client.Context(), fromHistory)
	client.Consume()
	if f.at() != "/result?order=o1" {
		t.Errorf("back, it went to %q", f.at())
	}

	g := newFake(t, "https://shop.example/result?order=o1").on(getO1, mwebO1)
	g.ua = phoneUA
	r := newResultPage(g)
	client = mount(t, r)
	shows(t, r, `data-status="asking"`, textHavePaid.zh, textPayAgain.zh)
	if g.made(getO1) != 1 {
		t.Errorf("asked %d times before the user said", g.made(getO1))
	}
	g.script[getO1] = []any{mwebO1, paidO1}
	r.again(client.Context(), app.Event{})
	client.Consume()
	shows(t, r, `data-status="paid"`)
}

// An order of WeChat's, opened in a browser, is not there and says why.
func TestBrowserWithoutASession(t *testing.T) {
	for _, page := range []struct {
		at   string
		open func(browser) app.Composer
	}{
		{"pay?order=o1", func(b browser) app.Composer { return newPayPage(b) }},
		{"result?order=o1", func(b browser) app.Composer { return newResultPage(b) }},
		{"order?order=o1", func(b browser) app.Composer { return newOrderPage(b) }},
	} {
		f := newFake(t, "https://shop.example/"+page.at).on(getO1, api.CodeUnauthenticated)
		f.ua = phoneUA
		p := page.open(f)
		mount(t, p)
		shows(t, p, `data-error="nobody"`, `href="/"`)
		if len(f.calls) != 1 || f.went != nil {
			t.Errorf("%s: %q, went to %q", page.at, f.calls, f.went)
		}
	}
}
