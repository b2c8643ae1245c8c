package main

import (
	"context"
	"errors"
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
	settleTime   = 4 * time.Second         // time for the browser to finish its start
	readyTimeout = 60 * time.Second        // for a page to be ready
	idleTime     = 1500 * time.Millisecond // a visit ends after this time without a request
)

// visit is the measurement of one visit.
type visit struct {
	tap      time.Duration // a painted "+" can be tapped, since the first navigation; 0 without a catalogue
	ready    time.Duration // since the first navigation
	paint    time.Duration // the first contentful one, since the last navigation
	blocked  time.Duration // what tasks of the page took beyond 50 ms each, from the paint on
	shift    float64       // how far the parts of the page moved, as Chromium measures it
	bytes    int           // sent, including the service worker
	requests int
}

func (v visit) String() string {
	return fmt.Sprintf("tap %v, ready %v, paint %v, blocked %v, shift %.3f, %d bytes", v.tap.Round(ms), v.ready.Round(ms), v.paint.Round(ms), v.blocked.Round(ms), v.shift, v.bytes)
}

// visits opens a contender in a new browser, and again after a restart of that browser.
func visits(ctx context.Context, browser, profile string, c contender, s *pages.Server, workers bool) (first, second visit, err error) {
	if first, err = visitOnce(ctx, browser, profile, c, s, workers); err != nil {
		return first, second, fmt.Errorf("%s, first visit: %w", c.name, err)
	}
	if second, err = visitOnce(ctx, browser, profile, c, s, workers); err != nil {
		return first, second, fmt.Errorf("%s, second visit: %w", c.name, err)
	}
	return first, second, nil
}

// visitOnce starts the browser with a profile, makes a visit and ends the browser. Without workers
// the page bypasses its service worker, which is still installed.
func visitOnce(ctx context.Context, browser, profile string, c contender, s *pages.Server, workers bool) (v visit, err error) {
	trust, key := pages.TrustFlag()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.UserDataDir(profile),
		chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("accept-lang", "zh-CN"),
		chromedp.Flag(trust, key),
	)
	alloc, stop := chromedp.NewExecAllocator(ctx, opts...)
	defer stop()
	// chromedp reports every event that it does not know.
	tab, end := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	defer end()
	if err := chromedp.Run(tab); err != nil {
		return v, err
	}
	time.Sleep(settleTime)
	defer chromedp.Cancel(tab) // lets the browser write its caches
	limited, cancel := context.WithTimeout(tab, readyTimeout)
	defer cancel()
	s.Forget()
	var got struct{ Tap, Ready, Paint float64 }
	err = chromedp.Run(limited,
		emulation.SetDeviceMetricsOverride(390, 844, 3, true),
		emulation.SetCPUThrottlingRate(cpu),
		chromedp.ActionFunc(func(ctx context.Context) error {
			if c.agent == "" {
				return nil
			}
			return emulation.SetUserAgentOverride(c.agent).Do(ctx)
		}),
		network.SetBypassServiceWorker(!workers),
		chromedp.ActionFunc(func(ctx context.Context) error {
			_, err := page.AddScriptToEvaluateOnNewDocument(fmt.Sprintf(watcher, c.tap, c.ready)).Do(ctx)
			return err
		}),
		chromedp.Navigate(s.URL+"/"),
	)
	if err != nil {
		return v, err
	}
	// The sign-in navigates, which ends an evaluation with an error.
	for got.Ready == 0 {
		select {
		case <-limited.Done():
			return v, errors.Join(limited.Err(), err)
		case <-time.After(50 * time.Millisecond):
			err = chromedp.Run(limited, chromedp.Evaluate(`window.measured ?? {}`, &got))
		}
	}
	v.tap, v.ready, v.paint = milliseconds(got.Tap), milliseconds(got.Ready), milliseconds(got.Paint)
	for last := -1; last != len(s.Requests("*")) || s.Busy(); time.Sleep(idleTime) {
		last = len(s.Requests("*"))
	}
	var after struct{ Blocked, Shift float64 }
	if err := chromedp.Run(limited, chromedp.Evaluate(`({Blocked: window.blocked(measured.Paint), Shift: window.shift})`, &after)); err != nil {
		return v, err
	}
	v.blocked, v.shift = milliseconds(after.Blocked), after.Shift
	for _, r := range s.Requests("*") {
		v.bytes += r.Bytes
		v.requests++
	}
	return v, nil
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// watcher runs before the page and records when it is ready, counted from the first page of the tab.
// The content was painted at least once
// before.
const watcher = `{
	const began = Number(sessionStorage.began ||= performance.timeOrigin);
	window.shift = 0;
	new PerformanceObserver((list) => {
		for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
	}).observe({type: "layout-shift", buffered: true});
	const tasks = [];
	new PerformanceObserver((list) => tasks.push(...list.getEntries())).observe({type: "longtask", buffered: true});
	window.blocked = (paint) => tasks.reduce((sum, task) => sum + Math.max(0, task.startTime + task.duration - Math.max(paint, task.startTime) - 50), 0);
	const tap = () => %s, ready = () => %s;
	const now = () => performance.timeOrigin + performance.now() - began;
	let tapAt = 0, at = 0;
	const look = () => {
		if (at || !document.documentElement) return;
		if (!tapAt && tap()) tapAt = now();
		if (!ready()) return;
		at = now();
		changes.disconnect();
		const report = () => {
			const [paint] = performance.getEntriesByName("first-contentful-paint");
			if (!paint) return setTimeout(report, 50);
			window.measured = {Tap: tapAt && Math.max(tapAt, performance.timeOrigin + paint.startTime - began), Ready: at, Paint: paint.startTime};
		};
		report();
	};
	const changes = new MutationObserver(look);
	changes.observe(document, {childList: true, subtree: true, attributes: true, attributeFilter: ["disabled", "data-waits"]});
}`

// findBrowser returns the path of the tests' browser.
func findBrowser(ctx context.Context) (string, error) {
	path, err := exec.CommandContext(ctx, "e2e/browser.sh").Output()
	if err != nil {
		return "", fmt.Errorf("no browser: %w", err)
	}
	return strings.TrimSpace(string(path)), nil
}
