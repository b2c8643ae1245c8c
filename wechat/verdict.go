package wechat

import (
	"strings"

	"h5pay/wechat/apiv3"
)

// Codes that callers branch on. Codes of APIv2 are given in the newer spelling of
// APIv3, so that a code has one spelling.
const (
	CodeOrderPaid      = "ORDER_PAID"
	CodeOrderClosed    = "ORDER_CLOSED"
	CodeOrderNotExist  = "ORDER_NOT_EXIST"
	CodeRefundNotExist = "REFUND_NOT_EXISTS"
	CodeNotEnough      = "NOT_ENOUGH" // of a refund: the merchant's funds do not suffice

	CodeUsed    = "40163" // the code was exchanged before
	CodeInvalid = "40029" // no such code, or older than five minutes
	CodeExpired = "42003" // the code is older than five minutes; rarely seen
)

const (
	codeParam  = "PARAM_ERROR" // of requests that this package rejects before it sends them
	codeNoBill = "20002"       // of downloadbill: a day without trades
)

// notSent is the error of a request that WeChat would decline.
func notSent(op, problem string) *Error {
	return &Error{Op: op, Code: codeParam, Message: "not sent: " + problem, Kind: Developer}
}

// classify returns the code of a signed failure in its newer spelling, and its Kind. When the code
// is missing or unknown, WeChat's text decides the kind. A refund that WeChat declines for lack of
// money has the code CodeNotEnough, even if the response has no code. The caller then sends it
// again with the other source of money.
func classify(op, code, text string) (string, Kind) {
	code = canonicalCode(errCode(code))
	if code == "" && op == opRefund && (strings.Contains(text, "资金不足") || strings.Contains(text, "余额不足")) {
		code = CodeNotEnough
	}
	if r := find(op, code); r != nil {
		return code, r.kind
	}
	return code, textKind(text)
}

// kindOf returns the Kind of a code in the response to op. An unknown code counts as a decline.
func kindOf(op, code string) Kind {
	if r := find(op, code); r != nil {
		return r.kind
	}
	return Declined
}

// Verdict is the meaning of a code of WeChat's and what to do about it, in Chinese and English.
// Each text is for an operator or a developer, and none is for a payer.
type Verdict struct {
	Code string // in its newer spelling
	// Op is the call that the verdict is about, "" for all calls.
	Op     string
	Kind   Kind
	Cause  Text
	Advice Text
	Menu   Text // where to change it, "" for nowhere
}

// Text is a text in Chinese and English.
type Text struct{ ZH, EN string }

func (r *row) verdict() Verdict {
	v := Verdict{Code: r.code, Op: r.op, Kind: r.kind, Cause: r.cause, Advice: *r.advice}
	if r.menu != nil {
		v.Menu = *r.menu
	}
	return v
}

// Verdicts returns the verdicts of all codes that are known.
func Verdicts() []Verdict {
	all := make([]Verdict, len(rows))
	for i := range rows {
		all[i] = rows[i].verdict()
	}
	return all
}

// Explain returns the verdict of a code in either spelling, in the response to a call, and whether
// the code is known.
func Explain(op, code string) (Verdict, bool) {
	if r := find(op, canonicalCode(code)); r != nil {
		return r.verdict(), true
	}
	return Verdict{}, false
}

// find returns the row of a code in its newer spelling.
func find(op, code string) *row {
	op = strings.TrimPrefix(op, opV3)
	for i := range rows {
		if r := &rows[i]; r.code == code && (r.op == "" || r.op == op) {
			return r
		}
	}
	return nil
}

// canonicalCode returns a code of either version in the newer spelling of APIv3:
// ORDER_NOT_EXIST for ORDERNOTEXIST. A code that is not known is returned as it is,
// and "" for what cannot be a code.
func canonicalCode(code string) string {
	switch code {
	case "-1":
		return code
	case "REFUNDNOTEXIST":
		return CodeRefundNotExist
	}
	return apiv3.CanonicalCode(code)
}

// textKind reads the text of a failure without a code, or with an unknown one. The wording varies;
// an unknown text counts as a decline.
func textKind(text string) Kind {
	text = strings.ToLower(text)
	for _, words := range []struct {
		part string
		kind Kind
	}{
		{"system error", Retry}, {"systemerror", Retry}, {"系统错误", Retry}, {"系统繁忙", Retry}, {"系统超时", Retry}, {"频率", Retry}, {"频繁", Retry},
		{"bill creating", Retry}, {"compressgzip", Retry},
		{"签名", Operator}, {"sign error", Operator}, {"appid", Operator}, {"mch_id", Operator}, {"mchid", Operator}, {"商户号", Operator},
		{"权限", Operator}, {"未开通", Operator}, {"证书", Operator}, {"certificate", Operator},
		{"invalid bill_type", Developer}, {"data format error", Developer}, {"missing parameter", Developer},
		{"必须传", Developer}, {"参数", Developer},
	} {
		if strings.Contains(text, words.part) {
			return words.kind
		}
	}
	return Declined
}

// errCode returns code if it has the form of one of WeChat's, "" otherwise, because callers store
// and log it.
func errCode(code string) string {
	if len(code) > 32 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return ""
	}
	return code
}
