package main

import (
	"strings"
	"testing"

	"h5pay/internal/api"
)

func TestTokenOf(t *testing.T) {
	for path, want := range map[string]string{
		"/o/0123456789abcdefghijklmnop": "0123456789abcdefghijklmnop", "/o/": "", "/o": "", "/o/A": "", "/o/a/b": "", "/pay": "", "/o/" + strings.Repeat("a", 65): "",
	} {
		if got := tokenOf(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// customerAt returns the customer's page of an order in a place.
func customerAt(b *fake, at place, o api.CustomerOrder) *customerPage {
	p := newCustomerPage(b)
	p.place, p.order = at, &o
	p.trade = p.tradeFor(o)
	return p
}

// Every state of an order is a page of its own, in both languages.
func TestCustomerScreens(t *testing.T) {
	open := api.CustomerOrder{
		Order:    api.Order{ID: "o1", Status: api.StatusOpen, Total: 13600, ExpiresAt: 1795434865000, Items: []api.OrderLine{{Name: "茶 <b>", Price: 6800, Quantity: 2}}},
		ShopName: "小店", Description: "七号桌", TradeTypes: []api.TradeType{api.TradeJSAPI, api.TradeNative, api.TradeMWEB},
	}
	with := func(change func(*api.CustomerOrder)) api.CustomerOrder {
		o := open
		change(&o)
		return o
	}
	status := func(s api.OrderStatus) api.CustomerOrder { return with(func(o *api.CustomerOrder) { o.Status = s }) }
	for _, test := range []struct {
		name  string
		place place
		order api.CustomerOrder
		set   func(*customerPage)
		state string
		has   []text
		no    []text
	}{
		{"in WeChat", inWeChat, open, nil, "open", []text{textPay, textPayTo, textPayBefore}, []text{textCode}},
		{"paying", inWeChat, open, func(p *customerPage) { p.paying, p.offerRetry = true, true }, "open", []text{textPaying, textPayAgain}, nil},
		{"in a phone's browser", onPhone, open, nil, "open", []text{textPay}, []text{textCopy}},
		{"without the H5 product", onPhone, with(func(o *api.CustomerOrder) { o.TradeTypes = open.TradeTypes[:2] }), func(p *customerPage) { p.code = "data:," }, "code",
			[]text{textCode, textScanOther, textCopy, textCopyHint}, []text{textPay}},
		{"on a desktop", onDesktop, open, func(p *customerPage) { p.code = "data:," }, "code", []text{textCode, textScan}, nil},
		{"JSAPI alone, on a desktop", onDesktop, with(func(o *api.CustomerOrder) { o.TradeTypes = open.TradeTypes[:1] }), nil, "outside", []text{textOutside, textCopy}, []text{textCode}},
		{"back from WeChat's page", onPhone, open, func(p *customerPage) { p.returned = true }, "unconfirmed", []text{textHaveYouPaid}, nil},
		{"confirming", inWeChat, open, func(p *customerPage) { p.confirming = true }, "confirming", []text{textConfirming}, nil},
		{"not decided", inWeChat, open, func(p *customerPage) { p.still = true }, "still", []text{textStillConfirming, textCheckAgain}, nil},
		{"closed", inWeChat, status(api.StatusClosed), nil, "closed", []text{textClosed, textAskMerchant}, []text{textPay}},
		{"closing", inWeChat, status(api.StatusClosing), nil, "closing", []text{textClosing}, nil},
		{"expired", inWeChat, with(func(o *api.CustomerOrder) { o.Status, o.Expired = api.StatusClosed, true }), nil, "expired", []text{textExpired}, []text{textClosed}},
		{"too late", inWeChat, with(func(o *api.CustomerOrder) { o.Expired = true }), nil, "expired", []text{textExpired}, []text{textPay}},
		{"paid here", onDesktop, status(api.StatusPaid), func(p *customerPage) { p.paidHere = true }, "paid", []text{textPaid}, []text{textAlreadyPaid, textReturn}},
		{"paid, by nobody knows whom", onDesktop, status(api.StatusPaid), nil, "paid", []text{textAlreadyPaid}, []text{textPaid}},
		{"paid by the user", inWeChat, with(func(o *api.CustomerOrder) {
			o.Status, o.PaidBy, o.ReturnURL = api.StatusPaid, api.PaidByYou, "https://www.example.com/?order=o1"
		}), nil, "paid", []text{textPaid, textReturn}, nil},
		{"paid by somebody else", inWeChat, with(func(o *api.CustomerOrder) { o.Status, o.PaidBy = api.StatusPaid, api.PaidByOther }), func(p *customerPage) { p.paidHere = true },
			"paid-by-other", []text{textPaidByOther, textPaidByOtherHint}, []text{textPaid}},
		{"refunded", inWeChat, with(func(o *api.CustomerOrder) { o.Status, o.Refunded = api.StatusRefunded, 13600 }), nil, "paid", []text{textRefunded}, nil},
	} {
		for _, tag := range []string{"zh-CN", "en"} {
			f := newFake(t, "https://shop.example/o/0123456789abcdefghijklmnop")
			f.tag = tag
			p := customerAt(f, test.place, test.order)
			if test.set != nil {
				test.set(p)
			}
			html := htmlOf(t, p.Render())
			if !strings.Contains(html, `data-state="`+test.state+`"`) || !strings.Contains(html, "茶 &lt;b&gt;") || strings.Contains(html, `href="/"`) {
				t.Errorf("%s, %s: %s", test.name, tag, html)
			}
			for _, want := range test.has {
				if !strings.Contains(html, p.tr(want)) {
					t.Errorf("%s lacks %q: %s", test.name, p.tr(want), html)
				}
			}
			for _, other := range test.no {
				if strings.Contains(html, ">"+p.tr(other)+"<") {
					t.Errorf("%s has %q: %s", test.name, p.tr(other), html)
				}
			}
		}
	}
}

func TestCustomerPageCannotPay(t *testing.T) {
	for _, at := range []place{inWork, inMiniProgram} {
		f := newFake(t, "https://shop.example/o/0123456789abcdefghijklmnop")
		p := newCustomerPage(f)
		p.place = at
		if html := htmlOf(t, p.Render()); !strings.Contains(html, "data-outside") || !strings.Contains(html, textCopy.ZH) || strings.Contains(html, `href="/"`) {
			t.Errorf("place %d: %s", at, html)
		}
	}
	f := newFake(t, "https://shop.example/o/0123456789abcdefghijklmnop").on("GET /api/o/0123456789abcdefghijklmnop", api.CodeNotFound)
	p := newCustomerPage(f)
	p.token = tokenOf(f.Path())
	_, p.err = p.look(t.Context())
	if html := htmlOf(t, p.Render()); !strings.Contains(html, `data-error="no_link"`) || strings.Contains(html, "<button") || strings.Contains(html, `href="/"`) {
		t.Errorf("unknown: %s", html)
	}
}
