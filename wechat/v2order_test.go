package wechat

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func testOrder() Order {
	return Order{
		OutTradeNo: testNo, Body: "山岚小铺-茶", TotalFee: 880, TradeType: TradeJSAPI, OpenID: testOpenID,
		ClientIP: "203.0.113.7", NotifyURL: "https://shop.example/api/notify/pay",
		TimeStart:  time.Date(2026, 2, 28, 18, 0, 0, 0, time.UTC),
		TimeExpire: time.Date(2026, 2, 28, 18, 30, 0, 0, time.UTC),
	}
}

// taken returns WeChat's response to testOrder.
func taken() message {
	return message{
		"return_code": "SUCCESS", "return_msg": "OK", "appid": testAppID, "mch_id": testMchID, "nonce_str": "n",
		"result_code": "SUCCESS", "trade_type": "JSAPI", "prepay_id": "wx201410272009395522657a690389285100",
	}
}

func TestUnifiedOrderSendsWhatItSigns(t *testing.T) {
	awkward := testOrder()
	awkward.Body = "茶\r\n壶]]>🍵\x00 & <b>"
	awkward.Attach = "a\rb]]>]]>\u0007🍵&amp;"
	awkward.Detail = `{"goods_detail":[{"goods_name":"壶\u003c"}]}` + "\n"
	for name, tt := range map[string]struct {
		order Order
		want  message
	}{
		"plain": {testOrder(), message{
			"body": "山岚小铺-茶", "out_trade_no": testNo, "total_fee": "880", "trade_type": "JSAPI", "openid": testOpenID,
			"spbill_create_ip": "203.0.113.7", "notify_url": "https://shop.example/api/notify/pay",
			"time_start": "20260301020000", "time_expire": "20260301023000",
		}},
		"awkward texts": {awkward, message{
			"body": "茶壶]]> & <b>", "attach": "ab]]>]]>🍵&amp;", "detail": `{"goods_detail":[{"goods_name":"壶\u003c"}]}`,
			"out_trade_no": testNo, "total_fee": "880", "trade_type": "JSAPI", "openid": testOpenID,
			"spbill_create_ip": "203.0.113.7", "notify_url": "https://shop.example/api/notify/pay",
			"time_start": "20260301020000", "time_expire": "20260301023000",
		}},
		"least": {Order{OutTradeNo: "000001", Body: "x", TotalFee: 1, TradeType: TradeJSAPI, OpenID: "o", ClientIP: "2001:db8::1", NotifyURL: "http://localhost:8802/n"}, message{
			"body": "x", "out_trade_no": "000001", "total_fee": "1", "trade_type": "JSAPI", "openid": "o",
			"spbill_create_ip": "2001:db8::1", "notify_url": "http://localhost:8802/n",
		}},
		"wrapped IPv4, most money": {Order{OutTradeNo: "000001", Body: "x", TotalFee: maxTotalFee, TradeType: TradeJSAPI, OpenID: "o", ClientIP: "::ffff:203.0.113.7", NotifyURL: "http://s/n"}, message{
			"body": "x", "out_trade_no": "000001", "total_fee": "9999999999", "trade_type": "JSAPI", "openid": "o",
			"spbill_create_ip": "203.0.113.7", "notify_url": "http://s/n",
		}},
	} {
		for _, algorithm := range []SignType{SignMD5, SignHMAC} {
			t.Run(name+" "+string(algorithm), func(t *testing.T) {
				c, s := newClient(t, says(taken().signed(algorithm)), func(cfg *Config) { cfg.SignType = algorithm })
				got, err := c.UnifiedOrder(t.Context(), tt.order)
				if err != nil || got != (Prepay{PrepayID: "wx201410272009395522657a690389285100", TradeType: TradeJSAPI}) {
					t.Fatalf("%+v, %v", got, err)
				}
				if s.urls[0].String() != "https://api.mch.weixin.qq.com/pay/unifiedorder" {
					t.Errorf("sent to %s", s.urls[0])
				}
				sent := readMessage(t, s.bodies[0])
				if want := sent.digest(testKey, algorithm); sent["sign"] != want {
					t.Errorf("sign is %s, what arrives is signed %s", sent["sign"], want)
				}
				if len(sent["nonce_str"]) != 32 {
					t.Errorf("nonce_str is %q", sent["nonce_str"])
				}
				want := tt.want.with("appid", testAppID, "mch_id", testMchID, "sign_type", string(algorithm), "fee_type", "CNY", "device_info", "WEB")
				if diff := cmp.Diff(want, sent.with("sign", "-", "nonce_str", "-")); diff != "" {
					t.Errorf("fields (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A repeated out_trade_no is accepted only with the same data.
func TestRepeatedUnifiedOrderSendsTheSame(t *testing.T) {
	c, s := newClient(t, says(taken().signed(SignHMAC)))
	for range 2 {
		if _, err := c.UnifiedOrder(t.Context(), testOrder()); err != nil {
			t.Fatal(err)
		}
	}
	first, second := readMessage(t, s.bodies[0]), readMessage(t, s.bodies[1])
	if first["nonce_str"] == second["nonce_str"] {
		t.Error("the nonce repeats")
	}
	if diff := cmp.Diff(first.with("nonce_str", "-", "sign", "-"), second.with("nonce_str", "-", "sign", "-")); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
}

func TestUnifiedOrderOfOtherTradeTypes(t *testing.T) {
	native, mweb, scene := testOrder(), testOrder(), testOrder()
	native.TradeType, native.OpenID = TradeNative, ""
	mweb.TradeType, mweb.OpenID, mweb.WapURL, mweb.WapName = TradeMWEB, "", "https://shop.example/?a=1&b=2", `山岚"小铺" <茶>`
	scene.TradeType, scene.OpenID, scene.SceneInfo = TradeMWEB, "", `{"h5_info":{"type":"Android"}}`
	scene.WapURL, scene.WapName = mweb.WapURL, mweb.WapName
	product := native
	product.ProductID = "p1"
	const codeURL, mwebURL = "weixin://wxpay/bizpayurl?pr=x", "https://wx.tenpay.com/x?a=1&b=2"
	for name, tt := range map[string]struct {
		order Order
		sent  message
		reply message
		want  Prepay
	}{
		"NATIVE": {native, message{"trade_type": "NATIVE", "product_id": testNo},
			taken().with("code_url", codeURL), Prepay{PrepayID: taken()["prepay_id"], TradeType: TradeNative, CodeURL: codeURL}},
		"NATIVE, product": {product, message{"trade_type": "NATIVE", "product_id": "p1"},
			taken().with("code_url", codeURL), Prepay{PrepayID: taken()["prepay_id"], TradeType: TradeNative, CodeURL: codeURL}},
		"MWEB": {mweb, message{"trade_type": "MWEB", "scene_info": `{"h5_info":{"type":"Wap","wap_url":"https://shop.example/?a=1\u0026b=2","wap_name":"山岚\"小铺\" \u003c茶\u003e"}}`},
			taken().with("mweb_url", mwebURL), Prepay{PrepayID: taken()["prepay_id"], TradeType: TradeMWEB, MwebURL: mwebURL}},
		"MWEB, scene_info": {scene, message{"trade_type": "MWEB", "scene_info": scene.SceneInfo},
			taken().with("mweb_url", mwebURL), Prepay{PrepayID: taken()["prepay_id"], TradeType: TradeMWEB, MwebURL: mwebURL}},
		"NATIVE without code_url": {native, nil, taken(), Prepay{}},
		"NATIVE, odd code_url":    {native, nil, taken().with("code_url", "weixin://a b"), Prepay{}},
		"NATIVE, long code_url":   {native, nil, taken().with("code_url", strings.Repeat("x", 513)), Prepay{}},
		"MWEB without mweb_url":   {mweb, nil, taken(), Prepay{}},
		"MWEB, a script":          {mweb, nil, taken().with("mweb_url", "javascript:alert(1)"), Prepay{}},
		"MWEB, relative":          {mweb, nil, taken().with("mweb_url", "/pay"), Prepay{}},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newClient(t, says(tt.reply.with("trade_type", string(tt.order.TradeType)).signed(SignHMAC)))
			got, err := c.UnifiedOrder(t.Context(), tt.order)
			if got != tt.want {
				t.Errorf("%+v, %v", got, err)
			}
			if tt.want == (Prepay{}) {
				want := Untrusted
				if name == "MWEB without mweb_url" {
					want = Operator // the merchant has no permission
				}
				wantError(t, err, want, "")
				return
			}
			sent := readMessage(t, s.bodies[0])
			got2 := message{}
			for _, name := range []string{"trade_type", "product_id", "scene_info", "openid"} {
				if v := sent[name]; v != "" {
					got2[name] = v
				}
			}
			if diff := cmp.Diff(tt.sent, got2); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPageURLComesBack(t *testing.T) {
	p := Prepay{MwebURL: "https://wx.tenpay.com/checkmweb?prepay_id=wx01&package=2"}
	const back = "https://shop.example/order?id=1&from=h5#x"
	got := p.PageURL(back)
	if !strings.HasPrefix(got, p.MwebURL+"&redirect_url=https%3A%2F%2Fshop.example%2F") {
		t.Error(got)
	}
	if u, err := url.Parse(got); err != nil || u.Query().Get("redirect_url") != back || u.Fragment != "" {
		t.Errorf("%v, %v", u, err)
	}
}

func TestUnifiedOrderReplies(t *testing.T) {
	replies := commonReplies(taken())
	for name, r := range map[string]reply{
		"other trade_type":       {taken().with("trade_type", "NATIVE").signed(SignHMAC), Untrusted, ""},
		"no trade_type":          {taken().with("trade_type", "-").signed(SignHMAC), Untrusted, ""},
		"no prepay_id":           {taken().with("prepay_id", "-").signed(SignHMAC), Untrusted, ""},
		"prepay_id with &":       {taken().with("prepay_id", "wx01&timeStamp=0").signed(SignHMAC), Untrusted, ""},
		"prepay_id with a space": {taken().with("prepay_id", "wx 01").signed(SignHMAC), Untrusted, ""},
		"prepay_id too long":     {taken().with("prepay_id", strings.Repeat("x", 119)).signed(SignHMAC), Untrusted, ""},
		"number reused":          {taken().with("result_code", "FAIL", "err_code", "OUT_TRADE_NO_USED").signed(SignHMAC), Developer, "OUT_TRADE_NO_USED"},
	} {
		replies[name] = r
	}
	for name, r := range replies {
		t.Run(name, func(t *testing.T) {
			c, s := newClient(t, says(r.body))
			got, err := c.UnifiedOrder(t.Context(), testOrder())
			wantError(t, err, r.kind, r.code)
			if got != (Prepay{}) {
				t.Errorf("%+v was returned with the error", got)
			}
			if len(s.bodies) != 1 {
				t.Errorf("%d requests", len(s.bodies))
			}
		})
	}
}

func TestUnifiedOrderTakesRepliesOfEitherAlgorithm(t *testing.T) {
	for name, body := range map[string]string{
		"MD5":            taken().signed(SignMD5),
		"HMAC":           taken().signed(SignHMAC),
		"unknown fields": taken().with("new_field", "1", "zz_coupon_10", "x & y", "Upper", "A", "empty", "").signed(SignHMAC),
		"lower case":     taken().with("sign", strings.ToLower(taken().digest(testKey, SignHMAC))).xml(),
		"prolog, BOM":    "\ufeff<?xml version=\"1.0\" encoding=\"UTF-8\"?>" + taken().signed(SignHMAC),
	} {
		for _, algorithm := range []SignType{SignMD5, SignHMAC} {
			c, _ := newClient(t, says(body), func(cfg *Config) { cfg.SignType = algorithm })
			if _, err := c.UnifiedOrder(t.Context(), testOrder()); err != nil {
				t.Errorf("%s, order %s: %v", name, algorithm, err)
			}
		}
	}
}

func TestUnifiedOrderIsNotSentWhenWeChatWouldDecline(t *testing.T) {
	for name, change := range map[string]func(*Order){
		"short number":      func(o *Order) { o.OutTradeNo = "12345" },
		"long number":       func(o *Order) { o.OutTradeNo = strings.Repeat("1", 33) },
		"number with *":     func(o *Order) { o.OutTradeNo = "12345*" },
		"number with space": func(o *Order) { o.OutTradeNo = "12345 6" },
		"number in Chinese": func(o *Order) { o.OutTradeNo = "订单订单" },
		"no body":           func(o *Order) { o.Body = "" },
		"blank body":        func(o *Order) { o.Body = " \r\n " },
		"body of emoji":     func(o *Order) { o.Body = "🍵" },
		"long detail":       func(o *Order) { o.Detail = strings.Repeat("x", 6001) },
		"long attach":       func(o *Order) { o.Attach = strings.Repeat("x", 128) },
		"no money":          func(o *Order) { o.TotalFee = 0 },
		"negative":          func(o *Order) { o.TotalFee = -1 },
		"too much":          func(o *Order) { o.TotalFee = maxTotalFee + 1 },
		"no address":        func(o *Order) { o.ClientIP = "" },
		"address with port": func(o *Order) { o.ClientIP = "203.0.113.7:80" },
		"address with zone": func(o *Order) { o.ClientIP = "fe80::1%eth0" },
		"host name":         func(o *Order) { o.ClientIP = "localhost" },
		"two addresses":     func(o *Order) { o.ClientIP = "203.0.113.7, 10.0.0.1" },
		"no notify_url":     func(o *Order) { o.NotifyURL = "" },
		"relative":          func(o *Order) { o.NotifyURL = "/api/notify" },
		"query":             func(o *Order) { o.NotifyURL += "?a=1" },
		"empty query":       func(o *Order) { o.NotifyURL += "?" },
		"fragment":          func(o *Order) { o.NotifyURL += "#" },
		"long notify_url":   func(o *Order) { o.NotifyURL += strings.Repeat("x", 256) },
		"user in it":        func(o *Order) { o.NotifyURL = "https://u:p@shop.example/" },
		"control in it":     func(o *Order) { o.NotifyURL += "\r" },
		"ends early":        func(o *Order) { o.TimeExpire = o.TimeStart },
		"no openid":         func(o *Order) { o.OpenID = "" },
		"odd openid":        func(o *Order) { o.OpenID = "o\n1" },
		"odd openid, MWEB":  func(o *Order) { o.OpenID, o.TradeType, o.SceneInfo = "o 1", TradeMWEB, "{}" },
		"no trade_type":     func(o *Order) { o.TradeType = "" },
		"MICROPAY":          func(o *Order) { o.TradeType = "MICROPAY" },
		"MWEB, no scene":    func(o *Order) { o.TradeType = TradeMWEB },
		"MWEB, odd scene":   func(o *Order) { o.TradeType, o.SceneInfo = TradeMWEB, "{" },
		"MWEB, no name":     func(o *Order) { o.TradeType, o.WapURL = TradeMWEB, "https://shop.example" },
		"MWEB, no address":  func(o *Order) { o.TradeType, o.WapName = TradeMWEB, "x" },
		"MWEB, odd address": func(o *Order) { o.TradeType, o.WapURL, o.WapName = TradeMWEB, "shop.example", "x" },
		"MWEB, long name": func(o *Order) {
			o.TradeType, o.WapURL, o.WapName = TradeMWEB, "https://shop.example", strings.Repeat("x", 256)
		},
		"long scene":      func(o *Order) { o.SceneInfo = strings.Repeat(" ", 257) },
		"long product_id": func(o *Order) { o.ProductID = strings.Repeat("1", 33) },
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newClient(t, unread(t))
			o := testOrder()
			change(&o)
			got, err := c.UnifiedOrder(t.Context(), o)
			wantError(t, err, Developer, "PARAM_ERROR")
			if got != (Prepay{}) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestUnifiedOrderNeedsRandomNumbers(t *testing.T) {
	c, _ := newClient(t, unread(t), func(cfg *Config) { cfg.Rand = iotest.ErrReader(http.ErrHandlerTimeout) })
	_, err := c.UnifiedOrder(t.Context(), testOrder())
	wantError(t, err, Retry, "")
}

func TestCutBody(t *testing.T) {
	for in, want := range map[string]string{
		"":                             "",
		"山岚小铺-茶":                       "山岚小铺-茶",
		"a\r\nb\tc\x7f":                "abc",
		"茶🍵𠮷!":                         "茶!",
		strings.Repeat("a", 127):       strings.Repeat("a", 127),
		strings.Repeat("a", 128):       strings.Repeat("a", 127),
		strings.Repeat("茶", 42) + "ab": strings.Repeat("茶", 42) + "a",
		strings.Repeat("茶", 43):        strings.Repeat("茶", 42),
		"ab" + strings.Repeat("茶", 42): "ab" + strings.Repeat("茶", 41),
		"\xff\xfe" + "x":               "x",
	} {
		got := CutBody(in)
		if got != want || len(got) > 127 || !utf8.ValidString(got) || CutBody(got) != got {
			t.Errorf("CutBody(%q) is %q, want %q", in, got, want)
		}
	}
}
