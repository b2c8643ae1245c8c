package wechat_test

import (
	"fmt"

	"h5pay/wechat"
)

// Show an operator the meaning of a code of WeChat's. Both spellings of a code are known.
func ExampleExplain() {
	v, ok := wechat.Explain("refund", "NOTENOUGH")
	fmt.Println(ok, v.Code, v.Kind)
	fmt.Println(v.Cause.EN, v.Advice.EN)
	_, ok = wechat.Explain("refund", "NEVER_SEEN")
	fmt.Println(ok)
	// Output:
	// true NOT_ENOUGH operator
	// The merchant's funds do not suffice for the refund. Pay in or take the other source, then send the same refund again.
	// false
}

// List the codes after which a sign-in must be repeated.
func ExampleVerdicts() {
	for _, v := range wechat.Verdicts() {
		if v.Kind == wechat.Restart {
			fmt.Println(v.Code, v.Cause.ZH)
		}
	}
	// Output:
	// 40001 access_token 失效
	// 40014 access_token 无效
	// 40029 code 无效或过期
	// 40030 refresh_token 无效
	// 40163 code 已被使用
	// 41008 缺少 code：用户拒绝，或直接打开了回调地址
	// 42001 access_token 过期
	// 42002 refresh_token 过期
	// 42003 code 过期
	// 42007 用户修改了密码
}
