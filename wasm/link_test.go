package main

import (
	"strings"
	"testing"

	"h5pay/internal/api"
)

const linkAddress = "https://shop.example/l/0123456789abcdefghijklmnop"

// linkAt returns the page of a link in a place.
func linkAt(b *fake, at place, l api.PaymentLink) *linkPage {
	p := newLinkPage(b)
	p.place, p.link, p.token, p.ctx = at, &l, tokenAfter(b.Path(), api.PathLink), b.t.Context()
	return p
}

// Every state of a link is a page of its own, in both languages.
func TestLinkScreens(t *testing.T) {
	all := []api.TradeType{api.TradeJSAPI, api.TradeNative, api.TradeMWEB}
	fixed := api.PaymentLink{ShopName: "小店", Title: "票 <b>", Description: "七号", State: api.LinkOpen, Amount: 6800, TradeTypes: all}
	named := api.PaymentLink{ShopName: "小店", Title: "票 <b>", State: api.LinkOpen, Bounds: &api.AmountBounds{Min: 100, Max: 5000}, TradeTypes: all}
	state := func(s api.LinkState) api.PaymentLink {
		l := fixed
		l.State = s
		return l
	}
	jsapi := fixed
	jsapi.TradeTypes = all[:1]
	for _, test := range []struct {
		name  string
		place place
		link  api.PaymentLink
		state string
		has   []text
		no    []text
	}{
		{"fixed", inWeChat, fixed, "open", []text{textPayTo, textPayNow, textRemark}, []text{textPad}},
		{"named", onDesktop, named, "open", []text{textAmount, textWithin, textPayNow}, nil},
		{"withdrawn", inWeChat, state(api.LinkWithdrawn), "withdrawn", []text{textLinkWithdrawn, textLinkHint}, []text{textPayNow}},
		{"expired", inWeChat, state(api.LinkExpired), "expired", []text{textLinkExpired, textLinkHint}, []text{textPayNow}},
		{"sold out", inWeChat, state(api.LinkSoldOut), "sold_out", []text{textLinkSoldOut, textLinkSoldOutHint}, []text{textPayNow}},
		{"JSAPI alone, on a desktop", onDesktop, jsapi, "outside", []text{textOutside, textCopy}, []text{textPayNow}},
	} {
		for _, tag := range []string{"zh-CN", "en"} {
			f := newFake(t, linkAddress)
			f.tag = tag
			p := linkAt(f, test.place, test.link)
			html := htmlOf(t, p.Render())
			if !strings.Contains(html, `data-state="`+test.state+`"`) || strings.Contains(html, "<b>") || strings.Contains(html, `href="/"`) {
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
	f := newFake(t, "https://shop.example/l/0").on("GET /api/l/0", api.CodeNotFound)
	p := linkAt(f, inWeChat, fixed)
	if _, err := p.look(t.Context()); code(err) != codeNoLink {
		t.Errorf("an unknown link: %v", err)
	}
}

// The amount is within the bounds. One amount is one order until that is paid or has ended.
func TestLinkOrders(t *testing.T) {
	open := api.LinkOrder{Status: api.StatusOpen, Path: "/o/0123456789abcdefghijklmnop"}
	paid := api.LinkOrder{Status: api.StatusPaid, Path: "/o/0123456789abcdefghijklmnop"}
	path := "POST /api/l/0123456789abcdefghijklmnop/orders"
	named := api.PaymentLink{State: api.LinkOpen, Bounds: &api.AmountBounds{Min: 100, Max: 5000}, TradeTypes: []api.TradeType{api.TradeNative}}
	for typed, want := range map[entry]int64{"": 0, "0.99": 0, "1": 100, "42.5": 4250, "50": 5000, "50.01": 0} {
		p := linkAt(newFake(t, linkAddress), onDesktop, named)
		p.amount = typed
		if got := p.total(); int64(got) != want {
			t.Errorf("%q is %d fen, want %d", typed, got, want)
		}
	}
	for name, c := range map[string]struct {
		answers []any
		path    string
		err     api.Code
		calls   int
		keys    int // different ones
	}{
		"open":              {[]any{open}, open.Path, "", 1, 1},
		"paid before":       {[]any{paid, open}, open.Path, "", 2, 2},
		"another's key":     {[]any{api.CodeConflict, open}, open.Path, "", 2, 2},
		"always paid":       {[]any{paid}, "", api.CodeOrderNotPayable, 2, 2},
		"ended":             {[]any{api.CodeLinkEnded}, "", api.CodeLinkEnded, 1, 1},
		"leads elsewhere":   {[]any{api.LinkOrder{Status: api.StatusOpen, Path: "https://evil.example/"}}, "", api.CodeOrderNotPayable, 2, 2},
		"not of the signer": {[]any{api.LinkOrder{}}, "", codeBadResponse, 1, 1},
	} {
		f := newFake(t, linkAddress).on(path, c.answers...)
		p := linkAt(f, onDesktop, named)
		d := draft{f, ".test"}
		got, err := p.placeOrder(d, 4250)
		keys := map[string]bool{}
		for _, call := range f.calls {
			keys[call] = true
			if !strings.Contains(call, `"amount":4250`) {
				t.Errorf("%s: %s", name, call)
			}
		}
		if got != c.path || code(err) != c.err || len(f.calls) != c.calls || len(keys) != c.keys {
			t.Errorf("%s: %q, %v, calls %q", name, got, err, f.calls)
		}
	}
}
