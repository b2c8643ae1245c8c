package wechattest

import (
	"encoding/json"
	"sort"
	"strconv"
	"time"
)

// prepayLife is the life of a prepay_id: 2 hours (docs/wechat.md 4.4).
const prepayLife = 2 * time.Hour

// unifiedOrder serves POST /pay/unifiedorder.
func (w *WeChat) unifiedOrder(p *payRequest) {
	if _, ok := w.takeFault(FaultAppIDNotBound, pathUnifiedOrder); ok {
		p.note("fault appid_not_bound")
		p.decline("APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配")
		return
	}
	if _, ok := w.takeFault(FaultNoPermission, pathUnifiedOrder); ok {
		p.note("fault no_permission")
		p.decline("NOAUTH", "商户无此接口权限")
		return
	}
	if code, text := checkFields(p, orderFields()); code != "" {
		p.decline(code, text)
		return
	}
	if !w.checkTradeType(p) {
		return
	}
	if !safeTradeNo.MatchString(p.get("out_trade_no")) {
		p.note("out_trade_no holds a special character that some of WeChat's documents do not allow: use letters, digits, _ and -")
	}
	now := w.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if o := w.orders[p.get("out_trade_no")]; o != nil {
		w.reenter(p, o, now)
		return
	}
	expires, code, text := checkTimes(p, now)
	if code != "" {
		p.decline(code, text)
		return
	}
	fee, err := strconv.ParseInt(p.get("total_fee"), 10, 64)
	if err != nil {
		p.decline("PARAM_ERROR", "total_fee参数格式错误")
		return
	}
	o := &order{
		Order: Order{
			OutTradeNo: p.get("out_trade_no"), Version: VersionV2, State: StateNotPay, TradeType: p.get("trade_type"), TotalFee: fee,
			Body: p.get("body"), Attach: p.get("attach"), OpenID: p.get("openid"), NotifyURL: p.get("notify_url"),
			SignType: p.algorithm, ClientIP: p.get("spbill_create_ip"), Created: now, Expires: expires.UTC(),
		},
		identity: identity(p.fields), device: p.get("device_info"),
	}
	w.orders[o.OutTradeNo] = o
	w.orderList = append(w.orderList, o)
	w.issuePrepay(p, o, now)
}

// checkTradeType applies what each trade_type demands beyond the table; false means
// that the response is written.
func (w *WeChat) checkTradeType(p *payRequest) bool {
	openID := p.get("openid")
	switch p.get("trade_type") {
	case "JSAPI":
		if openID == "" {
			// docs/wechat.md 13.9: one of the errors that have only a text.
			p.fail("LACK_PARAMS", "JSAPI支付必须传openid")
			return false
		}
	case "MWEB":
		var scene struct {
			H5 *struct {
				Type string `json:"type"`
			} `json:"h5_info"`
		}
		if p.get("scene_info") == "" {
			p.decline("LACK_PARAMS", "缺少参数scene_info")
			return false
		}
		if err := json.Unmarshal([]byte(p.get("scene_info")), &scene); err != nil || scene.H5 == nil || !contains([]string{"Wap", "IOS", "Android"}, scene.H5.Type) {
			p.note(`MWEB wants scene_info {"h5_info":{"type":"Wap","wap_url":"...","wap_name":"..."}}`)
			p.decline("PARAM_ERROR", "scene_info参数格式错误")
			return false
		}
	}
	if _, known := w.user(openID); openID != "" && !known {
		p.note("nobody has this openid under the appid: an openid of another account, or of a snapshot page")
		p.decline("INVALID_REQUEST", "appid and openid not match")
		return false
	}
	return true
}

// reenter responds to a number that was used before (docs/wechat.md 4.5); the caller holds
// w.mu.
func (w *WeChat) reenter(p *payRequest, o *order, now time.Time) {
	switch {
	case o.trade != nil:
		p.decline("ORDERPAID", "该订单已支付")
	case o.State == StateClosed:
		p.decline("ORDERCLOSED", "该订单已关闭")
	case o.identity != identity(p.fields):
		p.note("out_trade_no was used with other data: %s differs", firstDifference(o.identity, identity(p.fields)))
		p.decline("OUT_TRADE_NO_USED", "201 商户订单号重复")
	case now.After(o.Expires):
		p.note("the order's time_expire has passed")
		p.decline("PARAM_ERROR", "time_expire时间过短,刷卡至少1分钟,其他5分钟")
	default:
		p.note("re-entry with the same data: a fresh prepay_id")
		w.issuePrepay(p, o, now)
	}
}

// issuePrepay makes a prepay_id and answers; the caller holds w.mu.
func (w *WeChat) issuePrepay(p *payRequest, o *order, now time.Time) {
	id := w.addPrepay(o, now, p.r.Host)
	reply := []pair{{"trade_type", o.TradeType}, {"prepay_id", id}}
	switch o.TradeType {
	case "NATIVE":
		reply = append(reply, pair{"code_url", o.CodeURL})
	case "MWEB":
		if _, missing := w.takeFault(FaultMWEBMissing, ""); missing {
			p.note("fault mweb_missing: there is no mweb_url")
			break
		}
		reply = append(reply, pair{"mweb_url", o.MwebURL})
	}
	p.succeed(reply...)
}

// addPrepay makes a prepay_id, with a code_url for NATIVE and a mweb_url for MWEB. host
// is where the shop called WeChat; it is for a Config without WeChatURL. The caller
// holds w.mu.
func (w *WeChat) addPrepay(o *order, now time.Time, host string) string {
	id := w.ids.prepayID(now)
	pre := &prepay{order: o, made: now}
	w.prepays[id] = pre
	o.PrepayIDs = append(o.PrepayIDs, id)
	switch o.TradeType {
	case "NATIVE":
		// A re-entry changes code_url and voids the old one.
		o.CodeURL = "weixin://wxpay/bizpayurl?pr=" + w.ids.text(alnum, 9) + "zz"
		pre.codeURL = o.CodeURL
	case "MWEB":
		pre.secret = w.ids.text(digits, 10)
		o.MwebURL = w.baseURL(host) + pathCheckMWEB + "?prepay_id=" + id + "&package=" + pre.secret
	}
	return id
}

// baseURL is the origin of WeChat's servers.
func (w *WeChat) baseURL(host string) string {
	if w.cfg.WeChatURL != "" {
		return w.cfg.WeChatURL
	}
	return "http://" + host
}

// identity is everything that must be the same on re-entry: all but nonce_str
// and sign.
func identity(fields []pair) string {
	var kept []pair
	for _, f := range fields {
		if f.value != "" && f.name != "sign" && f.name != "nonce_str" {
			kept = append(kept, f)
		}
	}
	sort.Slice(kept, func(i, j int) bool { return kept[i].name < kept[j].name })
	b, err := json.Marshal(flatten(kept))
	if err != nil {
		panic("wechattest: " + err.Error()) // strings only
	}
	return string(b)
}

// flatten lists names and values in turn.
func flatten(fields []pair) []string {
	list := make([]string, 0, 2*len(fields))
	for _, f := range fields {
		list = append(list, f.name, f.value)
	}
	return list
}

// firstDifference names a field in which two identities differ.
func firstDifference(a, b string) string {
	var was, is []string
	if json.Unmarshal([]byte(a), &was) != nil || json.Unmarshal([]byte(b), &is) != nil {
		return "a field"
	}
	old := map[string]string{}
	for i := 0; i+1 < len(was); i += 2 {
		old[was[i]] = was[i+1]
	}
	for i := 0; i+1 < len(is); i += 2 {
		if v, ok := old[is[i]]; !ok || v != is[i+1] {
			return is[i]
		}
		delete(old, is[i])
	}
	for i := 0; i+1 < len(was); i += 2 {
		if _, ok := old[was[i]]; ok {
			return was[i]
		}
	}
	return "a field"
}
