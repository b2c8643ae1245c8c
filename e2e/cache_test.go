package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"h5pay/internal/static"
)

// What one visit keeps for the next: the browser's cache, and a service worker for visits without a
// network.

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

// The program is downloaded once. The page and the signer's responses are requested on every visit.
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
		if n := len(s.Requests("/assets/")); n != 0 {
			t.Errorf("%d files were loaded again: %+v", n, s.Requests("/assets/"))
		}
		if len(s.Requests("/")) == 0 || len(s.Requests("/api/products")) != 1 || len(s.Requests("/api/config")) != 1 {
			t.Errorf("want each page and response requested once per visit: %+v", s.Requests("/"))
		}
	}
	for name, files := range tb.caches() {
		for _, file := range files {
			if strings.HasSuffix(file, ".wasm") || strings.HasPrefix(file, "/api") || file == "/" {
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

// A deployment is visible on the next visit, and the old cache is removed.
func TestUpdateShowsOnTheNextVisit(t *testing.T) {
	s := newSite(t)
	tb := newTab(t)
	tb.open(s.URL + "/")
	tb.waitRunning()
	tb.workerServes()
	before := tb.caches()

	next := t.TempDir()
	if err := os.CopyFS(next, os.DirFS("../public")); err != nil {
		t.Fatal(err)
	}
	address, _ := builtProgram(t)
	other := programs + "00000000deadbeef.wasm"
	if err := os.Rename(filepath.Join(next, address), filepath.Join(next, other)); err != nil {
		t.Fatal(err)
	}
	edit := func(name string, pairs ...string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(next, name))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer(pairs...).Replace(string(b))
		if text == string(b) {
			t.Fatalf("nothing to replace in %s", name)
		}
		if err := os.WriteFile(filepath.Join(next, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	edit("index.html", address, other, "<title", `<meta name="release" content="next"><title`)
	edit("app-worker.js", `"h5pay-`, `"h5pay-next-`)
	s.Serve(static.New(os.DirFS(next)))
	s.Forget()
	tb.open(s.URL + "/")
	tb.until("the new page", `document.querySelector("meta[name=release]")`)
	tb.waitRunning()
	if got := tb.eval(`document.querySelector("script[data-wasm]").dataset.wasm`); got != other || len(s.Requests(other)) != 1 {
		t.Errorf("the new page runs %s, downloaded %d times", got, len(s.Requests(other)))
	}
	tb.until("the new service worker alone", `caches.keys().then(names => window.names = names) && window.names?.length === 1 && window.names[0].startsWith("h5pay-next-")`)
	if len(before) != 1 {
		t.Errorf("before there were %v", before)
	}
}

// Without a network the shop shows its own offline page, and it opens when the network is back.
func TestOffline(t *testing.T) {
	s := newSite(t)
	tb := newTab(t)
	tb.open(s.URL + "/")
	tb.waitRunning()
	tb.workerServes()
	s.Fault(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
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
