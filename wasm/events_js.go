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
		return errors.New("the browser has no clipboard object")
	}
	_, err = await(ctx, clipboard.Call("writeText", text), func() {})
	return err
}

// copySelection copies in the way of browsers without a clipboard object, which
// is also all of them over plain http.
func copySelection(text string) (err error) {
	defer catch(&err)
	document := js.Global().Get("document")
	field := document.Call("createElement", "textarea")
	field.Set("value", text)
	field.Set("readOnly", true)
	// At the end of the document: go-app minds what is in its body.
	document.Get("documentElement").Call("append", field)
	defer field.Call("remove")
	field.Call("select")
	if !document.Call("execCommand", "copy").Truthy() {
		return errors.New("the browser did not copy")
	}
	return nil
}

// OnReturn listens to what tells of a return: the page cache, another app or
// tab in front, a network that had gone.
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

// OpenDialog leaves focus, Escape and what is behind to the browser. A web view
// too old to know shows the dialog all the same.
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
