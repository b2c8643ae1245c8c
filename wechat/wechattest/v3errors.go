package wechattest

// v3OldCode is the spelling of a code in the pages of 2020, which some of WeChat's
// servers still answer with (docs/wechat.md 13.10).
func v3OldCode(code string) string {
	old := map[string]string{
		"SYSTEM_ERROR": "SYSTEMERROR", "ORDER_NOT_EXIST": "ORDERNOTEXIST", "NO_AUTH": "NOAUTH", "NOT_ENOUGH": "NOTENOUGH",
		"RULE_LIMIT": "RULELIMIT", "BANK_ERROR": "BANKERROR", "ACCOUNT_ERROR": "ACCOUNTERROR", "ORDER_PAID": "ORDERPAID",
		"ORDER_CLOSED": "ORDERCLOSED", "FREQUENCY_LIMITED": "RATELIMIT_EXCEEDED",
	}[code]
	if old == "" {
		return code
	}
	return old
}

// v3Number is the numeric code that ends the Request-ID of an error.
func v3Number(code string) string {
	number := map[string]string{
		"PARAM_ERROR": "268435461", "SIGN_ERROR": "268443699", "ORDER_NOT_EXIST": "268512771", "ORDERNOTEXIST": "268512771",
		"OUT_TRADE_NO_USED": "268498688", "ORDER_PAID": "268449538", "ORDERPAID": "268449538", "ORDER_CLOSED": "268447914",
		"ORDERCLOSED": "268447914", "APPID_MCHID_NOT_MATCH": "268445527", "FREQUENCY_LIMITED": "268447840",
		"RATELIMIT_EXCEEDED": "268447840", "NOT_ENOUGH": "268892709", "NOTENOUGH": "268892709",
	}[code]
	if number == "" {
		return "268435456"
	}
	return number
}
