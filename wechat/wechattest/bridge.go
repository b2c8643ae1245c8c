package wechattest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// InvokeCall is one call of WeixinJSBridge.invoke.
type InvokeCall struct {
	API string `json:"api"`
	// Args are raw, since the client checks their types.
	Args map[string]json.RawMessage `json:"args"`
	// URL is the page's current address. Landing is the address with which the web
	// view was opened: an iPhone compares it with the payment directory.
	URL     string `json:"url"`
	Landing string `json:"landing"`
}

// BridgeError is what the page's callback gets if no sheet opens.
type BridgeError struct {
	ErrMsg  string `json:"err_msg"`
	ErrDesc string `json:"err_desc,omitempty"`
	// Shape is the form in which the callback gets it: "" an object with err_msg,
	// "string", "undefined", or "sdk", an object with errMsg.
	Shape string `json:"shape,omitempty"`
	note  string
}

const (
	payAPI    = "getBrandWCPayRequest"
	payFail   = "get_brand_wcpay_request:fail"
	payOK     = "get_brand_wcpay_request:ok"
	payCancel = "get_brand_wcpay_request:cancel"
)

// payArgs are the six fields of getBrandWCPayRequest, exact in case, with their
// lengths in bytes (docs/wechat.md 5.1).
var payArgs = []field{
	{name: "appId", max: 32}, {name: "timeStamp", max: 32}, {name: "nonceStr", max: 32},
	{name: "package", max: 128}, {name: "signType", max: 32}, {name: "paySign", max: 512}, // APIv2 64,
}

// secondsForm is a timeStamp in seconds; milliseconds have 13 digits.
var secondsForm = regexp.MustCompile(`^[0-9]{10}$`)

// Invoke is the WeChat client's side of getBrandWCPayRequest. It checks the six fields,
// their types, the signature, the page's directory and the payer. Then it opens a
// payment sheet. It returns either the sheet or an error. Pay is shorter.
func (w *WeChat) Invoke(call InvokeCall) (Sheet, *BridgeError) {
	request, err := json.MarshalIndent(call.Args, "", "  ")
	if err != nil {
		request = []byte("(arguments that are no JSON)")
	}
	m := Message{From: PartyPage, To: PartyPhone, Kind: call.API, Method: "INVOKE", URL: call.URL, Request: string(request), Status: http.StatusOK}
	sh, bad := w.openSheet(call, &m)
	var answer any = sh
	if bad != nil {
		answer = bad
		m.Note = joinNotes(m.Note, bad.note)
	}
	if b, err := json.Marshal(answer); err == nil {
		m.Response = string(b)
	}
	w.record(m)
	if bad == nil {
		w.publish(Event{Kind: EventSheet, Sheet: &sh})
	}
	return sh, bad
}

// openSheet makes the checks of Invoke.
func (w *WeChat) openSheet(call InvokeCall, m *Message) (Sheet, *BridgeError) {
	if call.API != payAPI {
		return Sheet{}, &BridgeError{ErrMsg: "system:function_not_exist", note: "the simulator's bridge has " + payAPI + " only"}
	}
	place := w.Place()
	if bad := payInPlace(place); bad != nil {
		return Sheet{}, bad
	}
	for _, a := range answerFaults {
		if _, ok := w.takeFault(a.kind, ""); ok {
			return Sheet{}, &BridgeError{ErrMsg: a.errMsg, Shape: a.shape, note: "fault " + a.kind}
		}
	}
	fields, bad := readPayArgs(place, call.Args)
	if bad != nil {
		return Sheet{}, bad
	}
	if bad := w.checkPayArgs(fields); bad != nil {
		return Sheet{}, bad
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	pre := w.prepays[strings.TrimPrefix(valueOf(fields, "package"), "prepay_id=")]
	now := w.Now()
	switch {
	case pre == nil:
		return Sheet{}, missingField("total_fee", "the prepay_id is unknown")
	case now.Sub(pre.made) > prepayLife:
		return Sheet{}, missingField("total_fee", "the prepay_id is older than 2 hours")
	}
	o := pre.order
	if bad := w.checkPaySign(fields, o, m); bad != nil {
		return Sheet{}, bad
	}
	if hint := w.checkPayDir(place, call); hint != "" {
		return Sheet{}, declinePay("当前页面的URL未注册:"+checkedURL(place, call), hint)
	}
	holder := w.users[w.holder]
	switch {
	case o.OpenID != "" && o.OpenID != holder.OpenID:
		return Sheet{}, declinePay("下单账号与支付账号不一致", "the order is another user's: unifiedorder got the openid of someone else than who holds the phone")
	case o.TradeType != "JSAPI":
		return Sheet{}, declinePay("商家暂时没有此类交易权限", "the order's trade_type is "+o.TradeType+", the bridge pays JSAPI")
	}
	if bad := o.payable(now); bad != nil {
		return Sheet{}, bad
	}
	return w.addSheet(o, holder).Sheet, nil
}

// payInPlace returns the error of getBrandWCPayRequest where it cannot pay, else nil
// (docs/wechat.md 5.4, 16.2).
func payInPlace(place Place) *BridgeError {
	switch e := place.Environment; {
	case place.onComputer() && !e.InMiniProgram():
		return missingField("total_fee", "WeChat on a computer does not pay by the bridge: show a code (NATIVE)")
	case e == MiniProgramIOS:
		return &BridgeError{ErrMsg: "access_control:not_allowed", note: "a mini program's web-view cannot pay: go to a page of the mini program, which calls wx.requestPayment"}
	case e.InMiniProgram():
		return &BridgeError{ErrMsg: "system:access_denied", note: "a mini program's web-view cannot pay: go to a page of the mini program, which calls wx.requestPayment"}
	case e == Work:
		return &BridgeError{ErrMsg: "system:access_denied", note: "Enterprise WeChat does not know the Official Account: ask the person to open the link in WeChat"}
	case !place.Bridge:
		return &BridgeError{ErrMsg: "system:function_not_exist", note: "a browser has no bridge, so a page cannot call it there"}
	}
	return nil
}

// readPayArgs checks presence, case and types, before anything is sent to
// WeChat's servers.
func readPayArgs(place Place, args map[string]json.RawMessage) ([]pair, *BridgeError) {
	var fields []pair
	for _, f := range payArgs {
		raw, ok := args[f.name]
		if !ok {
			hint := f.name + " is missing"
			for name := range args {
				if strings.EqualFold(name, f.name) {
					hint = "the field is called " + f.name + ", not " + name
				}
			}
			return nil, missingField(f.name, hint)
		}
		if string(raw) == "null" {
			return nil, &BridgeError{ErrMsg: payFail + "_missing arguments", ErrDesc: "调用支付JSAPI缺少参数: " + f.name, note: f.name + " is null"}
		}
		var v string
		if json.Unmarshal(raw, &v) != nil {
			// docs/wechat.md 5.1: a number fails on iOS, with a text of its own. The simulator
			// declines it on both.
			name := f.name
			if place.Apple {
				name = "$key0$"
			}
			return nil, missingField(name, f.name+" must be a string, it is "+string(raw))
		}
		if v == "" {
			if f.name == "package" {
				return nil, missingField("total_fee", "package is empty")
			}
			return nil, missingField(f.name, f.name+" is empty")
		}
		if len(v) > f.max {
			return nil, declinePay("支付验证签名失败", f.name+" is longer than "+itoa(int64(f.max))+" bytes")
		}
		fields = append(fields, pair{f.name, v})
	}
	return fields, nil
}

// checkPayArgs makes the checks of the client that need no server of WeChat's.
func (w *WeChat) checkPayArgs(fields []pair) *BridgeError {
	switch {
	case valueOf(fields, "appId") != w.cfg.AppID:
		return &BridgeError{ErrMsg: payFail + "_invalid appid", note: "appId is not that of the page's account, " + w.cfg.AppID}
	case !secondsForm.MatchString(valueOf(fields, "timeStamp")):
		return missingField("timeStamp", "timeStamp must be whole seconds, ten digits; milliseconds are a common mistake")
	case !strings.HasPrefix(valueOf(fields, "package"), "prepay_id="):
		return missingField("total_fee", "package must be prepay_id=...")
	}
	return nil
}

// checkPaySign checks signType and paySign against the order.
func (w *WeChat) checkPaySign(fields []pair, o *order, m *Message) *BridgeError {
	if o.Version == VersionV3 {
		return w.checkV3PaySign(fields, o, m)
	}
	given, signType := valueOf(fields, "paySign"), valueOf(fields, "signType")
	signed := slices.DeleteFunc(slices.Clone(fields), func(f pair) bool { return f.name == "paySign" })
	algorithm := o.SignType
	m.Signed = checkSign(signed, algorithm, w.cfg.APIKey, given)
	if signType != o.SignType {
		m.Signed.OK = false
		return declinePay("支付验证签名失败", "signType is "+signType+", but the order was made with sign_type "+o.SignType)
	}
	if !m.Signed.OK {
		return declinePay("支付验证签名失败", diagnose(signed, algorithm, w.cfg.APIKey, w.cfg.AppSecret, given))
	}
	return nil
}

// checkedURL is the address that the directory is compared with
// (docs/wechat.md 5.5): Android the current one, iOS the landing one.
func checkedURL(place Place, call InvokeCall) string {
	if place.Apple && call.Landing != "" {
		return call.Landing
	}
	return call.URL
}

// checkPayDir checks the page's address; the result is empty when it may pay.
func (w *WeChat) checkPayDir(place Place, call InvokeCall) string {
	dirs := w.payDirs()
	if len(dirs) == 0 {
		return ""
	}
	page, _, _ := strings.Cut(checkedURL(place, call), "#")
	page, _, _ = strings.Cut(page, "?")
	for _, d := range dirs {
		u, err := url.Parse(d)
		root := err == nil && u.Path == "/"
		if root && page+"/" == d {
			return "" // the root without its slash is the same page
		}
		rest, ok := strings.CutPrefix(page, d) // case sensitive, scheme included
		// The root as an entry covers the whole domain. Any other entry covers only the pages
		// directly in it.
		if ok && (root || !strings.Contains(rest, "/")) {
			return ""
		}
	}
	hint := "the page " + page + " lies directly in none of the payment directories: " + strings.Join(dirs, ", ")
	if place.Apple {
		hint += " (an iPhone checks the landing URL)"
	}
	return hint
}

// payDirs returns the configured directories, or the roots of the phone's and the
// shop's origins; none means any. The caller holds w.mu.
func (w *WeChat) payDirs() []string {
	if len(w.cfg.PayDirs) > 0 {
		return w.cfg.PayDirs
	}
	var dirs []string
	for _, origin := range []string{w.cfg.PublicURL, w.shopURL} {
		if origin != "" && !slices.Contains(dirs, origin+"/") {
			dirs = append(dirs, origin+"/")
		}
	}
	return dirs
}

// missingField is the dialog of a missing or malformed field.
func missingField(name, note string) *BridgeError {
	return declinePay("调用支付JSAPI缺少参数: "+name, note)
}
