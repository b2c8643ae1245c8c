package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"h5pay/wechat/wechattest"
)

// A developer opens the desk after `make dev`, pays in its phone, and reads the signed messages in
// the log.
func TestDesk(t *testing.T) {
	world.sim.ClearFaults()
	takePhone(t, 0)
	tb := newTab(t)
	tb.run(emulation.SetDeviceMetricsOverride(1440, 900, 1, false))
	tb.open(world.sim.DeskURL)
	shop := deskFrame{tb, world.sim.PhoneURL}
	shop.click(`document.querySelector('[data-product="coffee"] [data-action="add"]')`)
	shop.click(button("去支付"))
	shop.click(`document.querySelector('[data-action="pay"]')`)
	shop.click(sheet(".pay"))
	shop.until(`document.querySelector('[data-status="paid"]')`)

	call := byVersion("unifiedorder", "v3 jsapi")
	for _, text := range []string{"access_token", call, "getBrandWCPayRequest", "支付通知"} {
		tb.sees(text)
	}
	tb.tap(`[...document.querySelectorAll(".row .line")].find(e => e.innerText.includes("` + call + `"))`)
	for _, text := range byVersion([]string{"key=<APIv2 key>"}, []string{"/v3/pay/transactions/jsapi", "Authorization: WECHATPAY2-SHA256-RSA2048", "Wechatpay-Signature"}) {
		tb.sees(text)
	}
	tb.screenshot("desk")
	for name, secret := range secretSettings(t) {
		if strings.Contains(tb.text(), secret) {
			t.Errorf("the log shows %s", name)
		}
	}
	for _, panel := range []string{"ledger", "connect", "curl", "log"} {
		tb.tap(`document.getElementById("tab-` + panel + `")`)
		for _, theme := range []string{"dark", "light"} {
			tb.theme(theme)
			tb.accessible("the desk's " + panel + ", " + theme)
		}
	}
	checkLedger(t)
}

// A window on the desk shows the shop, and the desk's phone scans the code.
func TestDeskScansWhatAWindowShows(t *testing.T) {
	world.sim.ClearFaults()
	takePhone(t, 0)
	moveTo(t, wechattest.Android)
	tb := newTab(t)
	tb.run(emulation.SetDeviceMetricsOverride(1440, 900, 1, false), emulation.SetTouchEmulationEnabled(false))
	tb.open(world.sim.DeskURL)
	tb.sees("GET /")
	tb.eval(`(e => { e.value = "desktop"; e.dispatchEvent(new Event("change")); })(document.getElementById("place")), ""`)
	tb.until("a window", `document.getElementById("stage").dataset.shape === "window"`)
	shop := deskFrame{tb, world.sim.PhoneURL}
	shop.click(`document.querySelector('[data-product="coffee"] [data-action="add"]')`)
	shop.click(`document.querySelector('[data-action="checkout"]')`)
	shop.until(`document.querySelector("img.qr")`)
	tb.tap(`document.querySelector("#offer .go")`)
	phone := deskFrame{tb, world.sim.PhoneURL + "/__wechat/"}
	phone.until(sheet(".pay"))
	tb.screenshot("desk-scan")
	for _, theme := range []string{"dark", "light"} {
		tb.theme(theme)
		tb.accessible("the desk with a window, " + theme)
	}
	phone.click(sheet(".pay"))
	shop.until(`document.querySelector('[data-status="paid"]')`)
	phone.click(button("完成"))
	tb.until("the phone to be put away", `!document.querySelector(".handset")`)
	checkLedger(t)
}

// A payment in a phone's browser on the desk: the shop, WeChat's payment page, the shop.
func TestDeskPaysInABrowser(t *testing.T) {
	world.sim.ClearFaults()
	takePhone(t, 0)
	moveTo(t, wechattest.Safari)
	tb := newTab(t)
	tb.run(emulation.SetDeviceMetricsOverride(1440, 900, 1, false), emulation.SetTouchEmulationEnabled(false))
	tb.open(world.sim.DeskURL)
	shop := deskFrame{tb, world.sim.PhoneURL}
	shop.click(`document.querySelector('[data-product="bun"] [data-action="add"]')`)
	shop.click(`document.querySelector('[data-action="checkout"]')`)
	shop.click(`document.querySelector('[data-action="pay"]')`)
	middle := deskFrame{tb, world.sim.URL}
	middle.click(`document.getElementById("pay")`)
	shop.until(`document.querySelector('[data-status="paid"]')`)
	checkLedger(t)
}

// The desk uses the browser's language, fits a laptop and a phone, and shows no key of a text.
func TestDeskInBothLanguages(t *testing.T) {
	for language, words := range map[string]struct {
		title   string
		ledger  []string // the ledger's texts about the order, its payment and its refund
		message string   // of an opened message
		faults  []string // the names of the waiting faults
	}{
		"zh-CN": {"微信模拟器", []string{"付款人", "通知 1", "已确认", "退款 ¥0.01", "手工"}, "微信验签时参与签名的字符串", []string{"防火墙：人机验证", "APIv3：签名探测 · 回调", "APIv3：错误没有签名 · " + wechattest.PathV3Close}},
		"en-US": {"WeChat simulator", []string{"payer", "Notification 1", "acknowledged", "Refund ¥0.01", "by hand"}, "The string that WeChat signs to check it", []string{"Firewall: bot challenge", "APIv3: probe of the signature · a callback", "APIv3: unsigned error · " + wechattest.PathV3Close}},
	} {
		t.Run(language, func(t *testing.T) {
			world.sim.ClearFaults()
			takePhone(t, 0)
			moveTo(t, wechattest.Android)
			tb := newTab(t)
			agent := tb.eval("navigator.userAgent")
			tb.run(emulation.SetUserAgentOverride(agent).WithAcceptLanguage(language), emulation.SetDeviceMetricsOverride(1280, 800, 1, false), emulation.SetTouchEmulationEnabled(false))
			tb.open(world.sim.DeskURL)
			tb.sees(words.title)
			shop := deskFrame{tb, world.sim.PhoneURL}
			shop.click(`document.querySelector('[data-product="coffee"] [data-action="add"]')`)
			shop.click(`document.querySelector('[data-action="checkout"]')`)
			shop.click(`document.querySelector('[data-action="pay"]')`)
			tb.tap(`document.querySelector("#waiting .go")`) // the desk's own button of the sheet
			shop.until(`document.querySelector('[data-status="paid"]')`)
			orders := world.sim.Ledger().Orders
			if _, err := world.sim.Refund(orders[len(orders)-1].OutTradeNo, 1); err != nil {
				t.Fatal(err)
			}
			tb.tap(`[...document.querySelectorAll(".row .line")].findLast(e => e.innerText.includes("` + byVersion("unifiedorder", "v3 jsapi") + `"))`)
			tb.sees(words.message)
			tb.run(emulation.SetDeviceMetricsOverride(1440, 900, 1, false))
			tb.screenshot("desk-" + language)
			for _, fault := range []wechattest.Fault{{Kind: wechattest.FaultEdgeChallenge}, {Kind: wechattest.FaultV3Probe, Path: wechattest.V3Callback},
				{Kind: wechattest.FaultV3Unsigned, Path: wechattest.PathV3Close}} {
				if err := world.sim.AddFault(fault); err != nil {
					t.Fatal(err)
				}
			}
			defer world.sim.ClearFaults()
			for _, name := range words.faults {
				tb.until("the waiting fault "+name, fmt.Sprintf(`[...document.querySelectorAll("#faults .queued")].some(e => e.innerText.startsWith(%q))`, name))
			}
			for size, width := range map[string]int64{"1280x800": 1280, "390x844": 390} {
				tb.run(emulation.SetDeviceMetricsOverride(width, map[int64]int64{1280: 800, 390: 844}[width], 1, width < 800))
				for _, panel := range []string{"log", "ledger", "connect", "curl"} {
					tb.tap(`document.getElementById("tab-` + panel + `")`)
					if panel == "ledger" {
						for _, text := range words.ledger {
							tb.sees(text)
						}
					}
					if key := tb.eval(`(document.body.innerText.match(/\b(?:fact|verdict|delivery|state|forge|title|refund|group|preset|place|connect|compare|name|label|path)\.[a-z_.]+\b/) || [""])[0]`); key != "" {
						t.Errorf("the %s panel shows the key %s", panel, key)
					}
					if wide := tb.eval(tooWide); wide != "" {
						t.Errorf("%s, %s panel: the page is %s pixels wide", size, panel, wide)
					}
					tb.screenshot("desk-" + language + "-" + size + "-" + panel)
				}
				tb.tap(`document.querySelector(".pill.more")`)
				tb.sees("notify_lost")
				tb.screenshot("desk-" + language + "-" + size + "-faults")
				tb.eval(`document.getElementById("more-faults").hidePopover(), ""`)
				tb.accessible("the desk in " + language + " at " + size)
			}
		})
	}
}

// An HTML page in the log, such as WeChat's sign-in error, must not be parsed as XML. The parser's
// error would violate the desk's policy, and the violation fails the test (newTab).
func TestDeskShowsAPageInTheLog(t *testing.T) {
	world.sim.ClearFaults()
	const page = "<!doctype html><p>no <b>XML"
	res, err := http.Post(world.sim.PhoneURL+"/api/a-page", "text/html", strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	tb := newTab(t)
	tb.run(emulation.SetDeviceMetricsOverride(1440, 900, 1, false), emulation.SetTouchEmulationEnabled(false))
	tb.open(world.sim.DeskURL)
	// Only this message is shown, so that others that arrive do not move it away from the tap.
	tb.tap(`document.querySelector("input[type=search]")`)
	tb.run(input.InsertText("/api/a-page"))
	tb.tap(`[...document.querySelectorAll("li.row")].find(e => e.innerText.includes("POST /api/a-page") && e.getClientRects().length)`)
	tb.sees(page)
}

// deskFrame is a frame on the desk whose address begins with at. It has another origin.
type deskFrame struct {
	*tab
	at string
}

// eval evaluates an expression in the frame; it returns "" while the frame is missing.
func (d deskFrame) eval(js string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.ctx, waitTimeout)
	defer cancel()
	var value string
	err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		tree, err := page.GetFrameTree().Do(ctx)
		if err != nil {
			return err
		}
		var frame cdp.FrameID
		for _, child := range tree.ChildFrames {
			scans := strings.HasPrefix(child.Frame.URL, world.sim.PhoneURL+"/__wechat/")
			if strings.HasPrefix(child.Frame.URL, d.at) && scans == strings.HasSuffix(d.at, "/__wechat/") {
				frame = child.Frame.ID
			}
		}
		if frame == "" {
			return nil
		}
		id, err := page.CreateIsolatedWorld(frame).Do(ctx)
		if err != nil {
			return nil // the frame is navigating
		}
		result, _, err := runtime.Evaluate(js).WithContextID(id).WithReturnByValue(true).Do(ctx)
		if err == nil && result.Value != nil {
			json.Unmarshal(result.Value, &value)
		}
		return nil
	}))
	if err != nil {
		d.t.Fatal(err)
	}
	return value
}

func (d deskFrame) until(js string) {
	d.t.Helper()
	deadline := time.Now().Add(waitTimeout)
	for d.eval(fmt.Sprintf("String(Boolean(%s))", js)) != "true" {
		if time.Now().After(deadline) {
			d.t.Fatalf("waited for %s; the phone says:\n%s", js, d.eval("document.body.innerText"))
		}
		d.run(chromedp.Sleep(50 * time.Millisecond))
	}
}

// click clicks an element of the frame as soon as it can be clicked.
func (d deskFrame) click(element string) {
	d.t.Helper()
	d.until(fmt.Sprintf("(e => e && e.getClientRects().length && !e.disabled)(%s)", element))
	d.eval(fmt.Sprintf("%s.click(); ''", element))
}
