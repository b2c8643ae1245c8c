package wechat

import "strings"

// Codes that callers branch on.
const (
	CodeOrderPaid      = "ORDERPAID"
	CodeOrderClosed    = "ORDERCLOSED"
	CodeOrderNotExist  = "ORDERNOTEXIST"
	CodeRefundNotExist = "REFUNDNOTEXIST"
	CodeNotEnough      = "NOTENOUGH" // of a refund: the merchant's funds do not suffice

	CodeUsed    = "40163" // the code was exchanged before
	CodeInvalid = "40029" // no such code, or older than five minutes
	CodeExpired = "42003" // the code is older than five minutes; rarely seen
)

const (
	codeParam  = "PARAM_ERROR" // of what is refused here too, before it is sent
	codeNoBill = "20002"       // of downloadbill: a day without trades
)

// notSent is the error of a request that WeChat would refuse.
func notSent(op, problem string) *Error {
	return &Error{Op: op, Code: codeParam, Message: "not sent: " + problem, Kind: Developer}
}

// judge returns the code of a signed failure, and what can be done about it. When
// the code is missing or unknown, WeChat's words decide the kind. A refund that is
// declined for want of money has the code CodeNotEnough also when the answer has
// none: the refund then takes its money elsewhere.
func judge(op, code, text string) (string, Kind) {
	if code == "" && op == opRefund && (strings.Contains(text, "资金不足") || strings.Contains(text, "余额不足")) {
		code = CodeNotEnough
	}
	if _, known := KindOf(code); known {
		return code, kindOf(op, code)
	}
	return code, textKind(text)
}

// kindOf is what can be done about a code in the answer to op. An unknown one
// is a refusal of this request.
func kindOf(op, code string) Kind {
	switch {
	case op == opUserInfo && code == "40001":
		return Restart // the same number for a wrong AppSecret and a dead token
	case op == opRefund && code == CodeNotEnough:
		return Operator // the merchant's balance, not the payer's
	case op == opRefund && code == CodeOrderNotExist:
		return Developer // nobody refunds an order that was never paid
	}
	kind, _ := KindOf(code)
	return kind
}

// KindOf is the table of WeChat's codes: what can be done about each, and
// whether the table has it. It holds both spellings of version 3 too, and those
// codes that WeChat shows only on pages of its own, where a person reads them.
// Lists in a text take a quarter of the room of a switch.
func KindOf(code string) (kind Kind, known bool) {
	if code == "" || strings.Contains(code, " ") {
		return Refused, false
	}
	for _, verdict := range []struct {
		kind  Kind
		codes string
	}{
		{Retry, " SYSTEMERROR SYSTEM_ERROR BIZERR_NEED_RETRY SERVICE_UNAVAILABLE BANKERROR" +
			" FREQUENCY_LIMITED RATELIMIT_EXCEEDED INVALID_REQ_TOO_MUCH USERPAYING STATEMENT_CREATING" +
			" -1 45011 10009 "},
		{Restart, " 40014 40029 40030 40163 41008 42001 42002 42003 42007 "},
		{Operator, " NOAUTH NO_AUTH APPID_NOT_EXIST MCHID_NOT_EXIST MCH_NOT_EXISTS APPID_MCHID_NOT_MATCH" +
			" SIGNERROR SIGN_ERROR" + // signing is checked against published signatures: it is the key
			" 40001 40013 40125 40164 40243 45009 48001 48004 10003 10004 10005 10015 268443816 "},
		{Developer, " INVALID_REQUEST LACK_PARAMS PARAM_ERROR OUT_TRADE_NO_USED OPENID_MISMATCH INVALID_TRANSACTIONID REFUND_FEE_MISMATCH" +
			" XML_FORMAT_ERROR POST_DATA_EMPTY REQUIRE_POST_METHOD NOT_UTF8" +
			" 40002 40003 41001 41002 41003 41004 41009 43001 43002 43003" +
			" 10010 10011 10012 10013 10016 268443815 268498465 "},
		{Refused, " ORDERPAID ORDERCLOSED ORDER_CLOSED ORDERNOTEXIST ORDER_NOT_EXIST ORDER_NOT_EXISTS" +
			" REFUNDNOTEXIST RESOURCE_NOT_EXISTS TRADE_STATE_ERROR TRADE_OVERDUE TRADE_ERROR ERROR" +
			" NOTENOUGH NOT_ENOUGH USER_ACCOUNT_ABNORMAL ACCOUNTERROR RULELIMIT RULE_LIMIT" +
			" 20002 NO_BILL_EXIST NO_STATEMENT_EXIST 40226 50001 50002 10006 268498468 "},
	} {
		if strings.Contains(verdict.codes, " "+code+" ") {
			return verdict.kind, true
		}
	}
	return Refused, false
}

// textKind reads the words of a failure that has no code, or an unknown one. The
// wording varies; unknown words count as a refusal.
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
