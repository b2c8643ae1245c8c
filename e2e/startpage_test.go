package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"h5pay/e2e/pages"
	"h5pay/internal/api"
	"h5pay/internal/static"
)

// The start page as the shop sends it: with the catalogue.

// newShopSite serves the built site, with the start page of the shop.
func newShopSite(t *testing.T) *pages.Server {
	t.Helper()
	s := newSite(t)
	s.Serve(withStartPage(t, static.New(os.DirFS("../public"))))
	return s
}

// withStartPage lets the shop answer requests for the start page.
func withStartPage(t *testing.T, site http.Handler) http.Handler {
	t.Helper()
	shop, err := url.Parse(world.shop.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(shop)
		r.Out.Header.Del("Accept-Encoding")
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			proxy.ServeHTTP(w, r)
			return
		}
		site.ServeHTTP(w, r)
	})
}

// shifts adds up how far the parts of the page move, as Chromium measures it.
const shifts = `{ window.shifts = 0; new PerformanceObserver((list) => { for (const e of list.getEntries()) window.shifts += e.value; }).observe({type: "layout-shift", buffered: true}); }`

// The first paint has the products and their prices in the right language, before the program runs.
// The program makes no call for them, and nothing moves when it runs.
func TestFirstPaintHasTheCatalogue(t *testing.T) {
	for _, test := range []struct{ language, tag, says string }{
		{"zh-CN", "zh-CN", "输入金额"},
		{"en-GB", "en", "Enter an amount"},
	} {
		t.Run(test.tag, func(t *testing.T) {
			s := newShopSite(t)
			release := make(chan struct{})
			s.Fault(onProgram(func(_ http.ResponseWriter, r *http.Request) { waitForRelease(r, release) }))
			tb := newTab(t)
			tb.setLanguage(test.language)
			tb.addScript(shifts)
			tb.open(s.URL + "/")
			tb.sees("68.00")
			tb.sees(test.says)
			tb.state("loading")
			tb.until("the pictures", `[...document.images].every(i => i.complete && i.naturalWidth)`)
			if taps := tb.eval(`[...document.querySelectorAll('[data-action="basket"], [data-action="checkout"]')].filter(e => !e.disabled).length`); taps != "0" {
				t.Errorf("%s buttons of the basket can be tapped before the program runs", taps)
			}
			tb.screenshot("first-paint-catalogue-" + test.tag)
			before := tb.eval(places)
			close(release)
			tb.waitRunning()
			tb.until("the buttons", onShop)
			if after := tb.eval(places); after != before {
				t.Errorf("the program moves the page from\n%s\nto\n%s", before, after)
			}
			if moved, err := strconv.ParseFloat(tb.eval("window.shifts"), 64); err != nil || moved > 0.02 {
				t.Errorf("the layout shifts by %v, %v", moved, err)
			}
			if calls := append(s.Requests("/api/config"), s.Requests("/api/products")...); len(calls) != 0 {
				t.Errorf("the program calls for what the page has: %+v", calls)
			}
		})
	}
}

// A shopper may choose products as soon as they are shown, and go to another page before the program runs. The
// program then has them in its basket.
func TestTapsBeforeTheProgramRuns(t *testing.T) {
	s := newShopSite(t)
	release := make(chan struct{})
	s.Fault(onProgram(func(_ http.ResponseWriter, r *http.Request) { waitForRelease(r, release) }))
	tb := newTab(t)
	open := func() {
		tb.open(s.URL + "/")
		tb.until("the buttons", `document.querySelector('[data-product="tea"] [data-action="add"]:not([disabled])')`)
	}
	tap := func(product string) {
		tb.eval(fmt.Sprintf(`document.querySelector('[data-product=%q] [data-action="add"]').click()`, product))
	}
	shown := func(tea, bun string) {
		tb.until("the quantities", fmt.Sprintf(`((tea, bun) => tea === %q && bun === %q)(...["tea", "bun"].map(id => document.querySelector('[data-product="' + id + '"] output')?.innerText))`, tea, bun))
	}
	open()
	tb.state("loading")
	tap("tea")
	tap("bun")
	tap("tea")
	shown("2", "1")
	if says := tb.eval(`document.querySelector(".bar").innerText`); strings.Contains(says, "请选择商品") {
		t.Errorf("the bar says %q after a tap", says)
	}
	tb.screenshot("first-paint-chosen")
	tb.open(s.URL + "/orders")
	open()
	shown("2", "1")
	tb.eval(`sessionStorage.removeItem("h5pay.taps")`) // the program takes them in one task, and draws in the next
	tap("bun")
	shown("2", "2")
	if stored := tb.eval(`sessionStorage.getItem("h5pay.taps")`); stored != "bun" {
		t.Errorf("stored taps %q: some would be taken twice", stored)
	}
	tb.eval(`sessionStorage.setItem("h5pay.taps", "tea bun tea bun")`)
	close(release)
	tb.waitRunning()
	tb.until("the basket", `document.querySelector('[data-action="checkout"]').innerText === "去支付 (4)"`)
	tb.sees("167.80")
	tap("tea")
	shown("3", "2")
	open() // the basket was stored
	tb.until("the basket", `document.querySelector('[data-action="checkout"]').innerText === "去支付 (5)"`)
	if stored := tb.eval(`sessionStorage.getItem("h5pay.taps") ?? "none"`); stored != "none" {
		t.Errorf("stored taps %q", stored)
	}
}

// Before the program runs, the page shows the stored basket, and allows as many pieces as the program does.
func TestTapsBeforeTheProgramRunsAreLimited(t *testing.T) {
	s := newShopSite(t)
	release := make(chan struct{})
	defer close(release)
	s.Fault(onProgram(func(_ http.ResponseWriter, r *http.Request) { waitForRelease(r, release) }))
	tb := newTab(t)
	tb.addScript(fmt.Sprintf(`sessionStorage["h5pay.basket"] = '{"tea": %d, "cake": 1, "bun": 3}';
		document.addEventListener("readystatechange", () => { // before the last script runs
			const data = document.getElementById("data");
			const catalogue = JSON.parse(data.textContent);
			catalogue.products.find(p => p.id === "cake").left = 2;
			data.textContent = JSON.stringify(catalogue);
		}, {once: true});`, api.MaxQuantity-1))
	tb.open(s.URL + "/")
	tb.until("the buttons", `document.querySelector('[data-product="tea"] [data-action="add"]:not([disabled])')`)
	shown := func(tea, cake, bun string) {
		t.Helper()
		const quantities = `["tea", "cake", "bun"].map(id => (row => row.querySelector("output").innerText + (row.querySelector("[data-action=add]").disabled ? " off" : ""))(document.querySelector('[data-product="' + id + '"]'))).join()`
		if got, want := tb.eval(quantities), strings.Join([]string{tea, cake, bun}, ","); got != want {
			t.Errorf("quantities %s, want %s", got, want)
		}
	}
	shown(strconv.Itoa(api.MaxQuantity-1), "1", "3")
	for range 2 { // the second tap is one too many
		for _, id := range []string{"tea", "cake"} {
			tb.eval(fmt.Sprintf(`document.querySelector('[data-product=%q] [data-action="add"]').click()`, id))
		}
	}
	shown(strconv.Itoa(api.MaxQuantity)+" off", "2 off", "3")
	if stored := tb.eval(`sessionStorage.getItem("h5pay.taps")`); stored != "tea cake" {
		t.Errorf("stored taps %q", stored)
	}
}

// places is where the parts of the page are that a shopper reads or taps.
const places = `[...document.querySelectorAll("h1, .card, .card h2, .card .price, .card .picture, .card .weui-btn, .foot, .bar")].map(e => {
	const r = e.getBoundingClientRect();
	return [e.className || e.tagName, ...[r.x, r.y, r.width, r.height].map(Math.round)].join(" ");
}).join("\\n")`

// In a browser that joins two requests for one file, the headers of the page request the program. It is sent
// once. A copy of the page requests it after the paint.
func TestHeadersOfThePageRequestTheProgram(t *testing.T) {
	address, _ := builtProgram(t)
	want := "<" + address + ">; rel=preload; as=fetch; crossorigin; fetchpriority=low"
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/116.0.0.0 Mobile Safari/537.36":                            want,
		"Mozilla/5.0 (Linux; Android 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/78.0.3904.62 Mobile Safari/537.36":                          "",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": "",
		"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/116.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.50":                          "", // goes to the sign-in
	} {
		res, _ := getPage(t, "GET", "/", "User-Agent", agent)
		once := res.Header.Get("Cache-Control") == "no-store"
		if varies := strings.Contains(strings.Join(res.Header.Values("Vary"), ","), "User-Agent"); res.Header.Get("Link") != want || !varies && !once {
			t.Errorf("%s: Link: %q, want %q", agent, res.Header.Get("Link"), want)
		}
	}
	s := newShopSite(t)
	tb := newTab(t)
	tb.visitKept(s)
	const initiators = `performance.getEntriesByType("resource").filter(e => e.name.endsWith(".wasm")).map(e => e.initiatorType).join()`
	if got := tb.eval(initiators); got != "link" || len(s.Requests(address)) != 1 {
		t.Errorf("the program was requested by %q, %d times", got, len(s.Requests(address)))
	}
	tb.open(s.URL + "/")
	tb.waitRunning()
	if got := tb.eval(initiators); got != "" || tb.eval(isKept) != "true" {
		t.Errorf("a copy: the program was requested by %q", got)
	}
}

// Browsers query whether the page has changed, and the response is short while it has not.
func TestStartPageIsRevalidated(t *testing.T) {
	get := func(method, etag string) (*http.Response, string) {
		t.Helper()
		return getPage(t, method, "/?x=1", "If-None-Match", etag)
	}
	first, page := get("GET", "")
	etag := first.Header.Get("ETag")
	if first.StatusCode != 200 || etag == "" || first.Header.Get("Cache-Control") != "no-cache" || !strings.Contains(first.Header.Get("Content-Security-Policy"), "script-src 'self'") {
		t.Errorf("%s %v", first.Status, first.Header)
	}
	if !strings.Contains(page, "68.00") || strings.Contains(page, "<!--data-->") {
		t.Errorf("the page has no catalogue: %.2000s", page)
	}
	if again, body := get("GET", etag); again.StatusCode != 304 || body != "" {
		t.Errorf("with %s: %s %q", etag, again.Status, body)
	}
	if head, body := get("HEAD", ""); head.StatusCode != 200 || body != "" || head.Header.Get("ETag") != etag {
		t.Errorf("HEAD: %s %q %v", head.Status, body, head.Header)
	}
	if post, _ := get("POST", ""); post.StatusCode == 200 {
		t.Errorf("POST: %s", post.Status)
	}
}

// getPage makes a request to the shop and returns the response with its body. headers are pairs of a name
// and a value.
func getPage(t *testing.T, method, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, world.shop.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// The Worker sends a first visit in WeChat the page with the sign-in, and every other request the page
// that a cache may keep. TestStartPageWithoutASignIn has the same cases for the native server.
func TestWorkerBeginsTheSignIn(t *testing.T) {
	const agent = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile Safari/537.36 MicroMessenger/8.0.50"
	const mark = `<html data-sign-in="http`
	for name, headers := range map[string][]string{
		"a navigation":          {"User-Agent", agent, "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site"},
		"an old web view":       {"User-Agent", agent, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8"},
		"WeChat on a computer":  {"User-Agent", agent + " MiniProgramEnv/Windows WindowsWechat"},
		"a page that was kept":  {"User-Agent", agent, "If-None-Match", "*"},
		"a cookie of something": {"User-Agent", agent, "Cookie", "theme=dark"},
	} {
		res, page := getPage(t, "GET", "/?from=card", headers...)
		if res.StatusCode != 200 || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Etag") != "" ||
			!strings.Contains(res.Header.Get("Set-Cookie"), "h5pay_state=") || !strings.Contains(page, mark) || !strings.Contains(page, "68.00") ||
			!strings.Contains(page, "from%3Dcard") || res.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %s %v", name, res.Status, res.Header)
		}
	}
	for name, test := range map[string]struct {
		method, path string
		headers      []string
	}{
		"another browser":       {"GET", "/", []string{"User-Agent", "Mozilla/5.0 (Linux; Android 14)"}},
		"WeCom":                 {"GET", "/", []string{"User-Agent", agent + " wxwork/4.1"}},
		"a mini program":        {"GET", "/", []string{"User-Agent", agent + " miniProgram/wx1"}},
		"a session":             {"GET", "/", []string{"User-Agent", agent, "Cookie", "a=1; __Host-h5pay_session=x"}},
		"a begun sign-in":       {"GET", "/", []string{"User-Agent", agent, "Cookie", "h5pay_state=x"}},
		"back with a code":      {"GET", "/?code=1&state=2", []string{"User-Agent", agent}},
		"back after a decline":  {"GET", "/?state=2", []string{"User-Agent", agent}},
		"a prefetch":            {"GET", "/", []string{"User-Agent", agent, "Sec-Purpose", "prefetch;prerender"}},
		"a worker's copy":       {"GET", "/", []string{"User-Agent", agent, "Sec-Fetch-Dest", "empty"}},
		"an old worker's copy":  {"GET", "/", []string{"User-Agent", agent, "Accept", "*/*"}},
		"an old view's picture": {"GET", "/", []string{"User-Agent", agent, "Accept", "image/webp,*/*;q=0.8"}},
		"HEAD":                  {"HEAD", "/", []string{"User-Agent", agent}},
		"a long address":        {"GET", "/?x=" + strings.Repeat("y", 600), []string{"User-Agent", agent}},
	} {
		res, page := getPage(t, test.method, test.path, test.headers...)
		if res.StatusCode != 200 || strings.Contains(page, mark) || res.Header.Get("Set-Cookie") != "" || res.Header.Get("Cache-Control") != "no-cache" || res.Header.Get("Etag") == "" {
			t.Errorf("%s: %s %v", name, res.Status, res.Header)
		}
	}
}

// raisePrice changes the price of the tea from 68 to 71 yuan until the end of the test.
func raisePrice(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { setPrice(t, 6800) })
	setPrice(t, 7100)
}

// setPrice changes the price of the tea, in fen, by the API.
func setPrice(t *testing.T, price int) {
	t.Helper()
	body := fmt.Sprintf(`{"name": "高山乌龙茶", "detail": "海拔 1200 米 · 春茶 · 50 克罐装", "image": "/web/products/tea.svg", "price": %d, "position": 10}`, price)
	r, err := http.NewRequest("PUT", world.shop.URL+"/v1/products/tea", bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+world.env["ADMIN_TOKEN"])
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("changing the price: %s", res.Status)
	}
}

// A shopper who sees an older price cannot order at it. The page shows the new one, and the next visitor
// gets it with the page.
func TestOlderPriceCannotBePaid(t *testing.T) {
	p := newPhone(t, 2)
	p.tap(`document.querySelector('[data-product="tea"] [data-action="add"]')`)
	p.until("the sign-in", `document.querySelector('[data-action="checkout"]:not([disabled])')`)
	p.sees("68.00")
	before := orders(t)
	raisePrice(t)
	p.tap(button("去支付"))
	p.until("the message", `document.querySelector('[data-error="price_changed"]')`)
	p.screenshot("price-changed")
	if after := orders(t); after != before {
		t.Errorf("an order was made:\n%s", after)
	}
	p.tap(button("重试"))
	p.until("the new price", onShop)
	p.sees("71.00")
	p.open(world.sim.PhoneURL + "/")
	p.until("the shop", onShop)
	p.sees("71.00")
	p.tap(button("去支付"))
	p.until("the pay page", onPay)
	p.sees("71.00")
}
