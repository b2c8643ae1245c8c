// Package probe is a request that tests the way to the notify URL. It looks like a notification of
// WeChat's. The shop recognises it by a token that only the shop can make, and reports what arrived.
//
// A token is valid for five minutes. Its holder sees what arrives at the shop, and causes neither a
// query nor a row.
package probe

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// Header has the token. A proxy may remove it, so the body has the token too.
	Header = "H5pay-Probe"
	// NonceHeader is one of WeChat's own headers.
	NonceHeader = "Wechatpay-Nonce"

	prefix = "h5pay-probe-"
	life   = 5 * time.Minute
	macLen = 32 // hex digits
)

// signed are the headers of WeChat's notifications. Without one of them no notification of APIv3 verifies.
var signed = []string{"Wechatpay-Serial", "Wechatpay-Signature", "Wechatpay-Timestamp", NonceHeader}

// Key makes the tokens of a shop and recognises them.
type Key []byte

// NewKey derives the key from a secret of the shop.
func NewKey(secret string) (Key, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "h5pay probe", 32)
	if err != nil {
		return nil, fmt.Errorf("making the key of probes: %w", err)
	}
	return key, nil
}

// Token returns a token that is valid for five minutes.
func (k Key) Token(now time.Time) string {
	head := prefix + strconv.FormatInt(now.Add(life).Unix(), 10) + "-"
	return head + sum(k, head)
}

func sum(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))[:macLen]
}

// valid reports whether a token is the shop's and has not expired.
func (k Key) valid(token string, now time.Time) bool {
	at := strings.LastIndexByte(token, '-') + 1
	expires, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(token[:at], prefix), "-"), 10, 64)
	return err == nil && strings.HasPrefix(token, prefix) && now.Unix() <= expires && hmac.Equal([]byte(token[at:]), []byte(sum(k, token[:at])))
}

// Report is what arrived.
type Report struct {
	Nonce   string   `json:"nonce"`   // of the header
	Body    string   `json:"body"`    // SHA-256 of the body, in hex
	Headers []string `json:"headers"` // of WeChat's that arrived
	Probe   bool     `json:"probe"`   // whether Header arrived
	Proof   string   `json:"proof"`   // a MAC over the report under the token
}

// proof ties a report to the token.
func (r Report) proof(token string) string {
	return sum([]byte(token), strings.Join([]string{r.Nonce, r.Body, strings.Join(r.Headers, ","), strconv.FormatBool(r.Probe)}, "\n"))
}

// Answer returns the report about a request, if it is a probe.
func (k Key) Answer(h http.Header, body []byte, now time.Time) (Report, bool) {
	token := h.Get(Header)
	if token == "" {
		token = inBody(body)
	}
	if !k.valid(token, now) {
		return Report{}, false
	}
	hash := sha256.Sum256(body)
	r := Report{Nonce: h.Get(NonceHeader), Body: hex.EncodeToString(hash[:]), Headers: []string{}, Probe: h.Get(Header) != ""}
	if len(r.Nonce) > 64 {
		r.Nonce = r.Nonce[:64]
	}
	for _, name := range signed {
		if h.Get(name) != "" {
			r.Headers = append(r.Headers, name)
		}
	}
	r.Proof = r.proof(token)
	return r, true
}

// inBody finds the token in a body, also in one that was encoded anew.
func inBody(body []byte) string {
	_, rest, ok := strings.Cut(string(body), prefix)
	end := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef-", r) })
	if !ok || end < 0 {
		return ""
	}
	return prefix + rest[:end]
}

// Request fills the header and returns the body of a probe. The body has what programs change when
// they read and write JSON: escapes, a number with a fraction, blanks, a final line end.
func Request(h http.Header, token, nonce string) (body string) {
	for name, value := range map[string]string{
		Header: token, NonceHeader: nonce, "Wechatpay-Serial": "PUB_KEY_ID_0000000000", "Wechatpay-Signature": "aDVwYXk=", "Wechatpay-Timestamp": "0",
		"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "Mozilla/4.0",
	} {
		h.Set(name, value)
	}
	return `{"probe":"` + token + `", "nonce":"` + nonce + `","summary":"\u652f\u4ed8 \/ 测试 <&>", "amount":1.0 ,"resource":{"a":1,"A":2}}` + "\n"
}

// Result compares a response with the request.
type Result struct {
	Arrived bool // the shop responded
	Cached  bool // the response belongs to another request
	Changed bool // the body arrived changed
	Lost    []string
}

// Compare reads the response to a probe.
func Compare(response []byte, token, nonce, body string) (r Result) {
	var report Report
	if json.Unmarshal(response, &report) != nil || report.Proof == "" || !hmac.Equal([]byte(report.Proof), []byte(report.proof(token))) {
		return Result{}
	}
	hash := sha256.Sum256([]byte(body))
	r = Result{Arrived: true, Changed: report.Body != hex.EncodeToString(hash[:])}
	for _, name := range signed {
		if !slices.Contains(report.Headers, name) {
			r.Lost = append(r.Lost, name)
		}
	}
	r.Cached = report.Nonce != "" && report.Nonce != nonce
	return r
}
