package dom

import "syscall/js"

// Listen calls f with every event of a kind until stop is called.
func Listen(target js.Value, kind string, f func(event js.Value)) (stop func()) {
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
