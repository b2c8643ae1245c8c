package wechat

import (
	"strings"
	"unicode/utf8"
)

// Kind says what can be done about an error.
type Kind int

// The kinds of error.
const (
	Refused   Kind = iota // WeChat said no to this request; the same again will not do
	Retry                 // WeChat did not answer, or is busy: the same request again
	Restart               // the sign-in has to begin anew
	Operator              // a key, a number or a permission is wrong: nobody's request will do
	Untrusted             // the message is malformed, unsigned, forged, or about something else
)

func (k Kind) String() string {
	switch k {
	case Retry:
		return "retry"
	case Restart:
		return "restart"
	case Operator:
		return "operator"
	case Untrusted:
		return "untrusted"
	}
	return "refused"
}

// Error is a failed call. It never holds a secret, a code, a token, an openid,
// or a body.
type Error struct {
	Op      string // "unifiedorder", "orderquery", "access_token", ...
	Code    string // WeChat's err_code or errcode, when it gave one
	Message string
	Kind    Kind
	Err     error // what led to it, may be nil
}

func (e *Error) Error() string {
	s := e.Op + ": " + e.Message
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Codes that callers branch on.
const (
	CodeOrderPaid     = "ORDERPAID"
	CodeOrderClosed   = "ORDERCLOSED"
	CodeOrderNotExist = "ORDERNOTEXIST"

	CodeUsed    = "40163" // the code was exchanged before
	CodeInvalid = "40029" // no such code, or older than five minutes
	CodeExpired = "42003" // the code is older than five minutes; rarely seen
)

// codeParam is the code of what is refused here, before it is sent.
const codeParam = "PARAM_ERROR"

// payKind sorts the err_code of unifiedorder and orderquery (unifiedorder,
// err_code). An unknown one is a refusal of this order.
func payKind(code string) Kind {
	switch code {
	case "SYSTEMERROR", "BIZERR_NEED_RETRY", "FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED":
		return Retry
	case "NOAUTH", "APPID_NOT_EXIST", "MCHID_NOT_EXIST", "APPID_MCHID_NOT_MATCH", "SIGNERROR":
		return Operator
	case "XML_FORMAT_ERROR", "POST_DATA_EMPTY", "REQUIRE_POST_METHOD", "NOT_UTF8":
		return Operator // no fault of the order: something on the way spoils bodies
	}
	return Refused
}

// snsKind sorts the errcode of web authorization (errcode table with client
// behaviour). An unknown one is a refusal.
func snsKind(op, code string) Kind {
	switch code {
	case "-1", "45011":
		return Retry
	case "40014", CodeInvalid, "40030", codeMissing, CodeUsed, "42001", "42002", CodeExpired, "42007":
		return Restart
	case "40001":
		// The same number for a wrong AppSecret and a dead token.
		if op == opUserInfo {
			return Restart
		}
		return Operator
	case "40002", "40003", "40013", "40125", "40164", "40243",
		"41001", "41002", "41003", "41004", "41009", "43001", "43002", "43003",
		"45009", "48001", "48004":
		return Operator
	}
	return Refused
}

// returnKind reads the text of a FAIL at the return_code layer, which has no
// code. Its wording varies; unknown words count as a refusal.
func returnKind(text string) Kind {
	text = strings.ToLower(text)
	for _, words := range []struct {
		part string
		kind Kind
	}{
		{"system error", Retry}, {"systemerror", Retry}, {"系统错误", Retry}, {"系统繁忙", Retry}, {"频率", Retry},
		{"签名", Operator}, {"appid", Operator}, {"mch_id", Operator}, {"mchid", Operator}, {"商户号", Operator},
	} {
		if strings.Contains(text, words.part) {
			return words.kind
		}
	}
	return Refused
}

// errCode returns code when it looks like one of WeChat's, "" when it does not:
// callers store and log it.
func errCode(code string) string {
	if len(code) > 32 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return ""
	}
	return code
}

// longRun is the length in bytes from which a word of WeChat's is masked:
// openids have 28 characters, codes and keys 32, names of fields at most 19.
const longRun = 20

// wording prepares WeChat's own words for an error: what is in hide and every
// long run of letters and digits, which may be an openid or a token, is masked;
// about 100 bytes are kept.
func wording(text string, hide ...string) string {
	const mask = "***"
	text = clean(text)
	for _, h := range hide {
		if h != "" {
			text = strings.ReplaceAll(text, h, mask)
		}
	}
	var b strings.Builder
	for i := 0; i < len(text) && b.Len() < 100; {
		end := i
		for end < len(text) && inToken(text[end]) {
			end++
		}
		switch {
		case end-i >= longRun:
			b.WriteString(mask)
		case end > i:
			b.WriteString(text[i:end])
		default:
			_, size := utf8.DecodeRuneInString(text[i:])
			end = i + size
			b.WriteString(text[i:end])
		}
		i = end
	}
	return b.String()
}

// inToken reports whether c may stand in an openid, a code, a token or a key.
func inToken(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-'
}
