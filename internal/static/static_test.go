package static

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func TestSiteServesLikeStaticAssets(t *testing.T) {
	s := New(fstest.MapFS{
		"index.html":           {Data: []byte("start")},
		"pay.html":             {Data: []byte("pay")},
		"404.html":             {Data: []byte("nothing here")},
		"_headers":             {Data: []byte("# all\n/*\n  Cache-Control: no-cache\n  X-Frame-Options: DENY\n\n/assets/*\n  ! Cache-Control\n  Cache-Control: immutable\n")},
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
