package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"h5pay/internal/api"
	"h5pay/internal/v1"
	"h5pay/wechat/wechattest"
)

// createOrder makes an order as the merchant's back end.
func createOrder(t *testing.T, req v1.CreateOrder) (o v1.Order) {
	t.Helper()
	callV1(t, "/v1/orders", req, &o)
	if !strings.HasPrefix(o.URL, world.sim.PhoneURL+api.PathCustomer) {
		t.Fatalf("the customer's URL is %s", o.URL)
	}
	return o
}

func callV1(t *testing.T, path string, body, result any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", world.shop.URL+path, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+world.env["ADMIN_TOKEN"])
	r.Header.Set("Idempotency-Key", rand.Text())
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode > 299 {
		t.Fatalf("%s: %s %s, %v", path, res.Status, answer, err)
	}
	if err := json.Unmarshal(answer, result); err != nil {
		t.Fatal(err)
	}
}

// ticket is an order with a page to return to.
func ticket() v1.CreateOrder {
	return v1.CreateOrder{Amount: 1200, Description: "一张票", ReturnURL: world.backEnd.URL + "/thanks?from=shop"}
}

// customerTab opens an order's URL as the n-th user, in an environment and a browser without a
// session.
func customerTab(t *testing.T, n int, e wechattest.Environment, url string) phone {
	t.Helper()
	world.sim.ClearFaults()
	takePhone(t, n)
	moveTo(t, e)
	p := phone{newTab(t)}
	if world.sim.Place().Shape == wechattest.ShapeWindow {
		p.run(emulation.SetDeviceMetricsOverride(1280, 800, 1, false), emulation.SetTouchEmulationEnabled(false))
	}
	p.open(url)
	return p
}

func (p phone) seesState(state string) {
	p.t.Helper()
	p.until("the state "+state, `document.querySelector('[data-state="`+state+`"]')`)
}

// seesPayButton waits for the pay button after the sign-in.
func (p phone) seesPayButton() {
	p.t.Helper()
	p.until("the pay button", `document.querySelector('[data-state="open"] [data-action="pay"]:enabled')`)
}

// seesReturn waits until the page has led to the merchant with the order's ID.
func (p phone) seesReturn(o v1.Order) {
	p.t.Helper()
	p.until("the merchant's page", `location.href === "`+o.ReturnURL+`&order=`+o.ID+`"`)
}

// Inside WeChat the page signs in silently and pays by the sheet. Then it returns to the merchant.
func TestCustomerInWeChat(t *testing.T) {
	o := createOrder(t, ticket())
	before := counts()
	p := customerTab(t, 0, wechattest.Android, o.URL)
	p.seesPayButton()
	if token := strings.TrimPrefix(o.URL, world.sim.PhoneURL+api.PathCustomer); counts()[api.CustomerOrderPath(token)] > 2 || counts()[api.CustomerPayPath(token)] != 0 {
		t.Errorf("opening the page makes the calls %v, before %v", counts(), before)
	}
	p.sees("一张票")
	if title := p.eval("document.title"); !strings.HasSuffix(title, " - 付款") {
		t.Errorf("the title is %q", title)
	}
	p.screenshots("customer-open")
	p.openSheet()
	p.tap(sheet(".pay"))
	p.seesState("paid")
	p.sees("支付成功")
	p.seesReturn(o)
	checkLedger(t)

	// Later the payer sees the payment, and the page stays.
	p.open(o.URL)
	p.seesState("paid")
	p.sees("支付成功")
	p.until("the way back", `document.querySelector('[data-action="return"]')`)
	p.screenshots("customer-paid")
	// Another person is not the payer.
	p = customerTab(t, 1, wechattest.Android, world.sim.PhoneURL+"/orders")
	p.until("the sign-in", `document.querySelector(".screen") && !document.querySelector(".skeleton")`)
	p.open(o.URL)
	p.seesState("paid-by-other")
	p.screenshots("customer-paid-by-other")
}

func TestCustomerCancelsThenPays(t *testing.T) {
	o := createOrder(t, ticket())
	p := customerTab(t, 0, wechattest.IOS, o.URL)
	p.seesPayButton()
	p.openSheet()
	p.tap(sheet(".close"))
	p.sees("支付已取消")
	p.seesPayButton()
	p.openSheet()
	p.tap(sheet(".pay"))
	p.seesReturn(o)
	checkLedger(t)
}

func TestCustomerInAPhonesBrowser(t *testing.T) {
	o := createOrder(t, ticket())
	p := customerTab(t, 0, wechattest.Chrome, o.URL)
	p.seesPayButton()
	p.openWeChatPage()
	p.tap(`document.getElementById("cancel")`)
	p.seesState("unconfirmed")
	p.screenshots("customer-unconfirmed")
	p.tap(button("返回支付"))
	p.seesPayButton()
	p.openWeChatPage()
	p.tap(`document.getElementById("pay")`)
	p.seesReturn(o)
	checkLedger(t)
}

// Without the permission for H5 payment a phone's browser shows a code and the link to copy.
func TestCustomerWithoutH5Permission(t *testing.T) {
	o := createOrder(t, ticket())
	p := customerTab(t, 0, wechattest.Safari, o.URL)
	p.seesPayButton()
	fault(t, wechattest.Fault{Kind: wechattest.FaultMWEBMissing})
	p.tap(`document.querySelector('[data-action="pay"]')`)
	p.seesState("code")
	p.until("the code", `document.querySelector("img.qr")`)
	p.sees("在微信中打开付款")
	p.screenshots("customer-code-phone")
	p.payByCode()
	p.seesReturn(o)
	checkLedger(t)
}

func TestCustomerOnADesktop(t *testing.T) {
	o := createOrder(t, ticket())
	p := customerTab(t, 0, wechattest.Desktop, o.URL)
	p.until("the code", `document.querySelector("img.qr")`)
	p.screenshots("customer-code")
	p.run(emulation.SetDeviceMetricsOverride(1280, 800, 1, false), emulation.SetTouchEmulationEnabled(false))
	p.payByCode()
	p.seesState("paid")
	p.seesReturn(o)
	checkLedger(t)
	p.open(o.URL)
	p.seesState("paid")
	p.sees("订单已支付")
}

// The page of an order with only JSAPI says so outside WeChat.
func TestCustomerMustOpenInWeChat(t *testing.T) {
	req := ticket()
	req.TradeTypes = []api.TradeType{api.TradeJSAPI}
	p := customerTab(t, 0, wechattest.Desktop, createOrder(t, req).URL)
	p.seesState("outside")
	p.screenshots("customer-outside")
}

// A closed order, one that is too old, and an unknown token have pages of their own.
func TestCustomerEnds(t *testing.T) {
	o := createOrder(t, ticket())
	callV1(t, "/v1/orders/"+o.ID+"/close", struct{}{}, &v1.Order{})
	p := customerTab(t, 0, wechattest.Android, o.URL)
	p.seesState("closed")
	p.screenshots("customer-closed")
	old := createOrder(t, ticket())
	// WeChat gets no payment in the last six minutes.
	execSQL(t, `UPDATE orders SET created_at = ?1 - 86400000, expires_at = ?1 WHERE id = ?2`, time.Now().Add(5*time.Minute).UnixMilli(), old.ID)
	p.open(old.URL)
	p.seesState("expired")
	p.setLanguage("en")
	p.screenshots("customer-expired")
	p.open(world.sim.PhoneURL + api.PathCustomer + strings.Repeat("0", 26))
	p.until("an error", `document.querySelector('[data-error="no_link"]')`)
	p.sees("This link is not valid")
	p.screenshots("customer-unknown")
}
