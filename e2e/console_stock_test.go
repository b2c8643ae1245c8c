package e2e

import (
	"testing"

	"h5pay/internal/v1"
)

// An operator keeps one piece in stock. It is sold out while an order holds it, for the next shopper and in
// the console.
func TestConsoleStock(t *testing.T) {
	drain(t)
	tb := consoleTab(t, everyScope...)
	const path, soldOut = "/console/product?id=cake", `document.querySelector('[data-product="cake"] [data-action="sold-out"]:disabled')`
	defer callV1(t, "/v1/products/cake/stock", v1.ChangeStock{Unlimited: true}, &v1.Product{})
	tb.open(world.sim.PhoneURL + path)
	tb.until("a product without a stock", `document.querySelector('[data-stock="unlimited"]')`)
	tb.fill("stock-set", "3")
	tb.tap(button("设置"))
	tb.until("three pieces", `document.querySelector('[data-stock="pieces"]')?.innerText === "3"`)
	tb.fill("stock-add", "-2")
	tb.tap(button("增减"))
	tb.until("one piece", `document.querySelector('[data-stock="pieces"]')?.innerText === "1"`)
	tb.looks("product-stock")

	first := newPhone(t, 0)
	first.choose("cake")
	first.order()
	tb.goTo("/console/products", "商品")
	tb.until("that it is sold out", `document.querySelector('[data-product="cake"] [data-status="sold-out"]')`)

	second := newPhone(t, 1)
	second.until("the end of the sign-in", `document.querySelector('[data-waits="false"]')`)
	if second.eval(`document.querySelector('[data-product="cake"] [data-action="add"]') ? "yes" : ""`) != "" { // the page is up to a minute old
		second.tap(`document.querySelector('[data-product="cake"] [data-action="add"]')`)
		second.tap(button("去支付"))
		second.until("the message", `document.querySelector('[data-error="out_of_stock"]')`)
		second.screenshot("out-of-stock")
		second.tap(button("重试"))
	}
	second.until("that it is sold out", soldOut)
	second.accessible("a product that is sold out")
	second.screenshot("sold-out")
}
