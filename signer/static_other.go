//go:build !js

package main

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// site serves the page's files as Cloudflare's static assets do: /pay is
// pay.html, what is not there is 404.html, folders are not listed, and the
// headers of the _headers file are set on everything.
type site struct {
	files   fs.FS
	headers http.Header
}

func newSite(files fs.FS) *site {
	s := &site{files: files, headers: http.Header{}}
	text, err := fs.ReadFile(files, "_headers")
	if err != nil {
		return s
	}
	for line := range strings.Lines(string(text)) {
		// The file has one rule, for /*.
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			s.headers.Add(name, value)
		}
	}
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, values := range s.headers {
		w.Header()[name] = values
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	for _, file := range []string{name, name + ".html", path.Join(name, "index.html")} {
		if info, err := fs.Stat(s.files, file); err == nil && !info.IsDir() && file != "_headers" {
			if path.Ext(file) == ".webmanifest" {
				w.Header().Set("Content-Type", "application/manifest+json")
			}
			http.ServeFileFS(w, r, s.files, file)
			return
		}
	}
	page, err := fs.ReadFile(s.files, "404.html")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	w.Write(page)
}
