package warm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// readRequest reads the method, the URL, the headers and the body.
func readRequest(ctx context.Context, r *reader) (*http.Request, error) {
	method, url := r.string(), r.string()
	header := readHeader(r)
	body := r.string()
	if r.err != nil {
		return nil, r.err
	}
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		// Go cannot parse the method or the URL. Pass the handler a path that no route matches.
		req, err = http.NewRequestWithContext(ctx, http.MethodGet, "/malformed", http.NoBody)
		if err != nil {
			return nil, err
		}
	}
	req.Header = header
	// Cloudflare sets this header; a client cannot.
	req.RemoteAddr = header.Get("CF-Connecting-IP")
	return req, nil
}

func readHeader(r *reader) http.Header {
	n := r.count()
	h := make(http.Header, n)
	for range n {
		name := http.CanonicalHeaderKey(r.string())
		h[name] = append(h[name], r.string())
	}
	return h
}

func (m *message) addHeader(h http.Header) *message {
	n := 0
	for _, values := range h {
		n += len(values)
	}
	m.addInt(n)
	for name, values := range h {
		for _, v := range values {
			m.add(name).add(v)
		}
	}
	return m
}

// bufferedWriter is an http.ResponseWriter that buffers the response.
type bufferedWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *bufferedWriter) Header() http.Header { return w.header }

func (w *bufferedWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *bufferedWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// addTo appends the status, the headers and the body.
func (w *bufferedWriter) addTo(m *message) {
	w.WriteHeader(http.StatusOK)
	m.addInt(w.status).addHeader(w.header).addBytes(w.body.Bytes())
}

// Fetch sends requests with the Worker's fetch. An http.Client does not work in workerd and would
// add a megabyte. Fetch has no redirects and no cookies. It sends bodies with a length, because
// WeChat rejects chunked ones. A request ends with its context.
type Fetch struct {
	calls   caller
	binding string // "" for the Worker's own fetch
	noBody  bool
}

// NoBody returns a Fetch that does not wait for the bodies of responses. A response has a status,
// and of its headers only Retry-After.
func (f Fetch) NoBody() Fetch {
	f.noBody = true
	return f
}

// maxResponse limits an upstream response in bytes; the rest is cut off. The longest is a day's
// bill: about 12,000 rows fit. The memory of an instance determines the limit.
const maxResponse = 4 << 20

// Do sends one request and returns the whole response, whatever its status. Its errors contain no
// part of the request.
func (f Fetch) Do(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, fmt.Errorf("reading the request body: %w", err)
		}
	}
	most := maxResponse
	if f.noBody {
		most = 0
	}
	r, err := f.calls.call(req.Context(), opFetch,
		newMessage().add(f.binding).add(req.Method).add(req.URL.String()).addHeader(req.Header).addBytes(body).addInt(most))
	if err != nil {
		return nil, err
	}
	res := &http.Response{StatusCode: r.int(), Header: readHeader(r), Request: req}
	answer := r.string()
	if r.err != nil {
		return nil, r.err
	}
	res.Body, res.ContentLength = io.NopCloser(strings.NewReader(answer)), int64(len(answer))
	return res, nil
}
