package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
)

// rendered renders a screen in the state that set prepares.
func rendered(set func(b *fake) app.UI, t *testing.T) string {
	t.Helper()
	return htmlOf(t, set(newFake(t, "https://shop.example/pay?order=o1")))
}

func TestScreens(t *testing.T) {
	order := api.Order{
		ID: "o1", Status: api.StatusPaid, Total: 13600, TradeType: api.TradeJSAPI, PaidAt: 1795434865000, PaymentNo: "4200000000202611230000000001",
		Items: []api.OrderLine{{Name: "茶 <b>", Price: 6800, Quantity: 2}},
	}
	pending := order
	pending.Status = api.StatusOpen
	closed := order
	closed.Status = api.StatusClosed
	for _, test := range []struct {
		name   string
		screen func(b *fake) app.UI
		has    []string
		hasNot []string
	}{
		{"shop, loading", func(b *fake) app.UI { return newShopPage(b).Render() },
			[]string{"aria-busy", "skeleton"}, []string{"data-outside"}},
		{"shop, outside", func(b *fake) app.UI {
			p := newShopPage(b)
			p.place, p.products = onDesktop, []api.Product{{ID: "tea", Name: "茶", Price: 6800}}
			return p.Render()
		}, []string{"data-outside", "请在微信中打开", `data-product="tea"`, "68.00"}, nil},
		{"shop, empty", func(b *fake) app.UI {
			p := newShopPage(b)
			p.products = []api.Product{}
			return p.Render()
		}, []string{textEmpty.ZH}, []string{"skeleton"}},
		{"pay", func(b *fake) app.UI {
			p := newPayPage(b)
			p.order = &pending
			return p.Render()
		}, []string{"136.00", `data-action="pay"`, "茶 &lt;b&gt;", `disabled="false"`}, nil},
		{"paying", func(b *fake) app.UI {
			p := newPayPage(b)
			p.order, p.paying = &pending, true
			return p.Render()
		}, []string{textPaying.ZH}, []string{`disabled="false"`}},
		{"an error", func(b *fake) app.UI {
			p := newPayPage(b)
			p.err = &api.Error{Code: api.CodeNotFound, RequestID: "request-1"}
			return p.Render()
		}, []string{`data-error="not_found"`, `href="/"`, "request-1"}, nil},
		{"another error", func(b *fake) app.UI {
			p := newPayPage(b)
			p.err = errors.New("not the signer's")
			return p.Render()
		}, []string{"data-error", "<button"}, []string{"not the signer"}},
		{"result, confirming", func(b *fake) app.UI {
			p := newResultPage(b)
			p.order, p.watching = &pending, true
			return p.Render()
		}, []string{`data-status="confirming"`}, []string{textPaid.ZH}},
		{"result, still", func(b *fake) app.UI {
			p := newResultPage(b)
			p.order = &pending
			return p.Render()
		}, []string{`data-status="still"`, textCheckAgain.ZH}, []string{textPaid.ZH}},
		{"result, paid", func(b *fake) app.UI {
			p := newResultPage(b)
			p.order = &order
			return p.Render()
		}, []string{`data-status="paid"`, textPaid.ZH, "2026-11-23 19:54:25", order.PaymentNo}, nil},
		{"result, paid twice", func(b *fake) app.UI {
			p := newResultPage(b)
			twice := order
			twice.Refunds = []api.Refund{{ID: "DUP1", Amount: 13600, Status: api.RefundProcessing, Duplicate: true}}
			p.order = &twice
			return p.Render()
		}, []string{`data-status="paid"`, textPaid.ZH, textPaidTwice.ZH, `data-duplicate="processing"`}, nil},
		{"result, paid twice and refunded", func(b *fake) app.UI {
			p := newResultPage(b)
			twice := order
			twice.Refunds = []api.Refund{{ID: "DUP1", Amount: 13600, Status: api.RefundSucceeded, Duplicate: true}, {ID: "R", Amount: 100, Status: api.RefundSucceeded}}
			p.order = &twice
			return p.Render()
		}, []string{textPaidTwiceDone.ZH}, []string{textPaidTwice.ZH}},
		{"result, closed", func(b *fake) app.UI {
			p := newResultPage(b)
			p.order = &closed
			return p.Render()
		}, []string{`data-status="closed"`, textClosed.ZH}, []string{textPaid.ZH}},
		{"result, paid, without a receipt", func(b *fake) app.UI {
			p := newResultPage(b)
			p.order = &api.Order{ID: "o1", Status: api.StatusPaid}
			return p.Render()
		}, []string{`data-status="paid"`, textOrderNo.ZH}, []string{"1970", textPaymentNo.ZH}},
		{"result, paid, WeChat has not reported when", func(b *fake) app.UI {
			p := newResultPage(b)
			p.order = &api.Order{ID: "o1", Status: api.StatusPaid, PaidAtUnknown: true, PaymentNo: order.PaymentNo}
			return p.Render()
		}, []string{`data-status="paid"`, textPaidAt.ZH, textNotKnownYet.ZH}, []string{"1970"}},
		{"result, outside", func(b *fake) app.UI {
			p := newResultPage(b)
			p.place = inWork
			return p.Render()
		}, []string{"data-outside", "<button"}, []string{"data-status"}},
		{"pay, in Enterprise WeChat", func(b *fake) app.UI {
			p := newPayPage(b)
			p.place = inWork
			return p.Render()
		}, []string{"data-outside", textWorkHint.ZH}, []string{"skeleton"}},
		{"pay, loading", func(b *fake) app.UI { return newPayPage(b).Render() }, []string{"skeleton"}, []string{"data-outside"}},
		{"pay, failed", func(b *fake) app.UI {
			p := newPayPage(b)
			p.order, p.lastResult = &pending, textPayFailed.ZH
			return p.Render()
		}, []string{textPayFailed.ZH, `role="status"`}, nil},
		{"shop, without a picture", func(b *fake) app.UI {
			p := newShopPage(b)
			p.acceptedTypes, p.products = shopConfig.TradeTypes, []api.Product{{ID: "tea", Name: "茶", Price: 6800}}
			return p.Render()
		}, []string{"去支付", "disabled"}, []string{"<img"}},
		{"shop, chosen", func(b *fake) app.UI {
			p := newShopPage(b)
			p.acceptedTypes, p.products, p.basket = shopConfig.TradeTypes, []api.Product{{ID: "tea", Name: "茶", Price: 6800}}, basket{"tea": 2}
			return p.Render()
		}, []string{"136.00", "去支付 (2)", `data-action="remove"`}, nil},
		{"shop, ordering", func(b *fake) app.UI {
			p := newShopPage(b)
			p.acceptedTypes, p.products, p.basket, p.ordering = shopConfig.TradeTypes, []api.Product{{ID: "tea", Name: "茶", Price: 6800}}, basket{"tea": 2}, true
			return p.Render()
		}, []string{textOrdering.ZH}, []string{"去支付"}},
	} {
		got := rendered(test.screen, t)
		for _, part := range test.has {
			if !strings.Contains(got, part) {
				t.Errorf("%s lacks %q:\n%s", test.name, part, got)
			}
		}
		for _, part := range test.hasNot {
			if strings.Contains(got, part) {
				t.Errorf("%s has %q:\n%s", test.name, part, got)
			}
		}
	}
}

// Every error has a title, a button and its code on the screen.
func TestFailures(t *testing.T) {
	for c := range errorTexts {
		p := newPayPage(newFake(t, "https://shop.example/pay?order=o1"))
		p.err = &api.Error{Code: c}
		got := htmlOf(t, p.Render())
		for _, part := range []string{`data-error="` + string(c) + `"`, `class="weui-btn`, errorTextOf(c).Title.ZH, errorTextOf(c).Hint.ZH} {
			if !strings.Contains(got, part) {
				t.Errorf("%s lacks %q:\n%s", c, part, got)
			}
		}
	}
}
