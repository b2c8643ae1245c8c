package main

import (
	"context"
	"io"
	"os"

	cdpio "github.com/chromedp/cdproto/io"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"
)

// startTrace begins to record what the browser does; stop writes it to a file for
// a viewer of Chromium's traces.
func startTrace(tab context.Context, file string) (stop func() error, err error) {
	complete := make(chan cdpio.StreamHandle, 1)
	chromedp.ListenTarget(tab, func(event any) {
		if e, ok := event.(*tracing.EventTracingComplete); ok {
			complete <- e.Stream
		}
	})
	start := tracing.Start().WithTransferMode(tracing.TransferModeReturnAsStream).WithTraceConfig(&tracing.TraceConfig{
		IncludedCategories: []string{"devtools.timeline", "v8", "v8.wasm", "loading", "blink.user_timing", "toplevel", "cc", "navigation"},
	})
	if err := chromedp.Run(tab, start); err != nil {
		return nil, err
	}
	return func() error {
		if err := chromedp.Run(tab, chromedp.ActionFunc(func(ctx context.Context) error { return tracing.End().Do(ctx) })); err != nil {
			return err
		}
		handle := <-complete
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		defer f.Close()
		return chromedp.Run(tab, chromedp.ActionFunc(func(ctx context.Context) error {
			for {
				data, eof, err := cdpio.Read(handle).WithSize(1 << 20).Do(ctx)
				if err != nil {
					return err
				}
				if _, err := io.WriteString(f, data); err != nil {
					return err
				}
				if eof {
					return nil
				}
			}
		}))
	}, nil
}
