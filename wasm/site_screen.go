//go:build !js

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/startpage"
	"h5pay/wasm/ui"
)

// englishBrowser is noBrowser with English as its language.
type englishBrowser struct{ noBrowser }

func (englishBrowser) Language() string { return ui.English.Tag() }

// prefetches lists the calls that a screen makes at once for every user. One with orderID in its
// path is a POST about the order that the address names. The signer answers a repeated call like
// the first one, so the call may be sent before the program decides.
var prefetches = map[string][]string{
	"/":    {api.PathConfig, api.PathProducts},
	"/pay": {api.OrderPayPath(orderID)},
	"/o":   {api.CustomerOrderPath(orderToken)},
	"/l":   {api.LinkPath(orderToken)},
}

// orderID stands for the order's ID in the path of a prefetched call.
const orderID = "ORDER"

// orderToken stands for the token in the address. That call is a GET.
const orderToken = "TOKEN"

// screen renders the page at a path in its loading state.
func (s *site) screen(path string) (document, error) {
	env := map[string]string{envShopName: s.shop}
	for name, value := range env {
		if err := os.Setenv(name, value); err != nil {
			return document{}, err
		}
	}
	known, err := json.Marshal(env)
	if err != nil {
		return document{}, err
	}
	d := document{
		Program: true, Env: string(known), Prefetch: prefetches[path],
		Loading: textLoading, Updating: textUpdating, NoScript: textNoScript,
	}
	if d.Title.EN, d.English, err = render(path, englishBrowser{}); err != nil {
		return d, err
	}
	if d.Title.ZH, d.Screen, err = render(path, noBrowser{}); err != nil {
		return d, err
	}
	switch path {
	case "/":
		d.Data = mark(startpage.MarkData, "")
		if d.Screen, err = markCatalogue(startpage.MarkZH, d.Screen); err == nil {
			d.English, err = markCatalogue(startpage.MarkEN, d.English)
		}
		if err != nil {
			return d, err
		}
	case "/o":
		d.Preview, d.PreviewHint = d.Title, textPreview
	case "/l":
		d.Preview, d.PreviewHint = d.Title, textLinkPreview
	}
	d.Failures, d.Ended, err = failureMessages()
	return d, err
}

// mark puts marks around a part of the page, see startpage.Fill.
func mark(name string, part template.HTML) template.HTML {
	return template.HTML("<!--"+name+"-->") + part + template.HTML("<!--/"+name+"-->")
}

// markCatalogue marks the outlines of the catalogue.
func markCatalogue(name string, screen template.HTML) (template.HTML, error) {
	outlines := catalogueTag.FindString(string(screen))
	if outlines == "" {
		return "", errors.New("unexpected screen: want the outlines of the catalogue")
	}
	before, after, _ := strings.Cut(string(screen), outlines)
	return template.HTML(before) + mark(name, template.HTML(outlines)) + template.HTML(after), nil
}

var (
	catalogueTag = regexp.MustCompile(`(?s)<ul [^>]*class="cards".*?</ul>`)

	titleTag  = regexp.MustCompile(`<title>([^<]*)</title>`)
	loaderTag = regexp.MustCompile(`<aside [^>]*"app-wasm-loader"`)
	openTag   = regexp.MustCompile(`<([a-z0-9-]+)((?: [a-zA-Z-]+(?:="[^"]*")?)+)>`)
	attribute = regexp.MustCompile(` [a-zA-Z-]+(?:="[^"]*")?`)
	ariaTrue  = regexp.MustCompile(`(aria-(?:busy|hidden))([ >])`)
)

// render lets go-app render a screen in its loading state. It returns the title and the screen from the resulting page.
func render(path string, b browser) (title string, screen template.HTML, err error) {
	register(b, "")
	return renderRoute(path)
}

// renderRoute lets go-app render the screen that is registered for a path.
func renderRoute(path string) (title string, screen template.HTML, err error) {
	got := httptest.NewRecorder()
	(&app.Handler{}).ServeHTTP(got, httptest.NewRequest(http.MethodGet, path, nil))
	page := got.Body.String()
	found := titleTag.FindStringSubmatch(page)
	_, page, hasBody := strings.Cut(page, "<body>")
	end := loaderTag.FindStringIndex(page)
	switch {
	case got.Code != http.StatusOK:
		return "", "", fmt.Errorf("go-app responded with status %d", got.Code)
	case found == nil || !hasBody || end == nil:
		return "", "", errors.New("unexpected page from go-app: want a title, a body and a loader")
	case !strings.Contains(page[:end[0]], `class="screen`):
		return "", "", errors.New("unexpected page from go-app: want an element of class screen")
	}
	page = page[:end[0]]
	// go-app prints true as an attribute without a value, which ARIA reads as false.
	page = ariaTrue.ReplaceAllString(page, `$1="true"$2`)
	return html.UnescapeString(found[1]), template.HTML(sortAttributes(strings.TrimSpace(page))), nil
}

// sortAttributes sorts the attributes of every tag. go-app prints them in the random order of a map,
// and the same source must give the same page.
func sortAttributes(page string) string {
	return openTag.ReplaceAllStringFunc(page, func(tag string) string {
		parts := openTag.FindStringSubmatch(tag)
		attributes := attribute.FindAllString(parts[2], -1)
		slices.Sort(attributes)
		return "<" + parts[1] + strings.Join(attributes, "") + ">"
	})
}
