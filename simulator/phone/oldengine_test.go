package phone

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"h5pay/simulator/simtest"
	"h5pay/wechat/wechattest"
)

func TestNewSyntax(t *testing.T) {
	for script, want := range map[string]string{
		"a?.b": "?.", "a ?? b": "??", "a ||= b": "||=", "a &&= b": "&&=", "f(a)?.[0]": "?.",
		"a ? .5 : b": "", "a?.5:b": "", "a || b && c": "", "var s = 'a?.b', t = \"c ?? d\", u = `e?.f`;": "",
		"// a?.b\nc()": "", "/* a ?? b */ c()": "", "s.replace(/a??b/, '/')": "", "x = /[/]??/.test(y)": "", "a / b ?? c": "??",
		"// a?.b\nc ?? d": "??", "'\\'' ?? a": "??", "/* a": "", "'a": "", "": "",
	} {
		if got := newSyntax(script); got != want {
			t.Errorf("%q: %q, want %q", script, got, want)
		}
	}
}

// An old engine gets unreadable scripts instead of new ones, and the page's policy allows them.
func TestAnOldEngineCannotReadNewScripts(t *testing.T) {
	const page = `<!doctype html><html><head><script>var old = 1;</script><script data-x="y">a ?? b;</script></head></html>`
	w, url := phoneOf(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/new.js", "/old.js":
			rw.Header().Set("Content-Type", "text/javascript")
			rw.Header().Set("Cache-Control", "immutable")
			io.WriteString(rw, map[string]string{"/new.js": "a?.b", "/old.js": "var a"}[r.URL.Path])
		default:
			rw.Header().Set("Content-Type", "text/html")
			rw.Header().Set("Content-Security-Policy", "script-src 'sha256-x'")
			io.WriteString(rw, page)
		}
	}))

	for e, want := range map[wechattest.Environment]string{wechattest.Android: "a?.b", wechattest.AndroidOld: unreadable} {
		w.Move(e)
		res, script := simtest.Fetch(t, "GET", url+"/new.js", "")
		if script != want || (res.Header.Get("Cache-Control") == "no-store") != (e == wechattest.AndroidOld) {
			t.Errorf("%s: %q, %v", e, script, res.Header)
		}
		if _, script := simtest.Fetch(t, "GET", url+"/old.js", ""); script != "var a" {
			t.Errorf("%s: the old script is %q", e, script)
		}
		res, text := simtest.Fetch(t, "GET", url+"/", "")
		if !strings.Contains(text, "<script>var old = 1;</script>") || strings.Contains(text, "a ?? b") != (e == wechattest.Android) || strings.Contains(text, unreadable) != (e == wechattest.AndroidOld) {
			t.Errorf("%s: %s", e, text)
		}
		if policy := res.Header.Get("Content-Security-Policy"); strings.Count(policy, "sha256-") != map[wechattest.Environment]int{wechattest.Android: 1, wechattest.AndroidOld: 2}[e] {
			t.Errorf("%s: %s", e, policy)
		}
	}
}
