package dom

import "syscall/js"

// OpenDialog shows the <dialog> with the ID as a modal. The browser handles focus, Escape and the background. A web view without showModal
// shows a plain dialog.
func OpenDialog(id string) {
	defer Catch(nil)
	dialog := js.Global().Get("document").Call("getElementById", id)
	if Works(func() {
		if !dialog.Get("open").Truthy() {
			dialog.Call("showModal")
		}
	}) {
		return
	}
	dialog.Call("setAttribute", "open", "")
}

// CloseDialog closes the <dialog> with the ID.
func CloseDialog(id string) {
	defer Catch(nil)
	dialog := js.Global().Get("document").Call("getElementById", id)
	if !Works(func() { dialog.Call("close") }) {
		dialog.Call("removeAttribute", "open")
	}
}
