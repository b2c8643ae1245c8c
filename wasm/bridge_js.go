package main

import (
	"context"
	"errors"
	"syscall/js"
	"time"

	"h5pay/internal/api"
	"h5pay/wasm/dom"
)

// bridgeTimeout limits the wait for WeixinJSBridge to appear.
const bridgeTimeout = 10 * time.Second

func (w webView) InMiniProgram(ctx context.Context) bool {
	return w.waitBridge(ctx) == nil && dom.Text(dom.Member(js.Global(), "__wxjs_environment")) == "miniprogram"
}

func (w webView) InvokePay(ctx context.Context, p api.PayParams) (reply payReply, err error) {
	defer dom.Catch(&err)
	if err := w.waitBridge(ctx); err != nil {
		return payReply{}, err
	}
	replies := make(chan payReply, 1)
	callback := js.FuncOf(func(_ js.Value, args []js.Value) any {
		reply := replyOf(args)
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
	// No deadline: the payment sheet is open until the user closes it.
	select {
	case reply := <-replies:
		return reply, nil
	case <-ctx.Done():
		return payReply{}, ctx.Err()
	}
}

// replyOf reads the arguments of the client's callback: an object with err_msg, or errMsg from the
// JS-SDK. Some clients pass a string or nothing.
func replyOf(args []js.Value) (reply payReply) {
	defer dom.Catch(nil)
	if len(args) == 0 {
		return payReply{}
	}
	if args[0].Type() != js.TypeObject {
		return payReply{ErrMsg: dom.Text(args[0])}
	}
	reply.ErrMsg = dom.Text(dom.Member(args[0], "err_msg"))
	if reply.ErrMsg == "" {
		reply.ErrMsg = dom.Text(dom.Member(args[0], "errMsg"))
	}
	reply.ErrDesc = dom.Text(dom.Member(args[0], "err_desc"))
	return reply
}

// waitBridge waits for the bridge object, which the client injects after the page has loaded.
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
		return errors.New("WeixinJSBridge did not appear within 10 s")
	}
}
