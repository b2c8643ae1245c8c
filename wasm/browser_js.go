package main

import (
	"context"
	"errors"
	"strings"
	"syscall/js"
	"time"
)

// webView is the browser that runs the page.
type webView struct{ clock *clock }

func newBrowser() browser {
	loadLinks()
	return webView{&clock{}}
}

func (w webView) Now() time.Time { return w.clock.now() }

// loadLinks lets the browser follow links with data-load. go-app handles all other links and shows
// the next screen without a page load.
func loadLinks() {
	listener := js.FuncOf(func(_ js.Value, args []js.Value) any {
		defer catch(nil)
		if within(args[0], "[data-load]") {
			args[0].Call("stopImmediatePropagation")
		}
		return nil
	})
	js.Global().Get("document").Call("addEventListener", "click", listener, true)
}

// within reports whether an event happened inside an element that matches the selector. Scripts of
// the client may dispatch events on targets that are not elements.
func within(event js.Value, selector string) bool {
	target := event.Get("target")
	return target.Type() == js.TypeObject && target.Get("closest").Type() == js.TypeFunction && target.Call("closest", selector).Truthy()
}

func location() js.Value { return js.Global().Get("location") }

func (webView) Path() string       { return location().Get("pathname").String() }
func (webView) Query() string      { return strings.TrimPrefix(location().Get("search").String(), "?") }
func (webView) Href() string       { return location().Get("href").String() }
func (webView) UserAgent() string  { return navigatorText("userAgent") }
func (webView) Language() string   { return navigatorText("language") }
func (webView) Assign(url string)  { location().Call("assign", url) }
func (webView) Replace(url string) { location().Call("replace", url) }

// navigatorText returns a string property of navigator, "" if it is missing.
func navigatorText(name string) (text string) {
	defer catch(nil)
	return str(member(js.Global().Get("navigator"), name))
}

func (webView) ReplaceAddress(url string) {
	defer catch(nil) // browsers limit how often a page may call this
	js.Global().Get("history").Call("replaceState", js.Null(), "", url)
}

func (webView) SetDocumentLang(tag string) {
	js.Global().Get("document").Get("documentElement").Set("lang", tag)
}

func (w webView) Fetch(ctx context.Context, method, path string, body []byte) (got response, err error) {
	defer catch(&err)
	defer func() { w.clock.set(got.Date) }()
	if got, ok := takePrefetched(ctx, path, body); ok {
		return got, nil
	}
	abort := js.Global().Get("AbortController").New()
	init := map[string]any{"method": method, "signal": abort.Get("signal"), "cache": "no-store", "credentials": "same-origin"}
	if body != nil {
		init["headers"] = map[string]any{"Content-Type": "application/json"}
		init["body"] = string(body)
	}
	return receive(ctx, js.Global().Call("fetch", path, init), abort)
}

// receive waits for the response to a fetch.
func receive(ctx context.Context, promise, abort js.Value) (response, error) {
	cancel := func() { abort.Call("abort") }
	res, err := await(ctx, promise, cancel)
	if err != nil {
		return response{}, err
	}
	content, err := await(ctx, res.Call("text"), cancel)
	if err != nil {
		return response{}, err
	}
	date := str(res.Get("headers").Call("get", "date"))
	return response{Status: res.Get("status").Int(), Body: []byte(content.String()), Date: date}, nil
}

// str returns the string in v, "" if v is not a string.
func str(v js.Value) string {
	if v.Type() != js.TypeString {
		return ""
	}
	return v.String()
}

func (webView) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await waits for a promise. If ctx ends first, it calls cancel and waits until the promise
// settles: only then may its callbacks be released.
//
// A value that is not a promise is returned as it is: some clients replace functions of the
// browser.
func await(ctx context.Context, promise js.Value, cancel func()) (js.Value, error) {
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

// catch turns a JavaScript exception into an error; a nil pointer drops it.
func catch(err *error) {
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

// member returns a property whose getter may throw. A throw in [js.Value.Call] becomes a panic that
// catch recovers; a throw in [js.Value.Get] ends the program.
func member(of js.Value, name string) js.Value {
	return js.Global().Get("Reflect").Call("get", of, name)
}
