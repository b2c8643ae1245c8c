package main

import (
	"context"
	"errors"
	"syscall/js"

	"h5pay/wasm/dom"
)

func (webView) Copy(ctx context.Context, text string) error {
	if writeClipboard(ctx, text) == nil {
		return nil
	}
	return copySelection(text)
}

func writeClipboard(ctx context.Context, text string) (err error) {
	defer dom.Catch(&err)
	clipboard := dom.Member(js.Global().Get("navigator"), "clipboard")
	if !clipboard.Truthy() {
		return errors.New("navigator.clipboard is missing")
	}
	_, err = dom.Await(ctx, clipboard.Call("writeText", text), func() {})
	return err
}

// copySelection copies the text where navigator.clipboard is missing: in old browsers and on pages
// over http.
func copySelection(text string) (err error) {
	defer dom.Catch(&err)
	document := js.Global().Get("document")
	field := document.Call("createElement", "textarea")
	field.Set("value", text)
	field.Set("readOnly", true)
	// Outside the body, because go-app manages the body's children.
	document.Get("documentElement").Call("append", field)
	defer field.Call("remove")
	field.Call("select")
	if !document.Call("execCommand", "copy").Truthy() {
		return errors.New("document.execCommand(\"copy\") failed")
	}
	return nil
}

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
