package server

import (
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"h5pay/internal/order"
	"h5pay/internal/qrcode"
)

// The poster is an A5 page in millimetres.
const (
	posterWidth  = 148
	posterHeight = 210
	posterCode   = 96 // side of the QR code
)

// poster returns a page to print, in SVG. It has the shop's name, the title of a payment link, the
// fixed amount, and the QR code of the link's URL. The program that shows or prints it supplies the
// font.
func poster(shop string, l order.Link, url string) (string, error) {
	path, size, err := qrcode.Path(url)
	if err != nil {
		return "", err
	}
	shop, l.Title, l.Description = visible(shop), visible(l.Title), visible(l.Description)
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" width="148mm" height="210mm" viewBox="0 0 148 210" ` +
		`font-family="'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif" text-anchor="middle">` +
		`<title>` + html.EscapeString(shop+" - "+l.Title) + `</title>` +
		`<path fill="#fff" d="M0 0h148v210H0z"/><path fill="#07c160" d="M0 0h148v34H0z"/>`)
	line := func(y int, size float64, fill, text string) {
		b.WriteString(`<text x="74" y="` + strconv.Itoa(y) + `" font-size="` + strconv.FormatFloat(size, 'g', 4, 64) + `" fill="` + fill + `">` + html.EscapeString(text) + `</text>`)
	}
	line(22, fitting(shop, 11), "#fff", shop)
	line(50, fitting(l.Title, 9), "#111", l.Title)
	if l.Amount > 0 {
		line(61, 8, "#111", "¥"+l.Amount.String())
	} else if l.Description != "" {
		line(61, fitting(l.Description, 5), "#555", l.Description)
	}
	scale := strconv.FormatFloat(float64(posterCode)/float64(size), 'g', 6, 64)
	b.WriteString(`<g transform="translate(` + strconv.Itoa((posterWidth-posterCode)/2) + ` 68) scale(` + scale + `)"><path shape-rendering="crispEdges" d="` + path + `"/></g>`)
	line(178, 8, "#07c160", "微信扫一扫付款")
	line(188, 5, "#555", "Scan with WeChat to pay")
	b.WriteString(`</svg>`)
	return b.String(), nil
}

// visible returns a text without control characters, because XML does not allow them.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
}

// fitting returns the largest font size, at most the given one, at which a text fits the
// poster. A Chinese character is as wide as it is high, a Latin one about half as wide.
func fitting(text string, most float64) float64 {
	width := 0.0
	for _, r := range text {
		if r < 0x2e80 {
			width += 0.6
		} else {
			width++
		}
	}
	if width == 0 {
		return most
	}
	return min(most, (posterWidth-16)/width)
}
