package dom

import (
	"context"
	"errors"
	"syscall/js"
)

// Within reports whether an event happened inside an element that matches the selector. Scripts of
// the client may dispatch events on targets that are not elements.
func Within(event js.Value, selector string) bool {
	target := event.Get("target")
	return target.Type() == js.TypeObject && target.Get("closest").Type() == js.TypeFunction && target.Call("closest", selector).Truthy()
}

// Text returns the string in v, "" if v is not a string.
func Text(v js.Value) string {
	if v.Type() != js.TypeString {
		return ""
	}
	return v.String()
}

// Await waits for a promise. If ctx ends first, it calls cancel and waits until the promise
// settles: only then may its callbacks be released.
//
// A value that is not a promise is returned as it is: some clients replace functions of the
// browser.
func Await(ctx context.Context, promise js.Value, cancel func()) (js.Value, error) {
	promise = js.Global().Get("Promise").Call("resolve", promise)
	type outcome struct {
		value js.Value
		err   error
	}
	settled := make(chan outcome, 1)
	onValue := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{value: args[0]}
		return nil
	})
	defer onValue.Release()
	onError := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{err: thrown(args[0])}
		return nil
	})
	defer onError.Release()
	promise.Call("then", onValue, onError)
	select {
	case o := <-settled:
		return o.value, o.err
	case <-ctx.Done():
		cancel()
		<-settled
		return js.Value{}, ctx.Err()
	}
}

// Catch turns a JavaScript exception into an error; a nil pointer drops it.
func Catch(err *error) {
	var found error
	switch p := recover().(type) {
	case nil:
		return
	case js.Error:
		found = thrown(p.Value)
	case *js.ValueError: // an expected object is missing
		found = p
	default:
		panic(p)
	}
	if err != nil {
		*err = found
	}
}

// thrown describes a JavaScript exception. js.Error can only print objects, and a client may throw
// any value.
func thrown(v js.Value) error {
	switch v.Type() {
	case js.TypeString:
		return errors.New(v.String())
	case js.TypeObject:
		if message := v.Get("message"); message.Type() == js.TypeString {
			return errors.New(message.String())
		}
	}
	return errors.New("JavaScript threw a value of type " + v.Type().String())
}

// Member returns a property whose getter may throw. A throw in [js.Value.Call] becomes a panic that
// Catch recovers; a throw in [js.Value.Get] ends the program.
func Member(of js.Value, name string) js.Value {
	return js.Global().Get("Reflect").Call("get", of, name)
}
