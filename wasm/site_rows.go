//go:build !js

package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/maxence-charriere/go-app/v9/pkg/app"

	"h5pay/internal/api"
	"h5pay/internal/startpage"
	"h5pay/wasm/ui"
)

// chineseBrowser is noBrowser with Chinese as its language.
type chineseBrowser struct{ noBrowser }

func (chineseBrowser) Language() string { return ui.Chinese.Tag() }

// card is the HTML of one row of the catalogue.
var card = regexp.MustCompile(`(?s)<li class="card".*?</li>`)

// catalogueRows returns the rows of internal/startpage/rows.txt, made of the shop's own components.
func catalogueRows() (string, error) {
	b := strings.Builder{}
	b.WriteString("Written by `go generate ./internal/startpage`. Do not edit.\n")
	for lang, in := range []browser{chineseBrowser{}, englishBrowser{}} {
		app.RouteFunc("/", func() app.Composer {
			p := newShopPage(in)
			p.products, p.acceptedTypes, p.loading = startpage.Sample, []api.TradeType{api.TradeNative}, true
			return p
		})
		_, screen, err := renderRoute("/")
		if err != nil {
			return "", err
		}
		rows := card.FindAllString(string(screen), -1)
		if len(rows) != len(startpage.Sample) {
			return "", errors.New("unexpected page from go-app: want a row for each product")
		}
		for i, row := range rows {
			kind := startpage.Kind(startpage.Sample[i], [...]string{"zh", "en"}[lang])
			// go-app prints line breaks, which the program's elements do not have.
			fmt.Fprintf(&b, "%s\t%s\n", kind, strings.ReplaceAll(row, "\n", ""))
		}
	}
	return b.String(), nil
}
