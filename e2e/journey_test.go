package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"h5pay/internal/api"
	"h5pay/wechat/wechattest"
)

func TestPay(t *testing.T) {
	p := newPhone(t, 0)
	p.until("the shop", onShop)
	p.screenshot("shop")
	p.choose("tea", "coffee", "coffee")
	id := p.order()
	p.until("the order", `document.querySelector('[data-action="pay"]')`)
	p.screenshot("pay")
	p.openSheet()
	p.screenshot("sheet")
	p.tap(sheet(".pay"))
	p.until("the result page", `location.pathname === "/result"`)
	p.seesPaid()
	p.screenshot("result")
	p.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
	p.screenshot("result-dark")
	p.open(world.sim.PhoneURL + "/")
	p.until("the shop", onShop)
	p.until("the pictures", `[...document.images].every(i => i.complete)`)
	p.screenshot("shop-dark")

	status, transaction := stored(t, id)
	if status != "paid" || transaction == "" {
		t.Errorf("order %s is %s by %q", id, status, transaction)
	}
	checkLedger(t)
}

func TestCodeAndStateLeaveTheAddress(t *testing.T) {
	p := newPhone(t, 0)
	p.until("the shop", onShop)
	if href := p.eval("location.href"); strings.Contains(href, "code=") || strings.Contains(href, "state=") {
		t.Errorf("the address still holds them: %s", href)
	}
	if cookies := p.eval("document.cookie"); cookies != "" {
		t.Errorf("the page can read cookies: %s", cookies)
	}
	openid := world.sim.User().OpenID
	_, session := p.fetch("GET", "/api/session", "")
	if strings.Contains(session, openid) {
		t.Error("the session shows the whole openid")
	}
}

func TestCancelThenPay(t *testing.T) {
	p := newPhone(t, 0)
	p.choose("coffee")
	id := p.order()
	p.openSheet()
	p.tap(sheet(".close"))
	p.sees("已取消")
	p.screenshot("cancelled")
	if status, _ := stored(t, id); status != "open" {
		t.Errorf("a cancelled payment left the order %s", status)
	}
	p.pay()
	p.seesPaid()
	if p.order() != id {
		t.Error("the second try made another order")
	}
	checkLedger(t)
}

// While the payment sheet is open, another user pays the same order by QR code. The buyer then pays
// on the sheet too, and the page says that the second payment is refunded.
func TestPayTwice(t *testing.T) {
	p := newPhone(t, 0)
	p.choose("coffee")
	id := p.order()
	p.openSheet()
	var c api.Checkout
	status, answer := p.fetch("POST", api.OrderPayPath(id), fmt.Sprintf("%q", payBy(api.TradeNative)))
	if err := json.Unmarshal([]byte(answer), &c); err != nil || status != 200 {
		t.Fatalf("the code: %d %s, %v", status, answer, err)
	}
	code, err := world.sim.Scan(c.CodeURL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := world.sim.PaySheet(code.ID); err != nil {
		t.Fatal(err)
	}
	p.tap(sheet(".pay"))
	p.until("the result page", `location.pathname === "/result"`)
	p.seesPaid()
	p.open(world.sim.PhoneURL + "/result?order=" + id)
	p.sees("您重复付款了")
	p.screenshot("paid-twice")
	checkLedger(t)
}

// The client rejects a prepay_id: the next attempt uses a new one.
func TestFailThenPay(t *testing.T) {
	p := newPhone(t, 0)
	p.choose("coffee")
	id := p.order()
	fault(t, wechattest.Fault{Kind: "sheet_fail"})
	p.openSheet()
	p.tap(sheet(".pay"))
	p.tap(sheet(".alert button"))
	p.sees("支付失败")
	p.pay()
	p.seesPaid()
	for _, o := range world.sim.Ledger().Orders {
		if o.OutTradeNo == outTradeNo(t, id) && len(o.PrepayIDs) != 2 {
			t.Errorf("prepay_ids %q, want a new one after the failure", o.PrepayIDs)
		}
	}
	checkLedger(t)
}

func TestNotificationLost(t *testing.T) {
	p := newPhone(t, 0)
	p.choose("bun")
	id := p.order()
	fault(t, wechattest.Fault{Kind: "notify_lost"})
	p.pay()
	p.seesPaid()
	if status, _ := stored(t, id); status != "paid" {
		t.Errorf("order is %s", status)
	}
	for _, n := range world.sim.Ledger().Notifications {
		if n.State == wechattest.NotifyLost && len(n.Attempts) != 0 {
			t.Error("the notification was not lost")
		}
	}
	checkLedger(t)
}

func TestNotificationDoubled(t *testing.T) {
	p := newPhone(t, 0)
	p.choose("cake")
	id := p.order()
	fault(t, wechattest.Fault{Kind: "notify_doubled"})
	p.pay()
	p.seesPaid()
	_, transaction := stored(t, id)
	for _, n := range world.sim.Ledger().Notifications {
		if n.OutTradeNo != outTradeNo(t, id) {
			continue
		}
		// The signer answers FAIL to a duplicate that arrives while it confirms the other one, and
		// WeChat repeats it.
		if len(n.Attempts) != 2 || !n.Attempts[0].OK && !n.Attempts[1].OK {
			t.Errorf("one of the two copies must be acknowledged: %+v", n.Attempts)
		}
	}
	if _, again := stored(t, id); again != transaction {
		t.Error("the second copy changed the order")
	}
	checkLedger(t)
}

func TestForgedNotifications(t *testing.T) {
	p := newPhone(t, 0)
	p.choose("juice")
	id := p.order()
	p.openSheet() // WeChat has the order, not yet paid
	before := orders(t)
	for _, forge := range []string{"bad_sign", "no_sign", "wrong_amount", "other_key"} {
		attempt, err := world.sim.Notify(outTradeNo(t, id), forge)
		if err != nil {
			t.Fatalf("%s: %v", forge, err)
		}
		if attempt.OK {
			t.Errorf("%s was acknowledged", forge)
		}
	}
	if after := orders(t); after != before {
		t.Errorf("a forged notification changed something:\n%s\n%s", before, after)
	}
	// Requests of strangers log at most one line per minute, and so do mismatches with a valid
	// signature.
	for _, line := range []string{"notification rejected", "payment mismatch"} {
		if !strings.Contains(world.log.String(), line) {
			t.Errorf("the log has no line %q", line)
		}
	}
	checkLedger(t)
}

// Back to the address that WeChat opened, including the code.
func TestUsedCode(t *testing.T) {
	p := newPhone(t, 0)
	p.until("the shop", onShop)
	address := lastRedirect(t)

	t.Run("with a session", func(t *testing.T) {
		p.t = t
		p.open(address)
		p.until("the shop", onShop)
		p.until("a clean address", `!location.search.includes("code=")`)
	})
	t.Run("without one", func(t *testing.T) {
		// Another web view: the state is not its own, so it signs in again, once.
		q := phone{newTab(t)}
		q.open(address)
		q.until("the shop", onShop)
		q.until("a clean address", `!location.search.includes("code=")`)
		if status, _ := q.fetch("GET", "/api/session", ""); status != 200 {
			t.Errorf("GET /api/session: %d", status)
		}
	})
}

// WeChat rejects every code: the page must stop and show an error.
func TestSignInNeverLoops(t *testing.T) {
	world.sim.ClearFaults()
	takePhone(t, 0)
	fault(t, wechattest.Fault{Kind: "code_used", Count: 100})
	p := phone{newTab(t)}
	newest := lastMessage()
	p.open(world.sim.PhoneURL + "/")
	p.until("an error with a way out", `document.querySelector('[data-error] button')`)
	p.screenshot("sign-in-failed")
	if n := signInsAfter(newest); n != 2 {
		t.Errorf("%d redirects to WeChat, want the first and one restart", n)
	}
	world.sim.ClearFaults()
	p.tap(`document.querySelector('[data-error] button')`)
	p.until("the shop", onShop)
}

func TestReloadOnTheResultPage(t *testing.T) {
	p := newPhone(t, 0)
	p.choose("tea")
	p.pay()
	p.seesPaid()
	before := orders(t)
	p.eval("location.reload()")
	p.until("the page to start over", `performance.getEntriesByType("navigation")[0].type === "reload"`)
	p.seesPaid()
	if after := orders(t); after != before {
		t.Errorf("a reload changed something:\n%s\n%s", before, after)
	}
}

func TestAnotherUsersOrder(t *testing.T) {
	p := newPhone(t, 0)
	p.choose("tea")
	id := p.order()

	q := newPhone(t, 1)
	q.until("the shop", onShop)
	for _, call := range []struct{ method, path, body string }{
		{"GET", "/api/orders/" + id, ""},
		{"POST", "/api/orders/" + id + "/pay", "'{}'"},
	} {
		status, answer := q.fetch(call.method, call.path, call.body)
		if status != 404 || !strings.Contains(answer, `"not_found"`) {
			t.Errorf("%s %s: %d %s", call.method, call.path, status, answer)
		}
	}
	if _, list := q.fetch("GET", "/api/orders", ""); strings.Contains(list, id) {
		t.Error("the list shows another user's order")
	}
	for _, page := range []string{"/result?order=", "/pay?order="} {
		q.open(world.sim.PhoneURL + page + id)
		q.until("a message with a way out", `document.querySelector('[data-error] button, [data-error] a')`)
	}
	q.screenshot("not-yours")
	takePhone(t, 0)
}

func TestConsentUnderUserInfo(t *testing.T) {
	p := newPhone(t, 0)
	p.until("the shop", onShop)
	consent := func() {
		t.Helper()
		_, answer := p.fetch("POST", "/api/oauth/authorize", `'{"return_to": "/", "scope": "snsapi_userinfo"}'`)
		var got api.AuthorizeResponse
		if err := json.Unmarshal([]byte(answer), &got); err != nil {
			t.Fatalf("authorize: %v in %s", err, answer)
		}
		p.open(got.URL)
	}

	consent()
	p.sees("允许")
	p.screenshot("consent")
	p.tap(button("允许"))
	p.until("the shop", onShop)
	p.until("a clean address", `!location.search.includes("code=")`)
	user := world.sim.User()
	if _, session := p.fetch("GET", "/api/session", ""); !strings.Contains(session, user.Nickname) {
		t.Errorf("the session does not know %s: %s", user.Nickname, session)
	}

	p.fetch("DELETE", "/api/session", "")
	consent()
	p.tap(button("拒绝"))
	p.until("a page that says so, with a way out", `document.querySelector('[data-error] button')`)
	p.screenshot("consent-declined")
}

// A computer shows a QR code and then the result.
func TestOutsideWeChat(t *testing.T) {
	if err := world.sim.SetEnvironment(wechattest.Desktop); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { world.sim.SetEnvironment(wechattest.Android) })
	p := newPhone(t, 0)
	p.choose("tea")
	id := p.order()
	p.until("the code", `document.querySelector("img.qr")?.complete`)
	p.screenshot("outside-wechat")
	var code string
	for _, o := range world.sim.Ledger().Orders {
		if o.OutTradeNo == outTradeNo(t, id) {
			code = o.CodeURL
		}
	}
	sheet, err := world.sim.Scan(code)
	if err != nil {
		t.Fatalf("scanning %q: %v", code, err)
	}
	if _, err := world.sim.PaySheet(sheet.ID); err != nil {
		t.Fatal(err)
	}
	p.seesPaid()
	checkLedger(t)
}

// fault adds a fault to the simulator's queue.
func fault(t *testing.T, f wechattest.Fault) {
	t.Helper()
	if err := world.sim.AddFault(f); err != nil {
		t.Fatal(err)
	}
}

func outTradeNo(t *testing.T, id string) (no string) {
	t.Helper()
	if err := database(t).QueryRow(`SELECT out_trade_no FROM payments WHERE order_id = ? ORDER BY created_at DESC LIMIT 1`, id).Scan(&no); err != nil {
		t.Fatal(err)
	}
	return no
}

// lastRedirect returns the address with code and state to which WeChat last redirected.
func lastRedirect(t *testing.T) string {
	t.Helper()
	messages := world.sim.Messages(0)
	for i := len(messages) - 1; i >= 0; i-- {
		// The request itself does not arrive where the service worker answers it.
		location, _ := strings.CutPrefix(messages[i].Response, "Location: ")
		if _, query, ok := strings.Cut(location, "?code="); ok && messages[i].Kind == "authorize" {
			return fmt.Sprintf("%s/?code=%s", world.sim.PhoneURL, query)
		}
	}
	t.Fatal("no sign-in in the log")
	return ""
}

// recordCalls keeps the page's calls of the signer in window.calls, and whether the program ran.
const recordCalls = `{
	window.calls = [];
	const real = window.fetch.bind(window);
	window.fetch = (...args) => {
		const path = new URL(args[0].url ?? args[0], location.href).pathname;
		const running = document.querySelector('#loader[data-state="running"]') !== null;
		if (path.startsWith("/api/")) calls.push([args[1]?.method ?? "GET", path, args[1]?.body ?? "", running ? "program" : "early"].join(" "));
		return real(...args);
	};
}`

// The pay page makes one call, before the program runs, and the tap on its button makes none. WeChat
// receives the order once.
func TestPayPageMakesOneCall(t *testing.T) {
	for e, types := range map[wechattest.Environment]string{
		wechattest.Android: `["JSAPI","NATIVE"]`, wechattest.Safari: `["MWEB","NATIVE"]`, wechattest.Desktop: `["NATIVE"]`,
		wechattest.Windows: `["NATIVE","JSAPI"]`,
	} {
		t.Run(string(e), func(t *testing.T) {
			p := newPlace(t, e, recordCalls)
			p.choose("juice")
			p.until("the pay page", onPay)
			id := p.order()
			want := "POST /api/orders/" + id + `/pay {"trade_types":` + types + `} early`
			if got := p.eval(`calls.join("\n")`); got != want {
				t.Errorf("the page calls\n%s\nwant\n%s", got, want)
			}
			if e == wechattest.Android {
				p.openSheet()
				if got := p.eval(`calls.join("\n")`); got != want {
					t.Errorf("after the tap the page calls\n%s\nwant\n%s", got, want)
				}
			}
			for _, o := range world.sim.Ledger().Orders {
				if o.OutTradeNo == outTradeNo(t, id) && len(o.PrepayIDs) != 1 {
					t.Errorf("WeChat returned the prepay_ids %q", o.PrepayIDs)
				}
			}
		})
	}
}
