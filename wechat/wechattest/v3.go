package wechattest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// v3Route is one call of APIv3.
type v3Route struct {
	kind     string // of its Message
	method   string
	pattern  string // segments in braces are parameters; Fault.Path takes it as it is
	auth     v3AuthTexts
	noSerial bool // Wechatpay-Serial is not read, since the response brings its own keys
	hasUA    bool // a missing User-Agent is declined before the signature is looked at
	unsigned bool // the response has no signature, as that of a bill file
	serve    func(w *WeChat, c *v3Call)
}

// The patterns of APIv3's calls. A Fault's Path takes them as they are.
const (
	PathV3JSAPI           = "/v3/pay/transactions/jsapi"
	PathV3Native          = "/v3/pay/transactions/native"
	PathV3H5              = "/v3/pay/transactions/h5"
	PathV3App             = "/v3/pay/transactions/app"
	PathV3QueryID         = "/v3/pay/transactions/id/{transaction_id}"
	PathV3QueryOutTradeNo = "/v3/pay/transactions/out-trade-no/{out_trade_no}"
	PathV3Close           = "/v3/pay/transactions/out-trade-no/{out_trade_no}/close"
	PathV3Refund          = "/v3/refund/domestic/refunds"
	PathV3QueryRefund     = "/v3/refund/domestic/refunds/{out_refund_no}"
	PathV3TradeBill       = "/v3/bill/tradebill"
	PathV3FundFlowBill    = "/v3/bill/fundflowbill"
	PathV3BillFile        = "/v3/billdownload/file"
	PathV3Certificates    = "/v3/certificates"
	PathV3Echo            = "/v3/security/echo"
)

// v3Routes lists the calls.
func v3Routes() []v3Route {
	const get, post = http.MethodGet, http.MethodPost
	return []v3Route{
		{kind: "v3_jsapi", method: post, pattern: PathV3JSAPI, serve: (*WeChat).v3Order},
		{kind: "v3_native", method: post, pattern: PathV3Native, serve: (*WeChat).v3Order},
		{kind: "v3_h5", method: post, pattern: PathV3H5, serve: (*WeChat).v3Order},
		{kind: "v3_app", method: post, pattern: PathV3App, serve: (*WeChat).v3Order},
		{kind: "v3_query", method: get, pattern: PathV3QueryID, serve: (*WeChat).v3Query},
		{kind: "v3_query", method: get, pattern: PathV3QueryOutTradeNo, serve: (*WeChat).v3Query},
		{kind: "v3_close", method: post, pattern: PathV3Close, serve: (*WeChat).v3Close},
		{kind: "v3_refund", method: post, pattern: PathV3Refund, auth: v3TextsStrict, hasUA: true, serve: (*WeChat).v3Refund},
		{kind: "v3_refund_query", method: get, pattern: PathV3QueryRefund, auth: v3TextsStrict, hasUA: true, serve: (*WeChat).v3QueryRefund},
		{kind: "v3_tradebill", method: get, pattern: PathV3TradeBill, auth: v3TextsStrict, serve: (*WeChat).v3TradeBill},
		{kind: "v3_fundflowbill", method: get, pattern: PathV3FundFlowBill, auth: v3TextsStrict, serve: (*WeChat).v3FundFlowBill},
		{kind: "v3_bill_file", method: get, pattern: PathV3BillFile, auth: v3TextsStrict, unsigned: true, serve: (*WeChat).v3BillFile},
		{kind: "v3_certificates", method: get, pattern: PathV3Certificates, auth: v3TextsStrict, hasUA: true, noSerial: true, serve: (*WeChat).v3CertificateList},
		{kind: "v3_echo", method: post, pattern: PathV3Echo, auth: v3TextsStrict, serve: (*WeChat).v3Echo},
	}
}

// v3Paths are the patterns of all calls.
func v3Paths() []string {
	var paths []string
	for _, r := range v3Routes() {
		if !slices.Contains(paths, r.pattern) {
			paths = append(paths, r.pattern)
		}
	}
	return paths
}

// findV3 finds the call of a method and an escaped path. known is whether the path
// exists under any method.
func findV3(method, path string) (route *v3Route, vars map[string]string, known bool) {
	for _, r := range v3Routes() {
		v, ok := matchV3(r.pattern, path)
		if !ok {
			continue
		}
		known = true
		if r.method == method {
			return &r, v, true
		}
	}
	return nil, nil, known
}

// matchV3 compares a path with a pattern, segment by segment.
func matchV3(pattern, path string) (map[string]string, bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	vars := map[string]string{}
	for i, w := range want {
		if name, ok := strings.CutPrefix(w, "{"); ok {
			v, err := url.PathUnescape(got[i])
			if err != nil || v == "" {
				return nil, false
			}
			vars[strings.TrimSuffix(name, "}")] = v
		} else if w != got[i] {
			return nil, false
		}
	}
	return vars, true
}

// faultPath is what a Fault's Path is compared with: the path, or the pattern of a
// call of APIv3.
func faultPath(r *http.Request) string {
	if route, _, _ := findV3(r.Method, r.URL.EscapedPath()); route != nil {
		return route.pattern
	}
	return r.URL.Path
}

// v3Call is a request of APIv3 on its way to a response.
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

// serveV3 answers everything below /v3/.
func (w *WeChat) serveV3(rw http.ResponseWriter, r *http.Request) {
	route, vars, known := findV3(r.Method, r.URL.EscapedPath())
	kind := "v3_unknown"
	if route != nil {
		kind = route.kind
	}
	w.exchange(kind, PartyShop, func(x *exchange) {
		x.msg.RequestHeader = headerLines(r.Header, "Authorization", "Accept", "Content-Type", "User-Agent", "Wechatpay-Serial")
		switch {
		case !known:
			x.note("APIv3 has no such path")
			x.reply(http.StatusNotFound, "application/json; charset=utf-8", "")
		case route == nil:
			x.note("the path exists under another method")
			x.reply(http.StatusMethodNotAllowed, "application/json; charset=utf-8", "")
		default:
			c := &v3Call{exchange: x, route: *route, vars: vars}
			if c.checkHeaders() {
				w.serveChecked(c)
			}
		}
		x.msg.ResponseHeader = headerLines(x.header, append([]string{"Content-Type", "Request-Id"}, v3SignatureHeaders...)...)
	})(rw, r)
}

// serveChecked plays the faults that do no work, or does it.
func (w *WeChat) serveChecked(c *v3Call) {
	if f := w.v3DeclineFault(c); f != nil {
		f()
		return
	}
	c.route.serve(w, c)
}

// checkHeaders makes the checks that all calls share: headers, signature, query.
func (c *v3Call) checkHeaders() bool {
	h := c.r.Header
	if c.route.hasUA && h.Get("User-Agent") == "" {
		c.note("User-Agent is missing")
		c.declineUnsigned(http.StatusBadRequest, "INVALID_REQUEST", "Http头缺少Accept或User-Agent")
		return false
	}
	if !c.authenticate() {
		return false
	}
	if h.Get("User-Agent") == "" || !acceptsJSON(h) {
		c.note("want Accept: application/json and a User-Agent; got Accept %q, User-Agent %q", h.Get("Accept"), h.Get("User-Agent"))
		c.declineUnsigned(http.StatusBadRequest, "INVALID_REQUEST", "Http头缺少Accept或User-Agent")
		return false
	}
	serial := h.Get("Wechatpay-Serial")
	if c.route.noSerial {
		serial = ""
	}
	if c.key = c.w.responseKey(serial); c.key == nil {
		c.note("WeChat has no key %q in the mode %s; hex digits are upper case", serial, c.w.V3().Mode)
		c.declineUnsigned(http.StatusBadRequest, "PARAM_ERROR", "平台证书序列号Wechatpay-Serial错误")
		return false
	}
	if serial == "" && !c.route.noSerial {
		c.note("without Wechatpay-Serial WeChat chooses the key that signs the response")
	}
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		c.decline(http.StatusBadRequest, "PARAM_ERROR", "请求参数格式错误")
		return false
	}
	c.query = query
	return true
}

// acceptsJSON reports whether the response may be JSON. A missing Accept is declined,
// */* is not.
func acceptsJSON(h http.Header) bool {
	for _, part := range strings.Split(strings.Join(h.Values("Accept"), ","), ",") {
		media, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "application/json", "application/*", "*/*":
			return true
		}
	}
	return false
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

// decline answers with an error, signed.
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

// declineUnsigned answers with an error that has no signature.
func (c *v3Call) declineUnsigned(status int, code, message string) {
	c.key = nil
	c.decline(status, code, message)
}

// succeed answers 200 with an object.
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
	c.msg.Reply = m.signed
	if _, ok := w.takeFault(FaultV3EmptyBody, c.route.pattern); ok {
		c.note("fault v3_empty_body: the body is lost, the work was done")
		c.out = ""
	}
}

// v3Signed is a message that WeChat has signed.
type v3Signed struct {
	header http.Header
	signed *Signed
	notes  []string
}

// signV3 signs a response or a callback, and plays the faults of signatures. path
// is the pattern of the call, or V3Callback.
func (w *WeChat) signV3(key *v3Key, body, path string) v3Signed {
	var m v3Signed
	fault := func(kind, text string) bool {
		_, ok := w.takeFault(kind, path)
		if ok {
			m.notes = append(m.notes, "fault "+kind+": "+text)
		}
		return ok
	}
	if fault(FaultV3Rotate, "from now on another key signs, which was not announced") {
		key = w.rotateLike(key)
	}
	now := w.shopNow()
	if fault(FaultV3ClockAhead, "the timestamp is 400 s ahead") {
		now = now.Add(v3ClockError)
	}
	if fault(FaultV3ClockBehind, "the timestamp is 400 s behind") {
		now = now.Add(-v3ClockError)
	}
	timestamp, nonce := itoa(now.Unix()), w.ids.text(hexDigits, 32)
	text := timestamp + "\n" + nonce + "\n" + body + "\n"
	signature, id := key.sign(text), key.id
	if fault(FaultV3WrongSerial, "it names a key that WeChat does not have") {
		id = "5" + strings.ToUpper(w.ids.text(hexDigits, 39))
	}
	if fault(FaultBadReplySign, "the signature is that of another text") {
		signature = key.sign(text + "0")
	}
	if fault(FaultV3Probe, "the signature is a probe, which must fail") {
		signature = "WECHATPAY/SIGNTEST/" + key.sign("probe\n"+text)
	}
	m.signed = &Signed{String: text, Algorithm: v3Scheme, Given: signature, OK: key.verify(text, signature)}
	m.header = v3Headers(timestamp, nonce, id, signature)
	if fault(FaultNoReplySign, "the headers of the signature are missing") {
		m.header = http.Header{}
	}
	return m
}

// v3ClockError is how far the clock faults move a timestamp: more than the five
// minutes that are allowed.
const v3ClockError = 400 * time.Second

// v3SignatureHeaders are the headers of a signature, in the order in which the log
// shows them.
var v3SignatureHeaders = []string{"Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Serial", "Wechatpay-Signature-Type", "Wechatpay-Signature"}

// headerLines writes the headers that are there, one a line.
func headerLines(h http.Header, names ...string) string {
	var b strings.Builder
	for _, name := range names {
		for _, v := range h.Values(name) {
			b.WriteString(name + ": " + v + "\n")
		}
	}
	return b.String()
}
