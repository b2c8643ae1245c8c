package main

import (
	"context"
	"strings"
	"syscall/js"
	"time"

	"h5pay/internal/api"
	"h5pay/wasm/dom"
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
		defer dom.Catch(nil)
		if dom.Within(args[0], "[data-load]") {
			args[0].Call("stopImmediatePropagation")
		}
		return nil
	})
	js.Global().Get("document").Call("addEventListener", "click", listener, true)
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
	defer dom.Catch(nil)
	return dom.Text(dom.Member(js.Global().Get("navigator"), name))
}

func (webView) ReplaceAddress(url string) {
	defer dom.Catch(nil) // browsers limit how often a page may call this
	js.Global().Get("history").Call("replaceState", js.Null(), "", url)
}

func (webView) SetDocumentLang(tag string) {
	js.Global().Get("document").Get("documentElement").Set("lang", tag)
}

func (w webView) Fetch(ctx context.Context, method, path string, body []byte) (got response, err error) {
	defer dom.Catch(&err)
	defer func() {
		w.clock.set(got.Date)
		if err == nil && method+" "+path != "POST "+api.PathOrders && updatePage(got.Page) {
			<-ctx.Done() // the page is being loaded again
			err = ctx.Err()
		}
	}()
	if got, ok := takePrefetched(ctx, path, body); ok {
		return got, nil
	}
	abort := js.Global().Get("AbortController").New()
	init := map[string]any{"method": method, "signal": abort.Get("signal"), "cache": "no-store", "credentials": "same-origin"}
	if body != nil {
		init["headers"] = map[string]any{"Content-Type": "application/json"}
		init["body"] = string(body)
	}
	return dom.Receive(ctx, js.Global().Call("fetch", path, init), abort)
}

// updatePage loads the page again if the signer serves another version of it, and reports whether
// it does so: see site/start.js. An order that was made is paid on the next page, which makes the
// call again.
func updatePage(served string) bool {
	update := js.Global().Get("updatePage")
	return served != "" && update.Type() == js.TypeFunction && update.Invoke(served).Bool()
}

func (webView) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
