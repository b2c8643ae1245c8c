package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"h5pay/wechat/wechattest"
)

// Incomplete, invented or foreign links give a message and an action.
func TestBadLinks(t *testing.T) {
	q := newPlace(t, wechattest.Android)
	q.choose("tea")
	theirs := q.order()
	q.until("the order", onPay) // WeChat has it
	for _, e := range []wechattest.Environment{wechattest.Android, wechattest.Chrome, wechattest.Desktop} {
		t.Run(string(e), func(t *testing.T) {
			before := orders(t)
			p := newPlace(t, e)
			takePhone(t, 1)
			for _, link := range []string{
				"/pay", "/pay?order=", "/pay?order=none", "/pay?order=" + theirs, "/pay?order=" + theirs + "&order=x", "/pay?order=%00%ff", "/pay?order=%3Cscript%3Ealert(1)%3C/script%3E",
				"/result", "/result?order=" + strings.Repeat("a", 2000), "/result?order=" + theirs, "/order", "/order?order=" + theirs,
				"/amount", "/amount?product=none", "/amount?product=tea",
			} {
				p.open(world.sim.PhoneURL + link)
				p.until(link+": a message and a way on", `document.querySelector('[data-error] a, [data-error] button')`)
				if text := p.text(); strings.Contains(text, "undefined") || strings.Contains(text, "null") || len(strings.TrimSpace(text)) < 10 {
					t.Errorf("%s says %q", link, text)
				}
			}
			p.tap(`document.querySelector('[data-error] a[href="/"]')`)
			p.until("the shop", onShop)
			if after := orders(t); after != before {
				t.Errorf("something changed:\n%s\n%s", before, after)
			}
		})
	}
	takePhone(t, 0)
}

// Without the bridge the page waits, shows an error, and offers a retry.
func TestMissingBridge(t *testing.T) {
	p := newPlace(t, wechattest.Android)
	p.until("the shop", onShop)
	fault(t, wechattest.Fault{Kind: wechattest.FaultNoBridge})
	p.choose("tea")
	p.tap(`document.querySelector('[data-action="pay"]')`)
	p.until("a message and a way on", `document.querySelector('[data-error="no_bridge"] button')`)
	p.screenshot("no-bridge")
	p.reload()
	p.pay()
	p.seesPaid()
	checkLedger(t)
}

// For any reply of the client the page shows the reply, and the order can be paid again within a
// minute.
func TestUnknownRepliesOfTheClient(t *testing.T) {
	p := newPlace(t, wechattest.IOS)
	p.choose("tea")
	p.until("the order", onPay)
	for _, test := range []struct{ kind, says string }{
		{wechattest.FaultAnswerDenied, "system:access_denied"},
		{wechattest.FaultAnswerNoPermission, "fail_no permission to execute"},
		{wechattest.FaultAnswerString, "支付失败"},
		{wechattest.FaultAnswerSDK, "支付失败"},
		{wechattest.FaultAnswerUndefined, "微信支付未收到付款"},
		{wechattest.FaultOddAnswer, "get_brand_wcpay_request:busy_-1"},
	} {
		fault(t, wechattest.Fault{Kind: test.kind})
		p.tap(`document.querySelector('[data-action="pay"]')`)
		for deadline := time.Now().Add(waitTimeout); len(world.sim.Faults()) > 0; { // the fault was used
			if time.Now().After(deadline) {
				t.Fatalf("%s: the page did not call the client", test.kind)
			}
			p.run(chromedp.Sleep(50 * time.Millisecond))
		}
		p.until(test.kind+": a word and a way on", fmt.Sprintf(`document.querySelector(".said").innerText.includes(%q) && !document.querySelector('[data-action="pay"]').disabled`, test.says))
		if at := p.eval("location.pathname"); at != "/pay" {
			t.Errorf("%s: the page is at %s", test.kind, at)
		}
	}
	p.screenshots("pay-odd-answer")
	p.pay()
	p.seesPaid()
	checkLedger(t)
}

// While an order is not paid, the result page offers actions and keeps polling.
func TestResultPageOffersActions(t *testing.T) {
	p := newPlace(t, wechattest.Android)
	p.choose("bun")
	id := p.order()
	p.until("the order", onPay)
	p.openSheet() // WeChat has the order
	p.tap(sheet(".close"))
	p.sees("已取消")
	p.open(world.sim.PhoneURL + "/result?order=" + id)
	p.until("a way on", `document.querySelector('[data-status="still"] button')`)
	p.screenshots("result-still")
	p.tap(button("返回支付"))
	p.until("the order", onPay)
	p.pay()
	p.seesPaid()
	checkLedger(t)
}

// wrongClock sets the device's clock off by some milliseconds.
const wrongClock = `{
	const real = Date, off = %d;
	Date = class extends real {
		constructor(...args) { if (args.length) super(...args); else super(real.now() + off); }
		static now() { return real.now() + off; }
	};
}`

func TestWrongDeviceClock(t *testing.T) {
	const day = 24 * 3600 * 1000
	for name, off := range map[string]int64{"ten years slow": -3650 * day, "three days fast": 3 * day} {
		for _, e := range []wechattest.Environment{wechattest.Android, wechattest.Desktop} {
			t.Run(name+" in "+string(e), func(t *testing.T) {
				p := newPlace(t, e, fmt.Sprintf(wrongClock, off))
				p.choose("tea")
				id := p.order()
				if e == wechattest.Desktop {
					first := p.readCode()
					p.run(chromedp.Sleep(waitTimeout / 5)) // time for a renewal, which must not happen
					if now := ledgerOrder(t, id).CodeURL; now != first {
						t.Error("a code that lives for hours was renewed at once")
					}
					p.payByCode()
				} else {
					p.pay()
				}
				p.until("the result", onResult)
				checkLedger(t)
			})
		}
	}
}

// fullStorage makes every write to storage fail.
const fullStorage = `Storage.prototype.setItem = () => { throw new DOMException("the quota has been exceeded", "QuotaExceededError"); };`

func TestStorageIsFull(t *testing.T) {
	for _, e := range []wechattest.Environment{wechattest.Android, wechattest.Desktop} {
		t.Run(string(e), func(t *testing.T) {
			before := orders(t)
			p := newPlace(t, e, fullStorage)
			p.choose("tea")
			if e == wechattest.Desktop {
				p.payByCode()
			} else {
				p.pay()
			}
			p.until("the result", onResult)
			if n := ordersSince(t, before); n != 1 {
				t.Errorf("%d orders", n)
			}
			checkLedger(t)
		})
	}
}

// A browser without cookies and storage.
func TestCookiesAreBlocked(t *testing.T) {
	profile, err := os.MkdirTemp("", "h5pay-profile")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(profile) // the browser may still be writing
	if err := os.MkdirAll(filepath.Join(profile, "Default"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "Default", "Preferences"), []byte(`{"profile": {"default_content_setting_values": {"cookies": 2}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	browser, stop, err := startBrowser(chromedp.UserDataDir(profile))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, e := range []wechattest.Environment{wechattest.Android, wechattest.Desktop} {
		t.Run(string(e), func(t *testing.T) {
			before := orders(t)
			world.sim.ClearFaults()
			takePhone(t, 0)
			moveTo(t, e)
			p := phone{&tab{t, browser}}
			p.open(world.sim.URL + "/nothing") // any page of another site
			if blocked := p.eval(`(() => { try { return String(localStorage) } catch { return "blocked" } })()`); blocked != "blocked" {
				t.Fatalf("storage is %s", blocked)
			}
			p.open(world.sim.PhoneURL + "/")
			if e == wechattest.Desktop {
				p.tap(`document.querySelector('[data-product="tea"] [data-action="add"]')`)
				p.tap(`document.querySelector('[data-action="checkout"]')`)
			}
			p.until("a message and a way on", `document.querySelector("[data-error] button")`)
			p.screenshot("no-cookies-" + string(e))
			if after := orders(t); after != before {
				t.Errorf("an order was created that cannot be paid:\n%s\n%s", before, after)
			}
		})
	}
}
