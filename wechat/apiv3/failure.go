package apiv3

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Failure is a response with a status other than 2xx (docs/wechat.md 18.9). It may be logged as an
// error. WeChat's text in it is cleaned and cut. Long runs of letters and digits are masked,
// because one may be an openid.
type Failure struct {
	Status int
	// Signed is whether WeChat's signature verified. Without it the response
	// means that the call failed, and nothing more.
	Signed bool
	// Unverified is the cause if it is not. After the kind UnknownSerial download the certificates,
	// after the kind Probe send the same request again. It is nil when Signed is true.
	Unverified error
	// Code is WeChat's code in its newer spelling, ORDER_NOT_EXIST. It is "" if the response has none.
	// It is also "" if the response is not signed, because callers act on codes.
	Code string
	// Claimed is the code of a response that is not signed, for the log.
	Claimed string
	Message string // WeChat's text, which may change

	// The parameter that WeChat declines.
	Location, DetailField, Issue string

	// RequestID is needed by WeChat's support. Number, digits, is its end: the
	// code of an error more exact than Code, "0" for none. Both may be "".
	RequestID, Number string

	// Sign is how WeChat read the request's signature. Some responses with status 401 have it;
	// otherwise it is nil.
	Sign *SignInformation
}

// SignInformation is how a request arrived whose signature WeChat rejected.
type SignInformation struct {
	Method, URL string
	Length      int    // of the message that is signed, in bytes; 0 when not given
	Message     string // its beginning, which ends shortly after the body begins
}

// The limits of what is kept of a Failure, in bytes. WeChat documents 256 for a
// message.
const (
	maxErrorBody = 64 << 10
	maxText      = 300
	maxSigned    = 600
)

// newFailure reads the response to a request that failed.
func newFailure(status int, header Header, body []byte, unverified error) *Failure {
	f := &Failure{Status: status, Signed: unverified == nil, Unverified: unverified}
	f.RequestID, f.Number = requestID(header(HeaderRequestID))
	var m struct {
		Code    text            `json:"code"`
		Message text            `json:"message"`
		Detail  json.RawMessage `json:"detail"`
		Sign    json.RawMessage `json:"sign_information"`
	}
	// Gateways respond with HTML or nothing, so a body that cannot be read is no
	// error of its own.
	if len(body) > maxErrorBody || json.Unmarshal(body, &m) != nil {
		return f
	}
	if code := CanonicalCode(string(m.Code)); f.Signed {
		f.Code = code
	} else {
		f.Claimed = code
	}
	f.Message = wording(string(m.Message), maxText)
	f.readDetail(m.Detail)
	f.readSign(m.Sign)
	return f
}

// readDetail reads detail. On a 401 it is in another detail, next to sign_information.
func (f *Failure) readDetail(raw json.RawMessage) {
	var d struct {
		Field    text            `json:"field"`
		Issue    text            `json:"issue"`
		Location text            `json:"location"`
		Sign     json.RawMessage `json:"sign_information"`
		Detail   json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(raw, &d) != nil {
		return
	}
	for _, v := range []struct {
		to   *string
		from text
	}{{&f.DetailField, d.Field}, {&f.Issue, d.Issue}, {&f.Location, d.Location}} {
		if *v.to == "" {
			*v.to = wording(string(v.from), maxText)
		}
	}
	f.readSign(d.Sign)
	var inner struct {
		Issue text `json:"issue"`
	}
	if f.Issue == "" && json.Unmarshal(d.Detail, &inner) == nil {
		f.Issue = wording(string(inner.Issue), maxText)
	}
}

func (f *Failure) readSign(raw json.RawMessage) {
	var s struct {
		Method  text        `json:"method"`
		URL     text        `json:"url"`
		Length  json.Number `json:"sign_message_length"`
		Message text        `json:"truncated_sign_message"`
	}
	if f.Sign != nil || json.Unmarshal(raw, &s) != nil || s.Method == "" && s.URL == "" && s.Message == "" {
		return
	}
	length, err := strconv.Atoi(s.Length.String())
	if err != nil || length < 0 {
		length = 0
	}
	f.Sign = &SignInformation{
		Method: clean(string(s.Method), 16), URL: clean(string(s.URL), maxSigned),
		Length: length, Message: wording(string(s.Message), maxSigned),
	}
}

// Compare describes the difference between the text that WeChat received and the one that was sent.
// It returns "" if there is none: then the cause is the key, its serial, or the content of the
// body.
func (s *SignInformation) Compare(method, uri string, body []byte) string {
	// Ten digits of the time and 32 characters of the nonce, as Merchant sends.
	length := len(requestMessage(method, uri, strings.Repeat("0", 10), strings.Repeat("0", 32), body))
	switch {
	case s.Method != "" && s.Method != method:
		return "WeChat received the method " + s.Method
	case s.URL != "" && s.URL != clean(uri, maxSigned):
		return "WeChat received another path or query"
	case s.Length != 0 && s.Length != length:
		return "WeChat's signed message has " + strconv.Itoa(s.Length) + " bytes, ours " + strconv.Itoa(length)
	}
	return ""
}

func (f *Failure) Error() string {
	var b strings.Builder
	b.WriteString("apiv3: HTTP status " + strconv.Itoa(f.Status))
	var e *Error
	switch {
	case f.Signed:
	case errors.As(f.Unverified, &e) && e.Kind != Unsigned:
		b.WriteString(", signature not verified (" + e.Kind.String() + ")")
	default:
		b.WriteString(", not signed")
	}
	for _, part := range []struct{ before, text string }{
		{", ", f.Code}, {", ", f.Claimed}, {": ", f.Message},
		{", location ", f.Location}, {", field ", f.DetailField}, {", ", f.Issue}, {", Request-ID ", f.RequestID},
	} {
		if part.text != "" {
			b.WriteString(part.before + part.text)
		}
	}
	return b.String()
}

// requestID returns a Request-ID that can be logged, and the number at its end.
func requestID(s string) (id, number string) {
	if len(s) > 128 || strings.Trim(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_") != "" {
		return "", ""
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		if n := s[i+1:]; n != "" && len(n) <= 12 && strings.Trim(n, "0123456789") == "" {
			number = n
		}
	}
	return s, number
}

// CanonicalCode returns a code of WeChat's in its newer spelling (docs/wechat.md 13.10): pages of
// 2020 have ORDERNOTEXIST for ORDER_NOT_EXIST. It returns a code that is not in the table
// unchanged, and "" for a text that cannot be a code.
func CanonicalCode(code string) string {
	if len(code) > 48 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return ""
	}
	switch code {
	case "SYSTEMERROR":
		return "SYSTEM_ERROR"
	case "ORDERNOTEXIST", "ORDER_NOT_EXISTS":
		return "ORDER_NOT_EXIST"
	case "NOAUTH":
		return "NO_AUTH"
	case "NOTENOUGH":
		return "NOT_ENOUGH"
	case "RULELIMIT":
		return "RULE_LIMIT"
	case "BANKERROR":
		return "BANK_ERROR"
	case "ACCOUNTERROR":
		return "ACCOUNT_ERROR"
	case "ORDERPAID":
		return "ORDER_PAID"
	case "ORDERCLOSED":
		return "ORDER_CLOSED"
	case "SIGNERROR":
		return "SIGN_ERROR"
	}
	return code
}

// text is a string of JSON, or the text of another value in its place: WeChat sends
// numbers where its documents have strings.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
	} else if len(b) <= maxText && b[0] != '{' && b[0] != '[' {
		*t = text(b)
	}
	return nil
}

// longRun is the length in bytes from which a run of letters and digits is masked.
// openids have 28 characters, names of fields and codes fewer than 20 between two
// underscores.
const longRun = 20

// wording prepares WeChat's text for the log: one line, about limit bytes, with every long run of
// letters and digits masked.
func wording(s string, limit int) string {
	s = clean(s, 4*limit)
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < limit; {
		end := i
		for end < len(s) && inToken(s[end]) {
			end++
		}
		switch {
		case end-i >= longRun:
			b.WriteString("***")
		case end > i:
			b.WriteString(s[i:end])
		default:
			_, size := utf8.DecodeRuneInString(s[i:])
			end = i + size
			b.WriteString(s[i:end])
		}
		i = end
	}
	return b.String()
}

// inToken reports whether c may stand in an openid, a token or a key.
func inToken(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-'
}

// clean returns the beginning of s, at most limit bytes. A blank replaces every character that
// moves a cursor and every byte that is not UTF-8.
func clean(s string, limit int) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == '\ufeff' {
			r = ' '
		}
		if b.Len()+utf8.RuneLen(r) > limit {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
