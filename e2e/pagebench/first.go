package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"

	"h5pay/e2e/pages"
	"h5pay/internal/wasmbin"
)

// writeFirst opens the shop in a browser and in WeChat, without the list of functions to compile first,
// and writes the names of the functions that ran into a file: see wasmbin.CompileFirst.
func writeFirst(ctx context.Context, browser, tmp, address, file string, shop contender) error {
	b, err := os.ReadFile(filepath.Join("build", "page", "app.wasm"))
	if err != nil {
		return err
	}
	m, err := wasmbin.Parse(b)
	if err != nil {
		return err
	}
	all, err := m.FunctionNames()
	if err != nil {
		return err
	}
	imports, err := m.Imports()
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for i, c := range []contender{shop, inWeChat(shop)} {
		ran, err := functionsOf(ctx, browser, filepath.Join(tmp, fmt.Sprint("first-", i)), address, c)
		if err != nil {
			return err
		}
		for _, f := range ran {
			if f < imports || f-imports >= len(all) {
				return fmt.Errorf("the browser compiled the function %d, and build/page/app.wasm has no such function", f)
			}
			if name := all[f-imports]; !wasmbin.StartsProgram(name) {
				names[name] = true
			}
		}
	}
	if len(names) == 0 {
		return errors.New("the browser reported no compiled function")
	}
	return os.WriteFile(file, []byte(strings.Join(slices.Sorted(maps.Keys(names)), "\n")+"\n"), 0o644)
}

// functionsOf returns the numbers of the functions that V8 compiled at their first call, in all threads, until
// a contender was ready.
func functionsOf(ctx context.Context, browser, profile, address string, c contender) ([]int, error) {
	trust, key := pages.TrustFlag()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(browser), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("accept-lang", "zh-CN"), chromedp.Flag(trust, key))
	alloc, stop := chromedp.NewExecAllocator(ctx, opts...)
	defer stop()
	tab, end := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	defer end()
	ctx, cancel := context.WithTimeout(tab, readyTimeout)
	defer cancel()
	var mu sync.Mutex
	var ran []int
	done := make(chan struct{})
	chromedp.ListenTarget(tab, func(ev any) {
		switch e := ev.(type) {
		case *tracing.EventDataCollected:
			mu.Lock()
			defer mu.Unlock()
			for _, value := range e.Value {
				var event struct {
					Name string
					Args struct {
						Function *int `json:"func_index"`
					}
				}
				if json.Unmarshal(value, &event) == nil && event.Name == "wasm.CompileLazy" && event.Args.Function != nil {
					ran = append(ran, *event.Args.Function)
				}
			}
		case *tracing.EventTracingComplete:
			close(done)
		}
	})
	err := chromedp.Run(ctx,
		chromedp.ActionFunc(func(ctx context.Context) error {
			return tracing.Start().WithTransferMode(tracing.TransferModeReportEvents).
				WithTraceConfig(&tracing.TraceConfig{IncludedCategories: []string{"v8.wasm"}}).Do(ctx)
		}),
		chromedp.ActionFunc(func(ctx context.Context) error {
			if c.agent == "" {
				return nil
			}
			return emulation.SetUserAgentOverride(c.agent).Do(ctx)
		}),
		chromedp.Navigate(address),
	)
	if err != nil {
		return nil, err
	}
	for ready := false; !ready; {
		// The sign-in navigates, which ends an evaluation with an error.
		if err := chromedp.Run(ctx, chromedp.Evaluate(c.ready, &ready)); err != nil && ctx.Err() != nil {
			return nil, err
		}
		time.Sleep(100 * ms)
	}
	if err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error { return tracing.End().Do(ctx) })); err != nil {
		return nil, err
	}
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	mu.Lock()
	defer mu.Unlock()
	return ran, nil
}
