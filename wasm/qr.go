package main

import (
	"net/url"
	"strconv"

	"h5pay/internal/qrcode"
)

// moduleSize is the side of a module in CSS pixels. It is an integer, so that all modules have the
// same size on the screen; scanners rely on that.
const moduleSize = 6

// qrImage draws text as a QR code, black on white in both themes. It returns a data URL.
func qrImage(text string) (string, error) {
	path, size, err := qrcode.Path(text)
	if err != nil {
		return "", err
	}
	return "data:image/svg+xml," + url.PathEscape(svg(path, size)), nil
}

// svg returns the picture of a QR code.
func svg(path string, size int) string {
	side, box := strconv.Itoa(size*moduleSize), strconv.Itoa(size)
	return `<svg xmlns="http://www.w3.org/2000/svg" width="` + side + `" height="` + side +
		`" shape-rendering="crispEdges" viewBox="0 0 ` + box + " " + box + `"><path fill="#fff" d="M0 0h999v999H0z"/><path d="` + path + `"/></svg>`
}
