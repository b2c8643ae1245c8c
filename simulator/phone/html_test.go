package phone

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/simulator/simtest"
	"h5pay/wechat/wechattest"
)

func TestInsertScriptComesBeforeEveryOtherScript(t *testing.T) {
	const tag = `<script src="/__wechat/bridge.js"></script>`
	for _, c := range []struct{ name, page, want string }{
		{"head", `<!doctype html><html><head><title>x</title>`, `<!doctype html><html><head>` + tag + `<title>x</title>`},
		{"attributes and case", `<HTML lang="zh"><HEAD data-x="a>b">rest`, `<HTML lang="zh"><HEAD data-x="a>b">` + tag + `rest`},
		{"head in a comment", `<!-- <head> --><html><head>x`, `<!-- <head> --><html><head>` + tag + `x`},
		{"header is not head", `<html><body><header>x</header>`, `<html>` + tag + `<body><header>x</header>`},
		{"no head", `<!DOCTYPE html><html><script>1</script>`, `<!DOCTYPE html><html>` + tag + `<script>1</script>`},
		{"no html", `<!DOCTYPE html><p>x`, `<!DOCTYPE html>` + tag + `<p>x`},
		{"bare", `<p>x`, tag + `<p>x`},
		{"head only inside a script", `<script>"<head>"</script>`, tag + `<script>"<head>"</script>`},
		{"unclosed", `<html`, tag + `<html`},
		{"unclosed comment", `<!-- x`, tag + `<!-- x`},
		{"empty", ``, tag},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, string(insertScript([]byte(c.page), ""))); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := string(insertScript([]byte("<head>"), `a"b`)); got != `<head><script src="/__wechat/bridge.js" nonce="a&#34;b"></script>` {
		t.Error(got)
	}
}

func TestRewritePolicyKeepsAllButFrameAncestors(t *testing.T) {
	const client = "http://localhost:8802/__wechat/"
	for _, c := range []struct{ policy, want, nonce string }{
		{"default-src 'self'; frame-ancestors 'none'", "default-src 'self'", ""},
		{"frame-ancestors 'none'", "", ""},
		{"script-src 'self' 'wasm-unsafe-eval';connect-src 'self'; img-src data:", "script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src data:", ""},
		{"img-src 'none'", "img-src 'none'", ""},
		{"default-src 'none'; script-src 'nonce-abc='", "default-src 'none'; script-src 'nonce-abc=' " + client + "; connect-src " + client, "abc="},
		{"script-src 'sha256-x'; connect-src 'none'", "script-src 'sha256-x' " + client + "; connect-src " + client, ""},
		{"default-src *", "default-src *", ""},
		{"SCRIPT-SRC 'SELF'; Connect-Src https://api.example", "script-src 'SELF'; connect-src https://api.example " + client, ""},
		{"script-src-elem 'none'; script-src 'self'; connect-src *", "script-src-elem " + client + "; script-src 'self'; connect-src *", ""},
	} {
		got, nonce := rewritePolicy(c.policy, client)
		if got != c.want || nonce != c.nonce {
			t.Errorf("%s\n got %s, nonce %q\nwant %s, nonce %q", c.policy, got, nonce, c.want, c.nonce)
		}
	}
}

// newPhone returns a phone that ends with the test.
func newPhone(t *testing.T, w *simtest.World) *Phone {
	t.Helper()
	p, err := New(w.WeChat, Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// phoneOf runs a phone in front of a shop and returns its URL.
func phoneOf(t *testing.T, shop http.Handler, edit ...func(*wechattest.Config)) (*simtest.World, string) {
	t.Helper()
	upstream := httptest.NewServer(shop)
	t.Cleanup(upstream.Close)
	w := simtest.New(t, append([]func(*wechattest.Config){func(c *wechattest.Config) { c.ShopURL = upstream.URL }}, edit...)...)
	phone := httptest.NewServer(newPhone(t, w))
	t.Cleanup(phone.Close)
	return w, phone.URL
}

func zipped(text string) []byte {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	zw.Write([]byte(text))
	zw.Close()
	return b.Bytes()
}

func TestPagesGetTheBridgeHoweverTheyAreSent(t *testing.T) {
	const page = "<html><head><title>茶</title></head><body></body></html>"
	const want = `<html><head><script src="/__wechat/bridge.js"></script><title>茶</title></head><body></body></html>`
	for name, send := range map[string]func(http.ResponseWriter){
		"plain": func(rw http.ResponseWriter) { io.WriteString(rw, page) },
		"chunked": func(rw http.ResponseWriter) {
			io.WriteString(rw, page[:9])
			rw.(http.Flusher).Flush()
			io.WriteString(rw, page[9:])
		},
		"gzip": func(rw http.ResponseWriter) {
			rw.Header().Set("Content-Encoding", "gzip")
			rw.Write(zipped(page))
		},
		"not found": func(rw http.ResponseWriter) { rw.WriteHeader(404); io.WriteString(rw, page) },
	} {
		t.Run(name, func(t *testing.T) {
			_, url := phoneOf(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Accept-Encoding"); got != "identity" {
					t.Errorf("Accept-Encoding %q went to the shop", got)
				}
				if r.Header.Get("If-None-Match") != "" {
					t.Error("the request for the page was conditional")
				}
				h := rw.Header()
				h.Set("Content-Type", "text/html; charset=utf-8")
				h.Set("ETag", `"1"`)
				h.Set("Last-Modified", "Mon, 02 Mar 2026 02:00:00 GMT")
				h.Set("X-Frame-Options", "DENY")
				h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
				send(rw)
			}))
			res, got := simtest.Fetch(t, "GET", url+"/", "", "If-None-Match", `"1"`)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if res.ContentLength != int64(len(want)) || res.Header.Get("Content-Length") != strconv.Itoa(len(want)) {
				t.Errorf("Content-Length %s, want %d", res.Header.Get("Content-Length"), len(want))
			}
			for _, gone := range []string{"ETag", "Last-Modified", "X-Frame-Options", "Content-Encoding"} {
				if v := res.Header.Get(gone); v != "" {
					t.Errorf("%s: %s is still there", gone, v)
				}
			}
			if got := res.Header.Get("Content-Security-Policy"); got != "default-src 'self'" {
				t.Errorf("policy %q", got)
			}
		})
	}
}

func TestWhatIsNoPagePassesUntouched(t *testing.T) {
	wasm := zipped("\x00asm <head>")
	_, url := phoneOf(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("ETag", `"1"`)
		h.Set("X-Frame-Options", "DENY")
		switch r.URL.Path {
		case "/web/app.wasm":
			if got := r.Header.Get("Accept-Encoding"); got != "gzip, br" {
				t.Errorf("Accept-Encoding %q went to the shop", got)
			}
			h.Set("Content-Type", "application/wasm")
			h.Set("Content-Encoding", "gzip")
			rw.Write(wasm)
		case "/page.html": // in an encoding that cannot be read
			h.Set("Content-Type", "text/html")
			h.Set("Content-Encoding", "br")
			io.WriteString(rw, "\x0b\x02\x80<head>")
		case "/text":
			h.Set("Content-Type", "text/plain")
			io.WriteString(rw, "<head>")
		}
	}))
	for path, want := range map[string]string{"/web/app.wasm": string(wasm), "/page.html": "\x0b\x02\x80<head>", "/text": "<head>"} {
		res, got := simtest.Fetch(t, "GET", url+path, "")
		if got != want || res.Header.Get("ETag") != `"1"` {
			t.Errorf("%s: %q, ETag %q", path, got, res.Header.Get("ETag"))
		}
	}
}

func TestHeadOfAPageHasNoLengthOfTheOtherPage(t *testing.T) {
	_, url := phoneOf(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		rw.Header().Set("Content-Length", "5")
		rw.Header().Set("ETag", `"1"`)
	}))
	res, _ := simtest.Fetch(t, "HEAD", url+"/", "")
	if res.StatusCode != 200 || res.Header.Get("Content-Length") == "5" || res.Header.Get("ETag") != "" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

func FuzzInsertScript(f *testing.F) {
	for _, s := range []string{"<head>", "<!--", "<html a='>'>", "<", "<head a=\"", "</head>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		got := insertScript(page, "")
		tag := []byte(`<script src="/__wechat/bridge.js"></script>`)
		if len(got) != len(page)+len(tag) || !bytes.Contains(got, tag) {
			t.Errorf("%q became %q", page, got)
		}
	})
}
