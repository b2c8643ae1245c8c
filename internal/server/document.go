package server

import (
	"io"
	"net/http"
)

// document is a response that is not JSON.
type document struct {
	media, text string
	header      map[string]string
}

func (d document) write(w http.ResponseWriter, status int) {
	for name, value := range d.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", d.media+"; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, d.text) // an error means that nobody listens any more
}
