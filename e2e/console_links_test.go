package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

// enter sets the value of an input that is not typed by keys, as the browser's own chooser does.
func (tb *tab) enter(id, value string) {
	tb.t.Helper()
	tb.eval(`(e => { e.value = "` + value + `"; e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true})); })(document.getElementById("` + id + `"))`)
}

// download presses the link that saves a file with the name, and returns the file.
func (tb *tab) download(name string) []byte {
	tb.t.Helper()
	dir := tb.t.TempDir()
	tb.run(chromedp.ActionFunc(func(ctx context.Context) error {
		info, err := target.GetTargetInfo().Do(ctx)
		if err != nil {
			return err
		}
		return browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(dir).WithBrowserContextID(info.BrowserContextID).
			Do(cdp.WithExecutor(ctx, chromedp.FromContext(world.browser).Browser))
	}))
	tb.tap(`document.querySelector('a[download="` + name + `"]')`)
	deadline := time.Now().Add(waitTimeout)
	for time.Now().Before(deadline) {
		if file, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			return file
		}
		tb.run(chromedp.Sleep(50 * time.Millisecond))
	}
	tb.t.Fatalf("%s was not saved in %v", name, waitTimeout)
	return nil
}

// An operator makes a payment link at the console, whose poster is a picture that leads to it and is
// printed on one page. A payer pays by it, and the operator sees the order and withdraws the link.
func TestConsoleLink(t *testing.T) {
	tb := consoleTab(t, everyScope...)
	tb.goTo("/console/more", "更多")
	tb.tap(`document.querySelector('main a[href="/console/links"]')`)
	tb.tap(button("新建收款链接"))
	tb.until("the form", `document.getElementById("amount")`)
	tb.looks("link-new")
	tb.tap(button("创建"))
	tb.sees("请输入标题")
	tb.fill("title", "三号桌")
	tb.fill("detail", "请在桌边付款")
	tb.fill("amount", "66.00")
	tb.fill("maximum", "2")
	tb.enter("until", "2099-12-31T18:30")
	tb.tap(button("创建"))
	tb.until("the link", `location.pathname === "/console/link" && !document.querySelector("main[aria-busy]")`)
	tb.sees("2099-12-31 18:30:00")
	tb.until("the poster", `(e => e && e.complete && e.naturalWidth === 1748 && e.naturalHeight > 2400)(document.getElementById("poster"))`)
	link := tb.eval(`document.querySelector(".address").innerText`)
	if !strings.HasPrefix(link, world.sim.PhoneURL+api.PathLink) {
		t.Fatalf("the link is %s", link)
	}
	tb.looks("link")
	if got, err := decodeCode(tb.download("三号桌.png")); got != link {
		t.Errorf("the PNG leads to %s, %v; want %s", got, err, link)
	}
	if got := tb.await(`fetch(document.querySelector('a[download="三号桌.svg"]').href).then(r => r.text())`); !strings.HasPrefix(got, "<svg") || !strings.Contains(got, "三号桌") {
		t.Errorf("the SVG is %.80q", got)
	}
	var pdf []byte
	tb.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		pdf, _, err = page.PrintToPDF().WithPreferCSSPageSize(true).WithPrintBackground(true).Do(ctx)
		return err
	}))
	if n := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(pdf, -1)); n != 1 {
		t.Errorf("the poster is printed on %d pages", n)
	}
	if !regexp.MustCompile(`/MediaBox\s*\[0 0 (419|420)[.\d]* 59[4-6][.\d]*`).Match(pdf) {
		t.Errorf("the page is no A5: %s", regexp.MustCompile(`/MediaBox[^\]]*`).Find(pdf))
	}
	tb.theme("dark") // a dark theme prints the same
	tb.run(emulation.SetEmulatedMedia().WithMedia("print"), emulation.SetDeviceMetricsOverride(600, 900, 1, false))
	tb.screenshot("console-link-print")
	if got := (phone{tb}).scanScreen(); got != link {
		t.Errorf("the printed poster leads to %s, want %s", got, link)
	}
	tb.run(emulation.SetEmulatedMedia().WithMedia(""), emulation.SetDeviceMetricsOverride(390, 844, 2, true))
	tb.theme("light")

	p := customerTab(t, 0, wechattest.Android, link)
	p.sees("三号桌")
	p.pressCheckout()
	p.seesPayButton()
	p.openSheet()
	p.tap(sheet(".pay"))
	p.seesState("paid")

	tb.run(chromedp.Reload())
	tb.until("the order of the link", `document.querySelectorAll(".orders [data-order]").length === 1 && document.querySelector('.orders [data-status="paid"]')`)
	tb.sees("1 单已付款")
	tb.looks("link-paid")
	tb.fill("title", "四号桌")
	tb.tap(`document.querySelector("#link [type=submit]")`)
	tb.sees("已保存")
	tb.until("the poster with the new title", `document.querySelector('#poster[alt="海报: 四号桌"]')?.complete`)
	tb.tap(button("停用"))
	tb.tap(`document.querySelector("dialog .yes")`)
	tb.until("the link to be withdrawn", `document.querySelector('.amount-line [data-status="withdrawn"]')`)
	p = customerTab(t, 0, wechattest.Android, link) // another person has other cookies in this browser, also for the console
	p.seesState("withdrawn")
	tb.tap(button("重新启用"))
	tb.until("the link to be open", `document.querySelector('.amount-line [data-status="open"]')`)
	tb.tap(`document.querySelector('.up a[href="/console/links"]')`)
	tb.until("the link in the list", `[...document.querySelectorAll("[data-link]")].some(e => e.innerText.includes("四号桌"))`)
	tb.looks("links")
	tb.open(world.sim.PhoneURL + "/console/audit")
	tb.until("the changes in the audit list", `document.querySelector('[data-audit="createLink"]') && document.querySelector('[data-audit="changeLink"]')`)
}

// The payer names the amount of a link within the bounds that the operator set.
func TestConsoleLinkWithAnAmountOfThePayer(t *testing.T) {
	tb := consoleTab(t, everyScope...)
	tb.open(world.sim.PhoneURL + "/console/links/new")
	tb.fill("title", "乐捐")
	tb.tap(`document.getElementById("open")`)
	tb.until("the bounds", `document.getElementById("least") && !document.getElementById("amount")`)
	tb.fill("least", "5.00")
	tb.fill("most", "1.00")
	tb.tap(button("创建"))
	tb.sees("最多应不小于最少")
	tb.fill("most", "100.00")
	tb.looks("link-new-open")
	tb.tap(button("创建"))
	tb.until("the link", `location.pathname === "/console/link" && !document.querySelector("main[aria-busy]")`)
	tb.sees("5.00 – 100.00")
	p := customerTab(t, 0, wechattest.Android, tb.eval(`document.querySelector(".address").innerText`))
	p.until("the pad", `document.querySelector('[data-state="open"] [data-key="7"]')`)
	p.tap(`document.querySelector('[data-key="7"]')`)
	p.pressCheckout()
	p.seesPayButton()
	tb.run(chromedp.Reload())
	tb.until("the order of the link", `document.querySelector(".orders [data-order]")?.innerText.includes("7.00")`)
}
