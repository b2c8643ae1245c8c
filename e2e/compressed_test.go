package e2e

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// The Worker sends the page's program as `make compressed` compressed it. A client that does not
// accept brotli, or requests a range, gets the program uncompressed.
func TestProgramIsSentCompressed(t *testing.T) {
	found, err := filepath.Glob("../public/assets/app.*.wasm")
	if err != nil || len(found) != 1 {
		t.Fatalf("programs of the page: %q, %v", found, err)
	}
	size := func(name string) string {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return strconv.FormatInt(info.Size(), 10)
	}
	get := func(header, value string) (*http.Response, int64) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, world.shop.URL+"/assets/"+filepath.Base(found[0]), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "identity")
		req.Header.Set(header, value)
		if header == "If-None-Match" {
			req.Header.Set("Accept-Encoding", "br")
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		n, err := io.Copy(io.Discard, res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Header.Get("Content-Type"); got != "application/wasm" && res.StatusCode != http.StatusNotModified {
			t.Errorf("%s %q: type %s", header, value, got)
		}
		return res, n
	}
	want := "public, max-age=31536000, immutable"
	packed, n := get("Accept-Encoding", "br") // wrangler dev sends the first coding of a list
	h := packed.Header
	if packed.StatusCode != 200 || h.Get("Content-Encoding") != "br" || strconv.FormatInt(n, 10) != size(found[0]+".br") ||
		h.Get("Cache-Control") != want || h.Get("Vary") != "Accept-Encoding" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("compressed: status %d, %d bytes, %v", packed.StatusCode, n, h)
	}
	if res, _ := get("If-None-Match", h.Get("ETag")); res.StatusCode != http.StatusNotModified {
		t.Errorf("with the ETag of the compressed program: status %d", res.StatusCode)
	}
	if res, n := get("Range", "bytes=0-99"); n != 100 && strconv.FormatInt(n, 10) != size(found[0]) || res.Header.Get("Content-Encoding") != "" {
		t.Errorf("a part: status %d, %d bytes, %v", res.StatusCode, n, res.Header)
	}
	plain, n := get("Accept-Encoding", "identity")
	if plain.StatusCode != 200 || plain.Header.Get("Content-Encoding") != "" || strconv.FormatInt(n, 10) != size(found[0]) || plain.Header.Get("Cache-Control") != want {
		t.Errorf("as it is: status %d, %d bytes, %v", plain.StatusCode, n, plain.Header)
	}
}
