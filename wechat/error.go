package wechat

import (
	"cmp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind classifies an error by what the caller can do.
type Kind int

// The kinds of error.
const (
	Declined  Kind = iota // WeChat declined the request, and will decline it again
	Retry                 // WeChat did not respond, is busy, or it is too early: make the same request later
	Restart               // the sign-in has to start again
	Operator              // a key, a number or a permission is wrong, or money is missing: a retry does not help
	Developer             // the request is wrong: the program has to be corrected
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
	case Developer:
		return "developer"
	case Untrusted:
		return "untrusted"
	}
	return "declined"
}

// Error is a failed call. It never holds a secret, a code, a token, an openid,
// or a body.
type Error struct {
	Op      string // "unifiedorder", "orderquery", "access_token", ...
	Code    string // WeChat's code in its newer spelling, "" without one
	Message string
	Kind    Kind
	Err     error // the cause, may be nil

	// These fields are for the log and only APIv3 sets them. Status is the HTTP status. WeChat's
	// support needs RequestID. Number is the number at its end, which is more exact than Code
	// (docs/wechat.md 13.12). Detail names the wrong field of the request. They are zero if WeChat
	// sent none.
	Status            int
	RequestID, Number string
	Detail            string
	// Claimed is the code of a failure that is not signed. It explains the failure to the
	// operator, and nothing else may follow from it.
	Claimed string
}

// Error returns a line for the log. If only an operator can help, it has the remedy.
func (e *Error) Error() string {
	s := e.Op + ": " + e.Message
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Detail != "" {
		s += ", " + e.Detail
	}
	if e.Status != 0 {
		s += ", HTTP status " + strconv.Itoa(e.Status)
	}
	if e.RequestID != "" {
		s += ", Request-ID " + e.RequestID
	}
	if v, ok := e.Verdict(); ok && e.Kind == Operator {
		s += "; " + v.Cause.EN + " " + v.Advice.EN
		if v.Menu.EN != "" {
			s += " (" + v.Menu.EN + ")"
		}
	}
	return s
}

// Verdict returns what WeChat's code means and what to do about it. A verdict of Code about this
// call comes first, then that of Number, which is more exact than Code. For an unsigned failure it
// explains the code that the failure claims.
func (e *Error) Verdict() (Verdict, bool) {
	v, ok := Explain(e.Op, cmp.Or(e.Code, e.Claimed))
	if n, known := Explain(e.Op, e.Number); known && v.Op == "" {
		return n, true
	}
	return v, ok
}

func (e *Error) Unwrap() error { return e.Err }

// longRun is the length in bytes from which a word of WeChat's is masked. Openids have
// 28 characters, codes and keys 32, and names of fields at most 19.
const longRun = 20

// wording prepares WeChat's text for an error. It masks the texts in hide and every long run of
// letters and digits, which may be an openid or a token. It keeps about 100 bytes.
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
