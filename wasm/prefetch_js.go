package main

import (
	"context"
	"syscall/js"

	"h5pay/wasm/dom"
)

// takePrefetched returns the response to a call that site/first.js made while the program was
// loading, once. It returns false if there is none, if its body was another, or if the call failed;
// the program then makes the call.
func takePrefetched(ctx context.Context, path string, body []byte) (response, bool) {
	startup := dom.Member(js.Global(), "startup")
	if startup.Type() != js.TypeObject {
		return response{}, false
	}
	call := startup.Get(path)
	if call.Type() != js.TypeObject || dom.Text(call.Get("body")) != string(body) {
		return response{}, false
	}
	startup.Delete(path)
	got, err := dom.Receive(ctx, call.Get("response"), call.Get("abort"))
	return got, err == nil
}

func (webView) PageData() (text string, old bool) {
	document := js.Global().Get("document")
	element := document.Call("getElementById", "data")
	if element.Type() != js.TypeObject {
		return "", false
	}
	element.Call("remove")
	old = document.Get("documentElement").Call("hasAttribute", "data-kept").Bool() && !element.Call("hasAttribute", "data-current").Bool()
	return dom.Text(element.Get("textContent")), old
}

func (webView) SignInQuery() string {
	startup := dom.Member(js.Global(), "startup")
	if startup.Type() != js.TypeObject {
		return ""
	}
	query := dom.Text(startup.Get("signInQuery"))
	startup.Set("signInQuery", "")
	return query
}
