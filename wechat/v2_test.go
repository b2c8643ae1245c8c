package wechat

import (
	"errors"
	"strings"
	"testing"
)

// reply is a response of the merchant API and the expected result.
type reply struct {
	body string
	kind Kind
	code string
}

// commonReplies are made from a successful response. No call of the merchant API may take one for a
// success.
func commonReplies(good message) map[string]reply {
	declined := good.with("result_code", "FAIL", "trade_state", "-", "prepay_id", "-")
	return map[string]reply{
		"FAIL":                     {message{"return_code": "FAIL", "return_msg": "签名错误"}.xml(), Operator, ""},
		"FAIL, busy":               {message{"return_code": "FAIL", "return_msg": "System Error"}.xml(), Retry, ""},
		"FAIL, unknown words":      {message{"return_code": "FAIL", "return_msg": "no: " + testOpenID + " " + testKey}.xml(), Declined, ""},
		"FAIL, no words":           {message{"return_code": "FAIL"}.xml(), Declined, ""},
		"FAIL, signed":             {good.with("return_code", "FAIL").signed(SignHMAC), Declined, ""},
		"FAIL, unsigned, err_code": {message{"return_code": "FAIL", "err_code": "ORDERPAID", "result_code": "FAIL"}.xml(), Declined, ""},
		"declined":                 {declined.with("err_code", "ORDERPAID", "err_code_des", "该订单已支付").signed(SignHMAC), Declined, CodeOrderPaid},
		"declined, closed":         {declined.with("err_code", "ORDERCLOSED").signed(SignMD5), Declined, CodeOrderClosed},
		"declined, unknown":        {declined.with("err_code", "ORDERNOTEXIST").signed(SignHMAC), Declined, CodeOrderNotExist},
		"declined, busy":           {declined.with("err_code", "SYSTEMERROR").signed(SignHMAC), Retry, "SYSTEM_ERROR"},
		"declined, operator":       {declined.with("err_code", "NOAUTH", "err_code_des", "商户无此接口权限").signed(SignHMAC), Operator, "NO_AUTH"},
		"declined, talkative":      {declined.with("err_code", "INVALID_REQUEST", "err_code_des", "openid "+testOpenID+" key="+testKey+" "+testSecret).signed(SignHMAC), Developer, "INVALID_REQUEST"},
		"declined, no code":        {declined.signed(SignHMAC), Declined, ""},
		"declined, odd code":       {declined.with("err_code", testOpenID).signed(SignHMAC), Declined, ""},
		"declined, no ids":         {declined.with("err_code", "ORDERPAID", "appid", "-", "mch_id", "-").signed(SignHMAC), Declined, CodeOrderPaid},
		"declined, other mch_id":   {declined.with("err_code", "ORDERPAID", "mch_id", "1").signed(SignHMAC), Untrusted, ""},
		"declined, unsigned":       {declined.with("err_code", "ORDERPAID").xml(), Untrusted, ""},
		"declined, badly signed":   {declined.with("err_code", "ORDERPAID", "sign", strings.Repeat("A", 64)).xml(), Untrusted, ""},
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
		"FAIL, retmsg":             {message{"return_code": "FAIL", "retcode": "1", "retmsg": "请确认请求参数是否正确param mch_id invalid"}.xml(), Operator, ""},
		"retcode, retmsg":          {message{"retcode": "1", "retmsg": "param mch_id invalid"}.xml(), Operator, ""},
		"ret_code, ret_msg":        {message{"ret_code": "FAIL", "ret_msg": "System Error"}.xml(), Retry, ""},
		"retcode, no words":        {message{"retcode": "1"}.xml(), Declined, ""},
		"retcode and err_code":     {message{"retcode": "1", "retmsg": "x", "err_code": "ORDERPAID"}.xml(), Declined, ""},
		"retcode 0":                {good.with("return_code", "-", "retcode", "0").signed(SignHMAC), Untrusted, ""},
		"declined in words":        {declined.with("err_code_des", "商户无此接口权限").signed(SignHMAC), Operator, ""},
		"declined in words, busy":  {declined.with("err_code", "NEVER_SEEN", "err_code_des", "系统繁忙,请稍后再试").signed(SignHMAC), Retry, "NEVER_SEEN"},
		"words, no result_code":    {declined.with("result_code", "-", "err_code_des", "param mch_id invalid").signed(SignHMAC), Operator, ""},
		"words, unsigned":          {declined.with("result_code", "-", "err_code_des", "param mch_id invalid").xml(), Untrusted, ""},
		"repeated field":           {strings.Replace(good.signed(SignHMAC), "<xml>", "<xml><result_code>FAIL</result_code>", 1), Untrusted, ""},
		"DOCTYPE":                  {`<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]>` + good.signed(SignHMAC), Untrusted, ""},
		"two messages":             {good.signed(SignHMAC) + good.signed(SignHMAC), Untrusted, ""},
		"half a message":           {"<xml><return_code>SUCCESS</return_code>", Untrusted, ""},
		"JSON":                     {`{"return_code":"SUCCESS"}`, Retry, ""},
	}
}

// WeChat's reason is in the error, whatever its field is, without control characters and with a
// bounded length.
func TestReasonIsShown(t *testing.T) {
	signed := message{"return_code": "SUCCESS", "return_msg": "OK", "appid": testAppID, "mch_id": testMchID}
	private := "openid " + testOpenID + " key " + testKey + "\r\n" + strings.Repeat("茶", 100)
	for body, want := range map[string]string{
		message{"return_code": "FAIL", "retcode": "1", "retmsg": "param mch_id invalid"}.xml():                          "param mch_id invalid",
		message{"retcode": "1", "retmsg": "param mch_id invalid"}.xml():                                                 "param mch_id invalid",
		message{"ret_code": "1", "ret_msg": "param mch_id invalid"}.xml():                                               "param mch_id invalid",
		message{"return_code": "FAIL", "error_message": "no such product"}.xml():                                        "no such product",
		message{"return_code": "FAIL", "return_msg": "FAIL", "err_code_des": "no such product"}.xml():                   "no such product; FAIL",
		message{"return_code": "FAIL", "return_msg": "again", "retmsg": "again"}.xml():                                  "FAIL: again",
		signed.with("result_code", "FAIL", "err_code_des", "param mch_id invalid").signed(SignHMAC):                     "param mch_id invalid",
		signed.with("err_code_des", "param mch_id invalid").signed(SignMD5):                                             "param mch_id invalid",
		signed.with("result_code", "FAIL", "err_code_des", "not signed at all").xml():                                   "not signed at all",
		message{"retcode": "1", "retmsg": private}.xml():                                                                "openid *** key ***茶",
		signed.with("result_code", "FAIL", "err_code_des", private).signed(SignHMAC):                                    "openid *** key ***茶",
		signed.with("result_code", "FAIL", "err_code_des", private).xml():                                               "openid *** key ***茶",
		message{"return_code": "FAIL", "return_msg": strings.Repeat("x ", 40), "retmsg": strings.Repeat("y", 60)}.xml(): "x x",
	} {
		for op, call := range calls(nil) {
			if op == "access_token" || op == "userinfo" {
				continue // JSON
			}
			c, _ := newClient(t, says(body))
			call = calls(c)[op]
			err := call(t.Context())
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Message, want) || len(e.Message) > 200 || strings.ContainsAny(e.Message, "\r\n") {
				t.Errorf("%s: %v, want %q in it", op, err, want)
				continue
			}
			wantError(t, err, e.Kind, e.Code)
		}
	}
}

// A decline for lack of money is recognised without a code.
func TestNotEnoughInWords(t *testing.T) {
	for text, want := range map[string]string{
		"交易未结算资金不足，请使用可用余额退款": CodeNotEnough, "基本账户余额不足，请充值后重新发起": CodeNotEnough, "订单已全额退款": "",
	} {
		body := message{"return_code": "SUCCESS", "appid": testAppID, "mch_id": testMchID, "result_code": "FAIL", "err_code_des": text}.signed(SignHMAC)
		c, _ := newClient(t, says(body))
		_, err := c.Refund(t.Context(), testRefund())
		kind := Declined
		if want != "" {
			kind = Operator
		}
		wantError(t, err, kind, want)
		_, err = c.UnifiedOrder(t.Context(), testOrder())
		wantError(t, err, Declined, "")
	}
}
