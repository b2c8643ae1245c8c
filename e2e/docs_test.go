package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// The document of /v1 and its page are files of the site. Every other path of /v1 reaches
// the signer.
func TestDocumentOfTheAPI(t *testing.T) {
	for path, want := range map[string]struct {
		status         int
		mediaType, has string
	}{
		"/v1/openapi.json": {200, "application/json", `"openapi": "3.1`},
		"/v1/docs":         {200, "text/html", "/v1/products/{id}"},
		"/v1/docs.css":     {200, "text/css", "nav"},
		"/v1/products":     {401, "application/json", `"unauthenticated"`},
		"/v1/none":         {404, "application/json", `"request_id"`},
	} {
		res, err := http.Get(world.shop.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != want.status || !strings.HasPrefix(res.Header.Get("Content-Type"), want.mediaType) || !strings.Contains(string(b), want.has) {
			t.Errorf("%s: %s %s, %v, want %+v", path, res.Status, res.Header.Get("Content-Type"), err, want)
		}
	}
}
