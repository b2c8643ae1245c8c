package e2e

import (
	"strings"
	"testing"
)

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

// Back from the pay page and forward again gives the same order.
func TestBackKeepsTheOrder(t *testing.T) {
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
	takePhone(t, 0)
}

// Signing out removes the basket and all drafts from the browser; the language stays.
func TestSignOutClearsTheBrowser(t *testing.T) {
	p := newPhone(t, 1)
	p.choose("juice")
	p.order()
	p.eval(`localStorage.setItem("h5pay.lang", "zh"), sessionStorage.setItem("h5pay.amount.tip", "500"), localStorage.setItem("another", "1")`)
	const keys = `JSON.stringify([...Object.keys(sessionStorage), ...Object.keys(localStorage)].filter((key) => key.startsWith("h5pay.") || key === "another").sort())`
	if got := p.eval(keys); !strings.Contains(got, "h5pay.basket") || !strings.Contains(got, "h5pay.order") {
		t.Fatalf("before: %s", got)
	}
	p.open(world.sim.PhoneURL + "/orders")
	p.tap(`document.querySelector('[data-action="sign-out"]')`)
	p.tap(`document.querySelector("dialog[open] .yes")`)
	p.sees("已退出登录")
	if got, want := p.eval(keys), `["another","h5pay.lang"]`; got != want {
		t.Errorf("after: %s, want %s", got, want)
	}
	takePhone(t, 0)
}
