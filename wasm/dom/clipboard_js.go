package dom

import (
	"context"
	"errors"
	"syscall/js"
)

// Copy puts text onto the clipboard.
func Copy(ctx context.Context, text string) error {
	if writeClipboard(ctx, text) == nil {
		return nil
	}
	return copySelection(text)
}

func writeClipboard(ctx context.Context, text string) (err error) {
	defer Catch(&err)
	clipboard := Member(js.Global().Get("navigator"), "clipboard")
	if !clipboard.Truthy() {
		return errors.New("navigator.clipboard is missing")
	}
	_, err = Await(ctx, clipboard.Call("writeText", text), func() {})
	return err
}

// copySelection copies the text where navigator.clipboard is missing: in old browsers and on pages
// over http.
func copySelection(text string) (err error) {
	defer Catch(&err)
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
