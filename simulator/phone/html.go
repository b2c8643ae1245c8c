package phone

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// maxHTML is the largest page that is rewritten, in bytes after decoding. A
// larger page is forwarded unchanged, without the bridge.
const maxHTML = 8 << 20

// mayBeHTML reports whether the response to r may be a page, and no static asset.
// Such a request is sent without Accept-Encoding, so that the page can be
// rewritten. Other requests keep theirs, so that the wasm stays compressed.
func mayBeHTML(r *http.Request) bool {
	if isAPI(r) {
		return false
	}
	switch strings.ToLower(path.Ext(r.URL.Path)) {
	case "", ".html", ".htm":
		return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodPost
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// isAPI reports whether r is a call of the page, and not for a page or an asset.
func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

// injectBridge changes a page of the shop as WeChat's webview does: the bridge's script becomes the
// first element of its head. It also removes the headers that forbid frames, because the desk shows
// the phone in a frame. Other responses are forwarded unchanged.
//
// client is the URL of the phone's own paths. The page's policy must not block it. old means an
// engine of 2019: see oldengine.go.
func injectBridge(res *http.Response, client string, old bool) error {
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if mediaType != "text/html" {
		return nil
	}
	// WeChat's webview is no frame. The desk shows the phone in one.
	res.Header.Del("X-Frame-Options")
	nonce := rewritePolicies(res.Header, "Content-Security-Policy", client)
	rewritePolicies(res.Header, "Content-Security-Policy-Report-Only", client)

	if res.Request.Method == http.MethodHead || res.StatusCode == http.StatusNotModified || res.StatusCode == http.StatusNoContent {
		dropValidators(res.Header)
		res.Header.Del("Content-Length")
		return nil
	}
	page, whole, err := readPage(res)
	if err != nil || !whole {
		return err
	}
	if old {
		var changed bool
		if page, changed = replaceScripts(page); changed {
			allowUnreadable(res.Header)
		}
	}
	page = insertScript(page, nonce)
	dropValidators(res.Header)
	res.Header.Del("Content-Encoding")
	res.Header.Set("Content-Length", strconv.Itoa(len(page)))
	res.ContentLength = int64(len(page))
	res.TransferEncoding = nil
	res.Body = io.NopCloser(bytes.NewReader(page))
	return nil
}

// dropValidators removes the headers that describe the unchanged page.
func dropValidators(h http.Header) {
	for _, name := range []string{"Etag", "Last-Modified", "Content-Md5", "Digest", "Content-Digest", "Accept-Ranges"} {
		h.Del(name)
	}
}

// readPage reads and decodes the body. If the body is too long, or in an encoding
// that the standard library cannot read, whole is false and the body is unread.
func readPage(res *http.Response) (page []byte, whole bool, err error) {
	encoding := strings.ToLower(strings.TrimSpace(res.Header.Get("Content-Encoding")))
	if encoding != "" && encoding != "identity" && encoding != "gzip" {
		return nil, false, nil
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxHTML+1))
	if err != nil {
		return nil, false, fmt.Errorf("reading the page: %w", err)
	}
	// Put back what was read: the body may have to be forwarded.
	unread := struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(raw), res.Body), res.Body}
	res.Body = unread
	if len(raw) > maxHTML {
		return nil, false, nil
	}
	if encoding != "gzip" {
		res.Body.Close()
		return raw, true, nil
	}
	zr, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, false, fmt.Errorf("decoding the page: %w", err)
	}
	page, err = io.ReadAll(io.LimitReader(zr, maxHTML+1))
	if err != nil {
		return nil, false, fmt.Errorf("decoding the page: %w", err)
	}
	if len(page) > maxHTML {
		return nil, false, nil
	}
	res.Body.Close()
	return page, true, nil
}

// insertScript inserts the bridge's script so that the browser runs it first:
// after <head>, else after <html>, else after the doctype.
func insertScript(page []byte, nonce string) []byte {
	script := `<script src="` + bridgePath + `"`
	if nonce != "" {
		script += ` nonce="` + html.EscapeString(nonce) + `"`
	}
	script += `></script>`
	at := 0
	for _, name := range []string{"head", "html", "!doctype"} {
		if end := tagEnd(page, name); end >= 0 {
			at = end
			break
		}
	}
	return bytes.Join([][]byte{page[:at], []byte(script), page[at:]}, nil)
}

// tagEnd returns the offset after the first <name ...> that is in no comment and no
// quoted attribute value, or -1. It stops at <body>.
func tagEnd(page []byte, name string) int {
	for i := 0; i < len(page); {
		open := bytes.IndexByte(page[i:], '<')
		if open < 0 {
			return -1
		}
		i += open
		if bytes.HasPrefix(page[i:], []byte("<!--")) {
			end := bytes.Index(page[i+4:], []byte("-->"))
			if end < 0 {
				return -1
			}
			i += 4 + end + 3
			continue
		}
		end := closingBracket(page, i+1)
		if end < 0 {
			return -1
		}
		switch tag := tagName(page[i+1 : end]); {
		case tag == name:
			return end + 1
		case tag == "body" || tag == "script":
			return -1
		}
		i = end + 1
	}
	return -1
}

// closingBracket returns the offset of the > that ends a tag, skipping quotes.
func closingBracket(page []byte, i int) int {
	var quote byte
	for ; i < len(page); i++ {
		switch c := page[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i
		}
	}
	return -1
}

func tagName(tag []byte) string {
	name, _, _ := bytes.Cut(tag, []byte("/"))
	if i := bytes.IndexAny(name, " \t\r\n\f"); i >= 0 {
		name = name[:i]
	}
	return strings.ToLower(string(name))
}
