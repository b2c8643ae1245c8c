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
	if v := js.Global().Get("sessionStorage").Call("getItem", key); v.Type() == js.TypeString {
		return v.String()
	}
	return ""
}

func (webView) Remember(key, value string) {
	defer catch(nil) // storage is blocked or full
	storage := js.Global().Get("sessionStorage")
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
	text, err := await(ctx, res.Call("text"), cancel)
	if err != nil {
		return answer{}, err
	}
	return answer{Status: res.Get("status").Int(), Body: []byte(text.String())}, nil
}

func (w webView) InvokePay(ctx context.Context, p api.PayParams) (errMsg string, err error) {
	defer catch(&err)
	if err := w.waitBridge(ctx); err != nil {
		return "", err
	}
	said := make(chan string, 1)
	callback := js.FuncOf(func(_ js.Value, args []js.Value) any {
		text := ""
		if len(args) > 0 && args[0].Type() == js.TypeObject {
			if v := args[0].Get("err_msg"); v.Type() == js.TypeString {
				text = v.String()
			}
		}
		select {
		case said <- text:
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
	case text := <-said:
		return text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
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
	_, err = await(ctx, js.Global().Get("navigator").Get("clipboard").Call("writeText", text), func() {})
	return err
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
		settled <- outcome{err: js.Error{Value: args[0]}}
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
	p := recover()
	if p == nil {
		return
	}
	thrown, ok := p.(js.Error)
	if !ok {
		if v, isValue := p.(*js.ValueError); isValue {
			thrown, ok = js.Error{Value: js.ValueOf(v.Error())}, true
		}
	}
	if !ok {
		panic(p)
	}
	if err != nil {
		*err = thrown
	}
}
