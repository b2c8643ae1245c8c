package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
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
		"/v1/docs-zh":      {200, "text/html", "订单已付款"},
		"/v1/docs.css":     {200, "text/css", "nav"},
		"/v1/docs.mjs":     {200, "text/javascript", "docs-zh"},
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

// A reader whose browser prefers Chinese gets the Chinese page, at the same call. The link to the
// English page stays there.
func TestDocumentInTheReadersLanguage(t *testing.T) {
	for language, want := range map[string]string{"zh-CN": "/v1/docs-zh#createOrder", "en-US": "/v1/docs#createOrder"} {
		t.Run(language, func(t *testing.T) {
			tb := newTab(t)
			tb.run(emulation.SetUserAgentOverride(tb.eval("navigator.userAgent")).WithAcceptLanguage(language))
			at := func(want string) {
				t.Helper()
				tb.until("the page "+want, `document.readyState === "complete" && location.pathname + location.search + location.hash === "`+want+`"`)
			}
			tb.open(world.shop.URL + "/v1/docs#createOrder")
			at(want)
			tb.open(world.shop.URL + "/v1/docs-zh")
			tb.sees("下单")
			tb.tap(`document.querySelector('nav a[lang="en"]')`)
			at("/v1/docs?lang=en")
			tb.sees("Make an order")
		})
	}
}
