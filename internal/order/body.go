package order

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxBody is the limit of unifiedorder's body. WeChat does not document whether it counts bytes or
// characters.
const maxBody = 127

// Body returns what the payer reads on the payment sheet: "shop - item", or
// "shop - item 等3件" for more than one piece.
func Body(shop string, lines []Line) string {
	pieces := 0
	for _, l := range lines {
		pieces += l.Quantity
	}
	head, tail := shop, ""
	if len(lines) > 0 {
		head += " - " + lines[0].Name
	}
	if pieces > 1 {
		tail = fmt.Sprintf(" 等%d件", pieces)
	}
	return cut(plain(head), maxBody-len(tail)) + tail
}

// Printable returns text without the characters that WeChat rejects in a body.
func Printable(text string) string { return strings.TrimSpace(cut(plain(text), maxBody)) }

// plain drops what WeChat declines in a body: control characters, line ends and
// characters of four bytes.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r > 0xFFFF || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// cut shortens s to n bytes at most, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
