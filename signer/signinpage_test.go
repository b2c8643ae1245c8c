//go:build !js

package main

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"h5pay/internal/api"
	"h5pay/internal/static"
	"h5pay/wechat/wechattest"
)

const (
	agentOfWeChat = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile Safari/537.36 MicroMessenger/8.0.50"
	agentOfChrome = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile Safari/537.36"
)

// signInWorld is a shop that runs natively, with its page and a simulated WeChat.
type signInWorld struct {
	*httptest.Server
	t *testing.T
}

// newSignInWorld makes a shop with a limit of calls of an address. change changes its settings.
func newSignInWorld(t *testing.T, limit int, change func(env map[string]string)) signInWorld {
	t.Helper()
	var front http.Handler
	w := signInWorld{httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { front.ServeHTTP(rw, r) })), t}
	t.Cleanup(w.Close)
	sim := wechattest.Start(t, wechattest.Config{ShopURL: w.URL, RSAKeys: testKeys()[:5]})
	env := exampleEnv(t)
	env["SHOP_URL"], env["WECHAT_BASE_URL"] = w.URL, sim.URL
	change(env)
	db := testDB(t)
	catalogue, err := os.ReadFile("../internal/store/seed.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), string(catalogue)); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	a := newApp(platform{getenv: func(name string) string { return env[name] }, db: db, doer: http.DefaultClient, log: log, addressLimit: newLimiter(limit)})
	files := fstest.MapFS{
		"index.html": {Data: []byte(`<!DOCTYPE html><html lang="zh-CN"><script data-wasm="/assets/app.1.wasm"></script><ul><!--rows-zh-->outlines<!--/rows-zh--></ul></html>`)},
		"pay.html":   {Data: []byte(`<!DOCTYPE html><html lang="zh-CN">pay</html>`)},
		"_headers":   {Data: []byte("/*\n  Cache-Control: no-cache\n  Referrer-Policy: strict-origin\n")},
	}
	page := newStartPage(static.New(files), files, a.startPage, a, log)
	front = newLoadLimiter(defaultCapacity, page.calls, page, func(string) {}, log)
	return w
}

// get makes a request without following a redirect. headers are pairs of a name and a value.
func (w signInWorld) get(method, address string, headers ...string) (*http.Response, string) {
	w.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = w.URL + address
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, string(body)
}

var signInAddress = regexp.MustCompile(`<html data-sign-in="([^"]*)" lang`)

// signInOf returns the address of the sign-in that a page names, "" if it names none.
func signInOf(page string) string {
	if m := signInAddress.FindStringSubmatch(page); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// A first visit in WeChat gets the page with the sign-in. Only the browser that got it can end it, and
// once.
func TestStartPageBeginsTheSignIn(t *testing.T) {
	t.Parallel()
	w := newSignInWorld(t, addressLimit, func(map[string]string) {})
	res, page := w.get("GET", "/?from=card&x=a%26b", "User-Agent", agentOfWeChat, "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site", "Accept-Encoding", "identity")
	address := signInOf(page)
	if res.StatusCode != 200 || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Etag") != "" || res.Header.Get("Referrer-Policy") != "strict-origin" ||
		!strings.Contains(page, "68.00") || address == "" {
		t.Fatalf("%s %v %q %.200s", res.Status, res.Header, address, page)
	}
	cookie, _, _ := strings.Cut(res.Header.Get("Set-Cookie"), ";")
	if !strings.HasPrefix(cookie, "h5pay_state=") || !strings.Contains(res.Header.Get("Set-Cookie"), "HttpOnly; SameSite=Lax") {
		t.Errorf("the cookie: %q", res.Header.Values("Set-Cookie"))
	}
	back, _ := w.get("GET", address, "User-Agent", agentOfWeChat)
	landing, err := url.Parse(back.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(landing.String(), w.URL+"/?from=card&x=a%26b&") {
		t.Fatalf("WeChat redirects to %q, %v", landing, err)
	}
	exchange := func(cookie string) (int, string) {
		t.Helper()
		body, err := json.Marshal(api.TokenRequest{Code: landing.Query().Get("code"), State: landing.Query().Get("state")})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), "POST", w.URL+api.PathToken, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Cookie", cookie)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	other, _ := w.get("GET", "/", "User-Agent", agentOfWeChat)
	foreign, _, _ := strings.Cut(other.Header.Get("Set-Cookie"), ";")
	for name, cookie := range map[string]string{"no cookie": "", "another browser's": foreign} {
		if status, text := exchange(cookie); status != 400 || !strings.Contains(text, "state_invalid") {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, text := exchange(cookie); status != 200 || !strings.Contains(text, `"return_to":"/?from=card\u0026x=a%26b"`) {
		t.Errorf("the browser itself: %d %s", status, text)
	}
	if status, text := exchange(cookie); status != 409 {
		t.Errorf("twice: %d %s", status, text)
	}
	zipped, _ := w.get("GET", "/", "User-Agent", agentOfWeChat, "Accept-Encoding", "gzip")
	if zipped.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("not compressed: %v", zipped.Header)
	}
}

// Every other request gets the page that all get. A cache may keep it.
func TestStartPageWithoutASignIn(t *testing.T) {
	t.Parallel()
	w := newSignInWorld(t, addressLimit, func(map[string]string) {})
	for name, test := range map[string]struct {
		method, address string
		headers         []string
	}{
		"another browser":       {"GET", "/", []string{"User-Agent", agentOfChrome}},
		"no browser":            {"GET", "/", nil},
		"WeCom":                 {"GET", "/", []string{"User-Agent", agentOfWeChat + " wxwork/4.1"}},
		"a mini program":        {"GET", "/", []string{"User-Agent", agentOfWeChat + " miniProgram/wx1"}},
		"a computer's":          {"GET", "/", []string{"User-Agent", agentOfWeChat + " WMPF"}},
		"a session":             {"GET", "/", []string{"User-Agent", agentOfWeChat, "Cookie", "a=1; __Host-h5pay_session=x"}},
		"a begun sign-in":       {"GET", "/", []string{"User-Agent", agentOfWeChat, "Cookie", "h5pay_state=x"}},
		"back with a code":      {"GET", "/?code=1&state=2", []string{"User-Agent", agentOfWeChat}},
		"back after a decline":  {"GET", "/?state=2", []string{"User-Agent", agentOfWeChat}},
		"a prefetch":            {"GET", "/", []string{"User-Agent", agentOfWeChat, "Sec-Purpose", "prefetch;prerender"}},
		"a worker's copy":       {"GET", "/", []string{"User-Agent", agentOfWeChat, "Sec-Fetch-Dest", "empty"}},
		"an old worker's copy":  {"GET", "/", []string{"User-Agent", agentOfWeChat, "Accept", "*/*"}},
		"an old view's picture": {"GET", "/", []string{"User-Agent", agentOfWeChat, "Accept", "image/webp,*/*;q=0.8"}},
		"a frame":               {"GET", "/", []string{"User-Agent", agentOfWeChat, "Sec-Fetch-Dest", "iframe"}},
		"HEAD":                  {"HEAD", "/", []string{"User-Agent", agentOfWeChat}},
		"a long address":        {"GET", "/?x=" + strings.Repeat("y", 600), []string{"User-Agent", agentOfWeChat}},
		"another page":          {"GET", "/pay", []string{"User-Agent", agentOfWeChat}},
	} {
		res, page := w.get(test.method, test.address, test.headers...)
		if res.StatusCode != 200 || signInOf(page) != "" || res.Header.Get("Set-Cookie") != "" || res.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %s %v %q", name, res.Status, res.Header, signInOf(page))
		}
	}
	if _, page := w.get("GET", "/", "User-Agent", agentOfWeChat+" MiniProgramEnv/Windows WindowsWechat"); signInOf(page) == "" {
		t.Error("WeChat on a computer does not begin a sign-in")
	}
	without := newSignInWorld(t, addressLimit, func(env map[string]string) { env["WECHAT_APPSECRET"] = "" })
	if res, page := without.get("GET", "/", "User-Agent", agentOfWeChat); res.StatusCode != 200 || signInOf(page) != "" {
		t.Errorf("a shop without settings: %s %q", res.Status, signInOf(page))
	}
}

// Visits that begin a sign-in count for the limit of an address, like the call. Beyond it the page is
// sent as it is.
func TestSignInsOfTheStartPageAreLimited(t *testing.T) {
	t.Parallel()
	w := newSignInWorld(t, 3, func(map[string]string) {})
	var begun []bool
	for range 5 {
		res, page := w.get("GET", "/", "User-Agent", agentOfWeChat)
		if res.StatusCode != 200 {
			t.Fatalf("%s", res.Status)
		}
		begun = append(begun, signInOf(page) != "")
	}
	if want := []bool{true, true, true, false, false}; !slices.Equal(begun, want) {
		t.Errorf("sign-ins began %v, want %v", begun, want)
	}
}

// TestHeadersOfThePageRequestTheProgram of e2e has the same cases for the Worker.
func TestStartPageRequestsTheProgram(t *testing.T) {
	t.Parallel()
	w := newSignInWorld(t, addressLimit, func(map[string]string) {})
	for agent, want := range map[string]string{
		agentOfChrome + " Chrome/116.0.0.0": "</assets/app.1.wasm>; rel=preload; as=fetch; crossorigin; fetchpriority=low",
		agentOfChrome + " Chrome/78.0.0.0":  "",
		agentOfChrome:                       "",
		agentOfWeChat + " Chrome/116.0.0.0": "", // goes to the sign-in
	} {
		res, _ := w.get("GET", "/", "User-Agent", agent)
		once := res.Header.Get("Cache-Control") == "no-store"
		if varies := slices.Contains(res.Header.Values("Vary"), "User-Agent"); res.StatusCode != 200 || res.Header.Get("Link") != want || !varies && !once {
			t.Errorf("%s: %s, Link: %q, want %q", agent, res.Status, res.Header.Get("Link"), want)
		}
	}
}
