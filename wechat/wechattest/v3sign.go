package wechattest

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// v3Signed is a message that WeChat has signed.
type v3Signed struct {
	skew   time.Duration // of the timestamp
	header http.Header
	signed *Signed
	notes  []string
}

// signV3 signs a response or a callback, and applies the faults of signatures. path is the pattern
// of the call, or V3Callback.
func (w *WeChat) signV3(key *v3Key, body, path string) v3Signed {
	var m v3Signed
	fault := func(kind, text string) bool {
		_, ok := w.takeFault(kind, path)
		if ok {
			m.notes = append(m.notes, "fault "+kind+": "+text)
		}
		return ok
	}
	if fault(FaultV3Rotate, "from now on another key signs, which was not announced") {
		key = w.rotateLike(key)
	}
	now := w.shopNow()
	if fault(FaultV3ClockAhead, "the timestamp is 400 s ahead") {
		m.skew = v3ClockError
	}
	if fault(FaultV3ClockBehind, "the timestamp is 400 s behind") {
		m.skew = -v3ClockError
	}
	timestamp, nonce := itoa(now.Add(m.skew).Unix()), w.ids.text(hexDigits, 32)
	text := timestamp + "\n" + nonce + "\n" + body + "\n"
	signature, id := key.sign(text), key.id
	if fault(FaultV3WrongSerial, "it names a key that WeChat does not have") {
		id = "5" + strings.ToUpper(w.ids.text(hexDigits, 39))
	}
	if fault(FaultBadReplySign, "the signature is that of another text") {
		signature = key.sign(text + "0")
	}
	if fault(FaultV3Probe, "the signature is a probe, which must fail") {
		signature = "WECHATPAY/SIGNTEST/" + key.sign("probe\n"+text)
	}
	m.signed = &Signed{String: text, Algorithm: v3Scheme, Given: signature, OK: key.verify(text, signature)}
	m.header = v3Headers(timestamp, nonce, id, signature)
	if fault(FaultNoReplySign, "the headers of the signature are missing") {
		m.header = http.Header{}
	}
	return m
}

// v3ClockError is how far the clock faults move a timestamp: more than the five
// minutes that are allowed.
const v3ClockError = 400 * time.Second

// v3SignatureHeaders are the headers of a signature, in the order in which the log
// shows them.
var v3SignatureHeaders = []string{"Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Serial", "Wechatpay-Signature-Type", "Wechatpay-Signature"}

// headerLines writes the headers that are there, one a line.
func headerLines(h http.Header, names ...string) string {
	var b strings.Builder
	for _, name := range names {
		for _, v := range h.Values(name) {
			b.WriteString(name + ": " + v + "\n")
		}
	}
	return b.String()
}

// v3Headers are the headers of a signature.
func v3Headers(timestamp, nonce, id, signature string) http.Header {
	h := http.Header{}
	h.Set("Wechatpay-Timestamp", timestamp)
	h.Set("Wechatpay-Nonce", nonce)
	h.Set("Wechatpay-Serial", id)
	h.Set("Wechatpay-Signature", signature)
	h.Set("Wechatpay-Signature-Type", v3Scheme)
	return h
}

// joinLines ends each line with a line feed.
func joinLines(lines []string) string {
	text := ""
	for _, l := range lines {
		text += l + "\n"
	}
	return text
}

// v3Parts are the parts of the five lines of a request's message.
type v3Parts struct {
	method, uri, timestamp, nonce, body string
	host                                string // where the request was sent
}

// text is the message that is signed.
func (p v3Parts) text() string {
	return p.method + "\n" + p.uri + "\n" + p.timestamp + "\n" + p.nonce + "\n" + p.body + "\n"
}

// v3Shown is how many characters of a body WeChat shows in sign_information.
const v3Shown = 8

// truncated is the message as a 401 shows it, cut shortly after the body begins.
func (p v3Parts) truncated() string {
	text := p.text()
	if utf8.RuneCountInString(p.body) <= v3Shown {
		return text
	}
	return strings.TrimSuffix(text, p.body+"\n") + string([]rune(p.body)[:v3Shown])
}

// decodeSignature reads base64 as a verifier does.
func decodeSignature(s string) ([]byte, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return b, err == nil && !strings.ContainsAny(s, "\r\n")
}
