package wechattest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The four prepay calls in each mode, and the order in the ledger.
func TestV3Orders(t *testing.T) {
	t.Parallel()
	for _, md := range []V3Mode{V3PublicKey, V3Certificates, V3Both} {
		t.Run(string(md), func(t *testing.T) {
			t.Parallel()
			m := newMerchant(t, mode(md))
			for tradeType, member := range map[string]string{"JSAPI": "prepay_id", "NATIVE": "code_url", "MWEB": "h5_url", "APP": "prepay_id"} {
				got := m.place("v3-"+tradeType, tradeType)
				if v, _ := got[member].(string); v == "" {
					t.Errorf("%s: no %s in %v", tradeType, member, got)
				}
			}
			for _, o := range m.Ledger().Orders {
				if o.Version != VersionV3 || o.TotalFee != 880 || o.State != StateNotPay || o.NotifyURL != notifyURL || "v3-"+o.TradeType != o.OutTradeNo {
					t.Errorf("%+v", o)
				}
			}
			if n := len(m.Ledger().Orders); n != 4 {
				t.Errorf("%d orders, want 4", n)
			}
		})
	}
}

// A repeated order gets a new code. Other data or another version is declined.
func TestV3PlacedAgain(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	first := m.place("again-1", "NATIVE")["code_url"]
	if second := m.place("again-1", "NATIVE")["code_url"]; second == first {
		t.Error("the code_url is the old one")
	}
	code := func(path, body string, status int) any {
		t.Helper()
		return m.v3("POST", path, body, status)["code"]
	}
	amount := map[string]any{"total": 881, "currency": "CNY"}
	for name, got := range map[string]any{
		"another amount": code(PathV3Native, m.body("again-1", "NATIVE", set("amount", amount)), http.StatusForbidden),
		"another path":   code(PathV3App, m.body("again-1", "APP"), http.StatusForbidden),
	} {
		if got != "OUT_TRADE_NO_USED" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := valueOf(m.pay(pathUnifiedOrder, m.order("again-1")), "err_code"); got != "OUT_TRADE_NO_USED" {
		t.Errorf("by APIv2: %s", got)
	}
	m.prepay("again-v2")
	if got := code(PathV3JSAPI, m.body("again-v2", "JSAPI"), http.StatusForbidden); got != "OUT_TRADE_NO_USED" {
		t.Errorf("an order of APIv2: %v", got)
	}
	m.scanAndPay("again-paid")
	if got := code(PathV3Native, m.body("again-paid", "NATIVE"), http.StatusBadRequest); got != "ORDER_PAID" {
		t.Errorf("paid: %v", got)
	}
	m.v3(m.closeOf("again-1"))
	if got := code(PathV3Native, m.body("again-1", "NATIVE"), http.StatusBadRequest); got != "ORDER_CLOSED" {
		t.Errorf("closed: %v", got)
	}
}

// The shapes are those of live answers.
func TestV3Query(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	m.place("query-1", "NATIVE")
	want := map[string]any{
		"amount": map[string]any{"payer_currency": "CNY", "total": 880.0}, "appid": m.cfg.AppID, "mchid": m.cfg.MchID, "out_trade_no": "query-1",
		"promotion_detail": []any{}, "scene_info": map[string]any{"device_id": ""}, "trade_state": "NOTPAY", "trade_state_desc": "订单未支付",
	}
	if diff := cmp.Diff(want, m.v3("GET", m.queryURI("query-1"), "", http.StatusOK)); diff != "" {
		t.Errorf("unpaid (-want +got):\n%s", diff)
	}
	m.scanAndPay("query-2")
	trade := m.Ledger().Trades[0]
	want = map[string]any{
		"amount": map[string]any{"currency": "CNY", "payer_currency": "CNY", "payer_total": 880.0, "total": 880.0},
		"appid":  m.cfg.AppID, "attach": "a & b", "bank_type": trade.BankType, "mchid": m.cfg.MchID, "out_trade_no": "query-2",
		"payer": map[string]any{"openid": m.User().OpenID}, "promotion_detail": []any{}, "success_time": trade.Paid.In(beijing).Format(time.RFC3339),
		"trade_state": "SUCCESS", "trade_state_desc": "支付成功", "trade_type": "NATIVE", "transaction_id": trade.TransactionID,
	}
	if diff := cmp.Diff(want, m.v3("GET", m.queryURI("query-2"), "", http.StatusOK)); diff != "" {
		t.Errorf("paid (-want +got):\n%s", diff)
	}
	byID := "/v3/pay/transactions/id/" + trade.TransactionID + "?mchid=" + m.cfg.MchID
	if diff := cmp.Diff(want, m.v3("GET", byID, "", http.StatusOK)); diff != "" {
		t.Errorf("by transaction_id (-want +got):\n%s", diff)
	}
	m.v3(m.closeOf("query-1"))
	if got := m.v3("GET", m.queryURI("query-1"), "", http.StatusOK)["trade_state"]; got != "CLOSED" {
		t.Errorf("closed: %v", got)
	}
	if got := m.v3("GET", m.queryURI("unknown-1"), "", http.StatusNotFound)["code"]; got != "ORDER_NOT_EXIST" {
		t.Errorf("unknown: %v", got)
	}
}

// An order of one version answers the calls of both.
func TestV3SharesTheLedger(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	m.paid("shared-v2")
	if got := m.v3("GET", m.queryURI("shared-v2"), "", http.StatusOK); got["trade_state"] != "SUCCESS" || got["trade_type"] != "JSAPI" {
		t.Errorf("APIv3 of an order of APIv2: %v", got)
	}
	m.scanAndPay("shared-v3")
	query := []pair{{"appid", m.cfg.AppID}, {"mch_id", m.cfg.MchID}, {"nonce_str", "n"}, {"out_trade_no", "shared-v3"}}
	if got := m.pay(pathOrderQuery, query); valueOf(got, "trade_state") != "SUCCESS" || valueOf(got, "total_fee") != "880" {
		t.Errorf("APIv2 of an order of APIv3: %v", got)
	}
	if err := m.AddFault(Fault{Kind: FaultCrossVersion}); err != nil {
		t.Fatal(err)
	}
	if got := m.v3("GET", m.queryURI("shared-v2"), "", http.StatusNotFound)["code"]; got != "ORDER_NOT_EXIST" {
		t.Errorf("with the fault: %v", got)
	}
}

func TestV3Close(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	m.place("close-1", "JSAPI")
	for range 2 { // it may be repeated
		if got := m.v3(m.closeOf("close-1")); got != nil {
			t.Errorf("a body: %v", got)
		}
	}
	m.scanAndPay("close-2")
	method, uri, body, _ := m.closeOf("close-2")
	if got := m.v3(method, uri, body, http.StatusBadRequest)["code"]; got != "ORDER_PAID" {
		t.Errorf("paid: %v", got)
	}
	method, uri, body, _ = m.closeOf("close-3")
	if got := m.v3(method, uri, body, http.StatusNotFound)["code"]; got != "ORDER_NOT_EXIST" {
		t.Errorf("unknown: %v", got)
	}
}

// A browser pays an order of the prepay call for H5; a copied h5_url that was changed
// does not.
func TestV3H5Payment(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	scene := set("scene_info", map[string]any{"payer_client_ip": browserIP, "h5_info": map[string]any{"type": "Wap"}})
	link := m.v3("POST", PathV3H5, m.body("h5pay-1", "MWEB", scene), http.StatusOK)["h5_url"].(string)
	if m.browse(strings.Replace(link, "package=", "package=1", 1)); len(m.Sheets()) > 0 {
		t.Error("a changed h5_url opened a sheet")
	}
	m.browse(link + "&redirect_url=" + url.QueryEscape(shopOrigin+"/done"))
	if s, err := m.PaySheet(m.newest().ID); err != nil || s.State != SheetPaid || s.TradeType != "MWEB" {
		t.Fatalf("%+v, %v", s, err)
	}
	if got := m.v3("GET", m.queryURI("h5pay-1"), "", http.StatusOK); got["trade_state"] != "SUCCESS" || got["trade_type"] != "MWEB" {
		t.Errorf("%v", got)
	}
}

// The field tables decline with WeChat's texts.
func TestV3DeclinesFields(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	for _, c := range []struct {
		name, tradeType string
		edit            func(map[string]any)
		message         string
		detail          map[string]any
	}{
		{"missing", "JSAPI", drop("description"), "输入源“/body/description”映射到字段“商品描述”必填性规则校验失败，此字段为必填项", map[string]any{"location": "body", "value": ""}},
		{"too long", "JSAPI", set("attach", strings.Repeat("a", 129)), "输入源“/body/attach”映射到值字段“商户数据包”字符串规则校验失败，字节数 129，大于最大值 128", map[string]any{"location": "body", "value": "129"}},
		{"too short", "JSAPI", set("out_trade_no", "12345"), "字节数 5，小于最小值 6", nil},
		{"bytes of Chinese", "JSAPI", set("attach", strings.Repeat("茶", 43)), "字节数 129，大于最大值 128", nil},
		{"pattern", "JSAPI", set("notify_url", "https://shop.example/n?x=1"), "字符串必须匹配正则表达式“^https?://", map[string]any{"location": "body", "value": "https://shop.example/n?x=1"}},
		{"blank before the URL", "JSAPI", set("notify_url", " https://shop.example/n"), "字符串必须匹配正则表达式", nil},
		{"nothing to pay", "JSAPI", set("amount", map[string]any{"total": 0}), "输入源“/body/amount/total”映射到数值字段“总金额”规则校验失败，值低于最小值 1", nil},
		{"yuan", "JSAPI", set("amount", map[string]any{"total": 8.8}), "无法将 JSON 输入源“/body/amount/total”映射到目标字段“总金额”中，此字段需要一个合法的 64 位有符号整数", nil},
		{"a text for an amount", "JSAPI", set("amount", map[string]any{"total": "880"}), "此字段需要一个合法的 64 位有符号整数", nil},
		{"a number for a text", "JSAPI", set("attach", 5), "此字段需要一个合法的字符串", nil},
		{"null", "JSAPI", set("attach", nil), "此字段需要一个合法的字符串", nil},
		{"unknown", "NATIVE", set("payer", map[string]any{"openid": "o"}), "请求中含有未在API文档中定义的参数", map[string]any{"location": nil, "value": []any{"/body/payer"}}},
		{"unknown inside", "JSAPI", set("amount", map[string]any{"total": 1, "fee": 2}), "请求中含有未在API文档中定义的参数", map[string]any{"location": nil, "value": []any{"/body/amount/fee"}}},
		{"a v2 field", "JSAPI", set("total_fee", 880), "请求中含有未在API文档中定义的参数", nil},
		{"another merchant", "JSAPI", set("mchid", "1900000001"), "http header中的mchid与post payload中的mchid不匹配", nil},
		{"an unknown openid", "JSAPI", set("payer", map[string]any{"openid": "oAAAAAAAAAAAAAAAAAAAAAAAAAAA"}), "无效的openid", nil},
		{"no openid", "JSAPI", drop("payer"), "映射到字段“支付者”必填性规则校验失败", nil},
		{"no scene", "MWEB", drop("scene_info"), "映射到字段“场景信息”必填性规则校验失败", nil},
		{"currency", "JSAPI", set("amount", map[string]any{"total": 1, "currency": "USD"}), "值不合法", nil},
		{"no goods", "JSAPI", set("detail", map[string]any{"goods_detail": []any{}}), "元素个数小于最小值 1", nil},
		{"an emoji", "JSAPI", set("description", "茶🍵"), "不支持的字符", nil},
		{"the time of v2", "JSAPI", set("time_expire", "20260301120000"), "值不合法", nil},
		{"a time in the past", "JSAPI", set("time_expire", "2026-02-01T00:00:00+08:00"), "交易结束时间早于当前时间", nil},
	} {
		path := map[string]string{"JSAPI": PathV3JSAPI, "NATIVE": PathV3Native, "MWEB": PathV3H5}[c.tradeType]
		got := m.v3("POST", path, m.body("fields-1", c.tradeType, c.edit), http.StatusBadRequest)
		if text, _ := got["message"].(string); got["code"] != "PARAM_ERROR" || !strings.Contains(text, c.message) {
			t.Errorf("%s: %v", c.name, got)
		}
		if c.detail != nil {
			if diff := cmp.Diff(any(c.detail), got["detail"]); diff != "" {
				t.Errorf("%s: detail (-want +got):\n%s", c.name, diff)
			}
		}
	}
	if got := m.v3("POST", PathV3JSAPI, m.body("fields-1", "JSAPI", set("appid", "wx0000000000000000")), http.StatusBadRequest)["code"]; got != "APPID_MCHID_NOT_MATCH" {
		t.Errorf("another appid: %v", got)
	}
	if n := len(m.Ledger().Orders); n != 0 {
		t.Errorf("%d orders were accepted", n)
	}
}

// Bodies that are no JSON object.
func TestV3DeclinesBodies(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	for name, body := range map[string]string{
		"empty": "", "a text": `"x"`, "an array": "[]", "cut": `{"mchid":"19`, "twice": `{"mchid":"1","mchid":"2"}`,
		"something behind": `{"mchid":"` + m.cfg.MchID + `"}{}`, "not UTF-8": "{\"mchid\":\"\xff\"}", "a form": "mchid=1900000109",
		"deep": strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50),
	} {
		if got := m.v3("POST", PathV3Native, body, http.StatusBadRequest)["code"]; got != "PARAM_ERROR" {
			t.Errorf("%s: %v", name, got)
		}
	}
	r := m.request("POST", PathV3Native, m.body("bodies-1", "NATIVE"))
	r.Header.Set("Content-Type", "text/plain")
	if a := m.send(r); a.Code != http.StatusBadRequest || decode(t, a.Body.String())["code"] != "INVALID_REQUEST" {
		t.Errorf("Content-Type: %d %s", a.Code, a.Body)
	}
}

// The numbers in the path and the query.
func TestV3DeclinesPathsAndQueries(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, tame)
	for uri, message := range map[string]string{
		m.queryURI("12345"):                               "字节数 5，小于最小值 6",
		m.queryURI(strings.Repeat("1", 35)):               "输入源“/uri_template/out_trade_no”映射到值字段“商户订单号”字符串规则校验失败，字节数 35，大于最大值 32",
		m.queryURI("a%20b%20c%20"):                        "正则表达式",
		"/v3/pay/transactions/out-trade-no/query-1":       "“直连商户号”必填性规则校验失败",
		m.queryURI("query-1") + "&x=1":                    "请求中含有未在API文档中定义的参数",
		m.queryURI("query-1") + "1":                       "mchid不匹配",
		"/v3/pay/transactions/id/12?mchid=" + m.cfg.MchID: "微信订单号非法",
		m.queryURI("query-1") + "&mchid=" + m.cfg.MchID:   "请求中含有未在API文档中定义的参数",
	} {
		got := m.v3("GET", uri, "", http.StatusBadRequest)
		if text, _ := got["message"].(string); got["code"] != "PARAM_ERROR" || !strings.Contains(text, message) {
			t.Errorf("%s: %v", uri, got)
		}
	}
	// An escaped number is the same number.
	m.place("esc|aped*1", "NATIVE")
	if got := m.v3("GET", m.queryURI("esc%7Caped%2A1"), "", http.StatusOK)["out_trade_no"]; got != "esc|aped*1" {
		t.Errorf("escaped: %v", got)
	}
}

// time_expire is moved into what WeChat allows.
func TestV3TimeExpire(t *testing.T) {
	t.Parallel()
	m := newMerchant(t)
	now := m.Now()
	for no, c := range map[string]struct {
		path string
		in   time.Duration
		want time.Duration
	}{
		"expire-1": {PathV3App, time.Hour, time.Hour},
		"expire-2": {PathV3App, 20 * time.Second, time.Minute},
		"expire-3": {PathV3App, 30 * 24 * time.Hour, 15 * 24 * time.Hour},
		"expire-4": {PathV3Native, 30 * 24 * time.Hour, 7 * 24 * time.Hour},
		"expire-5": {PathV3App, 0, 7 * 24 * time.Hour},
	} {
		edit := set("time_expire", now.Add(c.in).Format(time.RFC3339))
		if c.in == 0 {
			edit = drop("time_expire")
		}
		m.v3("POST", c.path, m.body(no, "NATIVE", edit), http.StatusOK)
		orders := m.Ledger().Orders
		i := slices.IndexFunc(orders, func(o Order) bool { return o.OutTradeNo == no })
		if d := orders[i].Expires.Sub(now.Add(c.want)); d < -2*time.Second || d > 2*time.Second {
			t.Errorf("%s expires %s from what is wanted", no, d)
		}
	}
}

// A fast-forward of the simulator does not make a shop's clock wrong that runs in
// real time.
func TestV3RealTimeShop(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, func(c *Config) { c.RealTimeShop, c.TimeScale, c.Epoch = true, 1, time.Now() })
	m.Advance(2 * time.Hour)
	r := m.request("POST", PathV3Native, m.body("real-1", "NATIVE"))
	timestamp := itoa(time.Now().Unix())
	m.authorize(r, timestamp, "n", signWith(m.key, "POST\n"+PathV3Native+"\n"+timestamp+"\nn\n"+m.body("real-1", "NATIVE")+"\n"))
	a := m.send(r)
	if a.Code != http.StatusOK {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	if got := a.Header().Get("Wechatpay-Timestamp"); got < itoa(time.Now().Unix()-60) || got > itoa(time.Now().Unix()+60) {
		t.Errorf("the response's timestamp is %s", got)
	}
}
