package main

import (
	"context"
	"errors"
	"strings"
	"syscall/js"
	"time"

	"h5pay/internal/api"
)

// bridgeTimeout is how long WeixinJSBridge may take to appear.
const bridgeTimeout = 10 * time.Second

// webView is the browser the page runs in.
type webView struct{}

func newBrowser() browser { return webView{} }

func location() js.Value { return js.Global().Get("location") }

func (webView) Path() string       { return location().Get("pathname").String() }
func (webView) Query() string      { return strings.TrimPrefix(location().Get("search").String(), "?") }
func (webView) Href() string       { return location().Get("href").String() }
func (webView) UserAgent() string  { return js.Global().Get("navigator").Get("userAgent").String() }
func (webView) Assign(url string)  { location().Call("assign", url) }
func (webView) Replace(url string) { location().Call("replace", url) }

func (webView) ReplaceAddress(url string) {
	js.Global().Get("history").Call("replaceState", js.Null(), "", url)
}

func (webView) Recall(key string) (value string) {
	defer catch(nil) // storage is blocked
	return text(member("sessionStorage").Call("getItem", key))
}

func (webView) Remember(key, value string) {
	defer catch(nil) // storage is blocked or full
	storage := member("sessionStorage")
	if value == "" {
		storage.Call("removeItem", key)
		return
	}
	storage.Call("setItem", key, value)
}

func (webView) Fetch(ctx context.Context, method, path string, body []byte) (got answer, err error) {
	defer catch(&err)
	abort := js.Global().Get("AbortController").New()
	init := map[string]any{"method": method, "signal": abort.Get("signal"), "cache": "no-store", "credentials": "same-origin"}
	if body != nil {
		init["headers"] = map[string]any{"Content-Type": "application/json"}
		init["body"] = string(body)
	}
	cancel := func() { abort.Call("abort") }
	res, err := await(ctx, js.Global().Call("fetch", path, init), cancel)
	if err != nil {
		return answer{}, err
	}
	content, err := await(ctx, res.Call("text"), cancel)
	if err != nil {
		return answer{}, err
	}
	return answer{Status: res.Get("status").Int(), Body: []byte(content.String())}, nil
}

func (w webView) InvokePay(ctx context.Context, p api.PayParams) (said payReply, err error) {
	defer catch(&err)
	if err := w.waitBridge(ctx); err != nil {
		return payReply{}, err
	}
	replies := make(chan payReply, 1)
	callback := js.FuncOf(func(_ js.Value, args []js.Value) any {
		var reply payReply
		if len(args) > 0 && args[0].Type() == js.TypeObject {
			reply = payReply{ErrMsg: text(args[0].Get("err_msg")), ErrDesc: text(args[0].Get("err_desc"))}
		}
		select {
		case replies <- reply:
		default: // some clients call back twice
		}
		return nil
	})
	defer callback.Release()
	js.Global().Get("WeixinJSBridge").Call("invoke", "getBrandWCPayRequest", map[string]any{
		"appId":     p.AppID,
		"timeStamp": p.TimeStamp,
		"nonceStr":  p.NonceStr,
		"package":   p.Package,
		"signType":  p.SignType,
		"paySign":   p.PaySign,
	}, callback)
	// No deadline here: the user is looking at the payment sheet.
	select {
	case reply := <-replies:
		return reply, nil
	case <-ctx.Done():
		return payReply{}, ctx.Err()
	}
}

// text returns a string of JavaScript's, "" for anything else.
func text(v js.Value) string {
	if v.Type() != js.TypeString {
		return ""
	}
	return v.String()
}

// waitBridge waits for the object that the client injects some time after the
// page.
func (webView) waitBridge(ctx context.Context) error {
	if js.Global().Get("WeixinJSBridge").Truthy() {
		return nil
	}
	ready := make(chan struct{})
	listener := js.FuncOf(func(js.Value, []js.Value) any {
		close(ready)
		return nil
	})
	defer listener.Release()
	document := js.Global().Get("document")
	document.Call("addEventListener", "WeixinJSBridgeReady", listener, map[string]any{"once": true})
	defer document.Call("removeEventListener", "WeixinJSBridgeReady", listener)
	ctx, cancel := context.WithTimeout(ctx, bridgeTimeout)
	defer cancel()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return errors.New("WeixinJSBridge did not appear")
	}
}

func (webView) Copy(ctx context.Context, text string) (err error) {
	defer catch(&err)
	if clipboard := js.Global().Get("navigator").Get("clipboard"); clipboard.Truthy() {
		if _, err := await(ctx, clipboard.Call("writeText", text), func() {}); err == nil {
			return nil
		}
	}
	return copySelection(text)
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

// OnReturn listens for as long as the page lives.
func (webView) OnReturn(f func()) {
	js.Global().Call("addEventListener", "pageshow", js.FuncOf(func(_ js.Value, args []js.Value) any {
		if args[0].Get("persisted").Truthy() {
			f()
		}
		return nil
	}))
}

func (webView) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await waits for a promise; when ctx ends first it calls cancel and waits for
// the promise to settle, so that its callbacks can be released.
func await(ctx context.Context, promise js.Value, cancel func()) (js.Value, error) {
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

// catch turns what JavaScript threw into an error; nil drops it.
func catch(err *error) {
	var found error
	switch p := recover().(type) {
	case nil:
		return
	case js.Error:
		found = thrown(p.Value)
	case *js.ValueError: // what should have been an object is not there
		found = p
	default:
		panic(p)
	}
	if err != nil {
		*err = found
	}
}

// thrown describes what JavaScript threw. js.Error cannot be printed unless
// that is an object, and a client may throw anything.
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

// member returns a member of window whose getter may throw. What is thrown in a
// call becomes a panic that catch sees; what is thrown under [js.Value.Get]
// ends the program.
func member(name string) js.Value {
	return js.Global().Get("Reflect").Call("get", js.Global(), name)
}

// lendStorage puts an empty object where localStorage is blocked or switched
// off. go-app lists it before it shows anything, and would end there.
func lendStorage() {
	defer catch(nil)
	if usable("localStorage") {
		return
	}
	js.Global().Get("Object").Call("defineProperty", js.Global(), "localStorage",
		map[string]any{"value": map[string]any{}, "configurable": true})
}

func usable(name string) (ok bool) {
	defer catch(nil)
	return member(name).Truthy()
}
