package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"h5pay/internal/static"
	"h5pay/wechat/wechattest"
)

// The redirect to WeChat's sign-in and back, in web views that lose their storage.

// signInWith opens the shop as the first user, with a fault for each of count sign-ins.
func signInWith(t *testing.T, kind string, count int) phone {
	t.Helper()
	world.sim.ClearFaults()
	takePhone(t, 0)
	moveTo(t, wechattest.Android)
	fault(t, wechattest.Fault{Kind: kind, Count: count})
	t.Cleanup(func() { world.sim.ClearFaults(); takePhone(t, 0) })
	p := phone{newTab(t)}
	p.open(world.sim.PhoneURL + "/")
	return p
}

// After two redirects to WeChat the page shows an error. The count is in the signed state, which a
// web view cannot lose.
func TestSignInStopsWithoutStorage(t *testing.T) {
	for _, kind := range []string{wechattest.FaultFreshView, wechattest.FaultCookieLost} {
		t.Run(kind, func(t *testing.T) {
			newest := lastMessage()
			p := signInWith(t, kind, 100)
			p.until("a message and a way on", `document.querySelector('[data-error="cookies"] button')`)
			p.sees("无法保持登录状态")
			if n := signInsAfter(newest); n != 2 {
				t.Errorf("%d redirects to WeChat", n)
			}
			if kind == wechattest.FaultFreshView {
				p.screenshots("signin-" + kind)
			}
			world.sim.ClearFaults()
			p.tap(button("重试"))
			p.until("the shop", onShop)
		})
	}
}

// A sign-in that loses all its data causes one retry, and no more.
func TestOneFailedSignInIsRetried(t *testing.T) {
	newest := lastMessage()
	p := signInWith(t, wechattest.FaultFreshView, 1)
	p.until("the shop", onShop)
	if n := signInsAfter(newest); n != 2 {
		t.Errorf("%d redirects to WeChat", n)
	}
}

// A user who opens a copied link with another user's code signs in as themselves.
func TestCopiedLinkSignsInItsOwnUser(t *testing.T) {
	p := signInWith(t, wechattest.FaultLandingShared, 1)
	p.until("the shop", onShop)
	_, session := p.fetch("GET", "/api/session", "")
	for n, user := range world.sim.Users()[:2] {
		masked := user.OpenID[:4] + "…" + user.OpenID[len(user.OpenID)-4:]
		if got := strings.Contains(session, masked); got != (n == 1) {
			t.Errorf("the second person is signed in by %s", session)
		}
	}
}

// A first visit goes to WeChat before the program is loaded, and its code is exchanged while the program
// is loaded. The program makes no call to sign in. Going back leaves the shop.
func TestSignInBeginsWithThePage(t *testing.T) {
	world.sim.ClearFaults()
	takePhone(t, 1)
	moveTo(t, wechattest.Android)
	p := phone{newTab(t)}
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(elsewhere.Close)
	p.open(elsewhere.URL)
	newest, before := lastMessage(), counts()
	p.open(world.sim.PhoneURL + "/?from=card")
	p.until("the sign-in", `document.querySelector('[data-waits="false"]')`)
	p.until("the shop", onShop)
	calls := counts()
	for path, want := range map[string]int{"/api/oauth/authorize": 0, "/api/oauth/token": 1, "/api/session": 0, "/": 2} {
		// The service worker may fetch the page to keep it.
		if n := calls[path] - before[path]; n != want && (path != "/" || n != want+1) {
			t.Errorf("%d calls of %s, want %d", n, path, want)
		}
	}
	if n := signInsAfter(newest); n != 1 {
		t.Errorf("%d redirects to WeChat", n)
	}
	if address := p.eval("location.pathname + location.search"); address != "/?from=card" {
		t.Errorf("the sign-in ends at %s", address)
	}
	// A later visit has a session.
	newest = lastMessage()
	p.open(world.sim.PhoneURL + "/")
	p.until("the sign-in", `document.querySelector('[data-waits="false"]')`)
	if n := signInsAfter(newest); n != 0 {
		t.Errorf("a later visit: %d redirects to WeChat", n)
	}
	p.eval("history.go(-2)")
	p.until("the page before the shop", fmt.Sprintf("location.origin === %q", elsewhere.URL))
}

// signInSite serves the built site with an address of a sign-in in its start page.
func signInSite(t *testing.T, address string) http.Handler {
	t.Helper()
	page, err := os.ReadFile("../public/index.html")
	if err != nil {
		t.Fatal(err)
	}
	site := static.New(os.DirFS("../public"))
	marked := strings.Replace(string(page), "<html ", `<html data-sign-in="`+address+`" `, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && r.URL.RawQuery == "" {
			site.ServeOnce(w, r, []byte(marked))
			return
		}
		site.ServeHTTP(w, r)
	})
}

// The page goes to the address that it names, once in a web view. It loads nothing before it leaves.
func TestPageGoesToTheSignInOnce(t *testing.T) {
	s := newSite(t)
	s.Serve(signInSite(t, "/orders?there"))
	tb := newTab(t)
	tb.open(s.URL + "/offline")
	s.Fault(onProgram(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	tb.eval(`location.href = "/"`)
	tb.until("the sign-in", `location.search === "?there"`)
	tb.state("failed") // the program of that page
	s.Fault(nil)
	tb.open(s.URL + "/")
	tb.waitRunning()
	if address := tb.eval("location.pathname"); address != "/" {
		t.Errorf("a second sign-in begins without the program: the page is at %s", address)
	}
	if attempts := tb.eval(`sessionStorage.getItem("h5pay.sign_in_attempts")`); attempts != "1" {
		t.Errorf("%s attempts are counted", attempts)
	}
}

// If WeChat's page does not open, the page loads itself again with the program, which handles the rest.
func TestSignInThatDoesNotOpen(t *testing.T) {
	s := newSite(t)
	s.Serve(signInSite(t, "/nowhere"))
	s.Fault(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/nowhere" {
			w.WriteHeader(http.StatusNoContent) // the browser stays where it is
		}
	})
	tb := newTab(t)
	tb.open(s.URL + "/")
	tb.waitRunning()
	if n := len(s.Requests("/nowhere")); n != 1 {
		t.Errorf("%d requests of the sign-in", n)
	}
}

// The service worker keeps no page with a sign-in, which is for one browser and ten minutes.
func TestWorkerKeepsNoSignIn(t *testing.T) {
	s := newSite(t)
	tb := newTab(t)
	tb.visitKept(s)
	kept := tb.await(`caches.match("/").then(r => r.text())`)
	s.Serve(signInSite(t, "/orders"))
	s.Forget()
	tb.eval(`sessionStorage.setItem("h5pay.sign_in_attempts", "1")`)
	tb.reload() // from the network
	tb.waitRunning()
	tb.open(s.URL + "/") // from the copy, and fetched behind it
	tb.waitRunning()
	waitFetched(t, s, "/", 2)
	if now := tb.await(`caches.match("/").then(r => r.text())`); now != kept || strings.Contains(now, `data-sign-in="`) {
		t.Errorf("the copy is now %.200s", now)
	}
}
