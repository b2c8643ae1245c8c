package wechat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestErrorText(t *testing.T) {
	e := &Error{Op: "orderquery", Code: "SYSTEMERROR", Message: "WeChat refused", Kind: Retry, Err: context.DeadlineExceeded}
	if got := e.Error(); got != "orderquery: WeChat refused (SYSTEMERROR): context deadline exceeded" {
		t.Error(got)
	}
	if !errors.Is(fmt.Errorf("asking: %w", e), context.DeadlineExceeded) {
		t.Error("the cause is hidden")
	}
	var kinds []string
	for k := Refused; k <= Untrusted; k++ {
		kinds = append(kinds, k.String())
	}
	if got := strings.Join(kinds, " "); got != "refused retry restart operator untrusted" {
		t.Error(got)
	}
}

func TestWordingMasksWhatMayBePrivate(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "",
		"签名错误":                              "签名错误",
		"201 商户订单号重复":                       "201 商户订单号重复",
		"缺少参数spbill_create_ip":              "缺少参数spbill_create_ip",
		"openid " + testOpenID + " 不匹配":     "openid *** 不匹配",
		"a\r\nb\x00c":                       "abc",
		"key:" + testKey + ".":              "key:***.",
		"hidden: 茶馆!":                       "hidden: ***!",
		strings.Repeat("x", 19):             strings.Repeat("x", 19),
		strings.Repeat("x", 20):             "***",
		"用户" + strings.Repeat("-_aZ9", 4):   "用户***",
		strings.Repeat("茶", 50):             strings.Repeat("茶", 34),
		strings.Repeat("abcdefghi ", 1<<12): strings.Repeat("abcdefghi ", 10),
	} {
		if got := wording(in, "", "茶馆"); got != want {
			t.Errorf("wording(%.40q) is %q, want %q", in, got, want)
		}
	}
}

func TestErrCodeTakesOnlyCodes(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "ORDERPAID": "ORDERPAID", "OUT_TRADE_NO_USED": "OUT_TRADE_NO_USED", "ERROR2": "ERROR2",
		testOpenID: "", "a": "", "A B": "", "A\nB": "", strings.Repeat("A", 33): "",
	} {
		if got := errCode(in); got != want {
			t.Errorf("errCode(%q) is %q, want %q", in, got, want)
		}
	}
}

func TestKinds(t *testing.T) {
	for code, want := range map[string]Kind{
		"SYSTEMERROR": Retry, "BIZERR_NEED_RETRY": Retry, "FREQUENCY_LIMITED": Retry, "RATELIMIT_EXCEEDED": Retry,
		"NOAUTH": Operator, "APPID_NOT_EXIST": Operator, "MCHID_NOT_EXIST": Operator, "APPID_MCHID_NOT_MATCH": Operator, "SIGNERROR": Operator,
		"XML_FORMAT_ERROR": Operator, "POST_DATA_EMPTY": Operator, "REQUIRE_POST_METHOD": Operator, "NOT_UTF8": Operator,
		"INVALID_REQUEST": Refused, "NOTENOUGH": Refused, "ORDERPAID": Refused, "ORDERCLOSED": Refused, "ORDERNOTEXIST": Refused,
		"LACK_PARAMS": Refused, "PARAM_ERROR": Refused, "OUT_TRADE_NO_USED": Refused, "NEVER_SEEN": Refused, "": Refused,
	} {
		if got := payKind(code); got != want {
			t.Errorf("%s is %v, want %v", code, got, want)
		}
	}
	for code, want := range map[string]Kind{
		"-1": Retry, "45011": Retry,
		"40014": Restart, "40029": Restart, "40030": Restart, "40163": Restart, "41008": Restart,
		"42001": Restart, "42002": Restart, "42003": Restart, "42007": Restart,
		"40001": Operator, "40002": Operator, "40003": Operator, "40013": Operator, "40125": Operator, "40164": Operator, "40243": Operator,
		"41002": Operator, "41004": Operator, "43001": Operator, "45009": Operator, "48001": Operator, "48004": Operator,
		"40226": Refused, "50001": Refused, "50002": Refused, "99999": Refused,
	} {
		if got := snsKind("access_token", code); got != want {
			t.Errorf("%s is %v, want %v", code, got, want)
		}
	}
	if got := snsKind(opUserInfo, "40001"); got != Restart {
		t.Errorf("40001 for a token is %v, want restart", got)
	}
	for text, want := range map[string]Kind{
		"System Error": Retry, "SYSTEMERROR": Retry, "系统繁忙,请稍后再试": Retry, "系统错误": Retry,
		"签名错误": Operator, "appid不存在": Operator, "商户号mch_id与appid不匹配": Operator, "mch_id参数格式错误": Operator, "商户号该产品权限未开通": Operator,
		"JSAPI支付必须传openid": Refused, "something new": Refused, "": Refused,
	} {
		if got := returnKind(text); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}
