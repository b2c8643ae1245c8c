package wechattest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// v3Route is one call of APIv3.
type v3Route struct {
	kind     string // of its Message
	method   string
	pattern  string // segments in braces are parameters; Fault.Path is such a pattern
	auth     v3AuthTexts
	noSerial bool // Wechatpay-Serial is not read, since the response brings its own keys
	hasUA    bool // a missing User-Agent is declined before the signature is looked at
	unsigned bool // the response has no signature, as that of a bill file
}

// The patterns of APIv3's calls. Fault.Path is one of them.
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

// v3Routes lists the calls. v3Handlers has their handlers.
func v3Routes() []v3Route {
	const get, post = http.MethodGet, http.MethodPost
	return []v3Route{
		{kind: "v3_jsapi", method: post, pattern: PathV3JSAPI},
		{kind: "v3_native", method: post, pattern: PathV3Native},
		{kind: "v3_h5", method: post, pattern: PathV3H5},
		{kind: "v3_app", method: post, pattern: PathV3App},
		{kind: "v3_query", method: get, pattern: PathV3QueryID},
		{kind: "v3_query", method: get, pattern: PathV3QueryOutTradeNo},
		{kind: "v3_close", method: post, pattern: PathV3Close},
		{kind: "v3_refund", method: post, pattern: PathV3Refund, auth: v3TextsStrict, hasUA: true},
		{kind: "v3_refund_query", method: get, pattern: PathV3QueryRefund, auth: v3TextsStrict, hasUA: true},
		{kind: "v3_tradebill", method: get, pattern: PathV3TradeBill, auth: v3TextsStrict},
		{kind: "v3_fundflowbill", method: get, pattern: PathV3FundFlowBill, auth: v3TextsStrict},
		{kind: "v3_bill_file", method: get, pattern: PathV3BillFile, auth: v3TextsStrict, unsigned: true},
		{kind: "v3_certificates", method: get, pattern: PathV3Certificates, auth: v3TextsStrict, hasUA: true, noSerial: true},
		{kind: "v3_echo", method: post, pattern: PathV3Echo, auth: v3TextsStrict},
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
