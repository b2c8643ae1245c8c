package wechattest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// The bounds of time_expire in APIv3.
const (
	v3ExpireMin       = time.Minute
	v3ExpireMax       = 15 * 24 * time.Hour
	v3ExpireMaxNative = 7 * 24 * time.Hour
)

// v3OrderFields is the field table of a prepay call.
func v3OrderFields(tradeType string) []v3Field {
	fields := []v3Field{
		v3Text("appid", "公众号ID", 32).need(),
		v3Text("mchid", "直连商户号", 32).need(),
		{name: "description", title: "商品描述", required: true, max: 127, characters: true, valid: plainText},
		{name: "out_trade_no", title: "商户订单号", required: true, min: 6, max: 32, form: v3OutTradeNo},
		{name: "time_expire", title: "交易结束时间", max: 64, valid: v3Time},
		v3Text("attach", "商户数据包", 128),
		{name: "notify_url", title: "通知地址", required: true, max: 255, form: v3NotifyURL},
		v3Text("goods_tag", "订单优惠标记", 32),
		{name: "support_fapiao", title: "电子发票入口开放标识", kind: v3Boolean},
		{name: "limit_pay", title: "指定支付方式", kind: v3List, max: 32, enum: []string{"no_balance", "no_credit", "no_debit", "balance_only"}},
		v3Group("amount", "订单金额",
			v3Fen("total", "总金额", 1).need(),
			v3Choice("currency", "货币类型", 16, "CNY"),
		).need(),
		v3Group("detail", "商品详情",
			v3Fen("cost_price", "订单原价", 0),
			v3Text("invoice_id", "商品小票ID", 32),
			v3Field{name: "goods_detail", title: "单品列表", kind: v3List, items: 1, fields: []v3Field{
				v3Text("merchant_goods_id", "商户侧商品编码", 32).need(),
				v3Text("wechatpay_goods_id", "微信支付商品编码", 32),
				v3Text("goods_name", "商品名称", 256),
				v3Fen("quantity", "商品数量", 1).need(),
				v3Fen("unit_price", "商品单价", 0).need(),
			}},
		),
		v3Group("settle_info", "结算信息", v3Field{name: "profit_sharing", title: "是否指定分账", kind: v3Boolean}),
	}
	scene := []v3Field{
		{name: "payer_client_ip", title: "用户终端IP", required: true, max: 45, valid: v3Address},
		v3Text("device_id", "商户端设备号", 32),
		v3Group("store_info", "商户门店信息",
			v3Text("id", "门店编号", 32).need(), v3Text("name", "门店名称", 256), v3Text("area_code", "地区编码", 32), v3Text("address", "详细地址", 512),
		),
	}
	switch tradeType {
	case "JSAPI":
		fields = append(fields, v3Group("payer", "支付者", v3Text("openid", "用户标识", 128).need()).need())
	case "MWEB":
		scene = append(scene, v3Group("h5_info", "H5场景信息",
			v3Choice("type", "场景类型", 32, "Wap", "iOS", "Android").need(),
			v3Text("app_name", "应用名称", 64), v3Text("app_url", "网站URL", 128), v3Text("bundle_id", "iOS平台BundleID", 128), v3Text("package_name", "Android平台PackageName", 128),
		).need())
		return append(fields, v3Group("scene_info", "场景信息", scene...).need())
	}
	return append(fields, v3Group("scene_info", "场景信息", scene...))
}

// v3TradeType is the trade_type of a prepay call.
func v3TradeType(pattern string) string {
	return map[string]string{PathV3JSAPI: "JSAPI", PathV3Native: "NATIVE", PathV3H5: "MWEB", PathV3App: "APP"}[pattern]
}

// v3Order serves the four prepay calls.
func (w *WeChat) v3Order(c *v3Call) {
	tradeType := v3TradeType(c.route.pattern)
	if !c.readBody(v3OrderFields(tradeType)) || !c.checkMchID(c.fields.text("mchid"), "post payload") {
		return
	}
	if w.declineOrderV3(c) {
		return
	}
	f := c.fields
	openID := f.text("payer/openid")
	_, known := w.user(openID)
	switch {
	case f.text("appid") != w.cfg.AppID:
		c.note("the simulator's account is %s", w.cfg.AppID)
		c.decline(http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配，请检查后再试")
		return
	case tradeType == "JSAPI" && !known:
		c.note("nobody has this openid under the appid: an openid of another account, or of a snapshot page")
		c.declineField(&v3Problem{message: "无效的openid", location: "body", value: "/body/payer/openid"})
		return
	}
	if !safeTradeNo.MatchString(f.text("out_trade_no")) {
		c.note("out_trade_no holds a special character that some of WeChat's documents do not allow: use letters, digits, _ and -")
	}
	if tradeType == "MWEB" {
		if _, missing := w.takeFault(FaultMWEBMissing, ""); missing {
			c.note("fault mweb_missing: the merchant has no permission for H5 payment")
			c.decline(http.StatusForbidden, "NO_AUTH", "商户无此接口权限")
			return
		}
	}
	identity := v3OrderIdentity(c)
	now := w.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if o := w.orders[f.text("out_trade_no")]; o != nil {
		w.reenterV3(c, o, identity, now)
		return
	}
	expires, ok := c.expires(tradeType, now)
	if !ok {
		return
	}
	o := &order{
		Order: Order{
			OutTradeNo: f.text("out_trade_no"), Version: VersionV3, State: StateNotPay, TradeType: tradeType, TotalFee: f.number("amount/total"),
			Body: f.text("description"), Attach: f.text("attach"), OpenID: openID, NotifyURL: f.text("notify_url"),
			SignType: "RSA", ClientIP: f.text("scene_info/payer_client_ip"), Created: now, Expires: expires.UTC(),
		},
		identity: identity, device: f.text("scene_info/device_id"),
	}
	w.orders[o.OutTradeNo] = o
	w.orderList = append(w.orderList, o)
	w.issuePrepayV3(c, o, now)
}

// expires reads time_expire. A time less than a minute ahead is moved to a minute, a
// time too far ahead to the last one that is allowed.
func (c *v3Call) expires(tradeType string, now time.Time) (time.Time, bool) {
	text := c.fields.text("time_expire")
	if text == "" {
		return now.Add(expireDefault), true
	}
	expires, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic("wechattest: the field table accepts an invalid time")
	}
	if c.w.cfg.RealTimeShop {
		expires = expires.Add(c.w.clock.lead())
	}
	furthest := v3ExpireMax
	if tradeType == "NATIVE" {
		furthest = v3ExpireMaxNative
	}
	switch left := expires.Sub(now); {
	case left <= 0:
		c.note("time_expire has passed: WeChat's clock says %s", now.In(beijing).Format(time.RFC3339))
		c.declineField(&v3Problem{message: v3Source("body", "/time_expire") + "映射到值字段“交易结束时间”规则校验失败，交易结束时间早于当前时间", location: "body", value: text})
		return time.Time{}, false
	case left < v3ExpireMin:
		c.note("time_expire is less than a minute ahead: it is moved to a minute")
		return now.Add(v3ExpireMin), true
	case left > furthest:
		c.note("time_expire is more than %d days ahead: it is moved back", furthest/(24*time.Hour))
		return now.Add(furthest), true
	}
	return expires, true
}

// v3OrderIdentity is everything that must be the same when an order is placed again.
// It never equals that of an order of APIv2.
func v3OrderIdentity(c *v3Call) string {
	b, err := json.Marshal(append([]string{"path", c.route.pattern}, c.fields.flatten()...))
	if err != nil {
		panic("wechattest: " + err.Error()) // strings only
	}
	return string(b)
}

// reenterV3 responds to a number that was used before; the caller holds w.mu.
func (w *WeChat) reenterV3(c *v3Call, o *order, identity string, now time.Time) {
	switch {
	case o.trade != nil:
		c.decline(http.StatusBadRequest, "ORDER_PAID", "该订单已支付")
	case o.State == StateClosed:
		c.decline(http.StatusBadRequest, "ORDER_CLOSED", "该订单已关闭")
	case o.identity != identity:
		if o.Version != VersionV3 {
			c.note("out_trade_no was used by APIv2")
		} else {
			c.note("out_trade_no was used with other data: %s differs", firstDifference(o.identity, identity))
		}
		c.decline(http.StatusForbidden, "OUT_TRADE_NO_USED", "商户订单号重复")
	case now.After(o.Expires):
		c.note("the order's time_expire has passed")
		c.decline(http.StatusBadRequest, "ORDER_CLOSED", "订单已过期，请更换商户订单号")
	default:
		c.note("re-entry with the same data: a fresh prepay_id")
		w.issuePrepayV3(c, o, now)
	}
}

// issuePrepayV3 makes a prepay_id and answers; the caller holds w.mu.
func (w *WeChat) issuePrepayV3(c *v3Call, o *order, now time.Time) {
	id := w.addPrepay(o, now, c.r.Host)
	switch o.TradeType {
	case "NATIVE":
		c.succeed(v3Object{{"code_url", o.CodeURL}})
	case "MWEB":
		c.succeed(v3Object{{"h5_url", o.MwebURL}})
	default:
		c.succeed(v3Object{{"prepay_id", id}})
	}
}

// v3Query serves the queries by both numbers.
func (w *WeChat) v3Query(c *v3Call) {
	if p := c.checkQuery([]v3Field{v3Text("mchid", "直连商户号", 32).need()}); p != nil {
		c.declineField(p)
		return
	}
	transactionID, outTradeNo := c.vars["transaction_id"], c.vars["out_trade_no"]
	if transactionID != "" && !transactionIDForm.MatchString(transactionID) {
		c.declineField(&v3Problem{message: "微信订单号非法", location: "uri_template", value: transactionID})
		return
	}
	if outTradeNo != "" && !c.checkOutTradeNo(outTradeNo) || !c.checkMchID(c.query.Get("mchid"), "query") {
		return
	}
	now := w.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.findOrder(transactionID, outTradeNo)
	if o == nil || w.hiddenFromVersion(c.exchange, o, VersionV3) {
		c.decline(http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在")
		return
	}
	state, trade := o.State, o.trade
	if trade != nil {
		if f, ok := w.takeFault(FaultQueryLate, ""); ok && now.Sub(trade.Paid) < time.Duration(f.DelayMS)*time.Millisecond {
			c.note("fault query_late: the order is paid")
			state, trade = StateNotPay, nil
		}
	} else if _, ok := w.takeFault(FaultForgedReply, ""); ok {
		c.note("fault forged_reply: the order is not paid")
		c.forged = true
		made := w.tradeOrForged(o)
		state, trade = StateSuccess, &made
	}
	c.succeed(w.transaction(o, state, trade))
}

// checkOutTradeNo checks the number in the path.
func (c *v3Call) checkOutTradeNo(no string) bool {
	f := v3Field{title: "商户订单号", required: true, min: 6, max: 32, form: v3OutTradeNo}
	if p := f.checkText("uri_template", "/out_trade_no", no); p != nil {
		c.declineField(p)
		return false
	}
	return true
}

// transaction returns an order as queries and callbacks show it. trade is nil if the order must
// look unpaid.
func (w *WeChat) transaction(o *order, state string, trade *Trade) v3Object {
	desc := map[string]string{
		StateSuccess: "支付成功", StateRefund: "订单发生过退款，退款详情请查询退款单", StateClosed: "订单已关闭", StateNotPay: "订单未支付",
	}[state]
	if trade == nil {
		return v3Object{
			{"amount", v3Object{{"payer_currency", "CNY"}, {"total", o.TotalFee}}},
			{"appid", w.cfg.AppID}, {"mchid", w.cfg.MchID}, {"out_trade_no", o.OutTradeNo}, {"promotion_detail", []v3Object{}},
			{"scene_info", v3Object{{"device_id", o.device}}}, {"trade_state", state}, {"trade_state_desc", desc},
		}
	}
	return v3Object{
		{"amount", v3Object{{"currency", "CNY"}, {"payer_currency", "CNY"}, {"payer_total", trade.CashFee}, {"total", trade.TotalFee}}},
		{"appid", w.cfg.AppID}, {"attach", o.Attach}, {"bank_type", trade.BankType}, {"mchid", w.cfg.MchID},
		{"out_trade_no", o.OutTradeNo}, {"payer", v3Object{{"openid", trade.OpenID}}}, {"promotion_detail", trade.promotions()},
		{"success_time", v3Stamp(trade.Paid)}, {"trade_state", state}, {"trade_state_desc", desc},
		{"trade_type", o.TradeType}, {"transaction_id", trade.TransactionID},
	}
}

// v3Stamp writes a time as APIv3 does.
func v3Stamp(t time.Time) string { return t.In(beijing).Format(time.RFC3339) }

// v3CouponType is the type of a coupon in APIv3.
func v3CouponType(c Coupon) string { return strings.ReplaceAll(c.Type, "_", "") }

// promotions are the coupons of a payment.
func (t Trade) promotions() []v3Object {
	list := []v3Object{}
	for _, c := range t.Coupons {
		p := v3Object{{"amount", c.Fee}, {"coupon_id", c.ID}, {"scope", "GLOBAL"}, {"name", "满减券"}, {"stock_id", "1" + c.ID}, {"currency", "CNY"}}
		if !c.Untyped {
			p = append(p, v3Member{"type", v3CouponType(c)})
		}
		list = append(list, p)
	}
	return list
}

// v3Close serves the close call: 204, also when the order is closed already.
func (w *WeChat) v3Close(c *v3Call) {
	if !c.checkOutTradeNo(c.vars["out_trade_no"]) || !c.readBody([]v3Field{v3Text("mchid", "直连商户号", 32).need()}) ||
		!c.checkMchID(c.fields.text("mchid"), "post payload") {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.orders[c.vars["out_trade_no"]]
	switch {
	case o == nil || w.hiddenFromVersion(c.exchange, o, VersionV3):
		c.decline(http.StatusNotFound, "ORDER_NOT_EXIST", "订单不存在")
	case o.trade != nil:
		c.decline(http.StatusBadRequest, "ORDER_PAID", "该订单已支付")
	default:
		if o.State == StateClosed {
			c.note("the order was closed before")
		}
		// A payment sheet that is open stays so; its button finds the order closed.
		o.State = StateClosed
		c.answer(http.StatusNoContent, "")
	}
}

// hiddenFromVersion applies the fault cross_version: a call about an order of the other version
// finds nothing. The caller holds w.mu.
func (w *WeChat) hiddenFromVersion(x *exchange, o *order, version string) bool {
	if o.Version == version {
		return false
	}
	if _, ok := w.takeFault(FaultCrossVersion, ""); !ok {
		return false
	}
	x.note("fault cross_version: the order is of API%s", o.Version)
	return true
}

// declineOrderV3 applies the faults of the account to an order of APIv3.
func (w *WeChat) declineOrderV3(c *v3Call) bool {
	if _, ok := w.takeFault(FaultAppIDNotBound, c.route.pattern); ok {
		c.note("fault appid_not_bound")
		c.decline(http.StatusBadRequest, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配，请检查后再试")
		return true
	}
	if _, ok := w.takeFault(FaultNoPermission, c.route.pattern); ok {
		c.note("fault no_permission")
		c.decline(http.StatusForbidden, "NO_AUTH", "商户无此接口权限")
		return true
	}
	return false
}
