package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"h5pay/wechat/wechattest"
)

// requestLog records the requests of the phone's browser to the shop.
type requestLog struct {
	mu    sync.Mutex
	lines []loggedRequest
}

type loggedRequest struct{ method, uri, referer, dest string }

// logRequests puts a recording server between the phone and the shop until the test ends.
func logRequests(t *testing.T) *requestLog {
	t.Helper()
	before := world.sim.ShopURL()
	shop, err := url.Parse(before)
	if err != nil {
		t.Fatal(err)
	}
	log := &requestLog{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(shop); r.Out.Host = r.In.Host }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.mu.Lock()
		log.lines = append(log.lines, loggedRequest{r.Method, r.URL.RequestURI(), r.Referer(), r.Header.Get("Sec-Fetch-Dest")})
		log.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	if err := world.sim.SetShop(server.URL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.sim.SetShop(before); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return log
}

func (l *requestLog) all() []loggedRequest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]loggedRequest(nil), l.lines...)
}

// Only the first request of a sign-in's redirect carries the code. The requests for the page's
// scripts, manifest, icons and worker, and all later ones, do not.
func TestNoRequestCarriesTheCode(t *testing.T) {
	log := logRequests(t)
	p := newPlace(t, wechattest.Android)
	p.until("the shop", onShop)
	p.waitRunning()
	p.until("the service worker", `navigator.serviceWorker.getRegistration().then(r => window.worker = r?.active?.state), window.worker === "activated"`)
	// A headless browser fetches the manifest only on request.
	p.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, _, _, _, err := page.GetAppManifest().Do(ctx)
		return err
	}))
	p.tap(`document.querySelector('[data-product="tea"] [data-action="add"]')`)
	p.reload()
	p.until("the shop", onShop)
	p.checkout()
	p.until("the order", onPay)
	p.back("the shop", onShop)
	if href := p.eval("location.href"); href != world.sim.PhoneURL+"/" {
		t.Errorf("the address is %s", href)
	}
	address := lastRedirect(t)
	_, query, _ := strings.Cut(address, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	code, state := values.Get("code"), values.Get("state")
	if code == "" || state == "" {
		t.Fatalf("no code in %s", address)
	}
	withCode, kinds := 0, map[string]int{}
	for _, r := range log.all() {
		kinds[r.dest]++
		if strings.Contains(r.referer, code) || strings.Contains(r.referer, state) {
			t.Errorf("%s %s has the code in Referer: %s", r.method, r.uri, r.referer)
		}
		if strings.Contains(r.uri, code) || strings.Contains(r.uri, state) {
			withCode++
			if r.method != "GET" || r.dest != "document" && r.dest != "empty" {
				t.Errorf("%s %s (%s) has the code", r.method, r.uri, r.dest)
			}
		}
		if strings.Contains(r.referer, "?") {
			t.Errorf("%s %s has a query in Referer: %s", r.method, r.uri, r.referer)
		}
	}
	if withCode > 1 { // none, if the service worker answered that of the redirect
		t.Errorf("%d requests have the code, want at most that of the redirect", withCode)
	}
	// The test must have seen all kinds of requests.
	for _, kind := range []string{"document", "script", "manifest", "image", "serviceworker", "empty"} {
		if kinds[kind] == 0 {
			t.Errorf("no request for a %s among %v", kind, kinds)
		}
	}
}

// A deployment between page and program reloads the page with the code, so no second sign-in is
// needed.
func TestReloadForADeploymentKeepsTheCode(t *testing.T) {
	before := world.sim.ShopURL()
	shop, err := url.Parse(before)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var withCode, stale int
	proxy := httputil.NewSingleHostReverseProxy(shop)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if r.URL.Query().Get("code") != "" && r.URL.Path == "/" {
			withCode++
		}
		gone := withCode == 1 && strings.HasPrefix(r.URL.Path, programs)
		if gone {
			stale++
		}
		mu.Unlock()
		if gone {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer server.Close()
	if err := world.sim.SetShop(server.URL); err != nil {
		t.Fatal(err)
	}
	defer world.sim.SetShop(before)
	newest := lastMessage()
	// The page and the program of the first visit are cached, so the redirected page must fetch them
	// again.
	p := newPlace(t, wechattest.Android, `{ const real = window.fetch; window.fetch = (url, init) => real(url, {cache: "no-store", ...init}); delete window.Worker; delete Navigator.prototype.serviceWorker; }`)
	p.until("the shop", onShop)
	mu.Lock()
	defer mu.Unlock()
	if withCode != 2 || stale == 0 {
		t.Errorf("%d requests with the code, %d responses with status 404", withCode, stale)
	}
	if n := signInsAfter(newest); n != 1 {
		t.Errorf("%d redirects to WeChat", n)
	}
	if href := p.eval("location.href"); strings.Contains(href, "code=") {
		t.Errorf("the address is %s", href)
	}
}

// lastMessage returns the number of the simulator's newest message.
func lastMessage() int64 {
	ms := world.sim.Messages(0)
	if len(ms) == 0 {
		return 0
	}
	return ms[len(ms)-1].Seq
}

// signInsAfter returns how often the authorize page was opened after a message. The simulator
// keeps its newest messages alone, so that the number of all of them says nothing.
func signInsAfter(seq int64) (n int) {
	for _, m := range world.sim.Messages(seq) {
		if m.Kind == "authorize" {
			n++
		}
	}
	return n
}
