package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"h5pay/e2e/pages"
	"h5pay/internal/static"
)

// Loading the page: what is visible before the program runs, and what is downloaded. The test
// serves the site and counts requests; the signer is the real one.

const programs = "/assets/app."

// newSite serves the built site.
func newSite(t *testing.T) *pages.Server {
	t.Helper()
	return newSiteOf(t, "")
}

// newSiteOf is newSite with a signer that names another version of the page, unless that is "".
func newSiteOf(t *testing.T, version string) *pages.Server {
	t.Helper()
	signer, err := url.Parse(world.shop.URL)
	if err != nil {
		t.Fatal(err)
	}
	calls := httputil.NewSingleHostReverseProxy(signer)
	calls.ModifyResponse = func(r *http.Response) error {
		if version != "" {
			r.Header.Set("H5pay-Page", version)
		}
		return nil
	}
	s, err := pages.Start("../node_modules/.bin/node", static.New(os.DirFS("../public")), calls)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// builtProgram returns the program and its address.
func builtProgram(t *testing.T) (address string, program []byte) {
	t.Helper()
	files, err := filepath.Glob("../public/assets/app.*.wasm")
	if err != nil || len(files) != 1 {
		t.Fatalf("%q %v", files, err)
	}
	program, err = os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return "/assets/" + filepath.Base(files[0]), program
}

// onProgram applies a fault only to requests for the program.
func onProgram(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, programs) {
			h(w, r)
		}
	}
}

// cached sets the headers that the site has for the program. Without them Chromium would not join two
// requests.
func cached(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/wasm")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
}

// setLanguage sets the browser's language.
func (tb *tab) setLanguage(language string) {
	tb.t.Helper()
	tb.run(emulation.SetUserAgentOverride(tb.eval("navigator.userAgent")).WithAcceptLanguage(language))
}

const running = `document.querySelector('#loader[data-state="running"]') && document.querySelector("[data-product]")`

func (tb *tab) waitRunning() {
	tb.t.Helper()
	tb.until("the catalogue", running)
}

// state waits for a state of the loader.
func (tb *tab) state(want string) {
	tb.t.Helper()
	tb.until("the loader to be "+want, fmt.Sprintf(`document.querySelector("#loader")?.dataset.state === %q`, want))
}

// waitFailure waits until the page shows the reason why the program does not start, and only that.
func (tb *tab) waitFailure(why string) {
	tb.t.Helper()
	tb.state("failed")
	tb.until("the reason "+why, fmt.Sprintf(`document.querySelector("#loader").dataset.why === %q`, why))
	if shown := tb.eval(`[...document.querySelectorAll("#loader .failed")].filter(e => e.getClientRects().length).map(e => e.dataset.why).join()`); shown != why {
		tb.t.Errorf("the page shows %q, want %s", shown, why)
	}
}

// waitForRelease waits until the test continues a response or the client disconnects. Otherwise the
// server of a failed test would never end.
func waitForRelease(r *http.Request, next <-chan struct{}) {
	select {
	case <-next:
	case <-r.Context().Done():
	}
}

// The first paint has the shop's name, the outline of its screen and the right language, before the
// program runs.
func TestFirstPaint(t *testing.T) {
	for _, test := range []struct{ language, tag, says, not string }{
		{"zh-CN", "zh-CN", "去支付", "Check out"},
		{"en-GB", "en", "Check out", "去支付"},
	} {
		t.Run(test.tag, func(t *testing.T) {
			s := newSite(t)
			release := make(chan struct{})
			s.Fault(onProgram(func(_ http.ResponseWriter, r *http.Request) { waitForRelease(r, release) }))
			tb := newTab(t)
			tb.setLanguage(test.language)
			tb.open(s.URL + "/")
			tb.sees(test.says)
			tb.sees(world.env["SHOP_NAME"])
			if text := tb.text(); strings.Contains(text, test.not) {
				t.Errorf("the page says %q", text)
			}
			if got := tb.eval("document.documentElement.lang"); got != test.tag {
				t.Errorf("its language is %s", got)
			}
			tb.until("the outlines", `document.querySelectorAll(".skeleton").length > 3`)
			tb.state("loading")
			tb.screenshot("first-paint-" + test.tag)
			close(release)
			tb.waitRunning()
			if got := tb.eval("document.documentElement.lang"); got != test.tag {
				t.Errorf("the program makes its language %s", got)
			}
		})
	}
}

// A web view without working workers compiles the program in the page and shows the progress.
func TestProgramWithoutWorkers(t *testing.T) {
	for name, script := range map[string]string{
		"none":             `delete window.Worker;`,
		"forbidden":        `window.Worker = class { constructor() { throw new DOMException("", "SecurityError") } };`,
		"not started":      `window.Worker = class extends Worker { constructor() { super("/assets/none.js") } };`,
		"broken":           `const W = Worker; window.Worker = class extends W { constructor() { super(URL.createObjectURL(new Blob(["throw 1"]))) } };`,
		"keeping programs": `const W = Worker; window.Worker = class extends W { constructor() { super(URL.createObjectURL(new Blob(["postMessage({ error: 'DataCloneError' })"]))) } };`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			tb := newTab(t)
			tb.addScript(`{` + script + `}`)
			tb.open(s.URL + "/")
			tb.waitRunning()
			if got := tb.eval(`document.querySelector("[role=progressbar]").getAttribute("aria-valuenow")`); got != "100" {
				t.Errorf("the bar is at %s", got)
			}
			if n := len(s.Requests(programs + "*")); n != 1 {
				t.Errorf("%d downloads", n)
			}
		})
	}
}

// Progress reports may arrive after the program, and after a stall. The shop starts anyway.
func TestLateProgressIsIgnored(t *testing.T) {
	s := newSite(t)
	tb := newTab(t)
	tb.addScript(`{
		const real = setTimeout, W = Worker;
		window.setTimeout = (f, ms, ...rest) => real(f, ms === 20000 ? 500 : ms, ...rest); // the time after which the page reports a stalled download
		window.Worker = class extends W {
			set onmessage(f) {
				super.onmessage = (e) => (e.data.bytes > 0 ? real(() => { f(e); window.reported = true; }, 8000) : f(e));
			}
		};
	}`)
	tb.open(s.URL + "/")
	tb.waitRunning()
	tb.until("the late report", "window.reported")
	tb.await(`new Promise((resolve) => setTimeout(resolve, 1500, ""))`)
	tb.state("running")
}

// A page in the background is not painted, but it loads.
func TestProgramOfAHiddenPage(t *testing.T) {
	s := newSite(t)
	tb := newTab(t)
	tb.addScript(`{ const frame = requestAnimationFrame; window.requestAnimationFrame = () => {}; setTimeout(() => window.requestAnimationFrame = frame, 900); }`)
	tb.open(s.URL + "/")
	tb.waitRunning()
}

// The start script may arrive long after the program.
func TestProgramBeforeItsStart(t *testing.T) {
	s := newSite(t)
	s.Fault(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/assets/start.") {
			return
		}
		for len(s.Requests(programs+"*")) == 0 && r.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(3 * time.Second) // to compile it
	})
	tb := newTab(t)
	tb.open(s.URL + "/")
	tb.waitRunning()
	if n := len(s.Requests(programs + "*")); n != 1 {
		t.Errorf("%d downloads", n)
	}
}

// Chromium requests the program while it parses the page, before there is a worker. Other engines would receive
// it twice.
func TestProgramIsRequestedEarly(t *testing.T) {
	for agent, want := range map[string]int{
		"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/116.0.0.0 Mobile Safari/537.36":                            1,
		"Mozilla/5.0 (Linux; Android 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/78.0.3904.62 Mobile Safari/537.36":                          0, // may be too old
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": 0,
	} {
		s := newSite(t)
		var requests atomic.Int32
		s.Fault(onProgram(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
		tb := newTab(t)
		tb.run(emulation.SetUserAgentOverride(agent))
		tb.addScript(`window.Worker = class {};`)
		tb.open(s.URL + "/")
		tb.until("the other scripts", "window.startup?.started")
		tb.await(`fetch("/web/icon.svg").then(r => r.text())`) // requested after it
		if n := int(requests.Load()); n != want {
			t.Errorf("%s: %d requests", agent, n)
		}
	}
}

// The progress bar always shows the share that has arrived.
func TestProgressIsCorrect(t *testing.T) {
	s := newSite(t)
	address, program := builtProgram(t)
	const parts = 5
	next := make(chan struct{})
	s.Fault(onProgram(func(w http.ResponseWriter, r *http.Request) {
		cached(w)
		for i := range parts {
			w.Write(program[len(program)*i/parts : len(program)*(i+1)/parts])
			w.(http.Flusher).Flush()
			waitForRelease(r, next)
		}
	}))
	tb := newTab(t)
	tb.open(s.URL + "/")
	for i := range parts {
		want := 100 * (i + 1) / parts
		// The last bytes of a part may arrive with the next one.
		tb.until(strconv.Itoa(want)+" %", fmt.Sprintf(`(p => p > %d && p <= %d)(document.querySelector("[role=progressbar]").getAttribute("aria-valuenow"))`, want-5, want))
		if i == parts/2 {
			tb.screenshot("loading-half")
		}
		next <- struct{}{}
	}
	tb.waitRunning()
	if got := tb.eval(`document.querySelector("script[data-wasm]").dataset.wasm`); got != address {
		t.Errorf("the page loads %s, the site has %s", got, address)
	}
}

// However the download fails, the page shows a message and an action.
func TestProgramDownloadFails(t *testing.T) {
	_, program := builtProgram(t)
	for why, fault := range map[string]http.HandlerFunc{
		"server": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"network": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/wasm")
			w.Header().Set("Content-Length", strconv.Itoa(len(program)))
			w.Write(program[:len(program)/2])
			panic(http.ErrAbortHandler)
		},
		"altered": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<h1>Sign in to this network</h1>")
		},
	} {
		t.Run(why, func(t *testing.T) {
			s := newSite(t)
			s.Fault(onProgram(fault))
			tb := newTab(t)
			tb.open(s.URL + "/")
			tb.waitFailure(why)
			s.Fault(nil)
			tb.tap(button("重试"))
			tb.waitRunning()
		})
	}
	t.Run("in English", func(t *testing.T) {
		s := newSite(t)
		s.Fault(onProgram(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
		tb := newTab(t)
		tb.setLanguage("en")
		tb.open(s.URL + "/")
		tb.waitFailure("server")
		tb.sees("The page did not load")
	})
}

// A stalled download shows a message. It does not restart when it continues.
func TestStalledDownload(t *testing.T) {
	s := newSite(t)
	_, program := builtProgram(t)
	goOn := make(chan struct{})
	s.Fault(onProgram(func(w http.ResponseWriter, r *http.Request) {
		cached(w)
		w.Write(program[:len(program)/3])
		w.(http.Flusher).Flush()
		waitForRelease(r, goOn)
		w.Write(program[len(program)/3:])
	}))
	tb := newTab(t)
	// Twenty seconds become one.
	tb.addScript(`{ const real = setTimeout; window.setTimeout = (f, ms, ...rest) => real(f, ms === 20000 ? 1000 : ms, ...rest); }`)
	tb.open(s.URL + "/")
	tb.waitFailure("network")
	close(goOn)
	tb.waitRunning()
	if n := len(s.Requests(programs + "*")); n != 1 {
		t.Errorf("%d downloads", n)
	}
}

// A deployment removes the program of an older page. The page is reloaded, and only once.
func TestDeploymentBetweenPageAndProgram(t *testing.T) {
	address, _ := builtProgram(t)
	index, err := os.ReadFile("../public/index.html")
	if err != nil {
		t.Fatal(err)
	}
	older := strings.ReplaceAll(string(index), address, programs+"0000000000000000.wasm")
	for _, test := range []struct {
		name  string
		stale int32 // requests for the old page
		end   func(*tab)
		pages int
	}{
		{"once", 1, (*tab).waitRunning, 2},
		{"for ever", 1000, func(tb *tab) { tb.state("failed") }, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			var served, visits atomic.Int32
			s.Fault(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate" {
					return // the service worker fetches the page too
				}
				visits.Add(1)
				if served.Add(1) <= test.stale {
					w.Header().Set("Content-Type", "text/html; charset=utf-8")
					io.WriteString(w, older)
				}
			})
			tb := newTab(t)
			tb.open(s.URL + "/")
			test.end(tb)
			if n := int(visits.Load()); n != test.pages {
				t.Errorf("the page was fetched %d times", n)
			}
		})
	}
}

// If the program ends, which it should not, the page shows a message.
func TestProgramThatEnds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ends.wasm")
	cmd := exec.Command("go", "build", "-o", file, "h5pay/internal/cmd/wasmbuild/testdata/random")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := newSite(t)
	s.Fault(onProgram(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) }))
	tb := newTab(t)
	tb.open(s.URL + "/")
	tb.sees("页面出错")
	s.Fault(nil)
	tb.tap(button("重试"))
}
