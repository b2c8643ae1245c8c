package phone

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"

	"h5pay/wechat/wechattest"
)

// maxRecorded is how much of a body the log keeps, in bytes.
const maxRecorded = 64 << 10

// noisePaths are requested by browsers on their own.
var noisePaths = []string{"/favicon.ico", "/robots.txt", "/.well-known/"}

type traceKey struct{}

// trace follows one request to the shop until its response has been read.
type trace struct {
	in      *http.Request
	request limited
	mark    string // of the cookies in use
}

// limited keeps the first maxRecorded bytes that are written to it. The lock is
// needed because a shop may respond before it has read the request.
type limited struct {
	mu    sync.Mutex
	text  []byte
	total int64
}

func (l *limited) write(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total += int64(len(p))
	if room := maxRecorded - len(l.text); room > 0 {
		l.text = append(l.text, p[:min(room, len(p))]...)
	}
}

// read returns the kept bytes and the number of all bytes.
func (l *limited) read() (text []byte, total int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text, l.total
}

// newTrace follows r and copies its body while it is sent.
func newTrace(r *http.Request, mark string) *trace {
	t := &trace{in: r, mark: mark}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &tee{ReadCloser: r.Body, copy: &t.request}
	}
	return t
}

// tee copies what is read. It calls done once, at the end or at Close.
type tee struct {
	io.ReadCloser
	copy *limited
	done func()
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.copy.write(p[:n])
	if err != nil {
		t.finish()
	}
	return n, err
}

func (t *tee) Close() error {
	t.finish()
	return t.ReadCloser.Close()
}

func (t *tee) finish() {
	if t.done != nil {
		t.done()
		t.done = nil
	}
}

// watch records an exchange when its response has been read. It records navigations,
// API calls and failures, and no static assets, which would hide the payment.
func (p *Phone) watch(t *trace, res *http.Response, size int64) {
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	page := mediaType == "text/html"
	api := isAPI(t.in)
	if !page && !api && (res.StatusCode < 400 || isNoise(t.in.URL.Path)) && t.in.Header.Get("Sec-Fetch-Mode") != "navigate" {
		return
	}
	// The service worker reads pages for its cache.
	if page && t.in.Header.Get("Sec-Fetch-Dest") == "empty" && !api {
		return
	}
	m := wechattest.Message{
		From: wechattest.PartyPage, To: wechattest.PartyShop, Kind: kindShop,
		Method: t.in.Method, URL: t.in.URL.RequestURI(), Status: res.StatusCode,
	}
	if !api {
		m.From = wechattest.PartyPhone
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		p.wechat.Record(m)
		return
	}
	var answer limited
	m.Response = head(res.Header, responseHeaders)
	res.Body = &tee{ReadCloser: res.Body, copy: &answer, done: func() {
		m.Request = head(t.in.Header, requestHeaders) + body(&t.request, t.in.Header)
		if _, total := answer.read(); page {
			m.Response += fmt.Sprintf("[a page of %d bytes]", max(size, total))
		} else {
			m.Response += body(&answer, res.Header)
		}
		p.wechat.Record(m)
	}}
}

func isNoise(path string) bool {
	for _, p := range noisePaths {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// The headers that the log shows.
var (
	requestHeaders  = []string{"Content-Type", "Origin", "Referer", "Idempotency-Key", "Cookie"}
	responseHeaders = []string{"Content-Type", "Location", "Retry-After", "Cache-Control", "Set-Cookie"}
)

// head prints headers, with the names of cookies and without their values.
func head(h http.Header, names []string) string {
	var b strings.Builder
	for _, name := range names {
		for _, value := range h.Values(name) {
			switch name {
			case "Cookie":
				value = redactCookies(value)
			case "Set-Cookie":
				value = redactSetCookie(value)
			}
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

const redacted = "[redacted]"

// redactCookies keeps the names of "a=1; b=2".
func redactCookies(value string) string {
	parts := strings.Split(value, ";")
	for i, part := range parts {
		name, _, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[i] = name + "=" + redacted
	}
	return strings.Join(parts, "; ")
}

// redactSetCookie keeps the name and the attributes of "a=1; Path=/; HttpOnly".
func redactSetCookie(value string) string {
	pair, attributes, more := strings.Cut(value, ";")
	name, content, _ := strings.Cut(pair, "=")
	if content != "" { // an empty value deletes the cookie
		content = redacted
	}
	value = name + "=" + content
	if more {
		value += ";" + attributes
	}
	return value
}

// body returns what the log shows of a body: its text, or its size if it is no text.
func body(b *limited, h http.Header) string {
	text, total := b.read()
	if total == 0 {
		return ""
	}
	whole := int64(len(text)) == total
	if !whole {
		text = trimPartial(text)
	}
	if h.Get("Content-Encoding") != "" || !utf8.Valid(text) {
		return fmt.Sprintf("[%d bytes of %s]", total, h.Get("Content-Type"))
	}
	if !whole {
		return string(text) + fmt.Sprintf("\n[cut: %d bytes in all]", total)
	}
	return string(text)
}

// trimPartial removes an incomplete character from the end of a text.
func trimPartial(text []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if tail := text[len(text)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return text[:len(text)-i]
			}
			break
		}
	}
	return text
}
