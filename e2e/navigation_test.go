package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/page"

	"h5pay/wechat/wechattest"
)

// reload reloads the page.
func (tb *tab) reload() {
	tb.t.Helper()
	tb.eval("window.before = true, ''")
	tb.run(page.Reload())
	tb.until("the page to start over", `!window.before && document.readyState === "complete"`)
}

// back goes back in the history.
func (tb *tab) back(what, js string) {
	tb.t.Helper()
	tb.eval("history.back(), ''")
	tb.until(what, js)
}

const (
	onShop   = `location.pathname === "/" && document.querySelector('[data-product="tea"] [data-action="add"]:not([disabled])') && document.querySelector('[data-waits="false"]')`
	onPay    = `location.pathname === "/pay" && document.querySelector('[data-action="pay"], img.qr')`
	onResult = `location.pathname === "/result" && document.querySelector('[data-status="paid"]')`
)

// Any sequence of Back, Forward and reload gives one order, which can be paid.
func TestBackAndReloadMakeNoSecondOrder(t *testing.T) {
	for _, e := range []wechattest.Environment{wechattest.Android, wechattest.Chrome, wechattest.Desktop} {
		t.Run(string(e), func(t *testing.T) {
			before := orders(t)
			p := newPlace(t, e)
			p.until("the shop", onShop)
			p.tap(`document.querySelector('[data-product="tea"] [data-action="add"]')`)
			p.reload()
			p.until("the basket as it was", `document.querySelector('[data-product="tea"] output')?.innerText === "1"`)
			p.checkout()
			id := p.order()
			p.until("the order", onPay)
			p.reload()
			p.until("the same order", onPay)
			p.back("the shop", onShop)
			p.checkout()
			p.until("the order", onPay)
			if p.order() != id {
				t.Errorf("order %s became %s", id, p.order())
			}
			switch e {
			case wechattest.Android:
				p.openSheet()
				p.reload() // under the open sheet
				p.until("the same order", onPay)
				p.pay()
			case wechattest.Chrome:
				p.openWeChatPage()
				p.back("the pay page or the question", `location.origin === "`+world.sim.PhoneURL+`" && document.querySelector('[data-action="pay"], [data-status="unconfirmed"]')`)
				p.open(world.sim.PhoneURL + "/pay?order=" + id)
				p.openWeChatPage()
				p.reload()
				p.tap(`document.getElementById("pay")`)
			case wechattest.Desktop:
				p.payByCode()
			}
			p.until("the result", onResult)
			p.reload()
			p.until("the result", onResult)
			// Back from a paid order does not lead to a page that pays it again.
			p.eval("window.before = true, history.back(), ''")
			p.until("the shop, or the result", "!window.before && ("+onShop+" || "+onResult+")")
			p.open(world.sim.PhoneURL + "/pay?order=" + id)
			p.until("the result", onResult)
			if n := ordersSince(t, before); n != 1 {
				t.Errorf("%d orders", n)
			}
			checkLedger(t)
		})
	}
}

// doubleClick clicks an element twice before the page can react.
func (tb *tab) doubleClick(element string) {
	tb.t.Helper()
	tb.until(element, fmt.Sprintf("(e => e && e.getClientRects().length && !e.disabled)(%s)", element))
	tb.eval(fmt.Sprintf("(e => { e.click(); e.click(); e.click(); })(%s), ''", element))
}

func TestADoubleTapOrdersAndPaysOnce(t *testing.T) {
	for _, e := range []wechattest.Environment{wechattest.Android, wechattest.Safari, wechattest.Desktop} {
		t.Run(string(e), func(t *testing.T) {
			before, sheets := orders(t), len(world.sim.Sheets())
			p := newPlace(t, e)
			p.tap(`document.querySelector('[data-product="bun"] [data-action="add"]')`)
			p.doubleClick(`document.querySelector('[data-action="checkout"]')`)
			p.until("the pay page", onPay)
			switch e {
			case wechattest.Android:
				p.doubleClick(`document.querySelector('[data-action="pay"]')`)
				p.tap(sheet(".pay"))
			case wechattest.Safari:
				p.doubleClick(`document.querySelector('[data-action="pay"]')`)
				p.until("WeChat's page", fmt.Sprintf(`location.origin === %q`, world.sim.URL))
				p.tap(`document.getElementById("pay")`)
			case wechattest.Desktop:
				p.payByCode()
			}
			p.until("the result", onResult)
			if n := ordersSince(t, before); n != 1 {
				t.Errorf("%d orders", n)
			}
			if n := len(world.sim.Sheets()) - sheets; n != 1 {
				t.Errorf("%d payment sheets", n)
			}
			checkLedger(t)
		})
	}
}

// frozen freezes the page, as a phone does with pages in the background, and wakes it again.
func (tb *tab) frozen(meanwhile func()) {
	tb.t.Helper()
	tb.run(page.SetWebLifecycleState(page.SetWebLifecycleStateStateFrozen))
	meanwhile()
	tb.run(page.SetWebLifecycleState(page.SetWebLifecycleStateStateActive))
}

// The page is frozen while the payment is made.
func TestPaymentWhileThePageIsFrozen(t *testing.T) {
	t.Run("the code is scanned", func(t *testing.T) {
		p := newPlace(t, wechattest.Desktop)
		p.choose("coffee")
		s, err := world.sim.Scan(p.readCode())
		if err != nil {
			t.Fatal(err)
		}
		p.frozen(func() { paySheet(t, s) })
		p.until("the result", onResult)
		checkLedger(t)
	})
	t.Run("the sheet is answered", func(t *testing.T) {
		p := newPlace(t, wechattest.Android)
		p.choose("coffee")
		p.openSheet()
		s := newestSheet(t)
		p.frozen(func() { paySheet(t, s) })
		p.until("the result", onResult)
		checkLedger(t)
	})
}
