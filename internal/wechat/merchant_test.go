package wechat

import "strings"

// reply is an answer of the merchant API and what becomes of it.
type reply struct {
	body string
	kind Kind
	code string
}

// commonReplies are answers that no call of the merchant API may take for a
// success, made from one that is.
func commonReplies(good message) map[string]reply {
	refusal := good.with("result_code", "FAIL", "trade_state", "-", "prepay_id", "-")
	return map[string]reply{
		"FAIL":                     {message{"return_code": "FAIL", "return_msg": "签名错误"}.xml(), Operator, ""},
		"FAIL, busy":               {message{"return_code": "FAIL", "return_msg": "System Error"}.xml(), Retry, ""},
		"FAIL, unknown words":      {message{"return_code": "FAIL", "return_msg": "no: " + testOpenID + " " + testKey}.xml(), Refused, ""},
		"FAIL, no words":           {message{"return_code": "FAIL"}.xml(), Refused, ""},
		"FAIL, signed":             {good.with("return_code", "FAIL").signed(SignHMAC), Refused, ""},
		"FAIL, unsigned, err_code": {message{"return_code": "FAIL", "err_code": "ORDERPAID", "result_code": "FAIL"}.xml(), Refused, ""},
		"refused":                  {refusal.with("err_code", "ORDERPAID", "err_code_des", "该订单已支付").signed(SignHMAC), Refused, CodeOrderPaid},
		"refused, closed":          {refusal.with("err_code", "ORDERCLOSED").signed(SignMD5), Refused, CodeOrderClosed},
		"refused, unknown":         {refusal.with("err_code", "ORDERNOTEXIST").signed(SignHMAC), Refused, CodeOrderNotExist},
		"refused, busy":            {refusal.with("err_code", "SYSTEMERROR").signed(SignHMAC), Retry, "SYSTEMERROR"},
		"refused, operator":        {refusal.with("err_code", "NOAUTH", "err_code_des", "商户无此接口权限").signed(SignHMAC), Operator, "NOAUTH"},
		"refused, talkative":       {refusal.with("err_code", "INVALID_REQUEST", "err_code_des", "openid "+testOpenID+" key="+testKey+" "+testSecret).signed(SignHMAC), Developer, "INVALID_REQUEST"},
		"refused, no code":         {refusal.signed(SignHMAC), Refused, ""},
		"refused, odd code":        {refusal.with("err_code", testOpenID).signed(SignHMAC), Refused, ""},
		"refused, no ids":          {refusal.with("err_code", "ORDERPAID", "appid", "-", "mch_id", "-").signed(SignHMAC), Refused, CodeOrderPaid},
		"refused, other mch_id":    {refusal.with("err_code", "ORDERPAID", "mch_id", "1").signed(SignHMAC), Untrusted, ""},
		"refused, unsigned":        {refusal.with("err_code", "ORDERPAID").xml(), Untrusted, ""},
		"refused, badly signed":    {refusal.with("err_code", "ORDERPAID", "sign", strings.Repeat("A", 64)).xml(), Untrusted, ""},
		"success, unsigned":        {good.xml(), Untrusted, ""},
		"success, empty sign":      {good.with("sign", "").xml(), Untrusted, ""},
		"success, wrong sign":      {good.with("sign", strings.Repeat("0", 64)).xml(), Untrusted, ""},
		"success, other key":       {good.with("sign", good.digest("another-key-another-key-another-", SignHMAC)).xml(), Untrusted, ""},
		"success, changed after":   {good.with("sign", good.digest(testKey, SignHMAC), "nonce_str", "other").xml(), Untrusted, ""},
		"success, other appid":     {good.with("appid", "wxffffffffffffffff").signed(SignHMAC), Untrusted, ""},
		"success, other mch_id":    {good.with("mch_id", "1230000110").signed(SignHMAC), Untrusted, ""},
		"success, no appid":        {good.with("appid", "-").signed(SignHMAC), Untrusted, ""},
		"success, no mch_id":       {good.with("mch_id", "-").signed(SignHMAC), Untrusted, ""},
		"success, no result_code":  {good.with("result_code", "-").signed(SignHMAC), Untrusted, ""},
		"success, odd result_code": {good.with("result_code", "success").signed(SignHMAC), Untrusted, ""},
		"success, no return_code":  {good.with("return_code", "-").signed(SignHMAC), Untrusted, ""},
		"success, odd return_code": {good.with("return_code", "OK").signed(SignHMAC), Untrusted, ""},
		"sandbox spelling":         {message{"retcode": "1", "retmsg": "x"}.xml(), Untrusted, ""},
		"repeated field":           {strings.Replace(good.signed(SignHMAC), "<xml>", "<xml><result_code>FAIL</result_code>", 1), Untrusted, ""},
		"DOCTYPE":                  {`<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + good.signed(SignHMAC), Untrusted, ""},
		"two messages":             {good.signed(SignHMAC) + good.signed(SignHMAC), Untrusted, ""},
		"half a message":           {"<xml><return_code>SUCCESS</return_code>", Untrusted, ""},
		"JSON":                     {`{"return_code":"SUCCESS"}`, Retry, ""},
	}
}
