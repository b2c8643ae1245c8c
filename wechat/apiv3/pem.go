package apiv3

import (
	"encoding/base64"
	"strings"
)

// maxPEM is the largest accepted size of a key or a certificate, in bytes. A private key of 8192
// bits has 7 kB.
const maxPEM = 32 << 10

// block is the content of a text: the label after BEGIN without its blanks, "" if there is none,
// and the DER.
type block struct {
	label string
	der   []byte
}

// decodePEM reads one PEM block as people paste it (docs/wechat.md 18.16). ParseCertificate lists
// the accepted forms. On failure it returns a problem for an Error, without any part of the text.
func decodePEM(text string) (b block, problem string) {
	const begin, end, dashes = "-----BEGIN", "-----END", "-----"
	if len(text) > maxPEM {
		return block{}, "is too long for a key or a certificate"
	}
	text = tidy(text)
	switch {
	case text == "":
		return block{}, "is empty"
	case !strings.Contains(text, dashes):
		// Base64 without its first and last line.
	case strings.Count(text, begin) == 0:
		return block{}, `has no "-----BEGIN ...-----"`
	case strings.Count(text, begin) > 1:
		return block{}, "holds several PEM blocks, want one"
	default:
		// Text may precede the block: openssl writes some before certificates.
		_, rest, _ := strings.Cut(text, begin)
		label, rest, _ := strings.Cut(rest, dashes)
		body, rest, _ := strings.Cut(rest, end)
		last, _, ok := strings.Cut(rest, dashes)
		if b.label = unspaced(label); !ok || unspaced(last) != b.label {
			return block{}, `has no "-----END ...-----" that goes with its "-----BEGIN ...-----"`
		}
		text = body
	}
	if strings.Contains(b.label, "ENCRYPTED") || strings.Contains(text, "Proc-Type:") || strings.Contains(text, "DEK-Info:") {
		return block{}, "is encrypted with a passphrase, want it without one"
	}
	var err error
	if b.der, err = base64.StdEncoding.Strict().DecodeString(unspaced(text)); err != nil {
		if b.label == "" {
			return block{}, "is neither PEM nor base64"
		}
		return block{}, "is not base64 between its first and its last line, or a part is missing"
	}
	return b, ""
}

// tidy removes blanks and quotes around a pasted text, and replaces the characters \n by line
// breaks.
func tidy(text string) string {
	for _, written := range []string{`\\r`, `\\n`, `\r`, `\n`} {
		text = strings.ReplaceAll(text, written, "\n")
	}
	return strings.TrimFunc(text, func(r rune) bool { return blank(r) || strings.ContainsRune("\"'`“”‘’", r) })
}

// unspaced returns text without blanks.
func unspaced(text string) string {
	return strings.Map(func(r rune) rune {
		if blank(r) {
			return -1
		}
		return r
	}, text)
}

// blank reports whether r is a blank, a line break, or an invisible character: text from web pages
// and word processors contains them.
func blank(r rune) bool {
	switch r {
	case ' ', '\t', '\r', '\n', '\v', '\f',
		'\u00a0', '\u3000', // no-break space and the wide one
		'\u200b', '\u200e', '\u200f', '\u2028', '\u2029', '\u2060', '\ufeff':
		return true
	}
	return false
}
