package static

import (
	"compress/gzip"
	"crypto/rand"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestSiteServesLikeStaticAssets(t *testing.T) {
	s := New(fstest.MapFS{
		"index.html":           {Data: []byte("start")},
		"pay.html":             {Data: []byte("pay")},
		"404.html":             {Data: []byte("nothing here")},
		"_headers":             {Data: []byte("# all\n/*\n  Cache-Control: no-cache\n  X-Frame-Options: DENY\n\n/assets/*\n  ! Cache-Control\n  Cache-Control: immutable\n")},
		"_redirects":           {Data: []byte("/o/* /o 200\n")},
		"o.html":               {Data: []byte("order")},
		"manifest.webmanifest": {Data: []byte("{}")},
		"web/app.css":          {Data: []byte("body{}")},
		"assets/app.0.wasm":    {Data: []byte("wasm")},
	})
	for _, test := range []struct {
		path, body, kind string
		status           int
		cache            string
	}{
		{"/", "start", "text/html", 200, "no-cache"},
		{"/?code=1", "start", "text/html", 200, "no-cache"},
		{"/pay?order=x", "pay", "text/html", 200, "no-cache"},
		{"/o/0123456789abcdefghijklmnop", "order", "text/html", 200, "no-cache"},
		{"/o", "order", "text/html", 200, "no-cache"},
		{"/other", "nothing here", "text/html", 404, "no-cache"},
		{"/_redirects", "nothing here", "text/html", 404, "no-cache"},
		{"/web/app.css", "body{}", "text/css", 200, "no-cache"},
		{"/assets/app.0.wasm", "wasm", "application/wasm", 200, "immutable"},
		{"/assets/app.1.wasm", "nothing here", "text/html", 404, "no-cache"},
		{"/manifest.webmanifest", "{}", "application/manifest+json", 200, "no-cache"},
		{"/web/", "nothing here", "text/html", 404, "no-cache"},
		{"/_headers", "nothing here", "text/html", 404, "no-cache"},
		{"/../signer/main.go", "nothing here", "text/html", 404, "no-cache"},
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", test.path, nil))
		if w.Code != test.status || w.Body.String() != test.body || !strings.HasPrefix(w.Header().Get("Content-Type"), test.kind) {
			t.Errorf("%s: %d %q %s", test.path, w.Code, w.Body, w.Header().Get("Content-Type"))
		}
		if w.Header().Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s lacks the headers of _headers", test.path)
		}
		if got := w.Header().Values("Cache-Control"); len(got) != 1 || got[0] != test.cache {
			t.Errorf("%s may be kept %q, want %s", test.path, got, test.cache)
		}
	}
}

// A file of the program has an ETag, and is sent compressed to clients that accept it.
func TestEmbeddedFilesAreCompressedAndKept(t *testing.T) {
	t.Parallel()
	page := strings.Repeat("<p>text</p>", 1000)
	noise := make([]byte, 4000)
	rand.Read(noise)
	s := New(fstest.MapFS{
		"index.html":   {Data: []byte(page)},
		"web/icon.png": {Data: noise},
		"web/odd.svg":  {Data: noise},
		"mine.txt":     {Data: []byte(page), ModTime: time.Unix(1_700_000_000, 0)},
	})
	for _, test := range []struct {
		path, accept string
		gzip         bool
		body         string
	}{
		{"/", "", false, page},
		{"/", "gzip, deflate, br", true, page},
		{"/", "br, GZIP;q=0.5", true, page},
		{"/", "gzip;q=0", false, page},
		{"/", "gzip; q=0.000, br", false, page},
		{"/web/icon.png", "gzip", false, string(noise)},
		{"/web/odd.svg", "gzip", false, string(noise)},
		{"/mine.txt", "gzip", false, page},
	} {
		get := func(etag string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", test.path, nil)
			r.Header.Set("Accept-Encoding", test.accept)
			if etag != "" {
				r.Header.Set("If-None-Match", etag)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w
		}
		w := get("")
		body := w.Body.String()
		if test.gzip {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(z)
			if err != nil || w.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: %v, Vary %q", test.path, err, w.Header().Get("Vary"))
			}
			body = string(text)
		}
		if w.Code != 200 || body != test.body || (w.Header().Get("Content-Encoding") == "gzip") != test.gzip {
			t.Errorf("%s, %q: %d, %d bytes, %v", test.path, test.accept, w.Code, len(body), w.Header())
		}
		etag := w.Header().Get("ETag")
		if test.path == "/mine.txt" {
			if etag != "" || w.Header().Get("Last-Modified") == "" {
				t.Errorf("a file that may change has the ETag %q", etag)
			}
			continue
		}
		if again := get(etag); etag == "" || again.Code != 304 || again.Body.Len() != 0 {
			t.Errorf("%s: ETag %q, then %d with %d bytes", test.path, etag, again.Code, again.Body.Len())
		}
	}
}

// A client that accepts brotli gets the file that the build compressed, from a folder and from the
// program. Others get the file itself, or gzip.
func TestSiteServesCompressedFiles(t *testing.T) {
	wasm := strings.Repeat("wasm ", 1000)
	embedded := fstest.MapFS{"assets/app.0.wasm": {Data: []byte(wasm)}, "assets/app.0.wasm.br": {Data: []byte("packed")}}
	dir := t.TempDir()
	if err := os.CopyFS(dir, embedded); err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]fs.FS{"embedded": embedded, "folder": os.DirFS(dir)} {
		s := New(files)
		for _, test := range []struct{ accept, coding, body string }{
			{"gzip, deflate, br", "br", "packed"},
			{"br;q=0, gzip", map[string]string{"embedded": "gzip"}[name], ""},
			{"", "", wasm},
		} {
			r := httptest.NewRequest("GET", "/assets/app.0.wasm", nil)
			r.Header.Set("Accept-Encoding", test.accept)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			h := w.Header()
			if w.Code != 200 || h.Get("Content-Encoding") != test.coding || h.Get("Content-Type") != "application/wasm" ||
				h.Get("Vary") != "Accept-Encoding" || test.body != "" && w.Body.String() != test.body {
				t.Errorf("%s, accepting %q: status %d, %v, %.20q", name, test.accept, w.Code, h, w.Body)
			}
		}
	}
}
