package dom

import (
	"context"
	"syscall/js"
)

// Receive waits for the response to a fetch.
func Receive(ctx context.Context, promise, abort js.Value) (Response, error) {
	cancel := func() { abort.Call("abort") }
	res, err := Await(ctx, promise, cancel)
	if err != nil {
		return Response{}, err
	}
	content, err := Await(ctx, res.Call("text"), cancel)
	if err != nil {
		return Response{}, err
	}
	headers := res.Get("headers")
	return Response{Status: res.Get("status").Int(), Body: []byte(content.String()), Date: Text(headers.Call("get", "date")), Page: Text(headers.Call("get", "h5pay-page"))}, nil
}

// Fetch makes a call to the signer with its cookies and some headers. A nil body sends none. It
// returns an error if no response arrived.
func Fetch(ctx context.Context, method, path string, header map[string]string, body []byte) (got Response, err error) {
	defer Catch(&err)
	abort := js.Global().Get("AbortController").New()
	headers := map[string]any{}
	for name, value := range header {
		headers[name] = value
	}
	init := map[string]any{"method": method, "signal": abort.Get("signal"), "cache": "no-store", "credentials": "same-origin", "headers": headers}
	if body != nil {
		init["body"] = string(body)
	}
	return Receive(ctx, js.Global().Call("fetch", path, init), abort)
}
