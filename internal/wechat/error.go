package wechat

import "strings"

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
	CodeInvalid = "40029" // no such code
	CodeExpired = "42003" // the code is older than five minutes
)

// payKinds is the table of unifiedorder's and orderquery's err_code. What is
// not in it is a refusal.
var payKinds = map[string]Kind{
	"SYSTEMERROR":           Retry,
	"BIZERR_NEED_RETRY":     Retry,
	"FREQUENCY_LIMITED":     Retry,
	"RATELIMIT_EXCEEDED":    Retry,
	"NOAUTH":                Operator,
	"APPID_NOT_EXIST":       Operator,
	"MCHID_NOT_EXIST":       Operator,
	"APPID_MCHID_NOT_MATCH": Operator,
	"SIGNERROR":             Operator,
}

// snsKinds is the table of the errcode of web authorization. What is not in it
// is a refusal.
var snsKinds = map[string]Kind{
	"-1":    Retry,
	"45011": Retry,
	"40014": Restart, "40029": Restart, "40030": Restart, "40163": Restart, "41008": Restart,
	"42001": Restart, "42002": Restart, "42003": Restart, "42007": Restart,
	"40001": Operator, "40013": Operator, "40125": Operator, "40164": Operator, "40243": Operator,
	"45009": Operator, "48001": Operator, "48004": Operator,
}

// returnKind reads the text of a FAIL at the return_code layer, which has no
// code. Its wording varies; unknown words count as a refusal.
func returnKind(text string) Kind {
	for _, words := range []struct {
		part string
		kind Kind
	}{
		{"System Error", Retry}, {"系统错误", Retry}, {"系统繁忙", Retry}, {"频率", Retry},
		{"签名错误", Operator}, {"appid", Operator}, {"mch_id", Operator}, {"MCHID", Operator},
	} {
		if strings.Contains(text, words.part) {
			return words.kind
		}
	}
	return Refused
}
