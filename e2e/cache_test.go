package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"h5pay/e2e/pages"
	"h5pay/internal/static"
)

// The tests of what one visit stores for the next one: the browser's cache, and the files of the
// service worker for visits without a network.

// workerServes waits until the service worker controls the page.
func (tb *tab) workerServes() {
	tb.t.Helper()
	tb.until("the service worker", `navigator.serviceWorker.controller?.state === "activated"`)
}

// caches returns the contents of the service workers' caches by name.
func (tb *tab) caches() map[string][]string {
	tb.t.Helper()
	text := tb.await(`(async () => {
		const all = {};
		for (const name of await caches.keys())
			all[name] = (await (await caches.open(name)).keys()).map(r => new URL(r.url).pathname);
		return JSON.stringify(all);
	})()`)
	var all map[string][]string
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		tb.t.Fatal(err)
	}
	return all
}

// waitFetched waits for n requests of the path. The service worker makes some behind a page.
func waitFetched(t *testing.T, s *pages.Server, path string, n int) {
	t.Helper()
	for deadline := time.Now().Add(waitTimeout); len(s.Requests(path)) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s was not fetched %d times: %+v", path, n, s.Requests("*"))
		}
	}
}

// The program is downloaded once. The signer's responses are requested on every visit, and the page
// behind a visit.
func TestProgramIsDownloadedOnce(t *testing.T) {
	s := newSite(t)
	tb := newTab(t)
	tb.open(s.URL + "/")
	tb.waitRunning()
	tb.workerServes()
	for range 2 {
		s.Forget()
		tb.open(s.URL + "/?again")
		tb.waitRunning()
		if n := len(s.Requests("/assets/*")); n != 0 {
			t.Errorf("%d files were loaded again: %+v", n, s.Requests("/assets/*"))
		}
		waitFetched(t, s, "/", 1)
		if len(s.Requests("/api/products")) != 1 || len(s.Requests("/api/config")) != 1 {
			t.Errorf("want each response requested once per visit: %+v", s.Requests("*"))
		}
	}
	for name, files := range tb.caches() {
		for _, file := range files {
			if strings.HasSuffix(file, ".wasm") || strings.HasPrefix(file, "/api") {
				t.Errorf("the service worker keeps %s in %s", file, name)
			}
		}
	}
	// The signer's responses are never cached ones.
	s.Fault(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if got := tb.await(`fetch("/api/products").then(r => String(r.status))`); got != "503" {
		t.Errorf("the page gets %s for an answer", got)
	}
}

// The redirect to WeChat and back and the steps to the payment, each a page load, need one download
// in total.
func TestJourneyDownloadsTheProgramOnce(t *testing.T) {
	before := counts()
	p := newPhone(t, 1)
	p.waitRunning()
	p.choose("test")
	p.pay()
	p.seesPaid()
	if signIns := counts()["/api/oauth/token"] - before["/api/oauth/token"]; signIns != 1 {
		t.Fatalf("%d redirects to WeChat", signIns)
	}
	pages, downloads := 0, 0
	for path, n := range counts() {
		switch n -= before[path]; {
		case strings.HasPrefix(path, programs):
			downloads += n
		case path == "/" || path == "/pay" || path == "/result":
			pages += n
		}
	}
	if downloads != 1 || pages < 4 {
		t.Errorf("%d downloads of the program for %d pages", downloads, pages)
	}
}

// nextSite returns a copy of the site as the next deployment writes it, and the address of its program.
func nextSite(t *testing.T, version string) (site http.Handler, program string) {
	t.Helper()
	next := t.TempDir()
	if err := os.CopyFS(next, os.DirFS("../public")); err != nil {
		t.Fatal(err)
	}
	address, _ := builtProgram(t)
	other := programs + "00000000deadbeef.wasm"
	if err := os.Rename(filepath.Join(next, address), filepath.Join(next, other)); err != nil {
		t.Fatal(err)
	}
	was := static.New(os.DirFS("../public")).Header("/", "H5pay-Page")
	edit := func(name string, pairs ...string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(next, name))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer(append(pairs, was, version)...).Replace(string(b))
		if text == string(b) {
			t.Fatalf("nothing to replace in %s", name)
		}
		if err := os.WriteFile(filepath.Join(next, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	edit("index.html", address, other, "<title", `<meta name="release" content="next"><title`)
	edit("app-worker.js")
	edit("_headers")
	return static.New(os.DirFS(next)), other
}

// waitKept waits until the service worker keeps a page.
func (tb *tab) waitKept(screen string) {
	tb.t.Helper()
	tb.until("a copy of "+screen, fmt.Sprintf(`caches.match(%q).then(r => window.kept = r) && window.kept`, screen))
}

// visitKept opens the shop and waits until the service worker keeps its start page.
func (tb *tab) visitKept(s *pages.Server) {
	tb.t.Helper()
	tb.open(s.URL + "/")
	tb.waitRunning()
	tb.workerServes()
	tb.waitKept("/")
}

const isKept = `document.documentElement.dataset.kept !== undefined`

// The second visit shows the copy at once, while neither the page nor the signer answers. Nothing can be
// bought until the signer has named its prices.
func TestSecondVisitComesFromTheCache(t *testing.T) {
	s := newShopSite(t)
	tb := newTab(t)
	tb.addScript(shifts)
	tb.visitKept(s)
	raisePrice(t)
	release := make(chan struct{})
	s.Fault(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/api/") {
			waitForRelease(r, release)
		}
	})
	tb.open(s.URL + "/")
	tb.sees("68.00")
	tb.state("running")
	tb.until("the mark of a copy", isKept)
	if taps := tb.eval(`[...document.querySelectorAll('[data-action="add"], [data-action="checkout"]')].filter(e => !e.disabled).length`); taps != "0" {
		t.Errorf("%s buttons can be tapped before the signer answers", taps)
	}
	close(release)
	tb.until("the buttons", onShop)
	tb.sees("71.00")
	if moved, err := strconv.ParseFloat(tb.eval("window.shifts"), 64); err != nil || moved > 0.02 {
		t.Errorf("the layout shifts by %v, %v", moved, err)
	}
	if n := len(s.Requests("/api/products")); n == 0 {
		t.Error("the signer did not name its prices")
	}
	// The copy was renewed behind the page.
	tb.until("the new copy", `caches.match("/").then(r => r.text()).then(text => window.copy = text) && window.copy?.includes("71.00")`)
	// A reload gets the network.
	tb.reload()
	tb.until("the buttons", onShop)
	if tb.eval(isKept) != "false" {
		t.Error("a reload shows the copy")
	}
}

// A copy whose calls have returned before the program starts is drawn once, with the prices of these
// calls: the program takes no response. They may return before the browser has read the whole copy.
func TestCopyWithItsCallsIsCurrent(t *testing.T) {
	for name, script := range map[string]string{
		"copy at once": ``,
		"copy in two parts": `{
			const { match } = Cache.prototype;
			Cache.prototype.match = async function (...all) {
				const copy = await match.apply(this, all);
				if (!copy) return copy;
				const [head, body] = (await copy.text()).split(/(?=<body)/);
				const parts = new TransformStream();
				const writer = parts.writable.getWriter();
				writer.write(new TextEncoder().encode(head));
				setTimeout(() => {
					writer.write(new TextEncoder().encode(body));
					writer.close();
				}, 2_000);
				return new Response(parts.readable, copy);
			};
		}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newShopSite(t)
			s.Fault(changedWorker(t, script))
			tb := newTab(t)
			tb.addScript(`{
				const { instantiate } = WebAssembly, { text } = Response.prototype;
				window.taken = 0;
				Response.prototype.text = function () {
					if (this.url.endsWith("/api/products")) window.taken++;
					return text.call(this);
				};
				WebAssembly.instantiate = async (...all) => {
					while (sessionStorage.wait) await new Promise((resolve) => setTimeout(resolve, 20));
					return instantiate.apply(WebAssembly, all);
				};
			}`)
			tb.visitKept(s)
			raisePrice(t)
			tb.eval(`sessionStorage.wait = "for the calls"`)
			tb.open(s.URL + "/")
			tb.until("the data of the calls", `document.getElementById("data")?.dataset.current !== undefined`)
			tb.sees("68.00") // the copy
			tb.until("the last script", "window.startup.started")
			if taps := tb.eval(`[...document.querySelectorAll("[data-action]:not([data-action=language])")].filter(e => !e.disabled && e.getClientRects().length).length`); taps != "0" {
				t.Errorf("%s buttons of the copy can be tapped before the program runs", taps)
			}
			tb.until("the pictures, which the layout requests", `(all => all.length > 0 && all.every(i => i.loading === "lazy" && i.complete && i.naturalWidth))([...document.querySelectorAll(".cards img")])`)
			tb.eval(`sessionStorage.removeItem("wait")`)
			tb.until("the buttons", onShop)
			tb.sees("71.00")
			if taken := tb.eval("window.taken"); taken != "0" || tb.eval(isKept) != "true" {
				t.Errorf("the program took %s responses; a copy: %s", taken, tb.eval(isKept))
			}
		})
	}
}

// changedWorker sends the service worker behind a script that changes its browser.
func changedWorker(t *testing.T, script string) http.HandlerFunc {
	t.Helper()
	worker, err := os.ReadFile("../public/app-worker.js")
	if err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/app-worker.js" {
			w.Header().Set("Content-Type", "text/javascript")
			io.WriteString(w, script+string(worker))
		}
	}
}

// A deployment shows on the next visit: the copy of the older page loads itself again, before anything
// can be bought. Afterwards the new service worker is alone.
func TestUpdateShowsOnTheNextVisit(t *testing.T) {
	const version = "00000000deadbeef"
	old := newSite(t)
	tb := newTab(t)
	tb.visitKept(old)
	before := tb.caches()

	site, program := nextSite(t, version)
	old.Serve(site)
	old.Fault(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			w.Header().Set("H5pay-Page", version)
			w.Header().Set("Content-Type", "application/json")
			// The copy and the new page call the same signer.
			res, err := http.Get(world.shop.URL + r.URL.Path)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			w.WriteHeader(res.StatusCode)
			io.Copy(w, res.Body)
		}
	})
	old.Forget()
	tb.open(old.URL + "/")
	tb.until("the new page", `document.querySelector("meta[name=release]")`)
	tb.waitRunning()
	tb.until("the buttons", onShop)
	if got := tb.eval(`document.querySelector("script[data-wasm]").dataset.wasm`); got != program || len(old.Requests(program)) != 1 {
		t.Errorf("the new page runs %s, downloaded %d times", got, len(old.Requests(program)))
	}
	tb.until("the new service worker alone", `caches.keys().then(names => window.names = names) && window.names?.length === 1 && window.names[0] === "h5pay-`+version+`"`)
	if len(before) != 1 {
		t.Errorf("before there were %v", before)
	}
	tb.waitKept("/")
	tb.open(old.URL + "/")
	tb.until("the buttons", onShop)
	tb.until("the new page from the cache", isKept+` && document.querySelector("meta[name=release]")`)
}

// If the signer names another version than the network delivers, the page loads itself once more and
// then works.
func TestPageLoadsItselfOnce(t *testing.T) {
	s := newSiteOf(t, "0000000000000bad")
	tb := newTab(t)
	tb.open(s.URL + "/")
	tb.until("the second load", `performance.getEntriesByType("navigation")[0].type === "reload"`)
	tb.until("the buttons", onShop)
	tb.tap(`document.querySelector('[data-product="tea"] [data-action="add"]')`)
	tb.sees("去支付 (1)")
	loads := 0
	for _, r := range s.Requests("/api/config") {
		if r.Status == http.StatusOK {
			loads++
		}
	}
	if loads != 2 {
		t.Errorf("the page was loaded %d times", loads)
	}
}

// A browser whose cache does not work gets the network.
func TestBrokenCaches(t *testing.T) {
	for name, script := range map[string]string{
		"silent":  `Cache.prototype.match = () => new Promise(() => {});`,
		"broken":  `Cache.prototype.match = () => Promise.reject(new Error("broken"));`,
		"throws":  `Cache.prototype.match = () => { throw new Error("broken"); };`,
		"is full": `Cache.prototype.put = () => Promise.reject(new DOMException("", "QuotaExceededError"));`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.Fault(changedWorker(t, script))
			tb := newTab(t)
			tb.open(s.URL + "/")
			tb.waitRunning()
			tb.workerServes()
			s.Forget()
			tb.open(s.URL + "/")
			tb.until("the buttons", onShop)
			if tb.eval(isKept) != "false" {
				t.Error("the page is a copy")
			}
		})
	}
}

// A page of another origin of content, such as a firewall's challenge, is shown but not kept.
func TestForeignPageIsNotKept(t *testing.T) {
	s := newSite(t)
	tb := newTab(t)
	tb.visitKept(s)
	asked := make(chan struct{}, 10)
	s.Fault(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" || r.URL.Path == "/orders" {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html ><h1>Prove that you are human</h1>")
			asked <- struct{}{}
		}
	})
	tb.open(s.URL + "/")
	tb.until("the buttons", onShop)
	<-asked // behind the page
	tb.open(s.URL + "/orders")
	tb.sees("Prove that you are human")
	s.Fault(nil)
	tb.open(s.URL + "/orders")
	tb.state("running")
	tb.open(s.URL + "/")
	tb.until("the buttons", onShop)
	tb.until("the copy", isKept)
}

// Without a network the shop shows its own offline page, and it opens when the network is back.
func TestOffline(t *testing.T) {
	s := newSite(t)
	tb := newTab(t)
	tb.visitKept(s)
	s.Fault(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	tb.open(s.URL + "/") // the copy of the page, whose program has no connection
	tb.until("the message", `document.querySelector('[data-error="offline"]')`)
	tb.open(s.URL + "/pay?order=x")
	tb.sees("网络不稳定")
	tb.until("the look of the shop", `getComputedStyle(document.querySelector(".weui-btn_primary")).backgroundColor === "rgb(1, 137, 66)"`)
	if got := tb.eval("location.pathname + location.search"); got != "/pay?order=x" {
		t.Errorf("the address is %s", got)
	}
	tb.screenshot("offline")
	s.Fault(nil)
	tb.tap(button("重试"))
	tb.until("the pay page", `document.querySelector('#loader[data-state="running"]') && location.pathname === "/pay"`)
}
