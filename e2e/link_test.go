package e2e

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"h5pay/internal/api"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// createLink makes a payment link as the merchant's back end.
func createLink(t *testing.T, req v1.CreateLink) (l v1.Link) {
	t.Helper()
	callV1(t, "/v1/links", req, &l)
	if !strings.HasPrefix(l.URL, world.sim.PhoneURL+api.PathLink) {
		t.Fatalf("the link's URL is %s", l.URL)
	}
	return l
}

// checkLink fails the test unless a link counts n paid orders.
func checkLink(t *testing.T, l v1.Link, n int) {
	t.Helper()
	var paid int
	if err := database(t).QueryRow(`SELECT paid FROM links WHERE id = ?`, l.ID).Scan(&paid); err != nil || paid != n {
		t.Errorf("the link counts %d paid orders, %v; want %d", paid, err, n)
	}
	checkLedger(t)
}

// pressCheckout goes from the page of a link to the customer's page.
func (p phone) pressCheckout() {
	p.t.Helper()
	p.until("the button", `document.querySelector('[data-state="open"] [data-action="checkout"]:enabled')`)
	p.tap(`document.querySelector('[data-action="checkout"]')`)
}

// Inside WeChat a link with a fixed amount signs in silently, makes an order, and the customer's page
// pays it. Another payer gets another order, until the link is sold out.
func TestLinkInWeChat(t *testing.T) {
	l := createLink(t, v1.CreateLink{Title: "茶会门票", Description: "周六下午两点", Amount: 1200, MaxOrders: 2, ReturnURL: world.backEnd.URL + "/thanks?from=link"})
	p := customerTab(t, 0, wechattest.Android, l.URL)
	p.until("the link", `document.querySelector('[data-state="open"] [data-action="checkout"]')`)
	p.sees("茶会门票")
	p.screenshots("link-fixed")
	p.pressCheckout()
	p.seesPayButton()
	p.openSheet()
	p.tap(sheet(".pay"))
	p.seesState("paid")
	p.until("the merchant's page", `location.href.startsWith("`+world.backEnd.URL+`/thanks?from=link&order=")`)
	checkLink(t, l, 1)

	p = customerTab(t, 1, wechattest.IOS, l.URL)
	p.pressCheckout()
	p.seesPayButton()
	p = customerTab(t, 2, wechattest.Android, l.URL)
	p.seesState("sold_out")
	p.screenshots("link-sold-out")
	checkLink(t, l, 1)
}

// On a desktop the payer names the amount and pays by a QR code.
func TestLinkOnADesktop(t *testing.T) {
	l := createLink(t, v1.CreateLink{Title: "捐款", Description: "感谢支持", MinAmount: 100, MaxAmount: 500000})
	p := customerTab(t, 0, wechattest.Desktop, l.URL)
	p.until("the pad", `document.querySelector('[data-state="open"] [data-key="4"]')`)
	for _, key := range []string{"4", "2", ".", "5"} {
		p.tap(`document.querySelector('[data-key="` + key + `"]')`)
	}
	p.screenshots("link-named")
	p.run(emulation.SetDeviceMetricsOverride(1280, 800, 1, false), emulation.SetTouchEmulationEnabled(false))
	p.pressCheckout()
	p.until("the code", `document.querySelector("img.qr")`)
	p.sees("42.50")
	p.payByCode()
	p.seesState("paid")
	checkLink(t, l, 1)
}

// In a phone's browser the payer names the amount and pays on WeChat's page.
func TestLinkInAPhonesBrowser(t *testing.T) {
	l := createLink(t, v1.CreateLink{Title: "捐款", MinAmount: 100, MaxAmount: 500000})
	p := customerTab(t, 0, wechattest.Chrome, l.URL)
	p.until("the pad", `document.querySelector('[data-state="open"] [data-key="7"]')`)
	p.tap(`document.querySelector('[data-key="7"]')`)
	p.pressCheckout()
	p.seesPayButton()
	p.openWeChatPage()
	p.tap(`document.getElementById("pay")`)
	p.seesState("paid")
	checkLink(t, l, 1)
}

// A link that was withdrawn, one that has expired, and an unknown one have pages of their own.
func TestLinkEnds(t *testing.T) {
	l := createLink(t, v1.CreateLink{Title: "旧活动", Amount: 1200})
	execSQL(t, `UPDATE links SET withdrawn_at = created_at WHERE id = ?1`, l.ID)
	p := customerTab(t, 0, wechattest.Android, l.URL)
	p.seesState("withdrawn")
	p.screenshots("link-withdrawn")
	execSQL(t, `UPDATE links SET withdrawn_at = NULL, expires_at = created_at WHERE id = ?1`, l.ID)
	p.open(l.URL)
	p.seesState("expired")
	p.open(world.sim.PhoneURL + api.PathLink + strings.Repeat("0", 26))
	p.until("an error", `document.querySelector('[data-error="no_link"]')`)
}

// The poster is a picture whose QR code leads to the link.
func TestPosterInABrowser(t *testing.T) {
	l := createLink(t, v1.CreateLink{Title: "一号桌", Amount: 6800})
	r, err := http.NewRequestWithContext(t.Context(), "GET", world.shop.URL+"/v1/links/"+l.ID+"/poster.svg", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+world.env["ADMIN_TOKEN"])
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "image/svg+xml") {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	poster, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	p := phone{newTab(t)}
	p.run(emulation.SetDeviceMetricsOverride(600, 820, 1, false))
	p.open("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(poster))
	p.screenshot("look-poster")
	if read := p.scanScreen(); read != l.URL {
		t.Errorf("the poster leads to %s, want %s", read, l.URL)
	}
}
