package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"h5pay/e2e/pages"
)

const (
	cpu          = 4                       // times slower
	settleTime   = 4 * time.Second         // for the browser to have done what it does when it starts
	readyTimeout = 60 * time.Second        // for a page to be ready
	idleTime     = 1500 * time.Millisecond // without a request means that a visit is over
)

// visit is what was measured of one.
type visit struct {
	ready, paint time.Duration // since the address was entered; paint is the first with content
	bytes        int           // sent, service worker and all
	requests     int
}

// visits opens a contender in a browser that has never seen it, and once more in
// that browser after it was ended and started.
func visits(ctx context.Context, browser, profile string, c contender, s *pages.Server, workers bool) (first, second visit, err error) {
	if first, err = visitOnce(ctx, browser, profile, c, s, workers); err != nil {
		return first, second, fmt.Errorf("%s, first visit: %w", c.name, err)
	}
	if second, err = visitOnce(ctx, browser, profile, c, s, workers); err != nil {
		return first, second, fmt.Errorf("%s, second visit: %w", c.name, err)
	}
	return first, second, nil
}

// visitOnce starts the browser on a profile, makes a visit, and ends the browser.
// Without workers the page bypasses service workers, which are there all the same.
func visitOnce(ctx context.Context, browser, profile string, c contender, s *pages.Server, workers bool) (v visit, err error) {
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.UserDataDir(profile),
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("accept-lang", "zh-CN"),
	)
	alloc, stop := chromedp.NewExecAllocator(ctx, opts...)
	defer stop()
	// chromedp reports every event that is newer than itself.
	tab, end := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	defer end()
	if err := chromedp.Run(tab); err != nil {
		return v, err
	}
	time.Sleep(settleTime)
	defer chromedp.Cancel(tab) // lets the browser write down what it keeps
	limited, cancel := context.WithTimeout(tab, readyTimeout)
	defer cancel()
	s.Forget()
	var got struct{ Ready, Paint float64 }
	err = chromedp.Run(limited,
		emulation.SetDeviceMetricsOverride(390, 844, 3, true),
		emulation.SetCPUThrottlingRate(cpu),
		network.SetBypassServiceWorker(!workers),
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument(fmt.Sprintf(watcher, c.ready)).Do(ctx)
			return err
		}),
		chromedp.Navigate(s.URL+"/"),
		chromedp.Poll(`window.measured`, &got, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(readyTimeout)),
	)
	if err != nil {
		return v, err
	}
	v.ready, v.paint = milliseconds(got.Ready), milliseconds(got.Paint)
	for last := -1; last != len(s.Requests("")) || s.Busy(); time.Sleep(idleTime) {
		last = len(s.Requests(""))
	}
	for _, r := range s.Requests("") {
		v.bytes += r.Bytes
		v.requests++
	}
	return v, nil
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// watcher runs before the page does, and notes when it is ready, to the change.
// Whatever is on the screen then was painted at least once before.
const watcher = `{
	const ready = () => %s;
	let at = 0;
	const look = () => {
		if (at || !document.documentElement || !ready()) return;
		at = performance.now();
		changes.disconnect();
		const report = () => {
			const [paint] = performance.getEntriesByName("first-contentful-paint");
			if (!paint) return setTimeout(report, 50);
			window.measured = {Ready: at, Paint: paint.startTime};
		};
		report();
	};
	const changes = new MutationObserver(look);
	changes.observe(document, {childList: true, subtree: true, attributes: true, attributeFilter: ["disabled"]});
}`

// findBrowser returns the path of the browser of the tests.
func findBrowser(ctx context.Context) (string, error) {
	path, err := exec.CommandContext(ctx, "e2e/browser.sh").Output()
	if err != nil {
		return "", fmt.Errorf("no browser: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
}
