// Package qrcode draws texts as QR codes in SVG.
package qrcode

import (
	"errors"
	"strconv"
	"strings"

	"rsc.io/qr/coding"
)

// QuietZone is the light margin around a code, in modules. The standard requires it.
const QuietZone = 4

// Path returns the QR code of a text: its dark modules as the data of an SVG path, and its side in
// modules, with the margin. Level M survives 15 % of damage.
func Path(text string) (path string, size int, err error) {
	code, err := encode(text)
	if err != nil {
		return "", 0, err
	}
	var b strings.Builder
	number := func(command string, n int) { b.WriteString(command); b.WriteString(strconv.Itoa(n)) }
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			start := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if n := x - start; n > 0 {
				number("M", start+QuietZone)
				number(" ", y+QuietZone)
				number("h", n)
				number("v1h-", n)
				b.WriteString("z")
			}
		}
	}
	return b.String(), code.Size + 2*QuietZone, nil
}

func encode(text string) (*coding.Code, error) {
	const level, mask = coding.M, 0
	for version := coding.Version(1); version <= coding.MaxVersion; version++ {
		if coding.String(text).Bits(version) > 8*version.DataBytes(level) {
			continue
		}
		plan, err := coding.NewPlan(version, level, mask)
		if err != nil {
			return nil, err
		}
		return plan.Encode(coding.String(text))
	}
	return nil, errors.New("the text is too long for a QR code")
}
