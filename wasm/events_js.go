package main

import (
	"context"
	"syscall/js"

	"h5pay/wasm/dom"
)

func (webView) Copy(ctx context.Context, text string) error { return dom.Copy(ctx, text) }

// OnReturn listens for a page from the page cache, for the tab becoming visible, and for the
// network coming back.
func (webView) OnReturn(f func(returnKind)) (stop func()) {
	document := js.Global().Get("document")
	stops := []func(){
		dom.Listen(js.Global(), "pageshow", func(event js.Value) {
			if event.Get("persisted").Truthy() {
				f(fromHistory)
			}
		}),
		dom.Listen(document, "visibilitychange", func(js.Value) {
			if dom.Text(document.Get("visibilityState")) == "visible" {
				f(fromBackground)
			}
		}),
		dom.Listen(js.Global(), "online", func(js.Value) { f(fromBackground) }),
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

func (webView) OnKey(f func(key string)) (stop func()) {
	return dom.Listen(js.Global(), "keydown", func(event js.Value) {
		defer dom.Catch(nil)
		if event.Get("ctrlKey").Truthy() || event.Get("altKey").Truthy() || event.Get("metaKey").Truthy() {
			return
		}
		key := dom.Text(event.Get("key"))
		if key == "Enter" && dom.Within(event, "a, button") {
			return
		}
		f(key)
	})
}

func (webView) OpenDialog(id string)  { dom.OpenDialog(id) }
func (webView) CloseDialog(id string) { dom.CloseDialog(id) }
