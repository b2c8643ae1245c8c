package phone

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// An engine of 2019 (Chromium 78, XWEB 2759) does not know ?. and ??, but the browser that shows
// the phone does. So a script with them is replaced by a script that no browser can parse. The page
// gets a SyntaxError as in the old engine.

// unreadable is that script.
const unreadable = "a ?.?. b; // the simulator: an engine of 2019 cannot read this script"

// newSyntax returns the first operator in a script that an engine of 2019 does not know:
// "?.", "??", "||=" or "&&=". It skips strings, comments and regular expressions. It
// returns "" if there is none.
func newSyntax(script string) string {
	last := byte(0) // the last byte of code that is no space
	for i := 0; i < len(script); i++ {
		rest := script[i:]
		switch c := script[i]; {
		case strings.HasPrefix(rest, "//"):
			i += skipTo(rest, "\n")
			continue
		case strings.HasPrefix(rest, "/*"):
			i += skipTo(rest[2:], "*/") + 3
			continue
		case c == '"' || c == '\'' || c == '`':
			i += skipQuoted(rest, c)
		case c == '/' && strings.IndexByte("(,=:[!&|?{};+-*%<>~^\x00", last) >= 0:
			i += skipRegexp(rest)
		case strings.HasPrefix(rest, "?.") && !(len(rest) > 2 && rest[2] >= '0' && rest[2] <= '9'):
			return "?."
		case strings.HasPrefix(rest, "??"):
			return "??"
		case strings.HasPrefix(rest, "||=") || strings.HasPrefix(rest, "&&="):
			return rest[:3]
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			continue
		}
		last = script[min(i, len(script)-1)]
	}
	return ""
}

// skipTo returns how far it is to the last byte of an end, or to the end of a text.
func skipTo(text, end string) int {
	if at := strings.Index(text, end); at >= 0 {
		return at + len(end) - 1
	}
	return len(text)
}

// skipQuoted returns how far it is to the quote that ends a string.
func skipQuoted(text string, quote byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case quote:
			return i
		}
	}
	return len(text)
}

// skipRegexp returns how far it is to the slash that ends a regular expression.
func skipRegexp(text string) int {
	class := false
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '[':
			class = true
		case ']':
			class = false
		case '\n':
			return 0 // it was a division
		case '/':
			if !class {
				return i
			}
		}
	}
	return 0
}

var inlineScript = regexp.MustCompile(`(?is)(<script\b[^>]*>)(.*?)(</script>)`)

// replaceScripts replaces the inline scripts that an engine of 2019 cannot parse, and
// reports whether there was one.
func replaceScripts(page []byte) ([]byte, bool) {
	changed := false
	page = inlineScript.ReplaceAllFunc(page, func(tag []byte) []byte {
		parts := inlineScript.FindSubmatch(tag)
		if newSyntax(string(parts[2])) == "" {
			return tag
		}
		changed = true
		return bytes.Join([][]byte{parts[1], []byte(unreadable), parts[3]}, nil)
	})
	return page, changed
}

// allowUnreadable adds the hash of the replacement to policies that allow inline
// scripts by hash, so that the browser parses it.
func allowUnreadable(h http.Header) {
	sum := sha256.Sum256([]byte(unreadable))
	source := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	for i, policy := range h.Values("Content-Security-Policy") {
		h["Content-Security-Policy"][i] = strings.Replace(policy, "script-src ", "script-src "+source+" ", 1)
	}
}

// isScript reports whether a response is a script.
func isScript(res *http.Response) bool {
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return strings.HasSuffix(mediaType, "javascript")
}

// replaceScript replaces a script that an engine of 2019 cannot parse.
func replaceScript(res *http.Response) error {
	if res.Request.Method == http.MethodHead || res.StatusCode != http.StatusOK {
		return nil
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxHTML))
	if err != nil {
		return fmt.Errorf("reading a script: %w", err)
	}
	res.Body.Close()
	text := raw
	if res.Header.Get("Content-Encoding") == "gzip" {
		zr, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return fmt.Errorf("decoding a script: %w", err)
		}
		if text, err = io.ReadAll(io.LimitReader(zr, maxHTML)); err != nil {
			return fmt.Errorf("decoding a script: %w", err)
		}
	}
	if newSyntax(string(text)) != "" {
		raw = []byte(unreadable)
		dropValidators(res.Header)
		res.Header.Del("Content-Encoding")
		res.Header.Set("Cache-Control", "no-store") // other environments need the real script
	}
	res.Body = io.NopCloser(bytes.NewReader(raw))
	res.ContentLength = int64(len(raw))
	res.Header.Set("Content-Length", strconv.Itoa(len(raw)))
	res.TransferEncoding = nil
	return nil
}
