package wechattest

import (
	"net/http"
	"net/url"
	"strings"
)

// v3Handlers returns the handler of each route by its kind.
func v3Handlers() map[string]func(w *WeChat, c *v3Call) {
	return map[string]func(w *WeChat, c *v3Call){
		"v3_jsapi":        (*WeChat).v3Order,
		"v3_native":       (*WeChat).v3Order,
		"v3_h5":           (*WeChat).v3Order,
		"v3_app":          (*WeChat).v3Order,
		"v3_query":        (*WeChat).v3Query,
		"v3_close":        (*WeChat).v3Close,
		"v3_refund":       (*WeChat).v3Refund,
		"v3_refund_query": (*WeChat).v3QueryRefund,
		"v3_tradebill":    (*WeChat).v3TradeBill,
		"v3_fundflowbill": (*WeChat).v3FundFlowBill,
		"v3_bill_file":    (*WeChat).v3BillFile,
		"v3_certificates": (*WeChat).v3CertificateList,
		"v3_echo":         (*WeChat).v3Echo,
	}
}

// serveV3 serves everything below /v3/.
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

// serveChecked applies the faults in which the call does nothing, or runs the call.
func (w *WeChat) serveChecked(c *v3Call) {
	if f := w.v3DeclineFault(c); f != nil {
		f()
		return
	}
	v3Handlers()[c.route.kind](w, c)
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

// v3DeclineFault returns the decline of a queued fault in which a call does nothing, nil if there
// is none.
func (w *WeChat) v3DeclineFault(c *v3Call) func() {
	path := c.route.pattern
	take := func(kind string) bool {
		_, ok := w.takeFault(kind, path)
		if ok {
			c.note("fault %s: nothing was done", kind)
		}
		return ok
	}
	switch {
	case take(FaultSystemError):
		return func() { c.decline(http.StatusInternalServerError, "SYSTEM_ERROR", "系统错误") }
	case take(FaultV3Unsigned):
		return func() {
			c.declineUnsigned(http.StatusInternalServerError, "SYSTEM_ERROR", "系统异常，请稍后重试")
		}
	case take(FaultV3TooMany):
		return func() { c.decline(http.StatusTooManyRequests, "FREQUENCY_LIMITED", "频率超限") }
	case take(FaultV3Accepted):
		return func() { c.answer(http.StatusAccepted, "") }
	}
	return nil
}
