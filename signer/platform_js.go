package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"syscall/js"

	"github.com/syumai/workers/cloudflare"
	"github.com/syumai/workers/cloudflare/d1"

	"h5pay/internal/server"
)

// serve answers the requests that worker.mjs hands over, for as long as the
// instance lives.
func serve() {
	// worker.mjs takes this global away again once the program waits.
	worker := js.Global().Get("context")
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	db, err := openD1("DB")
	var h http.Handler
	if err != nil {
		h = server.Unavailable(err, log)
	} else {
		h = newHandler(getenv, db, fetchDoer{worker}, log)
	}
	worker.Get("binding").Set("handle", handleFunc(h))
	select {}
}

// getenv reads a variable or a secret of the Worker, "" when it is not set.
func getenv(name string) string {
	if v := cloudflare.GetBinding(name); v.Type() == js.TypeString {
		return v.String()
	}
	return ""
}

func openD1(binding string) (*sql.DB, error) {
	c, err := d1.OpenConnector(binding)
	if err != nil {
		return nil, &settingError{"d1_databases", "needs a binding named " + binding}
	}
	return sql.OpenDB(c), nil
}

// handleFunc adapts h to worker.mjs's handle(method, url, headers, body, done).
// The library's own adapter streams bodies, which leaks a js.Func for each and
// cannot serve two streamed answers from one instance.
func handleFunc(h http.Handler) js.Func {
	return js.FuncOf(func(_ js.Value, args []js.Value) any {
		method, url, headers, body, done := args[0].String(), args[1].String(), args[2], args[3], args[4]
		go func() {
			w := &wholeWriter{header: http.Header{}}
			req, err := http.NewRequest(method, url, bytes.NewReader(toGoBytes(body)))
			if err != nil {
				// A method or an address that Go cannot read: an unknown one.
				req, _ = http.NewRequest(http.MethodGet, "/api/malformed", nil)
			}
			req.Header = toGoHeader(headers)
			// Cloudflare's edge sets it; a client cannot.
			req.RemoteAddr = req.Header.Get("CF-Connecting-IP")
			h.ServeHTTP(w, req)
			done.Invoke(w.statusOr200(), toJSHeader(w.header), toJSBytes(w.body.Bytes()))
		}()
		return nil
	})
}

// wholeWriter is an http.ResponseWriter that keeps the answer until it is
// complete.
type wholeWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *wholeWriter) Header() http.Header { return w.header }

func (w *wholeWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *wholeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

func (w *wholeWriter) statusOr200() int {
	w.WriteHeader(http.StatusOK)
	return w.status
}

// fetchDoer sends requests with the Worker's fetch. It is not an http.Client,
// which does not work in workerd and would add a megabyte: no redirects, no
// cookies, whole bodies with a length (WeChat refuses chunked ones).
type fetchDoer struct {
	worker js.Value // has fetchWhole
}

// maxAnswer caps an upstream's answer, in bytes.
const maxAnswer = 1 << 20

func (d fetchDoer) Do(req *http.Request) (*http.Response, error) {
	body := js.Null()
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, fmt.Errorf("reading the request body: %w", err)
		}
		if len(b) > 0 {
			body = toJSBytes(b)
		}
	}
	abort := js.Global().Get("AbortController").New()
	promise := d.worker.Call("fetchWhole",
		req.Method, req.URL.String(), toJSHeader(req.Header), body, maxAnswer, abort.Get("signal"))
	res, err := await(req.Context(), promise, func() { abort.Call("abort") })
	if err != nil {
		return nil, err
	}
	b := toGoBytes(res.Get("body"))
	return &http.Response{
		StatusCode:    res.Get("status").Int(),
		Header:        toGoHeader(res.Get("headers")),
		Body:          io.NopCloser(bytes.NewReader(b)),
		ContentLength: int64(len(b)),
		Request:       req,
	}, nil
}

// await waits for a promise. When ctx ends first it calls cancel, waits for the
// promise to settle all the same, so that both callbacks can be released, and
// returns ctx's error.
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
	onError := js.FuncOf(func(js.Value, []js.Value) any {
		// workerd's text can hold the URL, and with it a secret.
		settled <- outcome{err: errors.New("fetch failed")}
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

// toGoHeader reads [name, value, name, value, ...].
func toGoHeader(pairs js.Value) http.Header {
	h := http.Header{}
	for i := 0; i+1 < pairs.Length(); i += 2 {
		h.Add(pairs.Index(i).String(), pairs.Index(i+1).String())
	}
	return h
}

func toJSHeader(h http.Header) js.Value {
	var pairs []any
	for name, values := range h {
		for _, v := range values {
			pairs = append(pairs, name, v)
		}
	}
	return js.ValueOf(pairs)
}

func toGoBytes(array js.Value) []byte {
	b := make([]byte, array.Length())
	js.CopyBytesToGo(b, array)
	return b
}

func toJSBytes(b []byte) js.Value {
	array := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(array, b)
	return array
}
