package main

import (
	"context"
	"errors"
	"syscall/js"
)

func (webView) Copy(ctx context.Context, text string) error {
	if writeClipboard(ctx, text) == nil {
		return nil
	}
	return copySelection(text)
}

func writeClipboard(ctx context.Context, text string) (err error) {
	defer catch(&err)
	clipboard := member(js.Global().Get("navigator"), "clipboard")
	if !clipboard.Truthy() {
		return errors.New("navigator.clipboard is missing")
	}
	_, err = await(ctx, clipboard.Call("writeText", text), func() {})
	return err
}

// copySelection copies the text where navigator.clipboard is missing: in old browsers and on pages
// over http.
func copySelection(text string) (err error) {
	defer catch(&err)
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
		listen(js.Global(), "pageshow", func(event js.Value) {
			if event.Get("persisted").Truthy() {
				f(fromHistory)
			}
		}),
		listen(document, "visibilitychange", func(js.Value) {
			if str(document.Get("visibilityState")) == "visible" {
				f(fromBackground)
			}
		}),
		listen(js.Global(), "online", func(js.Value) { f(fromBackground) }),
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// listen calls f with every event of a kind until stop is called.
func listen(target js.Value, kind string, f func(event js.Value)) (stop func()) {
	listener := js.FuncOf(func(_ js.Value, args []js.Value) any {
		f(args[0])
		return nil
	})
	target.Call("addEventListener", kind, listener)
	return func() {
		target.Call("removeEventListener", kind, listener)
		listener.Release()
	}
}

func (webView) OnKey(f func(key string)) (stop func()) {
	return listen(js.Global(), "keydown", func(event js.Value) {
		defer catch(nil)
		if event.Get("ctrlKey").Truthy() || event.Get("altKey").Truthy() || event.Get("metaKey").Truthy() {
			return
		}
		key := str(event.Get("key"))
		if key == "Enter" && within(event, "a, button") {
			return
		}
		f(key)
	})
}

// OpenDialog lets the browser handle focus, Escape and the background. A web view without showModal
// shows a plain dialog.
func (webView) OpenDialog(id string) {
	defer catch(nil)
	dialog := js.Global().Get("document").Call("getElementById", id)
	if works(func() {
		if !dialog.Get("open").Truthy() {
			dialog.Call("showModal")
		}
	}) {
		return
	}
	dialog.Call("setAttribute", "open", "")
}

func (webView) CloseDialog(id string) {
	defer catch(nil)
	dialog := js.Global().Get("document").Call("getElementById", id)
	if !works(func() { dialog.Call("close") }) {
		dialog.Call("removeAttribute", "open")
	}
}
