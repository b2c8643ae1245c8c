// Package http replaces net/http in the page, which calls the signer with the browser's fetch.
// go-app needs the package for its Handler, which serves pages and does not run in a browser.
//
// The standard package adds a quarter to the page's size: its client, its server and all of net. It
// initialises part of that before main, so the linker cannot omit it.
//
// It declares what go-app uses of net/http; other uses do not compile. Requests return an error,
// handlers respond with 404.
package http

import (
	"errors"
	"io"
	"net/url"
)

// The statuses that go-app's Handler uses.
const (
	StatusOK                  = 200
	StatusNotModified         = 304
	StatusNotFound            = 404
	StatusInternalServerError = 500
)

// Header is as in the standard package, but does not canonicalise names.
type Header map[string][]string

// Get returns the first value of a name, "" if there is none.
func (h Header) Get(key string) string {
	if values := h[key]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Set makes value the only value of a name.
func (h Header) Set(key, value string) { h[key] = []string{value} }

// Request has the fields that go-app's Handler reads.
type Request struct {
	Header Header
	URL    *url.URL
	Host   string
	TLS    *struct{}
}

// Response has the fields that go-app's Handler reads.
type Response struct {
	StatusCode int
	Header     Header
	Body       io.ReadCloser
}

// ResponseWriter is as in the standard package.
type ResponseWriter interface {
	Header() Header
	Write([]byte) (int, error)
	WriteHeader(statusCode int)
}

// Handler is as in the standard package.
type Handler interface {
	ServeHTTP(ResponseWriter, *Request)
}

// Get returns an error.
func Get(string) (*Response, error) {
	return nil, errors.New("net/http: omitted from this build, see wasmbuild")
}

// NotFound responds with status 404 and no body.
func NotFound(w ResponseWriter, _ *Request) { w.WriteHeader(StatusNotFound) }

// Dir is a folder, which FileServer ignores.
type Dir string

// FileServer returns a handler that responds with 404.
func FileServer(Dir) Handler { return nothing{} }

type nothing struct{}

func (nothing) ServeHTTP(w ResponseWriter, r *Request) { NotFound(w, r) }
