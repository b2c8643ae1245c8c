package paytest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
)

// Endpoints sends to the receivers of the endpoints that API calls made, by the host of
// their URL, without a network.
type Endpoints struct {
	mu    sync.Mutex
	hosts map[string]http.Handler
}

// Serve makes a handler respond at a host.
func (e *Endpoints) Serve(host string, h http.Handler) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hosts == nil {
		e.hosts = map[string]http.Handler{}
	}
	e.hosts[host] = h
}

// Do makes one delivery. A host without a handler does not respond.
func (e *Endpoints) Do(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	h := e.hosts[r.URL.Host]
	e.mu.Unlock()
	if h == nil {
		return nil, errors.New("no such host")
	}
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}
