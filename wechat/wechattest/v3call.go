package wechattest

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// v3Call is a request of APIv3, from which a response is made.
type v3Call struct {
	*exchange
	route  v3Route
	vars   map[string]string // parameters in the path, unescaped
	query  url.Values
	fields v3Fields // of the body, once checked
	key    *v3Key   // signs the response; nil before the request is authenticated
	number string   // the numeric code at the end of Request-ID
	forged bool     // the response is signed by someone else
}

// readBody reads and checks the body; false means that the response is written.
func (c *v3Call) readBody(table []v3Field) bool {
	if t, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(t), "application/json") {
		c.note("Content-Type is %q", c.r.Header.Get("Content-Type"))
		c.decline(http.StatusBadRequest, "INVALID_REQUEST", "Http头Content-Type错误，请使用application/json")
		return false
	}
	bad := func(why string) bool {
		c.note("%s", why)
		c.decline(http.StatusBadRequest, "PARAM_ERROR", "请求体不是合法的JSON对象")
		return false
	}
	switch {
	case c.over:
		return bad("the body is longer than 64 KiB")
	case !utf8.ValidString(c.body):
		return bad("the body is not UTF-8")
	}
	fields, err := readV3JSON(c.body)
	if err != nil {
		return bad(err.Error())
	}
	if p := checkV3Body(fields, table); p != nil {
		c.declineField(p)
		return false
	}
	c.fields = fields
	return true
}

// checkMchID compares the mchid of the body or the query with the header's, which
// authenticate has checked.
func (c *v3Call) checkMchID(mchID, where string) bool {
	if mchID == c.w.cfg.MchID {
		return true
	}
	c.decline(http.StatusBadRequest, "PARAM_ERROR", "http header中的mchid与"+where+"中的mchid不匹配")
	return false
}

// declineField declines a field.
func (c *v3Call) declineField(p *v3Problem) {
	detail := v3Object{{"location", p.location}}
	if p.value != nil {
		detail = append(detail, v3Member{"value", p.value})
	}
	c.number = p.number
	c.declineWith(http.StatusBadRequest, "PARAM_ERROR", p.message, detail)
}

// decline responds with an error, signed.
func (c *v3Call) decline(status int, code, message string) { c.declineWith(status, code, message, nil) }

func (c *v3Call) declineWith(status int, code, message string, detail v3Object) {
	if spelling := v3OldCode(code); spelling != code {
		if _, old := c.w.takeFault(FaultV3OldCodes, c.route.pattern); old {
			c.note("fault v3_old_codes: %s is spelt %s", code, spelling)
			code = spelling
		}
	}
	if c.number == "" {
		c.number = v3Number(code)
	}
	c.note("%s", code)
	body := v3Object{{"code", code}}
	if detail != nil {
		body = append(body, v3Member{"detail", detail})
	}
	c.answer(status, append(body, v3Member{"message", message}).text(c.w))
}

// declineUnsigned responds with an error that has no signature.
func (c *v3Call) declineUnsigned(status int, code, message string) {
	c.key = nil
	c.decline(status, code, message)
}

// succeed responds with 200 with an object.
func (c *v3Call) succeed(body v3Object) { c.answer(http.StatusOK, body.text(c.w)) }

// answer sets the response and signs it when there is a key.
func (c *v3Call) answer(status int, body string) {
	w := c.w
	c.reply(status, "application/json; charset=utf-8", body)
	c.header.Set("Content-Language", "zh-CN")
	c.header.Set("X-Content-Type-Options", "nosniff")
	number := c.number
	if number == "" {
		number = "0"
	}
	// 401 responses of the transactions' calls have none (seen 2026-09).
	if status != http.StatusUnauthorized || c.route.auth == v3TextsStrict {
		c.header.Set("Request-Id", strings.ToUpper(w.ids.text(hexDigits, 52))+"-"+number)
	}
	if c.key == nil || c.route.unsigned {
		return
	}
	key := c.key
	if c.forged {
		key = w.forgerKey(key)
	}
	m := w.signV3(key, body, c.route.pattern)
	for name, values := range m.header {
		c.header[name] = values
	}
	for _, n := range m.notes {
		c.note("%s", n)
	}
	c.msg.Reply, c.skew = m.signed, m.skew
	if _, ok := w.takeFault(FaultV3EmptyBody, c.route.pattern); ok {
		c.note("fault v3_empty_body: the body is lost, the work was done")
		c.out = ""
	}
}
