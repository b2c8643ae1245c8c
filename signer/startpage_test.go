//go:build !js

package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/static"
)

// The start page is made at most once a minute, and again after a change of the catalogue. Without
// the catalogue it is sent as it is.
func TestStartPageIsKeptForAMinute(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"index.html": {Data: []byte("<ul><!--rows-zh-->outlines<!--/rows-zh--></ul>")},
		"pay.html":   {Data: []byte("pay")},
		"_headers":   {Data: []byte("/*\n  Cache-Control: no-cache\n")},
	}
	var made int
	var failure error
	now := time.Unix(1_800_000_000, 0)
	log := &bytes.Buffer{}
	p := newStartPage(static.New(files), files, func(context.Context) (api.StartPage, error) {
		made++
		return api.StartPage{"rows-zh": "tea"}, failure
	}, http.NotFoundHandler(), slog.New(slog.NewTextHandler(log, nil)))
	p.now = func() time.Time { return now }
	get := func(path, etag string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("If-None-Match", etag)
		p.ServeHTTP(w, r)
		return w
	}
	want := func(step, body string, calls int) *httptest.ResponseRecorder {
		t.Helper()
		w := get("/?code=1", "")
		if w.Code != 200 || w.Body.String() != "<ul>"+body+"</ul>" || w.Header().Get("Cache-Control") != "no-cache" || made != calls {
			t.Errorf("%s: %d %q %v after %d calls, want %q after %d", step, w.Code, w.Body, w.Header(), made, body, calls)
		}
		return w
	}
	etag := want("first", "tea", 1).Header().Get("ETag")
	if w := get("/", etag); w.Code != http.StatusNotModified {
		t.Errorf("with %s: %d", etag, w.Code)
	}
	now = now.Add(59 * time.Second)
	want("before a minute", "tea", 1)
	if w := get("/pay", ""); w.Body.String() != "pay" || made != 1 {
		t.Errorf("another page: %s, %d calls", w.Body, made)
	}
	now = now.Add(2 * time.Second)
	want("after a minute", "tea", 2)
	for method, more := range map[string]int{http.MethodGet: 0, http.MethodPut: 1, http.MethodDelete: 1} {
		made = 0
		p.calls.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/v1/products/tea", nil))
		want("after "+method, "tea", more)
	}
	failure = errors.New("the database is locked")
	now = now.Add(2 * time.Minute)
	made = 0
	want("without a catalogue", "<!--rows-zh-->outlines<!--/rows-zh-->", 1)
	want("right after that", "<!--rows-zh-->outlines<!--/rows-zh-->", 1)
	if !strings.Contains(log.String(), "the database is locked") {
		t.Errorf("the log: %s", log)
	}
	failure = nil
	now = now.Add(6 * time.Second)
	want("after the failure", "tea", 2)
}
