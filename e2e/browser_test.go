package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// waitTimeout limits every wait in a page. It is long because nothing is measured here, and because other tests
// run at the same time: a screenshot took more than 30 s on a machine with seven busy processes. A failed
// wait reports what the page shows.
const waitTimeout = 90 * time.Second

// startBrowser starts a Chromium; nearly all tests share one.
func startBrowser(more ...chromedp.ExecAllocatorOption) (ctx context.Context, stop func(), err error) {
	path, err := exec.Command("./browser.sh").Output()
	if err != nil {
		return nil, nil, fmt.Errorf("no browser: %w", err)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(strings.TrimSpace(string(path))),
		chromedp.NoSandbox, // for root in a container
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "zh-CN"),
		chromedp.Flag("accept-lang", "zh-CN"), // navigator.language
	)
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), append(opts, more...)...)
	// chromedp reports every event that it does not know.
	ctx, stopBrowser := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	if err := chromedp.Run(ctx); err != nil {
		stopAlloc()
		return nil, nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return ctx, func() { stopBrowser(); stopAlloc() }, nil
}

// tab is a page in its own browser profile, with the screen of a phone.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// newTab opens an empty page that shares nothing with other tests. Uncaught errors in the page fail
// the test.
func newTab(t *testing.T) *tab {
	t.Helper()
	tb := newTabWithErrors(t)
	chromedp.ListenTarget(tb.ctx, func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("uncaught error in the page: %s", e.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			// Policy violations are reported only here.
			if strings.Contains(e.Entry.Text, "Content Security Policy") {
				t.Errorf("%s:%d violates the policy: %s", e.Entry.URL, e.Entry.LineNumber+1, e.Entry.Text)
			}
		}
	})
	return tb
}

// newTabWithErrors is newTab for a page that is expected to have errors.
func newTabWithErrors(t *testing.T) *tab {
	t.Helper()
	ctx, cancel := newProfile(t)
	t.Cleanup(cancel)
	tb := &tab{t, ctx}
	tb.run(emulation.SetDeviceMetricsOverride(390, 844, 2, true), emulation.SetTouchEmulationEnabled(true))
	t.Cleanup(func() {
		if t.Failed() {
			tb.screenshot("failed-" + strings.ReplaceAll(t.Name(), "/", "-"))
			t.Logf("the page at %s says:\n%s", tb.eval("location.href"), tb.text())
		}
	})
	return tb
}

// newProfile opens a window with empty storage. chromedp's own option opens a tab, and recent
// Chromiums require a window first.
func newProfile(t *testing.T) (context.Context, func()) {
	t.Helper()
	browser := cdp.WithExecutor(world.browser, chromedp.FromContext(world.browser).Browser)
	profile, err := target.CreateBrowserContext().Do(browser)
	if err != nil {
		t.Fatal(err)
	}
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(browser)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(world.browser, chromedp.WithTargetID(id))
	// The first run attaches. With a deadline it would detach at the deadline.
	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx, func() {
		cancel()
		if err := target.DisposeBrowserContext(profile).Do(browser); err != nil {
			t.Errorf("closing the profile: %v", err)
		}
	}
}

func (tb *tab) run(actions ...chromedp.Action) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, waitTimeout)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		tb.t.Fatal(err)
	}
}

func (tb *tab) open(url string) {
	tb.t.Helper()
	tb.run(chromedp.Navigate(url))
}

// eval evaluates an expression in the page. It returns a string as it is, and other values as JSON.
// It returns "" while the page is navigating.
func (tb *tab) eval(js string) string {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, waitTimeout)
	defer cancel()
	var raw json.RawMessage
	if err := chromedp.Run(ctx, chromedp.Evaluate(js, &raw, chromedp.EvalAsValue)); err != nil {
		if ctx.Err() != nil {
			tb.t.Fatalf("evaluating %s: %v", js, err)
		}
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// await is eval for a promise.
func (tb *tab) await(js string) string {
	tb.t.Helper()
	var s string
	tb.run(chromedp.Evaluate(js, &s, awaitPromise))
	return s
}

func awaitPromise(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

func (tb *tab) text() string { return tb.eval("document.body.innerText") }

// until waits until an expression is true.
func (tb *tab) until(what, js string) {
	tb.t.Helper()
	deadline := time.Now().Add(waitTimeout)
	for time.Now().Before(deadline) {
		if tb.eval("Boolean("+js+")") == "true" {
			return
		}
		tb.run(chromedp.Sleep(50 * time.Millisecond))
	}
	tb.t.Fatalf("waited %v for %s; the page at %s says:\n%s", waitTimeout, what, tb.eval("location.href"), tb.text())
}

// sees waits until the page shows a text.
func (tb *tab) sees(text string) {
	tb.t.Helper()
	tb.until("the text "+text, fmt.Sprintf("document.body && document.body.innerText.includes(%q)", text))
}

// tap clicks the centre of an element like a finger: an element on top of it receives the click.
// The expression may find elements in shadow trees.
func (tb *tab) tap(element string) {
	tb.t.Helper()
	// The shop's page may leave for the sign-in while it waits. A press is lost if the program draws the page
	// before the release, so wait for the program.
	tb.until(element, fmt.Sprintf(`(e => e && e.getClientRects().length && !e.disabled && !e.matches('[data-waits=""] [data-action="add"]'))(%s) && !document.querySelector('[data-waits="true"]')`, element))
	var at struct{ X, Y float64 }
	tb.run(
		chromedp.Evaluate(fmt.Sprintf(`(async e => {
			e.scrollIntoView({block: "center"});
			await `+settled+`;
			const r = e.getBoundingClientRect();
			return {X: r.x + r.width / 2, Y: r.y + r.height / 2};
		})(%s)`, element), &at, awaitPromise),
	)
	tb.run(chromedp.MouseClickXY(at.X, at.Y))
}

// settled is a promise for the end of all animations that end, including those in shadow trees.
const settled = `Promise.all([document, ...[...document.querySelectorAll("*")].map(e => e.shadowRoot).filter(Boolean)]
	.flatMap(root => root.getAnimations())
	.filter(a => a.effect.getComputedTiming().iterations !== Infinity)
	.map(a => a.finished.catch(() => {})))`

// button finds a button or link by its text.
func button(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("button, a")].find(e => e.innerText.includes(%q) && e.getClientRects().length)`, text)
}

// screenshot saves a screenshot of the tab as an artifact.
func (tb *tab) screenshot(name string) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, waitTimeout)
	defer cancel()
	tb.await(settled + `.then(() => "")`)
	var png []byte
	err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		png, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).Do(ctx)
		return err
	}))
	if err != nil {
		tb.t.Errorf("screenshot %s: %v", name, err)
		return
	}
	dir := filepath.Join(artifacts(), "screenshots")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		tb.t.Fatal(err)
	}
}
