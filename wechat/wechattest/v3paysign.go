package wechattest

// checkV3PaySign checks signType and paySign of an order of APIv3 (docs/wechat.md
// 18.8). The text has four lines, each with its line feed, and is signed with a key of
// the merchant's.
func (w *WeChat) checkV3PaySign(fields []pair, o *order, m *Message) *BridgeError {
	given := valueOf(fields, "paySign")
	lines := []string{valueOf(fields, "appId"), valueOf(fields, "timeStamp"), valueOf(fields, "nonceStr"), valueOf(fields, "package")}
	signed, keys := w.checkMerchantSign(joinLines(lines), given)
	m.Signed = signed
	if signType := valueOf(fields, "signType"); signType != o.SignType {
		m.Signed.OK = false
		return declinePay("支付验证签名失败", "signType is "+signType+", but the order was placed by APIv3, which takes RSA")
	}
	if m.Signed.OK {
		return nil
	}
	d := diagnoseV3PaySign(lines, given, keys)
	m.Signed.Yours = d.yours
	return declinePay("支付验证签名失败", d.text)
}

// checkMerchantSign verifies a signature with the merchant's keys that are not
// revoked; it returns all of them.
func (w *WeChat) checkMerchantSign(text, given string) (*Signed, []v3Key) {
	keys := w.merchantKeys()
	newest := &keys[len(keys)-1]
	s := &Signed{String: text, Algorithm: v3Scheme, Given: given}
	for _, k := range keys {
		if !k.revoked && k.verify(text, given) {
			s.OK, s.Expected = true, given
		}
	}
	if !s.OK {
		s.Expected = newest.sign(text)
	}
	return s, keys
}

// AppCall is what an app hands to WeChat's SDK to pay an order of the prepay call
// for apps. The names in the SDK differ by platform.
type AppCall struct {
	AppID     string `json:"appid"`
	PartnerID string `json:"partnerid"` // the merchant number
	PrepayID  string `json:"prepayid"`
	Package   string `json:"package"` // Sign=WXPay
	NonceStr  string `json:"noncestr"`
	TimeStamp string `json:"timestamp"` // Unix seconds
	Sign      string `json:"sign"`
}

// InvokeApp is WeChat's side of the call of an app. It checks the fields and the
// signature, and opens a sheet for the person who holds the phone. One of the two
// results is set.
func (w *WeChat) InvokeApp(call AppCall) (Sheet, *BridgeError) {
	m := Message{From: PartyPage, To: PartyPhone, Kind: "app_pay", Method: "INVOKE", Request: call.PrepayID, Status: 200}
	s, bad := w.openAppSheet(call, &m)
	if bad != nil {
		m.Note = bad.note
		m.Response = bad.ErrDesc
	}
	w.record(m)
	if bad == nil {
		w.publish(Event{Kind: EventSheet, Sheet: &s})
	}
	return s, bad
}

func (w *WeChat) openAppSheet(call AppCall, m *Message) (Sheet, *BridgeError) {
	switch {
	case call.AppID != w.cfg.AppID || call.PartnerID != w.cfg.MchID:
		return Sheet{}, declinePay("商户号与appid不匹配", "appid or partnerid is not the merchant's")
	case call.Package != "Sign=WXPay":
		return Sheet{}, declinePay("支付参数错误", "package must be Sign=WXPay")
	case !secondsForm.MatchString(call.TimeStamp):
		return Sheet{}, declinePay("支付参数错误", "timestamp must be whole seconds, ten digits")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	pre, now := w.prepays[call.PrepayID], w.Now()
	switch {
	case pre == nil || pre.order.Version != VersionV3 || pre.order.TradeType != "APP":
		return Sheet{}, declinePay("支付参数错误", "no order of the prepay call for apps has this prepay_id")
	case now.Sub(pre.made) > prepayLife:
		return Sheet{}, declinePay("支付参数错误", "the prepay_id is older than 2 hours")
	}
	lines := []string{call.AppID, call.TimeStamp, call.NonceStr, call.PrepayID}
	signed, keys := w.checkMerchantSign(joinLines(lines), call.Sign)
	m.Signed = signed
	if !signed.OK {
		d := diagnoseV3PaySign(lines, call.Sign, keys)
		m.Signed.Yours = d.yours
		return Sheet{}, declinePay("支付验证签名失败", d.text)
	}
	if bad := pre.order.payable(now); bad != nil {
		return Sheet{}, bad
	}
	return w.addSheet(pre.order, w.users[w.holder]).Sheet, nil
}
