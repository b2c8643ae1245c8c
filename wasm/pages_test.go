package main

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/wasm/ui"
)

// Tests of pages that are mounted, tapped, left and restored.

const (
	getSession    = "GET " + api.PathSession
	getConfig     = "GET " + api.PathConfig
	getProducts   = "GET " + api.PathProducts
	postOrder     = "POST " + api.PathOrders
	getO1         = "GET /api/orders/o1"
	payO1         = "POST /api/orders/o1/pay"
	postAuthorize = "POST " + api.PathAuthorize
)

var (
	shopConfig = api.Config{ShopName: "山岚小铺", TradeTypes: []api.TradeType{api.TradeJSAPI}}
	catalogue  = api.ProductList{Products: []api.Product{{ID: "tea", Name: "乌龙茶", Price: 6800}}}
	pendingO1  = api.Order{ID: "o1", Status: api.StatusOpen, Total: 6800, TradeType: api.TradeJSAPI, ExpiresAt: 7_200_000}
	paidO1     = api.Order{ID: "o1", Status: api.StatusPaid, Total: 6800}
	checkoutO1 = api.Checkout{Order: pendingO1, Pay: &api.PayParams{AppID: "wx"}, PayUntil: 3_600_000}
)

// mount opens a page and waits until it is idle.
func mount(t *testing.T, page app.UI) app.ClientDispatcher {
	t.Helper()
	client := app.NewClientTester(page)
	t.Cleanup(client.Close)
	return client
}

// htmlOf returns a screen as HTML. It fails the test if the site's style lacks a rule that the
// screen needs.
func htmlOf(t *testing.T, screen app.UI) string {
	t.Helper()
	html := app.HTMLString(screen)
	checkStyle(t, html)
	return html
}

// shows fails the test unless the page contains all parts.
func shows(t *testing.T, page app.Composer, parts ...string) {
	t.Helper()
	got := htmlOf(t, page.Render())
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("no %q in\n%s", part, got)
		}
	}
}

// showsDisabled fails the test unless the buttons of actions are disabled. Attributes have no order.
func showsDisabled(t *testing.T, page app.Composer, actions ...string) {
	t.Helper()
	got := htmlOf(t, page.Render())
	for _, action := range actions {
		button := regexp.MustCompile(`<button[^>]* data-action="` + action + `"[^>]*>`).FindString(got)
		if !strings.Contains(strings.ReplaceAll(button, `disabled="false"`, ""), " disabled") {
			t.Errorf("the button %q can be used: %s", action, button)
		}
	}
}

func TestPayPage(t *testing.T) {
	const result = "/result?order=o1"
	for _, test := range []struct {
		name   string
		orders []any // responses to GET, after the sheet
		pays   []any // responses for loading
		says   string
		went   string
		canPay string
	}{
		{"paid", nil, []any{checkoutO1}, "get_brand_wcpay_request:ok", result, textPaying.ZH},
		{"cancelled", []any{pendingO1}, []any{checkoutO1}, "get_brand_wcpay_request:cancel", "", textCancelled.ZH},
		{"reported as cancelled", []any{paidO1}, []any{checkoutO1}, "get_brand_wcpay_request:cancel", result, ""},
		{"failed", []any{pendingO1}, []any{checkoutO1}, "get_brand_wcpay_request:fail_no money", "", textPayFailed.ZH + " (no money)"},
		{"reported as failed", []any{paidO1}, []any{checkoutO1}, "get_brand_wcpay_request:fail", result, ""},
		{"failed, then offline", []any{errors.New("down")}, []any{checkoutO1}, "get_brand_wcpay_request:fail", "", textPayFailed.ZH},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/pay?order=o1").on(getO1, test.orders...).on(payO1, test.pays...)
			f.now = time.UnixMilli(1)
			f.reply.ErrMsg, f.sleeps = test.says, make(chan struct{})
			p := newPayPage(f)
			client := mount(t, p)
			shows(t, p, `data-action="pay"`, "68.00")
			if d := cmp.Diff([]string{payO1 + ` {"trade_types":["JSAPI","NATIVE"]}`}, f.calls); d != "" {
				t.Errorf("loading the page calls (-want +got):\n%s", d)
			}
			p.pay(client.Context(), app.Event{})
			p.pay(client.Context(), app.Event{}) // a double tap
			client.Consume()
			if f.countCalls(payO1) != 1 || f.invoked != 1 {
				t.Errorf("%d calls, %d sheets", f.countCalls(payO1), f.invoked)
			}
			if f.lastNavigation() != test.went {
				t.Errorf("navigated to %q, want %q", f.lastNavigation(), test.went)
			}
			shows(t, p, test.canPay)
		})
	}
}

// If the parameters are about to expire, or the signer's time is unknown, the tap renews them. The
// order may have ended meanwhile.
func TestPayPageRenewsBeforeTheSheet(t *testing.T) {
	closedO1, newer := pendingO1, checkoutO1
	closedO1.Status = api.StatusClosed
	newer.Pay, newer.PayUntil = &api.PayParams{AppID: "newer"}, pendingO1.ExpiresAt
	for _, test := range []struct {
		name   string
		left   time.Duration // until the first parameters expire; 0: no response has a Date header
		order  []any
		again  any
		sheets int
		went   string
		canPay string
	}{
		{"just in time", renewBefore, nil, newer, 1, "/result?order=o1", ""},
		{"about to expire", renewBefore - time.Millisecond, nil, newer, 1, "/result?order=o1", ""},
		{"expired", -time.Hour, nil, newer, 1, "/result?order=o1", ""},
		{"no Date header", 0, nil, newer, 1, "/result?order=o1", ""},
		{"paid meanwhile", time.Second, nil, api.CodeOrderPaid, 0, "/result?order=o1", ""},
		{"closed meanwhile", time.Second, []any{closedO1}, api.CodeOrderNotPayable, 0, "/result?order=o1", ""},
		{"too old", time.Second, []any{pendingO1}, api.CodeOrderNotPayable, 0, "", `data-error="order_not_payable"`},
		{"signed out", time.Second, nil, api.CodeUnauthenticated, 0, "", textSignIn.ZH},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/pay?order=o1").on(payO1, checkoutO1, test.again).on(getO1, test.order...)
			if test.left != 0 {
				f.now = time.UnixMilli(checkoutO1.PayUntil).Add(-test.left)
			}
			f.reply.ErrMsg, f.sleeps = "get_brand_wcpay_request:ok", make(chan struct{})
			p := newPayPage(f)
			client := mount(t, p)
			p.pay(client.Context(), app.Event{})
			client.Consume()
			renewals := 1
			if test.left == renewBefore {
				renewals = 0
			}
			if f.countCalls(payO1+` {"trade_types":["JSAPI"],"renew":true}`) != renewals || f.invoked != test.sheets || f.lastNavigation() != test.went {
				t.Errorf("%d sheets, navigated to %q after %q", f.invoked, f.lastNavigation(), f.calls)
			}
			if renewals == 1 && test.sheets == 1 && p.offer.Pay.AppID != "newer" {
				t.Errorf("the page keeps %+v", p.offer)
			}
			shows(t, p, test.canPay)
		})
	}
}

// After an unknown reply the page queries the signer. It then offers another attempt and shows the
// reply.
func TestPayPageUnknownResult(t *testing.T) {
	unpaid := pendingO1
	unpaid.NotPaid = true
	for _, test := range []struct {
		name   string
		orders []any
		says   string
		went   string
		canPay []string
	}{
		{"not paid", []any{unpaid}, "huh\u202e", "", []string{textPayUnknown.ZH + " (huh)", ">" + textPay.ZH + "<"}},
		{"an empty reply", []any{unpaid}, "", "", []string{textPayUnknown.ZH + "<", ">" + textPay.ZH + "<"}},
		{"paid", []any{paidO1}, "huh", "/result?order=o1", nil},
		{"offline", []any{errors.New("down")}, "huh", "", []string{textPayUnknown.ZH, ">" + textPay.ZH + "<"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/pay?order=o1").on(getO1, test.orders...).on(payO1, checkoutO1)
			f.reply.ErrMsg, f.now = test.says, time.UnixMilli(1)
			p := newPayPage(f)
			client := mount(t, p)
			p.pay(client.Context(), app.Event{})
			client.Consume()
			if f.lastNavigation() != test.went {
				t.Errorf("navigated to %q, want %q", f.lastNavigation(), test.went)
			}
			shows(t, p, test.canPay...)
			if test.went != "" {
				return
			}
			f.calls, f.reply.ErrMsg = nil, "get_brand_wcpay_request:ok"
			p.pay(client.Context(), app.Event{})
			client.Consume()
			if f.countCalls(payO1+` {"trade_types":["JSAPI"],"renew":true}`) != 1 {
				t.Errorf("the next try has the old parameters: %q", f.calls)
			}
		})
	}
}

// The client rejected a prepay_id: the next attempt requests a new one.
func TestPayPageRenews(t *testing.T) {
	f := newFake(t, "https://shop.example/pay?order=o1").on(getO1, pendingO1).on(payO1, checkoutO1)
	f.sleeps, f.now = make(chan struct{}), time.UnixMilli(1)
	p := newPayPage(f)
	client := mount(t, p)
	for _, test := range []struct {
		says  string
		sends []string
	}{
		{"get_brand_wcpay_request:fail", nil},
		{"get_brand_wcpay_request:cancel", []string{payO1 + ` {"trade_types":["JSAPI"],"renew":true}`}},
		{"get_brand_wcpay_request:ok", nil},
	} {
		f.calls, f.reply.ErrMsg = nil, test.says
		p.pay(client.Context(), app.Event{})
		client.Consume()
		var sent []string
		for _, c := range f.calls {
			if strings.HasPrefix(c, payO1) {
				sent = append(sent, c)
			}
		}
		if d := cmp.Diff(test.sends, sent); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.says, d)
		}
	}
}

func TestPayPageOnLoad(t *testing.T) {
	for _, test := range []struct {
		name    string
		address string
		script  map[string][]any
		went    string
		canPay  string
	}{
		{"paid already", "/pay?order=o1", map[string][]any{payO1: {api.CodeOrderPaid}}, "/result?order=o1", "skeleton"},
		{"paid while it loads", "/pay?order=o1", map[string][]any{payO1: {api.Checkout{Order: paidO1}}}, "/result?order=o1", "skeleton"},
		{"closed", "/pay?order=o1", map[string][]any{payO1: {api.CodeOrderNotPayable}, getO1: {api.Order{ID: "o1", Status: api.StatusClosed}}}, "/result?order=o1", "skeleton"},
		{"too old", "/pay?order=o1", map[string][]any{payO1: {api.CodeOrderNotPayable}, getO1: {pendingO1}}, "", `data-error="order_not_payable"`},
		{"WeChat is busy", "/pay?order=o1", map[string][]any{payO1: {api.CodeWeChatBusy}}, "", `data-error="wechat_unavailable"`},
		{"no order", "/pay", nil, "", `data-error="no_order"`},
		{"a strange order", "/pay?order=../x", nil, "", `data-error="no_order"`},
		{"not theirs", "/pay?order=o1", map[string][]any{payO1: {api.CodeNotFound}}, "", `data-error="not_found"`},
		{"another's answer", "/pay?order=o1", map[string][]any{payO1: {api.Checkout{Order: api.Order{ID: "o2"}}}}, "", `data-error="bad_response"`},
		{"no session", "/pay?order=o1",
			map[string][]any{payO1: {api.CodeUnauthenticated}, getSession: {api.CodeUnauthenticated}, postAuthorize: {authorize}}, authorize.URL, "skeleton"},
		{"back from WeChat", "/pay?order=o1&code=c&state=s",
			map[string][]any{"POST " + api.PathToken: {api.TokenResponse{}}, payO1: {checkoutO1}}, "", `data-action="pay"`},
		{"declined", "/pay?order=o1&state=s", map[string][]any{getSession: {api.CodeUnauthenticated}}, "", `data-error="sign_in_declined"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example"+test.address)
			for call, answers := range test.script {
				f.on(call, answers...)
			}
			p := newPayPage(f)
			mount(t, p)
			if f.lastNavigation() != test.went || strings.Contains(f.Href(), "state=") {
				t.Errorf("at %s, navigated to %q, want %q", f.Href(), f.lastNavigation(), test.went)
			}
			shows(t, p, test.canPay)
		})
	}
}

// Back restores the page with the sheet open. That sheet has closed, and the page ignores its
// callback.
func TestPayPageReturns(t *testing.T) {
	f := newFake(t, "https://shop.example/pay?order=o1").on(getO1, pendingO1).on(payO1, checkoutO1)
	f.sheetOpen, f.sleeps, f.now = make(chan struct{}), make(chan struct{}), time.UnixMilli(1)
	p := newPayPage(f)
	client := mount(t, p)
	p.pay(client.Context(), app.Event{})
	shows(t, p, textPaying.ZH)
	p.onReturn(client.Context(), fromHistory)
	client.Consume()
	shows(t, p, ">"+textPay.ZH+"<")

	f.on(getO1, paidO1)
	f.onReturn(fromHistory)
	client.Consume()
	f.onReturn(fromHistory)
	client.Consume()
	if f.lastNavigation() != "/result?order=o1" {
		t.Errorf("navigated to %q", f.lastNavigation())
	}
}

func TestResultPage(t *testing.T) {
	closedO1 := api.Order{ID: "o1", Status: api.StatusClosed}
	for _, test := range []struct {
		name   string
		script map[string][]any
		went   string
		canPay string
		newKey bool
	}{
		{"paid", map[string][]any{getO1: {pendingO1, paidO1}}, "", `data-status="paid"`, true},
		{"closed", map[string][]any{getO1: {closedO1}}, "", `data-status="closed"`, true},
		{"still", map[string][]any{getO1: {pendingO1}}, "", `data-status="still"`, false},
		{"offline", map[string][]any{getO1: {errors.New("down")}}, "", `data-error="offline"`, false},
		{"still, then offline", map[string][]any{getO1: {pendingO1, errors.New("down")}}, "", `data-status="still"`, false},
		{"question, then offline", map[string][]any{getO1: {mwebO1, errors.New("down")}}, "", `data-status="unconfirmed"`, false},
		{"not theirs", map[string][]any{getO1: {api.CodeNotFound}}, "", `data-error="not_found"`, false},
		{"no session", map[string][]any{getO1: {api.CodeUnauthenticated}, getSession: {api.CodeUnauthenticated}, postAuthorize: {authorize}},
			authorize.URL, `data-status="confirming"`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, "https://shop.example/result?order=o1")
			for call, answers := range test.script {
				f.on(call, answers...)
			}
			key := (draft{f, ""}).key()
			f.Remember(keyOrder, "o1")
			p := newResultPage(f)
			mount(t, p)
			if f.lastNavigation() != test.went {
				t.Errorf("navigated to %q", f.lastNavigation())
			}
			shows(t, p, test.canPay)
			if renewed := (draft{f, ""}).key() != key; renewed != test.newKey {
				t.Errorf("new key %t", renewed)
			}
		})
	}
}

func TestResultPageQueriesAgain(t *testing.T) {
	f := newFake(t, "https://shop.example/result?order=o1").on(getO1, pendingO1)
	p := newResultPage(f)
	client := mount(t, p)
	shows(t, p, textCheckAgain.ZH, textBackToPay.ZH)
	f.script[getO1] = []any{paidO1}
	p.load(client.Context())
	p.load(client.Context()) // a double tap
	shows(t, p, `data-status="confirming"`)
	client.Consume()
	shows(t, p, `data-status="paid"`)
	if f.countCalls(getO1) != len(pollPauses)+2 {
		t.Errorf("%d queries", f.countCalls(getO1))
	}
}

// The language changes at once and stays for the next page.
func TestSwitchLanguage(t *testing.T) {
	f := shopScript(newFake(t, "https://shop.example/"))
	p := newShopPage(f)
	client := mount(t, p)
	shows(t, p, textCheckout.ZH, textLanguage.EN)
	if f.documentLang != "zh-CN" {
		t.Errorf("the language of the document is %q", f.documentLang)
	}
	p.switchLang(client.Context(), app.Event{})
	client.Consume()
	shows(t, p, textCheckout.EN, textLanguage.ZH)
	if f.documentLang != "en" || langOf(f) != ui.English {
		t.Errorf("the language of the document is %q, the next one %q", f.documentLang, langOf(f))
	}
	q := newPayPage(newFake(t, "https://shop.example/pay"))
	q.lang = ui.English
	client = mount(t, q)
	shows(t, q, errorTexts[codeNoOrder].Title.EN)
	if title := client.Context().Page().Title(); title != textPayTitle.EN {
		t.Errorf("title %q", title)
	}
}
