package wechat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestErrorText(t *testing.T) {
	e := &Error{Op: "orderquery", Code: "SYSTEM_ERROR", Message: "WeChat declined", Kind: Retry, Err: context.DeadlineExceeded}
	if got := e.Error(); got != "orderquery: WeChat declined (SYSTEM_ERROR): context deadline exceeded" {
		t.Error(got)
	}
	if !errors.Is(fmt.Errorf("querying: %w", e), context.DeadlineExceeded) {
		t.Error("the cause is hidden")
	}
	var kinds []string
	for k := Declined; k <= Untrusted; k++ {
		kinds = append(kinds, k.String())
	}
	if got := strings.Join(kinds, " "); got != "declined retry restart operator developer untrusted" {
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
