package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"h5pay/wechat/wechattest"
)

// Each reason why the program cannot start has its own message.

// startScripts is the prefix of the start script's address.
const startScripts = "/assets/start."

// servePage serves the start page, edited, with a policy; "" means the site's own.
func servePage(t *testing.T, policy string, edit func(page string) string) http.HandlerFunc {
	t.Helper()
	page, err := os.ReadFile("../public/index.html")
	if err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", policy)
		io.WriteString(w, edit(string(page)))
	}
}

// sitePolicy returns the Content-Security-Policy of the built site.
func sitePolicy(t *testing.T) string {
	t.Helper()
	headers, err := os.ReadFile("../public/_headers")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`Content-Security-Policy: (.*)`).FindSubmatch(headers)
	if found == nil {
		t.Fatal("the site has no policy")
	}
	return string(found[1])
}

// withHashOf adds the hash of an inline script to a policy.
func withHashOf(policy, script string) string {
	sum := sha256.Sum256([]byte(script))
	return strings.Replace(policy, "script-src ", "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"' ", 1)
}

// invalidScript is a script that no engine can parse, like a new script in an old engine.
const invalidScript = "a ?.?. b;"

// withoutToReversed removes the function that check.js uses to recognise a current browser.
const withoutToReversed = `delete Array.prototype.toReversed;`

func TestWhyTheProgramDoesNotStart(t *testing.T) {
	policy := sitePolicy(t)
	same := func(page string) string { return page }
	inline := regexp.MustCompile(`(?s)(<script data-prefetch[^>]*>)(.*?)(</script>)`)
	replaceFirst := func(script string) func(string) string {
		return func(page string) string {
			found := inline.FindStringSubmatchIndex(page)
			return page[:found[4]] + script + page[found[5]:]
		}
	}
	onStart := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, startScripts) {
				h(w, r)
			}
		}
	}
	abort := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	_, program := builtProgram(t)
	unknown := bytes.Clone(program) // with an instruction that the engine does not support
	copy(unknown[len(unknown)/2:], bytes.Repeat([]byte{0xff}, 64))
	for _, test := range []struct {
		name      string
		addScript string // runs in the page first
		fault     http.HandlerFunc
		why       string
	}{
		{name: "first.js cannot be read", why: "old", fault: servePage(t, withHashOf(policy, invalidScript), replaceFirst(invalidScript))},
		{name: "start.js cannot be read", why: "old", fault: onStart(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			io.WriteString(w, invalidScript)
		})},
		{name: "no WebAssembly in an old browser", why: "old", addScript: withoutToReversed + `delete window.WebAssembly;`},
		{name: "no WebAssembly in a browser of today", why: "off", addScript: `delete window.WebAssembly;`},
		{name: "no promises and nothing newer", why: "old", addScript: withoutToReversed +
			`for (const name of ["Promise", "Reflect", "fetch", "AbortController", "TextEncoder", "globalThis", "WebAssembly", "Symbol", "Map", "Set", "Proxy"]) delete window[name];`},
		{name: "no AbortController", why: "old", addScript: `delete window.AbortController;`},
		{name: "a policy of which the browser knows no wasm-unsafe-eval", why: "old", addScript: withoutToReversed,
			fault: servePage(t, strings.Replace(policy, "'wasm-unsafe-eval'", "", 1), same)},
		{name: "a policy that was changed", why: "blocked", fault: servePage(t, strings.Replace(policy, "'wasm-unsafe-eval'", "", 1), same)},
		{name: "an instruction that the browser does not know", why: "old", fault: onProgram(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/wasm")
			w.Write(unknown)
		})},
		{name: "half of a program", why: "altered", fault: onProgram(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/wasm")
			w.Write(program[:len(program)/2])
		})},
		{name: "no memory for the program", why: "memory",
			addScript: `WebAssembly.instantiate = () => Promise.reject(new RangeError("WebAssembly.Instance(): Out of memory"));`},
		{name: "the program uses the memory up", why: "memory", fault: onProgram(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/wasm")
			w.Write(limitMemory(t, program))
		})},
		{name: "the policy blocks start.js", why: "blocked", fault: servePage(t, strings.Replace(policy, "script-src 'self'", "script-src", 1), same)},
		{name: "first.js was changed on the way", why: "blocked", fault: servePage(t, policy, func(page string) string {
			return inline.ReplaceAllString(page, "${1}${2};${3}")
		})},
		{name: "first.js fails", why: "broken", addScript: `Object.defineProperty(Document.prototype, "currentScript", {get: () => null});`},
		{name: "start.js is not there", why: "server", fault: onStart(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) })},
		{name: "start.js is another thing", why: "altered", fault: onStart(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<h1>Sign in to this network</h1>")
		})},
		{name: "start.js alone never arrives", why: "blocked", fault: onStart(abort)},
		{name: "the program alone never arrives", why: "blocked", fault: onProgram(abort)},
		{name: "the network goes after the page", why: "network", fault: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" || r.Method != http.MethodGet {
				abort(w, r)
			}
		}},
		{name: "start.js stands still", why: "network",
			addScript: `{ const real = setTimeout; window.setTimeout = (f, ms, ...rest) => real(f, ms === 20000 ? 1000 : ms, ...rest); }`,
			fault:     onStart(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.Fault(test.fault)
			tb := newTabWithErrors(t)
			if test.addScript != "" {
				tb.addScript(test.addScript)
			}
			tb.openAtOnce(s.URL + "/")
			tb.waitFailure(test.why)
			if n := len(s.Requests(programs + "*")); test.why == "old" && strings.Contains(test.name, "no ") && n != 0 {
				t.Errorf("the program was fetched %d times for nothing", n)
			}
		})
	}
}

// openAtOnce navigates without waiting, because the page may never be complete.
func (tb *tab) openAtOnce(url string) {
	tb.t.Helper()
	tb.open("about:blank")
	tb.eval("location.href = " + quote(url) + ", ''")
	tb.until("the page", `location.href !== "about:blank" && document.getElementById("loader")`)
}

// limitMemory returns a program whose memory cannot grow.
func limitMemory(t *testing.T, program []byte) []byte {
	t.Helper()
	const header, memory = 8, 5 // bytes before the sections; a section's ID
	for at := header; at < len(program); {
		id := program[at]
		size, n := binary.Uvarint(program[at+1:])
		begin := at + 1 + n
		end := begin + int(size)
		if id == memory {
			least := program[begin+2 : end] // after the number of memories and the limit flag
			limited := slices.Concat([]byte{1, 1}, least, least)
			return slices.Concat(program[:at+1], binary.AppendUvarint(nil, uint64(len(limited))), limited, program[end:])
		}
		at = end
	}
	t.Fatal("the program has no memory")
	return nil
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

// Every message exists in both languages and is readable on every screen.
func TestMessagesOfAProgramThatDoesNotStart(t *testing.T) {
	s := newSite(t)
	s.Fault(servePage(t, withHashOf(sitePolicy(t), invalidScript), func(page string) string {
		return regexp.MustCompile(`(?s)(<script data-prefetch[^>]*>)(.*?)(</script>)`).ReplaceAllString(page, "${1}"+invalidScript+"${3}")
	}))
	for language, says := range map[string]map[string]string{
		"zh-CN": {"network": "网络不稳定", "server": "服务器出错", "altered": "公共 Wi-Fi", "blocked": "被拦截", "old": "请更新微信", "off": "锁定模式", "memory": "内存不足", "broken": "加载失败"},
		"en-GB": {"network": "No connection", "server": "has a problem", "altered": "public Wi-Fi", "blocked": "was blocked", "old": "Update WeChat", "off": "Lockdown Mode", "memory": "Not enough memory", "broken": "did not load"},
	} {
		t.Run(language, func(t *testing.T) {
			tb := newTabWithErrors(t)
			tb.setLanguage(language)
			tb.open(s.URL + "/")
			tb.waitFailure("old")
			tb.screenshots("too-old-" + language)
			for why, text := range says {
				tb.eval(`startup.fail(` + quote(why) + `), ""`)
				tb.waitFailure(why)
				tb.sees(text)
				tb.accessible(why)
			}
		})
	}
}

// Without JavaScript the page shows a message in both languages.
func TestScriptsAreTurnedOff(t *testing.T) {
	s := newSite(t)
	tb := newTab(t)
	tb.run(emulation.SetScriptExecutionDisabled(true))
	tb.open(s.URL + "/")
	tb.run(emulation.SetScriptExecutionDisabled(false)) // the test itself needs scripts
	if shown := tb.eval(`[...document.querySelectorAll("#loader .failed")].filter(e => e.getClientRects().length).map(e => e.innerText).join()`); !strings.Contains(shown, "请启用 JavaScript") || !strings.Contains(shown, "Turn on JavaScript") {
		t.Errorf("the page shows %q", shown)
	}
	tb.screenshot("no-scripts")
}

// WeChat with an engine of 2019 shows that it is too old. It downloads nothing and does not sign
// in.
func TestOldWeChat(t *testing.T) {
	world.sim.ClearFaults()
	takePhone(t, 0)
	moveTo(t, wechattest.AndroidOld)
	before, newest := counts(), lastMessage()
	tb := newTabWithErrors(t)
	tb.addScript(withoutToReversed)
	tb.open(world.sim.PhoneURL + "/?code=c1&state=s1")
	tb.waitFailure("old")
	tb.sees("请更新微信")
	if href := tb.eval("location.href"); href != world.sim.PhoneURL+"/" {
		t.Errorf("the address is %s", href)
	}
	for path, n := range counts() {
		if n > before[path] && (strings.HasPrefix(path, programs) || strings.HasPrefix(path, "/api/")) {
			t.Errorf("%s was fetched", path)
		}
	}
	if n := signInsAfter(newest); n != 0 {
		t.Errorf("%d redirects to WeChat", n)
	}
}
