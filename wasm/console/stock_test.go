package main

import (
	"strings"
	"testing"

	"h5pay/internal/api"
	"h5pay/internal/v1"
)

func pieces(n int64) *int64 { return &n }

// The list and the product show the stock, also one that was oversold.
func TestStockIsShown(t *testing.T) {
	for _, test := range []struct {
		stock                 *int64
		list, product, hidden string
	}{
		{nil, "", `data-stock="unlimited"`, `id="stock-add"`},
		{pieces(7), `data-stock="left"`, `<span data-stock="pieces">`, textOversoldHint.ZH},
		{pieces(0), textSoldOut.ZH, `id="stock-add"`, textOversoldHint.ZH},
		{pieces(-2), textOversold.ZH + " 2", textOversoldHint.ZH, textSoldOut.ZH},
	} {
		f := full(t, every)
		one := v1.Product{ID: "tea", Name: "高山乌龙茶", Price: 6800, ForSale: true, Stock: test.stock}
		f.script["GET /v1/products"], f.script["GET /v1/products/tea"] = []any{v1.Products{Products: []v1.Product{one}}}, []any{one}
		list, _ := opened(t, f, screensOf()["/console/products"])
		if html := htmlOf(list); !strings.Contains(html, test.list) || test.stock == nil && strings.Contains(html, "data-stock") {
			t.Errorf("the list lacks %q: %s", test.list, html)
		}
		f.query = "id=tea"
		product, _ := opened(t, f, screensOf()["/console/product"])
		if html := htmlOf(product); !strings.Contains(html, test.product) || strings.Contains(html, test.hidden) {
			t.Errorf("lacks %q or has %q: %s", test.product, test.hidden, html)
		}
	}
}

// A change is sent as it was typed. After a failure the same change has the same key.
func TestStockIsChanged(t *testing.T) {
	f := full(t, every)
	f.query = "id=tea"
	f.script["GET /v1/products/tea"] = []any{v1.Product{ID: "tea", Name: "茶", Price: 1, Stock: pieces(3)}}
	const change = "POST /v1/products/tea/stock"
	f.on(change, api.CodeInternal, v1.Product{ID: "tea", Stock: pieces(15)}, v1.Product{ID: "tea", Stock: pieces(27)}, v1.Product{ID: "tea", Stock: pieces(0)}, v1.Product{ID: "tea"})
	screen, client := opened(t, f, screensOf()["/console/product"])
	p := screen.(*productScreen)
	add := func(n int64) v1.ChangeStock { return v1.ChangeStock{Add: n} }
	set := func(n int64) v1.ChangeStock { return v1.ChangeStock{Set: &n} }
	for _, typed := range []string{"", "x", "1.5", "0", "1000001", "-1000001"} {
		p.changeStock("stock-add", typed, add)
		settle(client)
		if p.said != textBadStock.ZH {
			t.Errorf("%q: %q", typed, p.said)
		}
	}
	p.changeStock("stock-set", "-1", set)
	settle(client)
	if n := len(callsOf(f, change)); n != 0 {
		t.Errorf("%d calls", n)
	}
	var keys []string
	for _, want := range []*int64{pieces(3), pieces(15), pieces(27)} {
		p.stockAdd = "12"
		p.changeStock("stock-add", p.stockAdd, add)
		keys = append(keys, p.stockKey)
		settle(client)
		if got := p.product.Stock; got == nil || *got != *want {
			t.Errorf("the stock is %v, want %d", got, *want)
		}
	}
	if keys[0] != keys[1] || keys[1] == keys[2] || p.stockAdd != "" {
		t.Errorf("keys %q, typed %q", keys, p.stockAdd)
	}
	p.changeStock("stock-set", " 0 ", set)
	settle(client)
	p.sendStock(v1.ChangeStock{Unlimited: true})
	settle(client)
	if p.product.Stock != nil {
		t.Errorf("the stock is %d", *p.product.Stock)
	}
	sent := callsOf(f, change)
	for i, want := range []string{`{"add":12}`, `{"add":12}`, `{"add":12}`, `{"set":0}`, `{"unlimited":true}`} {
		if len(sent) != 5 || !strings.Contains(sent[i], want) {
			t.Errorf("%q, want %s", sent, want)
		}
	}
}

// callsOf returns the calls of a route.
func callsOf(f *fake, route string) (all []string) {
	for _, c := range f.calls {
		if strings.HasPrefix(c, route) {
			all = append(all, c)
		}
	}
	return all
}
