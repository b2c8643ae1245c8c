// Package http stands in for net/http in the page, which calls the signer by the
// browser's own fetch. go-app needs the package for its Handler, the server of a
// page, of which nothing runs in a browser.
//
// Command wasmbuild puts it in the place of the real one, which brings its
// client, its server, mail headers and the names of the whole net along, a
// quarter of the page, because it makes some of that before main.
//
// It declares what go-app uses of net/http. Anything else does not compile; what
// would make a request fails with an error, what would serve one answers 404.
package http

import (
	"errors"
	"io"
	"net/url"
)

// Statuses that go-app's Handler answers with.
const (
	StatusOK                  = 200
	StatusNotModified         = 304
	StatusNotFound            = 404
	StatusInternalServerError = 500
)

// Header is as in the real package, but takes names as they are written.
type Header map[string][]string

// Get returns the first value of a name, "" for none.
func (h Header) Get(key string) string {
	if values := h[key]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Set makes value the only one of a name.
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

// ResponseWriter is as in the real package.
type ResponseWriter interface {
	Header() Header
	Write([]byte) (int, error)
	WriteHeader(statusCode int)
}

// Handler is as in the real package.
type Handler interface {
	ServeHTTP(ResponseWriter, *Request)
}

// Get fails.
func Get(string) (*Response, error) {
	return nil, errors.New("net/http: left out of this build, see wasmbuild")
}

// NotFound answers 404, without a word.
func NotFound(w ResponseWriter, _ *Request) { w.WriteHeader(StatusNotFound) }

// Dir is a folder that FileServer does not open.
type Dir string

// FileServer returns a handler that finds nothing.
func FileServer(Dir) Handler { return nothing{} }

type nothing struct{}

func (nothing) ServeHTTP(w ResponseWriter, r *Request) { NotFound(w, r) }
