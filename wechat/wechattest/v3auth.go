package wechattest

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// v3Window is how far the timestamp of a request may be from WeChat's clock
// (docs/wechat.md 18.3).
const v3Window = 5 * time.Minute

// v3AuthTexts selects the texts with which a call declines an unreadable Authorization header.
type v3AuthTexts int

const (
	v3TextsPlain  v3AuthTexts = iota // the transactions' calls
	v3TextsStrict                    // certificates, refunds, bills
)

// v3Authorization is an Authorization header.
type v3Authorization struct {
	mchID, serial, nonce, timestamp, signature string
}

// errScheme is a header of another scheme.
var errScheme = errors.New("want the scheme " + v3Scheme)

// readAuthorization reads the header: the scheme, one space, five pairs
// name="value" in any order, commas without blanks.
func readAuthorization(header string) (a v3Authorization, err error) {
	scheme, rest, ok := strings.Cut(header, " ")
	switch {
	case header == "":
		return a, errors.New("the header Authorization is missing")
	case !ok || scheme != v3Scheme:
		return a, errScheme
	}
	targets := map[string]*string{
		"mchid": &a.mchID, "serial_no": &a.serial, "nonce_str": &a.nonce, "timestamp": &a.timestamp, "signature": &a.signature,
	}
	for {
		name, after, ok := strings.Cut(rest, "=")
		if !ok {
			return a, errors.New("a pair of the header has no =")
		}
		target := targets[name]
		if target == nil {
			return a, errors.New("the pair " + strconv.Quote(name) + " is unknown or repeated: want no blanks around names and commas")
		}
		delete(targets, name)
		if !strings.HasPrefix(after, `"`) {
			return a, errors.New("the value of " + name + " is not in double quotes")
		}
		value, tail, ok := strings.Cut(after[1:], `"`)
		if !ok {
			return a, errors.New("the value of " + name + " has no closing quote")
		}
		*target = value
		if tail == "" {
			break
		}
		if rest, ok = strings.CutPrefix(tail, ","); !ok {
			return a, errors.New("no comma follows the value of " + name)
		}
	}
	for name := range targets {
		return a, errors.New("the pair " + name + " is missing")
	}
	return a, nil
}

var (
	v3Nonce   = regexp.MustCompile(`^[!-~]{1,32}$`)
	v3Seconds = regexp.MustCompile(`^[0-9]{1,19}$`)
)

// authenticate checks the Authorization header in WeChat's order: form, scheme,
// merchant, clock, serial, signature. A declined request has no signature.
func (c *v3Call) authenticate() bool {
	a, err := readAuthorization(c.r.Header.Get("Authorization"))
	if err != nil {
		c.note("%v", err)
		switch {
		case c.route.auth == v3TextsPlain:
			return c.unauthorized("签名信息错误，验签失败")
		case errors.Is(err, errScheme):
			return c.unauthorized("HTTP头Authorization认证类型不正确")
		}
		return c.unauthorized("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
	}
	seconds, err := strconv.ParseInt(a.timestamp, 10, 64)
	switch {
	case !v3Nonce.MatchString(a.nonce):
		c.note("nonce_str: want at most 32 visible characters, got %d", len(a.nonce))
		return c.unauthorized("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
	case a.mchID != c.w.cfg.MchID:
		c.note("the simulator's merchant is %s", c.w.cfg.MchID)
		return c.unauthorized("商户未申请过证书。")
	case err != nil || !v3Seconds.MatchString(a.timestamp):
		c.note("timestamp: want Unix seconds, got %q", a.timestamp)
		return c.unauthorized("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
	}
	now := c.w.shopNow()
	if d := now.Sub(time.Unix(seconds, 0)); d > v3Window || d < -v3Window {
		if len(a.timestamp) == 13 {
			c.note("the timestamp is in milliseconds: want seconds")
		} else {
			c.note("the timestamp is %s from WeChat's clock, which says %d", d.Abs().Round(time.Second), now.Unix())
		}
		return c.unauthorized("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
	}
	keys := c.w.merchantKeys()
	var key *v3Key
	for i := range keys {
		if strings.EqualFold(keys[i].id, a.serial) {
			key = &keys[i]
		}
	}
	p := c.parts(a)
	switch {
	case key == nil:
		c.note("serial_no %q is no serial of the merchant's certificates; the newest is %s", a.serial, keys[len(keys)-1].id)
		return c.unauthorized("商户证书序列号有误。请使用签名私钥匹配的证书序列号")
	case c.expiredByFault():
		c.note("fault cert_expired")
		return c.unauthorized("商户证书已过期")
	case key.revoked:
		c.note("the certificate %s was revoked", key.id)
		return c.unauthorized("商户证书已作废")
	case c.w.Now().After(key.cert.NotAfter):
		c.note("the certificate %s has expired", key.id)
		return c.unauthorized("商户证书已过期")
	}
	if key.id != a.serial {
		c.note("serial_no is in lower case: WeChat's documents want upper case, SDKs send both")
	}
	text := p.text()
	c.msg.Signed = &Signed{String: text, Algorithm: v3Scheme, Expected: a.signature, Given: a.signature, OK: key.verify(text, a.signature)}
	if c.msg.Signed.OK {
		return true
	}
	c.msg.Signed.Expected = key.sign(text) // RSA by PKCS #1 v1.5 has one signature for a text
	d := diagnoseV3(p, a.signature, key, keys)
	c.note("%s", d.text)
	c.msg.Signed.Yours = d.yours
	c.number = "268443699"
	c.declineWith(http.StatusUnauthorized, "SIGN_ERROR", "签名错误", v3Object{
		{"detail", v3Object{{"issue", "sign not match"}}}, {"field", "signature"}, {"location", "authorization"},
		{"sign_information", v3Object{
			{"method", p.method}, {"sign_message_length", len(text)}, {"truncated_sign_message", p.truncated()}, {"url", p.uri},
		}},
	})
	return false
}

// unauthorized declines with 401.
func (c *v3Call) unauthorized(message string) bool {
	c.number = "268443699"
	c.declineUnsigned(http.StatusUnauthorized, "SIGN_ERROR", message)
	return false
}

// parts are those of the request as it arrived.
func (c *v3Call) parts(a v3Authorization) v3Parts {
	uri := c.r.RequestURI
	if uri == "" || !strings.HasPrefix(uri, "/") {
		uri = c.r.URL.RequestURI() // a proxy's absolute form
	}
	return v3Parts{c.r.Method, uri, a.timestamp, a.nonce, c.body, c.r.Host}
}

// expiredByFault applies the fault of an expired merchant certificate.
func (c *v3Call) expiredByFault() bool {
	_, ok := c.w.takeFault(FaultCertExpired, c.route.pattern)
	return ok
}
