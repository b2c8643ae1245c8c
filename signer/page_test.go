//go:build !js

package main

import (
	"encoding/json"
	"errors"
	"html"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"h5pay"
	"h5pay/internal/static"
)

// The shop's own files stand beside those of the page, cannot replace them, and end at their folder.
func TestFilesOfTheShop(t *testing.T) {
	t.Parallel()
	outside := writeFile(t, "text-beyond-the-folder")
	dir := t.TempDir()
	for name, text := range map[string]string{"MP_verify_x.txt": "x", "web/app.css": "mine", "web/products/mine.svg": "<svg/>"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	files, err := siteFiles(lookup(map[string]string{filesSetting: dir}), discardLog())
	if err != nil {
		t.Fatal(err)
	}
	site := static.New(files)
	for path, want := range map[string]string{"/MP_verify_x.txt": "x", "/web/products/mine.svg": "<svg/>", "/web/products/tea.svg": "<svg", "/web/app.css": "/*", "/link.txt": "404"} {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		body := w.Body.String()
		if want == "404" && w.Code != http.StatusNotFound || want != "404" && (w.Code != http.StatusOK || !strings.HasPrefix(body, want)) || strings.Contains(body, "text-beyond") {
			t.Errorf("%s: %d %.50q", path, w.Code, body)
		}
	}
	for _, bad := range []string{filepath.Join(dir, "none"), outside} {
		if _, err := siteFiles(lookup(map[string]string{filesSetting: bad}), discardLog()); err == nil || !strings.Contains(err.Error(), "setting FILES_DIR must name a folder") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// The page of a release has no shop's name. The server puts it there, whatever characters it has.
func TestPageOfAReleaseShowsTheShop(t *testing.T) {
	t.Parallel()
	page := fstest.MapFS{
		"index.html":           {Data: []byte(`<title>h5pay-shop-name</title><aside data-env="{&#34;SHOP_NAME&#34;:&#34;h5pay-shop-name&#34;}">`)},
		"manifest.webmanifest": {Data: []byte(`{"name": "h5pay-shop-name", "short_name": "h5pay-shop-name"}`)},
		"assets/start.js":      {Data: []byte("h5pay-shop-name")},
	}
	for _, name := range []string{"山岚小铺", `"A" & <B>\'`, "</script>", ""} {
		named, err := nameShop(page, name)
		if err != nil {
			t.Fatal(err)
		}
		read := func(file string) string {
			text, err := fs.ReadFile(named, file)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		title, rest, _ := strings.Cut(strings.TrimPrefix(read("index.html"), "<title>"), "</title>")
		attribute := strings.TrimSuffix(strings.TrimPrefix(rest, `<aside data-env="`), `">`)
		var env struct {
			Name string `json:"SHOP_NAME"`
		}
		if err := json.Unmarshal([]byte(html.UnescapeString(attribute)), &env); err != nil || strings.ContainsAny(attribute, `"<>`) {
			t.Errorf("%s: %v in %s", name, err, attribute)
		}
		var manifest struct {
			Name  string `json:"name"`
			Short string `json:"short_name"`
		}
		if err := json.Unmarshal([]byte(read("manifest.webmanifest")), &manifest); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if html.UnescapeString(title) != name || strings.ContainsAny(title, "<>") || env.Name != name || manifest.Name != name || manifest.Short != name {
			t.Errorf("%q: title %q, env %q, manifest %+v", name, title, env.Name, manifest)
		}
		if got := read("assets/start.js"); got != h5pay.PageName {
			t.Errorf("a script is changed: %s", got)
		}
	}
}

// The files in memory are read as those of any other file system.
func TestMemoryFiles(t *testing.T) {
	t.Parallel()
	files := memoryFiles{"index.html": []byte("page"), "empty.txt": nil}
	for name, want := range map[string]string{"index.html": "page", "empty.txt": ""} {
		text, err := fs.ReadFile(files, name)
		if err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		info, err := fs.Stat(files, name)
		if err != nil || info.Name() != name || info.Size() != int64(len(want)) || info.IsDir() || !info.ModTime().IsZero() {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if _, err := files.Open("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
