package wechattest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestInvokeOpensASheetOfTheOrder(t *testing.T) {
	w := newWorld(t)
	s := w.sheet("sheet01")
	if s.Amount != 880 || s.Item != "山岚小铺-茶" || s.Shop != DefaultShopName || s.State != SheetOpen {
		t.Errorf("%+v", s)
	}
	if m := w.last(); m.Kind != payAPI || !m.Signed.OK || m.From != PartyPage {
		t.Errorf("%+v", m)
	}
}

func TestInvokeDeclinesWhatTheClientDeclines(t *testing.T) {
	w := newWorld(t)
	prepay := w.prepay("bridge1")
	resign := func(args map[string]json.RawMessage, alg, key string) map[string]json.RawMessage {
		var fields []pair
		for name, raw := range args {
			var v string
			if name != "paySign" && json.Unmarshal(raw, &v) == nil {
				fields = append(fields, pair{name, v})
			}
		}
		args["paySign"] = json.RawMessage(`"` + digest(alg, canonical(fields, key), key) + `"`)
		return args
	}
	set := func(name, raw string) map[string]json.RawMessage {
		args := w.payArgs(prepay)
		delete(args, name)
		if raw != "" {
			args[name] = json.RawMessage(raw)
		}
		return args
	}
	recased := set("timeStamp", "")
	recased["timestamp"] = json.RawMessage(`"1700000000"`)
	for _, tt := range []struct {
		name      string
		args      map[string]json.RawMessage
		msg, desc string
		note      string
	}{
		{"no timeStamp", set("timeStamp", ""), payFail, "调用支付JSAPI缺少参数: timeStamp", "missing"},
		{"timeStamp a number", set("timeStamp", "1700000000"), payFail, "调用支付JSAPI缺少参数: timeStamp", "must be a string"},
		{"timestamp in lower case", recased, payFail, "调用支付JSAPI缺少参数: timeStamp", "is called timeStamp"},
		{"timeStamp in milliseconds", resign(set("timeStamp", `"1700000000000"`), signHMAC, w.cfg.APIKey), payFail, "调用支付JSAPI缺少参数: timeStamp", "milliseconds"},
		{"null", set("nonceStr", "null"), payFail + "_missing arguments", "调用支付JSAPI缺少参数: nonceStr", "null"},
		{"no paySign", set("paySign", ""), payFail, "调用支付JSAPI缺少参数: paySign", "missing"},
		{"empty package", set("package", `""`), payFail, "调用支付JSAPI缺少参数: total_fee", "empty"},
		{"bare prepay_id", set("package", `"`+prepay+`"`), payFail, "调用支付JSAPI缺少参数: total_fee", "prepay_id="},
		{"unknown prepay_id", resign(set("package", `"prepay_id=wx1"`), signHMAC, w.cfg.APIKey), payFail, "调用支付JSAPI缺少参数: total_fee", "unknown"},
		{"another appId", set("appId", `"wx0000000000000000"`), payFail + "_invalid appid", "", "appId"},
		{"bad paySign", set("paySign", `"00"`), payFail, "支付验证签名失败", "neither"},
		{"another key", resign(set("x", ""), signHMAC, strings.Repeat("1", 32)), payFail, "支付验证签名失败", "key differs"},
		{"signType differs from the order", resign(set("signType", `"MD5"`), signMD5, w.cfg.APIKey), payFail, "支付验证签名失败", "sign_type HMAC-SHA256"},
		{"signed as MD5", resign(set("x", ""), signMD5, w.cfg.APIKey), payFail, "支付验证签名失败", "made with MD5"},
		{"long nonceStr", set("nonceStr", `"`+strings.Repeat("a", 33)+`"`), payFail, "支付验证签名失败", "longer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, bad := w.Invoke(w.call(tt.args))
			if bad == nil {
				t.Fatal("a sheet opened")
			}
			if bad.ErrMsg != tt.msg || bad.ErrDesc != tt.desc || !strings.Contains(w.last().Note, tt.note) {
				t.Errorf("%q %q, note %q", bad.ErrMsg, bad.ErrDesc, w.last().Note)
			}
		})
	}
	if _, bad := w.Invoke(InvokeCall{API: "chooseImage"}); bad == nil || bad.ErrMsg != "system:function_not_exist" {
		t.Errorf("another API: %+v", bad)
	}
	if n := len(w.Sheets()); n != 0 {
		t.Errorf("%d sheets", n)
	}
	ios := newWorld(t, func(c *Config) { c.Environment = IOS })
	args := ios.payArgs(ios.prepay("bridge2"))
	args["timeStamp"] = json.RawMessage("1")
	if _, bad := ios.Invoke(ios.call(args)); bad == nil || bad.ErrDesc != "调用支付JSAPI缺少参数: $key0$" {
		t.Errorf("on iOS: %+v", bad)
	}
}

func TestInvokeChecksOrderAndPayer(t *testing.T) {
	w := newWorld(t)
	me := w.User().OpenID
	declined := func(prepay, desc string) {
		t.Helper()
		if _, bad := w.Invoke(w.call(w.payArgs(prepay))); bad == nil || bad.ErrDesc != desc {
			t.Errorf("got %+v, want %s", bad, desc)
		}
	}
	prepay := w.prepay("payer01")
	if err := w.SetUser(w.Users()[1].OpenID); err != nil {
		t.Fatal(err)
	}
	declined(prepay, "下单账号与支付账号不一致")
	if err := w.SetUser(me); err != nil {
		t.Fatal(err)
	}
	w.paid("payer02")
	declined(w.Ledger().Orders[1].PrepayIDs[0], "该订单已支付")
	native := valueOf(w.pay(pathUnifiedOrder, with(w.order("payer03"), "trade_type", "NATIVE")), "prepay_id")
	declined(native, "商家暂时没有此类交易权限")
	brief := valueOf(w.pay(pathUnifiedOrder, with(w.order("payer04"), "time_expire", w.Now().Add(10*time.Minute).In(beijing).Format(payTime))), "prepay_id")
	s, bad := w.Invoke(w.call(w.payArgs(brief)))
	if bad != nil {
		t.Fatalf("%+v", bad)
	}
	w.Advance(11 * time.Minute)
	declined(brief, "该订单已超过商户设置的最晚支付成功时间")
	if late, err := w.PaySheet(s.ID); err != nil || late.State != SheetFailed || late.ErrMsg != payFail {
		t.Errorf("an expired order was paid: %+v %v", late, err)
	}
	if err := w.CloseOrder("payer01"); err != nil {
		t.Fatal(err)
	}
	declined(prepay, "该订单已关闭")
	w.Advance(2 * time.Hour)
	declined(prepay, "调用支付JSAPI缺少参数: total_fee")
}

func TestPayDirectory(t *testing.T) {
	for _, tt := range []struct {
		name, dir, url, landing string
		where                   Environment
		ok                      bool
	}{
		{"root covers all", "https://a.example/", "https://a.example/x/y", "", Android, true},
		{"root without slash", "https://a.example/", "https://a.example", "", Android, true},
		{"another scheme", "https://a.example/", "http://a.example/", "", Android, false},
		{"another host", "https://a.example/", "https://b.example/", "", Android, false},
		{"directly inside", "https://a.example/pay/", "https://a.example/pay/index.html", "", Android, true},
		{"with a query", "https://a.example/pay/", "https://a.example/pay/?u=/a/b", "", Android, true},
		{"with a route after #", "https://a.example/pay/", "https://a.example/pay/#/order/1", "", Android, true},
		{"an order's page, the root", "https://a.example/", "https://a.example/o/0123456789abcdefghijklmnop", "", IOS, true},
		{"an order's page, its directory", "https://a.example/o/", "https://a.example/o/0123456789abcdefghijklmnop?result=1", "", IOS, true},
		{"an order's page, another directory", "https://a.example/pay/", "https://a.example/o/0123456789abcdefghijklmnop", "", Android, false},
		{"below", "https://a.example/pay/", "https://a.example/pay/v2/index.html", "", Android, false},
		{"above", "https://a.example/pay/", "https://a.example/", "", Android, false},
		{"without the final slash", "https://a.example/pay/", "https://a.example/pay", "", Android, false},
		{"letter case", "https://a.example/Pay/", "https://a.example/pay/", "", Android, false},
		{"iOS checks the landing URL", "https://a.example/pay/", "https://a.example/pay/", "https://a.example/", IOS, false},
		{"iOS landed there", "https://a.example/pay/", "https://a.example/order/1", "https://a.example/pay/", IOS, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.PayDirs = []string{tt.dir}; c.Environment = tt.where })
			_, bad := w.Invoke(InvokeCall{API: payAPI, Args: w.payArgs(w.prepay("dir0001")), URL: tt.url, Landing: tt.landing})
			if tt.ok != (bad == nil) || bad != nil && !strings.HasPrefix(bad.ErrDesc, "当前页面的URL未注册") {
				t.Errorf("%+v", bad)
			}
		})
	}
}

func TestSheetIsAnsweredOnce(t *testing.T) {
	w := newWorld(t)
	s := w.sheet("once001")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got, err := w.WaitSheet(ctx, s.ID); !errors.Is(err, context.Canceled) || got.State != SheetOpen {
		t.Errorf("%+v %v", got, err)
	}
	got := make(chan Sheet)
	go func() {
		s, _ := w.WaitSheet(context.Background(), s.ID)
		got <- s
	}()
	if _, err := w.CancelSheet(s.ID); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s.State != SheetCancelled || s.ErrMsg != payCancel {
		t.Errorf("%+v", s)
	}
	if _, err := w.PaySheet(s.ID); !errors.Is(err, ErrSheetClosed) {
		t.Error(err)
	}
	if _, err := w.PaySheet("nope"); !errors.Is(err, ErrUnknownSheet) {
		t.Error(err)
	}
	// The same prepay_id again, as the shop does after a cancel.
	again, bad := w.Invoke(w.call(w.payArgs(w.Ledger().Orders[0].PrepayIDs[0])))
	if bad != nil {
		t.Fatalf("%+v", bad)
	}
	twin, bad := w.Invoke(w.call(w.payArgs(w.Ledger().Orders[0].PrepayIDs[0])))
	if bad != nil {
		t.Fatalf("%+v", bad)
	}
	if s, err := w.PaySheet(again.ID); err != nil || s.ErrMsg != payOK {
		t.Errorf("%+v %v", s, err)
	}
	if s, err := w.PaySheet(twin.ID); err != nil || s.State != SheetFailed {
		t.Errorf("paid twice: %+v %v", s, err)
	}
	if n := len(w.Ledger().Trades); n != 1 {
		t.Errorf("%d trades", n)
	}
}
