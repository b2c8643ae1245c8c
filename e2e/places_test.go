package e2e

import (
	"strings"
	"testing"
	"time"

	"h5pay/wechat/wechattest"
)

// iOS compares the payment directory with the address at which the web view was loaded. So the pay
// page must be loaded, not routed to (docs/wechat.md 5.5).
func TestPayOnAnIPhone(t *testing.T) {
	p := newPlace(t, wechattest.IOS)
	p.choose("tea")
	address := p.eval(`new URL(performance.getEntriesByType("navigation")[0].name).pathname`)
	if address != "/pay" {
		t.Errorf("the web view was loaded at %s", address)
	}
	p.pay()
	p.seesPaid()
	checkLedger(t)
}

// A computer shows a code, and the page shows the payment by itself.
func TestPayByCode(t *testing.T) {
	for _, e := range []wechattest.Environment{wechattest.Desktop, wechattest.Windows, wechattest.MacBrowser, wechattest.Linux4} {
		t.Run(string(e), func(t *testing.T) {
			p := newPlace(t, e)
			p.choose("tea")
			id := p.order()
			if shown, known := p.readCode(), ledgerOrder(t, id).CodeURL; shown != known {
				t.Errorf("the code has %q, WeChat returned %q", shown, known)
			}
			p.theme("dark")
			p.payByCode()
			p.until("the result page", `location.pathname === "/result"`)
			p.seesPaid()
			if status, _ := stored(t, id); status != "paid" {
				t.Errorf("the order is %s", status)
			}
			checkLedger(t)
		})
	}
}

// shortCodes changes only the page. A code appears to expire within the page's renewal margin. Time
// runs 20 times as fast, because the page does not renew a code at once.
const shortCodes = `{
	const timer = window.setTimeout.bind(window), now = Performance.prototype.now;
	window.setTimeout = (f, ms, ...args) => timer(f, ms / 20, ...args);
	Performance.prototype.now = function () { return 20 * now.call(this); };
	const real = window.fetch.bind(window);
	let left = 1;
	window.fetch = async (...args) => {
		const answer = await real(...args);
		if (!/\/pay$/.test(new URL(answer.url).pathname) || left-- <= 0) return answer;
		const checkout = await answer.json();
		checkout.pay_until = Date.now() + 121000;
		return new Response(JSON.stringify(checkout), {status: answer.status, headers: answer.headers});
	};
}`

func TestTheCodeIsRenewedBeforeItEnds(t *testing.T) {
	p := newPlace(t, wechattest.Desktop, shortCodes)
	p.choose("tea")
	id := p.order()
	first := p.readCode()
	deadline := time.Now().Add(waitTimeout)
	for ledgerOrder(t, id).CodeURL == first {
		if time.Now().After(deadline) {
			t.Fatal("the code was not renewed")
		}
		time.Sleep(100 * time.Millisecond)
	}
	for p.readCode() == first {
		if time.Now().After(deadline) {
			t.Fatal("the screen shows the old code, which is void")
		}
		time.Sleep(100 * time.Millisecond)
	}
	if _, err := world.sim.Scan(first); err == nil {
		t.Error("the old code still pays")
	}
	p.payByCode()
	p.seesPaid()
	checkLedger(t)
}

func TestPayInAPhonesBrowser(t *testing.T) {
	p := newPlace(t, wechattest.Chrome)
	p.choose("tea")
	id := p.order()
	p.openWeChatPage()
	p.screenshot("mweb")
	p.tap(`document.getElementById("pay")`)
	p.until("the shop again", `location.pathname === "/result"`)
	p.seesPaid()
	if p.order() != id {
		t.Errorf("the result is of %s, not of %s", p.order(), id)
	}
	checkLedger(t)
}

// After a return without a payment the page requests a confirmation, and the same order can be paid.
func TestCancelInAPhonesBrowserThenPay(t *testing.T) {
	before := orders(t)
	p := newPlace(t, wechattest.Safari)
	p.choose("coffee")
	p.openWeChatPage()
	p.tap(`document.getElementById("cancel")`)
	p.until("the question", `document.querySelector('[data-status="unconfirmed"]')`)
	p.tap(button("我已完成支付"))
	p.until("the search for it", `document.querySelector('[data-status="confirming"]')`)
	p.open(p.eval("location.href"))
	p.until("the question", `document.querySelector('[data-status="unconfirmed"]')`)
	p.tap(button("重新支付"))
	p.until("the pay page", `location.pathname === "/pay"`)
	p.openWeChatPage()
	p.tap(`document.getElementById("pay")`)
	p.seesPaid()
	if n := ordersSince(t, before); n != 1 {
		t.Errorf("%d orders", n)
	}
	checkLedger(t)
}

// WeChat and the shop see different addresses of the phone, as with IPv6 to one and IPv4 to the
// other. The order can be paid.
func TestAnotherAddressInAPhonesBrowser(t *testing.T) {
	p := newPlace(t, wechattest.Chrome)
	p.choose("bun")
	id := p.order()
	fault(t, wechattest.Fault{Kind: wechattest.FaultMWEBAddress})
	p.openWeChatPage()
	p.sees("网络环境未能通过安全验证")
	p.back("the pay page or the question", `location.origin === "`+world.sim.PhoneURL+`" && document.querySelector('[data-action="pay"], [data-status="unconfirmed"]')`)
	p.open(world.sim.PhoneURL + "/pay?order=" + id)
	p.openWeChatPage()
	p.tap(`document.getElementById("pay")`)
	p.seesPaid()
	checkLedger(t)
}

// The merchant has no permission for H5 payment. The buyer sees a message and not an unusable page.
func TestH5PaymentWithoutPermission(t *testing.T) {
	p := newPlace(t, wechattest.Safari)
	p.tap(`document.querySelector('[data-product="bun"] [data-action="add"]')`)
	fault(t, wechattest.Fault{Kind: wechattest.FaultMWEBMissing})
	p.tap(`document.querySelector('[data-action="checkout"]')`)
	p.until("a message and a way on", `document.querySelector('[data-error="wechat_declined"] button')`)
	p.sees("请联系商家")
	p.tap(button("重试"))
	p.until("the pay page", onPay)
	checkLedger(t)
}

// WeChat's payment page may lead back while the user still pays in WeChat.
func TestBackFromWeChatBeforeThePayment(t *testing.T) {
	p := newPlace(t, wechattest.Chrome)
	fault(t, wechattest.Fault{Kind: wechattest.FaultReturnEarly})
	p.choose("bun")
	p.tap(`document.querySelector('[data-action="pay"]')`)
	p.until("the question", `document.querySelector('[data-status="unconfirmed"]')`)
	p.screenshot("have-you-paid")
	paySheet(t, newestSheet(t))
	p.tap(button("我已完成支付"))
	p.seesPaid()
	checkLedger(t)
}

// Where no payment is possible, the page explains what to do and creates no order.
func TestPlacesWithoutPayment(t *testing.T) {
	q := newPlace(t, wechattest.Android)
	q.choose("tea")
	mine := q.order()
	q.until("the pay page", onPay)
	before := orders(t)
	for e, says := range map[wechattest.Environment]string{
		wechattest.Work:           "企业微信内无法付款",
		wechattest.MiniProgram:    "小程序内的网页无法付款",
		wechattest.MiniProgramIOS: "小程序内的网页无法付款",
	} {
		t.Run(string(e), func(t *testing.T) {
			p := newPlace(t, e, recordCalls)
			p.until("the shop", onShop)
			p.until("a notice", `document.querySelector("[data-outside]")`)
			p.sees(says)
			p.screenshot("place-" + string(e))
			p.tap(`document.querySelector('[data-product="tea"] [data-action="add"]')`)
			p.until("a basket that cannot be paid", `(e => e && e.disabled)(document.querySelector('[data-action="checkout"]'))`)
			for _, path := range []string{"/pay?order=", "/result?order="} {
				p.open(world.sim.PhoneURL + path + mine)
				p.until(path+": a message and a way on", `document.querySelector('[data-outside] button')`)
				p.sees(says)
				// On iOS only the bridge knows that this is a mini program, after the page has called.
				if calls := p.eval(`calls.join("\n")`); e != wechattest.MiniProgramIOS && strings.Contains(calls, "POST") {
					t.Errorf("%s calls\n%s", path, calls)
				}
			}
			for _, s := range world.sim.Sheets() {
				if s.State == wechattest.SheetOpen && s.OutTradeNo == outTradeNo(t, mine) {
					t.Error("a payment sheet opened")
				}
			}
		})
	}
	if after := orders(t); after != before {
		t.Errorf("an order was created:\n%s\n%s", before, after)
	}
	checkLedger(t)
}
