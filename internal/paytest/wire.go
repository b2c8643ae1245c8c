package paytest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
)

// Wire carries requests to a handler in this process. If the handler aborts, the call gets no
// response.
type Wire struct {
	Handler http.Handler
}

// Do serves a request.
func (w *Wire) Do(req *http.Request) (res *http.Response, err error) {
	ctx := &deadline{Context: req.Context(), passed: make(chan struct{})}
	r := req.Clone(ctx)
	r.Host, r.RequestURI, r.RemoteAddr = req.URL.Host, req.URL.RequestURI(), "203.0.113.99:443"
	r.URL = &url.URL{Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			res, err = nil, context.DeadlineExceeded
		} else if p != nil {
			panic(p)
		}
	}()
	rec := httptest.NewRecorder()
	w.Handler.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// Serve serves a request and returns its status and body.
func Serve(h http.Handler, r *http.Request) (int, []byte) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

// ServeBody serves a request and returns its body.
func ServeBody(h http.Handler, r *http.Request) string {
	_, body := Serve(h, r)
	return string(body)
}

// deadline is a context whose deadline passes as soon as a handler waits for it. A handler waits only
// if it will never respond, so that no test waits for real time.
type deadline struct {
	context.Context
	once   sync.Once
	passed chan struct{}
}

func (d *deadline) Done() <-chan struct{} {
	d.once.Do(func() { close(d.passed) })
	return d.passed
}

// Before returns a handler that calls do once, before the first request for path.
func Before(next http.Handler, path string, do func()) http.Handler {
	done := false
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path && !done {
			done = true
			do()
		}
		next.ServeHTTP(w, r)
	})
}
