package wechattest

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// payRequest is a call of api.mch.weixin.qq.com that passed the common rules:
// it is a flat message with a good sign of the known merchant.
type payRequest struct {
	*exchange
	fields    []pair
	algorithm string
	forged    bool // the reply is not WeChat's
}

// get returns a field, "" when absent or empty.
func (p *payRequest) get(name string) string { return valueOf(p.fields, name) }

// payCall wraps an operation with the common rules of APIv2, in the order in which WeChat can know
// them: transport, format, identity, sign. A failure here gets an unsigned response with a text in
// return_msg.
func (w *WeChat) payCall(h func(p *payRequest)) func(x *exchange) {
	return w.payMessage(func(p *payRequest) {
		if _, ok := w.takeFault(FaultSystemError, p.r.URL.Path); ok {
			p.note("fault system_error: nothing was done")
			p.decline("SYSTEMERROR", "系统错误")
			return
		}
		if _, ok := w.takeFault(FaultRetmsg, p.r.URL.Path); ok {
			p.note("fault retmsg: nothing was done")
			p.retmsg("1", "请确认请求参数是否正确param mch_id invalid")
			return
		}
		if _, ok := w.takeFault(FaultTextWithoutCode, p.r.URL.Path); ok {
			p.note("fault text_without_code: nothing was done")
			p.answer([]pair{{"result_code", "FAIL"}, {"err_code_des", "商户无此接口权限"}})
			return
		}
		h(p)
	})
}

// payMessage is payCall without the fault that needs a signed response: downloadbill has
// none.
func (w *WeChat) payMessage(h func(p *payRequest)) func(x *exchange) {
	return func(x *exchange) {
		if x.r.Method != http.MethodPost {
			x.fail("REQUIRE_POST_METHOD", "请使用post方法")
			return
		}
		if x.chunked() {
			// The front servers of api.mch take no chunked body.
			x.note("the body came chunked, without Content-Length")
			x.html(http.StatusPreconditionFailed, nginxPage("412 Precondition Failed"))
			return
		}
		fields, ok := x.readPayXML()
		if !ok {
			return
		}
		p := &payRequest{exchange: x, fields: fields}
		if !p.identify() || !p.verify() {
			return
		}
		h(p)
	}
}

// readPayXML applies the rules of the format.
func (x *exchange) readPayXML() ([]pair, bool) {
	switch {
	case x.body == "":
		x.fail("POST_DATA_EMPTY", "post数据为空")
		return nil, false
	case x.over:
		x.note("the body is longer than 64 KiB")
		x.fail("XML_FORMAT_ERROR", "XML格式错误")
		return nil, false
	case !utf8.ValidString(x.body):
		x.fail("NOT_UTF8", "编码格式错误")
		return nil, false
	}
	fields, err := parseXML(x.body)
	if err != nil {
		var rule *xmlError
		if errors.As(err, &rule) {
			x.note("%s", rule.rule)
		}
		x.fail("XML_FORMAT_ERROR", "XML格式错误")
		return nil, false
	}
	return fields, true
}

// identify finds the merchant and thereby the key.
func (p *payRequest) identify() bool {
	cfg := p.w.cfg
	switch {
	case p.get("mch_id") == "":
		p.fail("LACK_PARAMS", "缺少参数mch_id")
	case !mchIDForm.MatchString(p.get("mch_id")):
		p.fail("PARAM_ERROR", "mch_id参数格式错误")
	case p.get("mch_id") != cfg.MchID:
		p.note("the simulator's merchant is %s", cfg.MchID)
		p.fail("MCHID_NOT_EXIST", "MCHID不存在")
	case p.get("appid") == "":
		p.fail("LACK_PARAMS", "缺少参数appid")
	case !appIDForm.MatchString(p.get("appid")):
		p.fail("APPID_NOT_EXIST", "appid不存在")
	case p.get("appid") != cfg.AppID:
		p.note("the simulator's account is %s", cfg.AppID)
		p.fail("APPID_MCHID_NOT_MATCH", "商户号mch_id与appid不匹配")
	default:
		return true
	}
	return false
}

// verify checks the sign under sign_type; absent means MD5.
func (p *payRequest) verify() bool {
	switch st := p.get("sign_type"); st {
	case "", signMD5:
		p.algorithm = signMD5
	case signHMAC:
		p.algorithm = signHMAC
	default:
		p.note("sign_type must be MD5 or HMAC-SHA256")
		p.fail("PARAM_ERROR", "sign_type参数格式错误")
		return false
	}
	cfg := p.w.cfg
	given := p.get("sign")
	p.msg.Signed = checkSign(p.fields, p.algorithm, cfg.APIKey, given)
	if !p.msg.Signed.OK {
		p.note("%s", diagnose(p.fields, p.algorithm, cfg.APIKey, cfg.AppSecret, given))
		if p.r.URL.Path == pathDownloadBill {
			p.billFail("SIGN ERROR", "20001") // a text of its own
			return false
		}
		p.fail("SIGNERROR", "签名错误")
		return false
	}
	return true
}

// fail responds with return_code FAIL: a text only, without a sign. The code goes to the note.
func (x *exchange) fail(code, text string) {
	x.note("%s", code)
	x.xml([]pair{{"return_code", "FAIL"}, {"return_msg", text}})
}

// retmsg answers in the spelling of some of WeChat's servers (return_code, odd
// shapes), with or without a return_code.
func (x *exchange) retmsg(code, text string) {
	fields := []pair{{"retcode", code}, {"retmsg", text}}
	if x.w.ids.intn(2) == 0 {
		fields = append([]pair{{"return_code", "FAIL"}}, fields...)
	}
	x.xml(fields)
}

// decline responds at the result_code layer, signed.
func (p *payRequest) decline(code, text string) {
	p.answer([]pair{{"result_code", "FAIL"}, {"err_code", code}, {"err_code_des", text}})
}

// succeed responds with both codes SUCCESS, signed.
func (p *payRequest) succeed(fields ...pair) {
	p.answer(append([]pair{{"result_code", "SUCCESS"}}, fields...))
}

// answer signs and writes a reply with the sign_type of the request.
func (p *payRequest) answer(fields []pair) {
	w := p.w
	all := []pair{{"return_code", "SUCCESS"}, {"return_msg", "OK"}, {"appid", w.cfg.AppID}, {"mch_id", w.cfg.MchID}, {"nonce_str", w.ids.nonce()}}
	if d := p.get("device_info"); d != "" && valueOf(fields, "device_info") == "" {
		all = append(all, pair{"device_info", d})
	}
	all = w.hostile(append(all, fields...))
	key := w.cfg.APIKey
	if p.forged {
		key = strings.Repeat("0", 32)
	}
	sign := digest(p.algorithm, canonical(all, key), key)
	if _, ok := w.takeFault(FaultBadReplySign, p.r.URL.Path); ok {
		p.note("fault bad_reply_sign: the work was done")
		sign = digest(p.algorithm, canonical(all, w.cfg.APIKey)+"0", w.cfg.APIKey)
	}
	if _, ok := w.takeFault(FaultNoReplySign, p.r.URL.Path); ok {
		p.note("fault no_reply_sign: the work was done")
		sign = ""
	}
	if sign != "" {
		all = append(all, pair{"sign", sign})
	}
	p.xml(all)
}

// xml responds with a flat message.
func (x *exchange) xml(fields []pair) {
	x.reply(http.StatusOK, "text/xml; charset=utf-8", writeXML(fields))
}

// hostile changes a message as WeChat may at any time (docs/wechat.md 2.3). It adds an undocumented
// field and reorders the elements. The sign covers all fields.
func (w *WeChat) hostile(fields []pair) []pair {
	if !w.cfg.Hostile {
		return fields
	}
	if w.ids.intn(3) == 0 {
		fields = append(fields, pair{"x_" + w.ids.text(hexDigits, 6), "未知字段 <&> " + w.ids.text(alnum, 8)})
	}
	if w.ids.intn(2) == 0 {
		w.ids.shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	}
	return fields
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// billFail responds as downloadbill does: return_code FAIL, a text, and a number if the
// documentation has one. The response is not signed.
func (p *payRequest) billFail(text, number string) {
	fields := []pair{{"return_code", "FAIL"}, {"return_msg", text}}
	if number != "" {
		fields = append(fields, pair{"error_code", number})
	}
	p.xml(fields)
}
