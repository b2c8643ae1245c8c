package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"h5pay/internal/fen"
	"h5pay/wechat/wechattest"
)

// Scripts that change the signer's responses in the page only.
const (
	silentSigner  = `{ const real = window.fetch.bind(window); window.fetch = (url, init) => String(url).startsWith("/api/") ? new Promise(() => {}) : real(url, init); }`
	offlineSigner = `{ const real = window.fetch.bind(window); window.online = () => { window.fetch = real; }; window.fetch = (url, init) => String(url).startsWith("/api/") ? Promise.reject(new TypeError("Failed to fetch")) : real(url, init); }`
)

const dialog = `document.querySelector("dialog[open]")`

// Every page in every state, checked by axe-core and saved as screenshots.
func TestEveryPageOfWeChat(t *testing.T) {
	p := newPlace(t, wechattest.Android)
	p.until("the shop", onShop)
	p.until("the pictures", `[...document.images].every(i => i.complete)`)
	p.screenshots("shop-empty-basket")
	for _, name := range []string{"tea", "coffee", "coffee"} {
		p.tap(fmt.Sprintf(`document.querySelector('[data-product=%q] [data-action="add"]')`, name))
	}
	p.screenshots("shop")
	p.tap(`document.querySelector('[data-action="basket"]')`)
	p.until("the basket", dialog)
	p.screenshots("basket")

	p.open(world.sim.PhoneURL + "/amount?product=tip")
	for range 7 {
		p.tap(`document.querySelector('[data-key="9"]')`)
	}
	p.screenshots("amount-too-much")

	p.open(world.sim.PhoneURL + "/")
	p.checkout()
	id := p.order()
	p.until("the order", onPay)
	p.screenshots("pay")
	p.tap(`document.querySelector('[data-action="cancel"]')`)
	p.until("the question", dialog)
	p.screenshots("pay-question")
	p.tap(button("暂不"))
	p.pay()
	p.seesPaid()
	p.screenshots("result-paid")
	refund(t, id, 2600)
	p.open(world.sim.PhoneURL + "/order?order=" + id)
	p.until("the order", `document.querySelector("[data-status]")`)
	p.screenshots("order")
	p.open(world.sim.PhoneURL + "/orders")
	p.until("the orders", `document.querySelector("[data-order]")`)
	p.screenshots("orders")
	p.open(world.sim.PhoneURL + "/pay?order=none")
	p.until("an error", `document.querySelector("[data-error]")`)
	p.screenshots("error")
	p.open(world.sim.PhoneURL + "/nothing/here")
	p.screenshots("404")
	p.open(world.sim.PhoneURL + "/offline")
	p.screenshots("offline")
	p.open(world.sim.PhoneURL + "/")
	p.until("the shop", onShop)
	p.tap(`document.querySelector('[data-action="language"]')`)
	p.until("the shop in English", `document.documentElement.lang.startsWith("en")`)
	p.screenshots("shop-english")
	checkLedger(t)
}

func TestEveryPageOutsideWeChat(t *testing.T) {
	t.Run("a computer", func(t *testing.T) {
		p := newPlace(t, wechattest.Desktop)
		p.open(world.sim.PhoneURL + "/orders")
		p.until("no orders", `document.querySelector("main .weui-msg")`)
		p.screenshots("orders-none")
		p.open(world.sim.PhoneURL + "/")
		p.choose("cake")
		p.until("the code", onPay)
		p.screenshots("pay-code")
		p.tap(`document.querySelector('[data-action="cancel"]')`)
		p.tap(`document.querySelector("dialog[open] .yes")`)
		p.until("what became of it", `document.querySelector('[data-status="closing"], [data-status="closed"]')`)
		p.screenshots("result-cancelled")
	})
	t.Run("a phone's browser", func(t *testing.T) {
		p := newPlace(t, wechattest.Chrome)
		p.choose("juice")
		fault(t, wechattest.Fault{Kind: wechattest.FaultReturnEarly})
		p.tap(`document.querySelector('[data-action="pay"]')`)
		p.until("the question", `document.querySelector('[data-status="unconfirmed"]')`)
		p.screenshots("result-unconfirmed")
	})
	t.Run("Enterprise WeChat", func(t *testing.T) {
		p := newPlace(t, wechattest.Work)
		p.until("the notice", `document.querySelector("[data-outside]")`)
		p.screenshots("shop-enterprise")
		p.open(world.sim.PhoneURL + "/pay?order=none")
		p.until("the notice", `document.querySelector("[data-outside]")`)
		p.screenshots("pay-enterprise")
	})
	checkLedger(t)
}

func TestEveryPageWithoutASigner(t *testing.T) {
	t.Run("silent", func(t *testing.T) {
		p := newPlace(t, wechattest.Desktop, silentSigner)
		for name, path := range map[string]string{"shop": "/", "pay": "/pay?order=x", "result": "/result?order=x", "orders": "/orders", "order": "/order?order=x", "amount": "/amount?product=tip"} {
			p.open(world.sim.PhoneURL + path)
			p.until("the program", `window.go || document.querySelector("main")`)
			p.screenshots("loading-" + name)
		}
	})
	t.Run("absent", func(t *testing.T) {
		p := newPlace(t, wechattest.Desktop, offlineSigner)
		p.tap(`document.querySelector('[data-product="tea"] [data-action="add"]')`)
		p.tap(button("去支付"))
		p.until("an error", `document.querySelector('[data-error="offline"] button')`)
		p.screenshots("no-connection")
		p.eval("online(), ''")
		p.tap(button("重试"))
		p.until("the shop", onShop)
	})
}

// refund refunds a part of an order by the operator's call.
func refund(t *testing.T, id string, amount fen.Fen) {
	t.Helper()
	body := fmt.Sprintf(`{"amount": %d, "reason": "少了一杯"}`, int64(amount))
	req, err := http.NewRequest("POST", world.shop.URL+"/v1/orders/"+id+"/refunds", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "e2e-"+id)
	req.Header.Set("Authorization", "Bearer "+world.env["ADMIN_TOKEN"])
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		var b bytes.Buffer
		b.ReadFrom(res.Body)
		t.Fatalf("refund: %d %s", res.StatusCode, b.String())
	}
}
