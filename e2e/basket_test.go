package e2e

import "testing"

func TestBasketCounts(t *testing.T) {
	p := newPhone(t, 1)
	step := func(action string) {
		t.Helper()
		p.tap(`document.querySelector('[data-product="bun"] [data-action="` + action + `"]')`)
	}
	step("add")
	step("add")
	p.sees("31.80")
	step("remove")
	p.until("one bun", `document.querySelector(".bar").innerText.includes("15.90")`)
	step("remove")
	p.until("an empty basket", `document.querySelector('[data-action="checkout"]').disabled`)
}

// Back from the pay page and on again is the same order.
func TestBackIsTheSameOrder(t *testing.T) {
	p := newPhone(t, 1)
	p.choose("juice")
	id := p.order()
	p.until("the order", `document.querySelector('[data-action="pay"]')`)
	p.eval("history.back()")
	p.until("the shop", `location.pathname === "/" && document.querySelector('[data-product="juice"]')`)
	p.tap(button("去支付"))
	p.until("the pay page", `location.pathname === "/pay"`)
	if again := p.order(); again != id {
		t.Errorf("order %s became %s", id, again)
	}
	p.pay()
	p.seesPaid()
	checkLedger(t)
	hold(t, 0)
}
