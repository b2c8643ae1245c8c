package main

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"rsc.io/qr/coding"
)

// quietZone is the light margin around a QR code, in modules. The standard requires it.
const quietZone = 4

// moduleSize is the side of a module in CSS pixels. It is an integer, so that all modules have the
// same size on the screen; scanners rely on that.
const moduleSize = 6

// qrImage draws text as a QR code, black on white in both themes. It returns a data URL.
func qrImage(text string) (string, error) {
	const level, mask = coding.M, 0
	for version := coding.Version(1); version <= coding.MaxVersion; version++ {
		if coding.String(text).Bits(version) > 8*version.DataBytes(level) {
			continue
		}
		plan, err := coding.NewPlan(version, level, mask)
		if err != nil {
			return "", err
		}
		code, err := plan.Encode(coding.String(text))
		if err != nil {
			return "", err
		}
		return "data:image/svg+xml," + url.PathEscape(svg(code)), nil
	}
	return "", errors.New("the text is too long for a QR code")
}

// svg draws each row of a QR code as runs of dark modules.
func svg(code *coding.Code) string {
	var b strings.Builder
	number := func(command string, n int) { b.WriteString(command); b.WriteString(strconv.Itoa(n)) }
	size := code.Size + 2*quietZone
	number(`<svg xmlns="http://www.w3.org/2000/svg" width="`, size*moduleSize)
	number(`" height="`, size*moduleSize)
	number(`" shape-rendering="crispEdges" viewBox="0 0 `, size)
	number(" ", size)
	b.WriteString(`"><path fill="#fff" d="M0 0h999v999H0z"/><path d="`)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			start := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if n := x - start; n > 0 {
				number("M", start+quietZone)
				number(" ", y+quietZone)
				number("h", n)
				number("v1h-", n)
				b.WriteString("z")
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String()
}
