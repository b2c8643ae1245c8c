package wechattest

import (
	"io"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestUnifiedOrderGivesAPrepayID(t *testing.T) {
	w := newWorld(t)
	got := w.pay(pathUnifiedOrder, w.order("order01"))
	if !regexp.MustCompile(`^wx\d{14}[0-9a-f]{20}$`).MatchString(valueOf(got, "prepay_id")) || valueOf(got, "code_url") != "" || valueOf(got, "trade_type") != "JSAPI" {
		t.Errorf("%v", got)
	}
	m := w.last()
	if !m.Signed.OK || !strings.HasSuffix(m.Signed.String, "&key=<APIv2 key>") || m.Signed.Algorithm != signHMAC {
		t.Errorf("%+v", m.Signed)
	}
	o := w.Ledger().Orders[0]
	if o.TotalFee != 880 || o.State != StateNotPay || o.Attach != "a & b" || o.NotifyURL != notifyURL {
		t.Errorf("%+v", o)
	}
}

func TestUnifiedOrderTakesMD5WithAndWithoutSignType(t *testing.T) {
	w := newWorld(t)
	for no, st := range map[string]string{"md5_01": "", "md5_02": signMD5} {
		if got := w.pay(pathUnifiedOrder, with(w.order(no), "sign_type", st)); valueOf(got, "prepay_id") == "" {
			t.Errorf("%q: %v", st, got)
		}
	}
}

func TestResponsesHaveUnknownFieldsIfHostile(t *testing.T) {
	extras := func(edit ...func(*Config)) (n int) {
		w := newWorld(t, edit...)
		for range 20 {
			for _, f := range w.pay(pathUnifiedOrder, w.order("extra01")) {
				if strings.HasPrefix(f.name, "x_") {
					n++
				}
			}
		}
		return n
	}
	if n := extras(); n == 0 || n == 20 {
		t.Errorf("%d of 20 replies carry an unknown field", n)
	}
	if n := extras(tame); n != 0 {
		t.Errorf("tame: %d", n)
	}
}

// declineOf returns the error of a response, of either layer.
func declineOf(fields []pair) string {
	if valueOf(fields, "return_code") == "FAIL" {
		return valueOf(fields, "return_msg")
	}
	return valueOf(fields, "err_code") + " " + valueOf(fields, "err_code_des")
}

func TestTransportRules(t *testing.T) {
	w := newWorld(t)
	good := signedXML(w.order("trans01"), w.cfg.APIKey)
	for _, tt := range []struct{ name, method, body, want string }{
		{"GET", "GET", "", "请使用post方法"},
		{"PUT", "PUT", good, "请使用post方法"},
		{"empty", "POST", "", "post数据为空"},
		{"JSON", "POST", `{"appid":"x"}`, "XML格式错误"},
		{"form", "POST", "appid=x", "XML格式错误"},
		{"GBK bytes", "POST", "<xml><body>\xb2\xe8</body></xml>", "编码格式错误"},
		{"DOCTYPE", "POST", "<!DOCTYPE xml>" + good, "XML格式错误"},
		{"repeated", "POST", strings.Replace(good, "<body>", "<body>x</body><body>", 1), "XML格式错误"},
		{"nested", "POST", strings.Replace(good, "<body>", "<body><b>x</b>", 1), "XML格式错误"},
		{"trailing", "POST", good + "<xml></xml>", "XML格式错误"},
		{"oversize", "POST", good + strings.Repeat(" ", maxBody), "XML格式错误"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.reply(w.do(tt.method, pathUnifiedOrder, tt.body), "")
			if valueOf(got, "return_code") != "FAIL" || declineOf(got) != tt.want {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
	r := httptest.NewRequest("POST", pathUnifiedOrder, io.MultiReader(strings.NewReader(good)))
	rec := httptest.NewRecorder()
	if w.h.ServeHTTP(rec, r); rec.Code != 412 {
		t.Errorf("chunked: %d", rec.Code)
	}
	if len(w.Ledger().Orders) != 0 {
		t.Error("a declined call made an order")
	}
}

func TestSignAndIdentityAreCheckedAtTheReturnCodeLayer(t *testing.T) {
	w := newWorld(t)
	order := w.order("ident01")
	for _, tt := range []struct {
		name string
		body string
		want string
	}{
		{"another key", signedXML(order, strings.Repeat("1", 32)), "签名错误"},
		{"no sign", plainXML(order), "签名错误"},
		{"changed after signing", strings.Replace(signedXML(order, w.cfg.APIKey), "880", "1", 1), "签名错误"},
		{"unknown sign_type", signedXML(with(order, "sign_type", "SHA1"), w.cfg.APIKey), "sign_type参数格式错误"},
		{"no mch_id", signedXML(with(order, "mch_id", ""), w.cfg.APIKey), "缺少参数mch_id"},
		{"bad mch_id", signedXML(with(order, "mch_id", "abc"), w.cfg.APIKey), "mch_id参数格式错误"},
		{"another mch_id", signedXML(with(order, "mch_id", "1900000110"), w.cfg.APIKey), "MCHID不存在"},
		{"no appid", signedXML(with(order, "appid", ""), w.cfg.APIKey), "缺少参数appid"},
		{"bad appid", signedXML(with(order, "appid", "abc"), w.cfg.APIKey), "appid不存在"},
		{"another appid", signedXML(with(order, "appid", "wx0000000000000000"), w.cfg.APIKey), "商户号mch_id与appid不匹配"},
		{"no openid", signedXML(with(order, "openid", ""), w.cfg.APIKey), "JSAPI支付必须传openid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := w.reply(w.do("POST", pathUnifiedOrder, tt.body), signHMAC)
			if valueOf(got, "return_code") != "FAIL" || declineOf(got) != tt.want {
				t.Errorf("%v, want %s", got, tt.want)
			}
		})
	}
	w.do("POST", pathUnifiedOrder, signedXML(order, w.cfg.AppSecret))
	if m := w.last(); !strings.Contains(m.Note, "appsecret") || strings.Contains(m.Response, "appsecret") {
		t.Errorf("note %q, response %q", m.Note, m.Response)
	}
}

func TestFieldRules(t *testing.T) {
	w := newWorld(t)
	at := func(d time.Duration) string { return w.Now().Add(d).In(beijing).Format(payTime) }
	for _, tt := range []struct{ name, field, value, want string }{
		{"no nonce", "nonce_str", "", "LACK_PARAMS 缺少参数nonce_str"},
		{"long nonce", "nonce_str", strings.Repeat("a", 33), "PARAM_ERROR nonce_str参数长度有误"},
		{"nonce with a dash", "nonce_str", "a-b", "PARAM_ERROR nonce_str参数格式错误"},
		{"no body", "body", "", "LACK_PARAMS 缺少参数body"},
		{"long body, counted in bytes", "body", strings.Repeat("茶", 43), "PARAM_ERROR body参数长度有误"},
		{"body with a line break", "body", "a\nb", "PARAM_ERROR body参数格式错误"},
		{"body with an emoji", "body", "a🌊", "PARAM_ERROR body参数格式错误"},
		{"long attach", "attach", strings.Repeat("a", 128), "PARAM_ERROR attach参数长度有误"},
		{"long detail", "detail", strings.Repeat("a", 6145), "PARAM_ERROR detail参数长度有误"},
		{"no out_trade_no", "out_trade_no", "", "LACK_PARAMS 缺少参数out_trade_no"},
		{"short out_trade_no", "out_trade_no", "12345", "PARAM_ERROR out_trade_no参数格式错误"},
		{"long out_trade_no", "out_trade_no", strings.Repeat("1", 33), "PARAM_ERROR out_trade_no参数长度有误"},
		{"out_trade_no with a space", "out_trade_no", "order 01", "PARAM_ERROR out_trade_no参数格式错误"},
		{"out_trade_no in Chinese", "out_trade_no", "订单一二", "PARAM_ERROR out_trade_no参数格式错误"},
		{"fee_type USD", "fee_type", "USD", "PARAM_ERROR fee_type参数格式错误"},
		{"no total_fee", "total_fee", "", "LACK_PARAMS 缺少参数total_fee"},
		{"total_fee 0", "total_fee", "0", "PARAM_ERROR total_fee参数格式错误"},
		{"total_fee in yuan", "total_fee", "8.80", "PARAM_ERROR total_fee参数格式错误"},
		{"total_fee negative", "total_fee", "-1", "PARAM_ERROR total_fee参数格式错误"},
		{"total_fee padded", "total_fee", "0880", "PARAM_ERROR total_fee参数格式错误"},
		{"total_fee with a space", "total_fee", " 880", "PARAM_ERROR total_fee参数格式错误"},
		{"no IP", "spbill_create_ip", "", "LACK_PARAMS 缺少参数spbill_create_ip"},
		{"bad IP", "spbill_create_ip", "1.2.3.256", "PARAM_ERROR spbill_create_ip参数格式错误"},
		{"IP with a zone", "spbill_create_ip", "fe80::1%eth0", "PARAM_ERROR spbill_create_ip参数格式错误"},
		{"no notify_url", "notify_url", "", "LACK_PARAMS 缺少参数notify_url"},
		{"notify_url with a query", "notify_url", notifyURL + "?a=1", "PARAM_ERROR notify_url参数格式错误"},
		{"notify_url relative", "notify_url", "/notify", "PARAM_ERROR notify_url参数格式错误"},
		{"long notify_url", "notify_url", notifyURL + strings.Repeat("a", 256), "PARAM_ERROR notify_url参数长度有误"},
		{"no trade_type", "trade_type", "", "LACK_PARAMS 缺少参数trade_type"},
		{"MICROPAY", "trade_type", "MICROPAY", "PARAM_ERROR trade_type参数格式错误"},
		{"openid of another appid", "openid", "oAAAAAAAAAAAAAAAAAAAAAAAAAAA", "INVALID_REQUEST appid and openid not match"},
		{"time_start in words", "time_start", "2026-03-01", "PARAM_ERROR time_start参数格式错误"},
		{"time_start in month 13", "time_start", "20261301000000", "PARAM_ERROR time_start参数格式错误"},
		{"time_expire too soon", "time_expire", at(30 * time.Second), "PARAM_ERROR time_expire时间过短,刷卡至少1分钟,其他5分钟"},
		{"time_expire in UTC", "time_expire", w.Now().Add(10 * time.Minute).Format(payTime), "PARAM_ERROR time_expire时间过短,刷卡至少1分钟,其他5分钟"},
		{"scene_info no JSON", "scene_info", "{", "PARAM_ERROR scene_info参数格式错误"},
		{"limit_pay", "limit_pay", "no_debit", "PARAM_ERROR limit_pay参数格式错误"},
		{"partner mode", "sub_mch_id", "1900000110", "NOAUTH 商户无此接口权限"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := w.pay(pathUnifiedOrder, with(w.order("field01"), tt.field, tt.value)); declineOf(got) != tt.want {
				t.Errorf("%q, want %q", declineOf(got), tt.want)
			}
		})
	}
	if len(w.Ledger().Orders) != 0 {
		t.Error("a declined call made an order")
	}
	for i, ok := range []pair{
		{"time_expire", at(10 * time.Minute)}, {"spbill_create_ip", "203.0.113.7"}, {"fee_type", "CNY"}, {"detail", `{"goods":[]}`}, {"device_info", "WEB"}, {"h5_unknown", "x"},
	} {
		if got := w.pay(pathUnifiedOrder, with(w.order("valid0"+itoa(int64(i))), ok.name, ok.value)); valueOf(got, "prepay_id") == "" {
			t.Errorf("%v: %s", ok, declineOf(got))
		}
	}
}

func TestTradeTypes(t *testing.T) {
	w := newWorld(t)
	got := w.pay(pathUnifiedOrder, with(w.order("native1"), "trade_type", "NATIVE"))
	if url := valueOf(got, "code_url"); !strings.HasPrefix(url, "weixin://wxpay/bizpayurl?pr=") || len(url) > 64 {
		t.Errorf("NATIVE: %v", got)
	}
	mweb := with(w.order("mweb001"), "trade_type", "MWEB")
	if got := w.pay(pathUnifiedOrder, mweb); declineOf(got) != "LACK_PARAMS 缺少参数scene_info" {
		t.Errorf("MWEB: %v", got)
	}
	if got := w.pay(pathUnifiedOrder, with(mweb, "scene_info", `{"store_info":{}}`)); valueOf(got, "err_code") != "PARAM_ERROR" {
		t.Errorf("MWEB with another scene: %v", got)
	}
	got = w.pay(pathUnifiedOrder, with(mweb, "scene_info", `{"h5_info":{"type":"Wap","wap_url":"https://shop.example","wap_name":"x"}}`))
	if !strings.Contains(valueOf(got, "mweb_url"), "/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=") {
		t.Errorf("MWEB: %v", got)
	}
}

func TestReentryOfAnOrder(t *testing.T) {
	w := newWorld(t)
	first := w.prepay("again01")
	second := valueOf(w.pay(pathUnifiedOrder, with(w.order("again01"), "nonce_str", "other")), "prepay_id")
	if second == "" || second == first {
		t.Errorf("same data: %q after %q", second, first)
	}
	for _, p := range []pair{{"total_fee", "881"}, {"body", "x"}, {"attach", ""}, {"spbill_create_ip", "203.0.113.9"}, {"device_info", "WEB"}, {"sign_type", ""}, {"openid", w.Users()[1].OpenID}} {
		got := w.pay(pathUnifiedOrder, with(w.order("again01"), p.name, p.value))
		if declineOf(got) != "OUT_TRADE_NO_USED 201 商户订单号重复" || !strings.Contains(w.last().Note, p.name) {
			t.Errorf("%v: %s, note %q", p, declineOf(got), w.last().Note)
		}
	}
	w.paid("again02")
	if got := w.pay(pathUnifiedOrder, w.order("again02")); valueOf(got, "err_code") != "ORDERPAID" {
		t.Errorf("paid: %v", got)
	}
	if err := w.CloseOrder("again01"); err != nil {
		t.Fatal(err)
	}
	if got := w.pay(pathUnifiedOrder, w.order("again01")); valueOf(got, "err_code") != "ORDERCLOSED" {
		t.Errorf("closed: %v", got)
	}
	if n := len(w.Ledger().Orders); n != 2 {
		t.Errorf("%d orders", n)
	}
}

func TestOrderQueryAndClose(t *testing.T) {
	w := newWorld(t, tame)
	by := func(name, value string) []pair {
		return []pair{{"appid", w.cfg.AppID}, {"mch_id", w.cfg.MchID}, {"nonce_str", "n"}, {"sign_type", signHMAC}, {name, value}}
	}
	query := func(no string) []pair { return w.pay(pathOrderQuery, by("out_trade_no", no)) }
	w.prepay("query01")
	got := query("query01")
	for _, f := range got {
		if !contains([]string{"return_code", "return_msg", "appid", "mch_id", "nonce_str", "sign", "result_code", "out_trade_no", "trade_state", "trade_state_desc"}, f.name) {
			t.Errorf("NOTPAY carries %v", f)
		}
	}
	if valueOf(got, "trade_state") != StateNotPay {
		t.Errorf("%v", got)
	}
	w.paid("query02")
	got = query("query02")
	if valueOf(got, "trade_state") != StateSuccess || valueOf(got, "total_fee") != "880" || valueOf(got, "attach") != "a & b" || len(valueOf(got, "transaction_id")) != 28 || valueOf(got, "openid") != w.User().OpenID {
		t.Errorf("%v", got)
	}
	if end, ok := parsePayTime(valueOf(got, "time_end")); !ok || w.Now().Sub(end) > time.Minute {
		t.Errorf("time_end %q, now %v", valueOf(got, "time_end"), w.Now())
	}
	same := w.pay(pathOrderQuery, by("transaction_id", valueOf(got, "transaction_id")))
	if valueOf(same, "out_trade_no") != "query02" {
		t.Errorf("by transaction_id: %v", same)
	}
	if got := query("nobody1"); valueOf(got, "err_code") != "ORDERNOTEXIST" {
		t.Errorf("%v", got)
	}
	if got := w.pay(pathOrderQuery, by("x", "y")); valueOf(got, "err_code") != "LACK_PARAMS" {
		t.Errorf("%v", got)
	}
	closeNo := func(no string) string { return declineOf(w.pay(pathCloseOrder, by("out_trade_no", no))) }
	if got := closeNo("query01"); !strings.HasPrefix(got, "TRADE_STATE_ERROR") {
		t.Errorf("too soon: %s", got)
	}
	w.Advance(closeWait)
	if got := closeNo("query01"); got != " " {
		t.Errorf("close: %s", got)
	}
	if got := query("query01"); valueOf(got, "trade_state") != StateClosed || valueOf(got, "attach") != "a & b" {
		t.Errorf("%v", got)
	}
	for no, want := range map[string]string{"query01": "ORDERCLOSED", "query02": "ORDERPAID", "nobody1": "ORDERNOTEXIST"} {
		if got := closeNo(no); !strings.HasPrefix(got, want) {
			t.Errorf("closing %s: %s", no, got)
		}
	}
}
