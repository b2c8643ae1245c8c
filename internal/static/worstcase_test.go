package static

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"h5pay/internal/growthtest"
)

// Strangers' headers and paths cost a constant amount of work per byte.
func TestServingIsLinear(t *testing.T) {
	site := New(fstest.MapFS{
		"app.wasm": {Data: make([]byte, 1000), ModTime: time.Unix(1_800_000_000, 0)},
		"404.html": {Data: []byte("none")},
		"_headers": {Data: []byte("/*\n  ETag: \"x\"\n")},
	})
	header := func(name, head, part string) func(n int) *http.Request {
		return func(n int) *http.Request {
			r := httptest.NewRequest("GET", "/app.wasm", nil)
			r.Header.Set(name, head+strings.Repeat(part, n/len(part)))
			return r
		}
	}
	for name, request := range map[string]func(n int) *http.Request{
		"ranges":              header("Range", "bytes=0-0", ",0-0"),
		"ranges of no bytes":  header("Range", "bytes=0-0", ",2000-3000"),
		"suffixes":            header("Range", "bytes=-1", ",-1"),
		"commas of ranges":    header("Range", "bytes=", ","),
		"spaces of ranges":    header("Range", "bytes=", " "),
		"a long range":        header("Range", "bytes=0-", "9"),
		"entity tags":         header("If-None-Match", `"a"`, `,"a"`),
		"open entity tags":    header("If-None-Match", "", `"`),
		"weak entity tags":    header("If-Match", `"a"`, `,W/"a"`),
		"spaces of tags":      header("If-Match", "", " "),
		"a long date":         header("If-Modified-Since", "Mon, ", "0"),
		"a long If-Range":     header("If-Range", "", `W/"`),
		"encodings":           header("Accept-Encoding", "gzip", ",br"),
		"slashes":             func(n int) *http.Request { return httptest.NewRequest("GET", "/"+strings.Repeat("a/", n/2), nil) },
		"parents":             func(n int) *http.Request { return httptest.NewRequest("GET", "/"+strings.Repeat("../", n/3), nil) },
		"a long name":         func(n int) *http.Request { return httptest.NewRequest("GET", "/"+strings.Repeat("a", n), nil) },
		"an escaped name":     func(n int) *http.Request { return httptest.NewRequest("GET", "/"+strings.Repeat("%41", n/3), nil) },
		"a long query string": func(n int) *http.Request { return httptest.NewRequest("GET", "/?"+strings.Repeat("a&", n/2), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			requests := map[int]*http.Request{}
			sized := func(n int) []byte {
				requests[n] = request(n)
				return make([]byte, n)
			}
			growthtest.Linear(t, 128<<10, sized, func(b []byte) { site.ServeHTTP(httptest.NewRecorder(), requests[len(b)]) })
		})
	}
}
