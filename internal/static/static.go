// Package static serves the page's files on the native server.
package static

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// noTime is the time of modification of an embedded file.
var noTime time.Time

// Site serves files as Cloudflare's static assets do. /pay is pay.html, unknown paths give
// 404.html, and folders are not listed. A client that accepts brotli gets NAME.br, if it is there,
// instead of NAME. The headers of the _headers file are set. A line
// "/o/* /o 200" of the _redirects file serves /o at every address below it.
type Site struct {
	files    fs.FS
	rules    []headerRule
	rewrite  map[string]string // prefix of an address -> path of the page
	embedded sync.Map          // *embedded by file name
}

// headerRule is one paragraph of the _headers file.
type headerRule struct {
	prefix string // of the matching paths
	lines  []string
}

// New returns the site of a folder.
func New(files fs.FS) *Site {
	s := &Site{files: files, rewrite: map[string]string{}}
	if text, err := fs.ReadFile(files, "_redirects"); err == nil {
		for line := range strings.Lines(string(text)) {
			// The file contains only rules of this form.
			if rule := strings.Fields(line); len(rule) == 3 && rule[2] == "200" {
				s.rewrite[strings.TrimSuffix(rule[0], "*")] = rule[1]
			}
		}
	}
	text, err := fs.ReadFile(files, "_headers")
	if err != nil {
		return s
	}
	for line := range strings.Lines(string(text)) {
		setting := strings.TrimSpace(line)
		switch {
		case setting == "" || setting[0] == '#':
		case line[0] == '/':
			// The file contains only folders, with a star at the end.
			s.rules = append(s.rules, headerRule{prefix: strings.TrimSuffix(setting, "*")})
		case len(s.rules) > 0:
			last := &s.rules[len(s.rules)-1]
			last.lines = append(last.lines, setting)
		}
	}
	return s
}

// Header returns a header that the _headers file sets at a path, "" if it sets none.
func (s *Site) Header(path, name string) string {
	h := http.Header{}
	s.setHeaders(h, path)
	return h.Get(name)
}

// setHeaders applies the rules in order. A line "! Name" removes what earlier rules set.
func (s *Site) setHeaders(h http.Header, path string) {
	for _, rule := range s.rules {
		if !strings.HasPrefix(path, rule.prefix) {
			continue
		}
		for _, line := range rule.lines {
			if name, ok := strings.CutPrefix(line, "! "); ok {
				h.Del(name)
			} else if name, value, ok := strings.Cut(line, ": "); ok {
				h.Add(name, value)
			}
		}
	}
}

func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.setHeaders(w.Header(), r.URL.Path)
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "public, max-age=0, must-revalidate") // Cloudflare's default
	}
	address := path.Clean(r.URL.Path)
	for prefix, page := range s.rewrite {
		if strings.HasPrefix(address, prefix) {
			address = page
		}
	}
	name := strings.TrimPrefix(address, "/")
	for _, file := range []string{name, name + ".html", path.Join(name, "index.html")} {
		if info, err := fs.Stat(s.files, file); err == nil && !info.IsDir() && file != "_headers" && file != "_redirects" {
			if path.Ext(file) == ".webmanifest" {
				w.Header().Set("Content-Type", "application/manifest+json")
			}
			if packed, err := fs.Stat(s.files, file+".br"); err == nil && !packed.IsDir() {
				w.Header().Set("Vary", "Accept-Encoding")
				if accepts(r, "br") {
					w.Header().Set("Content-Type", contentType(file))
					w.Header().Set("Content-Encoding", "br")
					info, file = packed, file+".br"
				}
			}
			if info.ModTime().IsZero() {
				s.serveEmbedded(w, r, file)
				return
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
	w.Header().Set("Cache-Control", "no-cache") // a missing file must not be cached forever
	w.WriteHeader(http.StatusNotFound)
	w.Write(page)
}
