package wechat

// Answer is what WeChat wants to hear after a notification
// (docs/wechat.md 6.3). The message is a few words, for WeChat's logs.
func Answer(ok bool, message string) []byte {
	code := "FAIL"
	if ok {
		code = "SUCCESS"
	}
	return write([]Field{{"return_code", code}, {"return_msg", clean(message)}})
}
