package wechat

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func v3testOrder(tradeType TradeType) Order {
	o := Order{
		OutTradeNo: testNo, Body: "茶 & 壶🍵", Attach: "a & b", TotalFee: 880, TradeType: tradeType, ClientIP: "::ffff:203.0.113.7",
		NotifyURL: "https://shop.example/api/notify/pay", TimeStart: testTime, TimeExpire: testTime.Add(time.Hour),
	}
	switch tradeType {
	case TradeJSAPI:
		o.OpenID = testOpenID
	case TradeMWEB:
		o.WapURL, o.WapName = "https://shop.example", "山岚小铺"
	}
	return o
}

func TestPlaceOrderOfAPIv3(t *testing.T) {
	for tradeType, tt := range map[TradeType]struct {
		path, reply string
		extra       []any
		want        Prepay
	}{
		TradeJSAPI:  {"jsapi", `{"prepay_id":"wx1"}`, []any{"payer", object{"openid": testOpenID}}, Prepay{PrepayID: "wx1"}},
		TradeApp:    {"app", `{"prepay_id":"wx1"}`, nil, Prepay{PrepayID: "wx1"}},
		TradeNative: {"native", `{"code_url":"weixin://wxpay/bizpayurl?pr=1"}`, nil, Prepay{CodeURL: "weixin://wxpay/bizpayurl?pr=1"}},
		TradeMWEB: {"h5", `{"h5_url":"https://wx.tenpay.com/x?prepay_id=wx1&package=2"}`,
			[]any{"scene_info", object{"payer_client_ip": "203.0.113.7", "h5_info": object{"type": "Wap", "app_name": "山岚小铺", "app_url": "https://shop.example"}}},
			Prepay{MwebURL: "https://wx.tenpay.com/x?prepay_id=wx1&package=2"}},
	} {
		t.Run(string(tradeType), func(t *testing.T) {
			_, p, w := newV3Client(t, answers(http.StatusOK, tt.reply))
			got, err := p.PlaceOrder(t.Context(), v3testOrder(tradeType))
			tt.want.TradeType = tradeType
			if err != nil || got != tt.want {
				t.Errorf("%+v, %v", got, err)
			}
			want := object{
				"appid": testAppID, "mchid": testMchID, "description": "茶 & 壶", "out_trade_no": testNo, "attach": "a & b",
				"time_expire": "2026-03-01T11:00:00+08:00", "notify_url": "https://shop.example/api/notify/pay",
				"amount": object{"total": 880, "currency": "CNY"}, "scene_info": object{"payer_client_ip": "203.0.113.7"},
			}.with(tt.extra...)
			var sent object
			if err := json.Unmarshal([]byte(w.sent[0].body), &sent); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want.json(), sent.json()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if w.sent[0].url != "https://api.mch.weixin.qq.com/v3/pay/transactions/"+tt.path || w.sent[0].method != "POST" || w.sent[0].serial != testKeyID {
				t.Errorf("sent %+v", w.sent[0])
			}
			// A retry has the same parameters to the letter.
			if _, err := p.PlaceOrder(t.Context(), v3testOrder(tradeType)); err != nil || w.sent[1].body != w.sent[0].body {
				t.Errorf("the retry sent %s, %v", w.sent[1].body, err)
			}
		})
	}
}

func TestOrdersThatAPIv3Declines(t *testing.T) {
	_, p, _ := newV3Client(t, silent(t))
	for name, change := range map[string]func(*Order){
		"scene_info":        func(o *Order) { o.SceneInfo = `{}` },
		"long notify_url":   func(o *Order) { o.NotifyURL = "https://s/" + strings.Repeat("x", 246) },
		"long wap_url":      func(o *Order) { o.TradeType, o.WapURL = TradeMWEB, "https://s/"+strings.Repeat("x", 119) },
		"emoji in attach":   func(o *Order) { o.Attach = "🍵" },
		"emoji in detail":   func(o *Order) { o.Detail = `{"goods_detail":[{"goods_name":"🍵"}]}` },
		"no number":         func(o *Order) { o.OutTradeNo = "" },
		"no openid":         func(o *Order) { o.OpenID = "" },
		"nothing":           func(o *Order) { o.TotalFee = 0 },
		"a list of details": func(o *Order) { o.Detail = `[]` },
		"trade type":        func(o *Order) { o.TradeType = "MICROPAY" },
	} {
		o := v3testOrder(TradeJSAPI)
		change(&o)
		if _, err := p.PlaceOrder(t.Context(), o); err == nil {
			t.Errorf("%s: accepted", name)
		} else {
			wantError(t, err, Developer, codeParam)
		}
	}
	v2, _ := newClient(t, unread(t))
	_, err := payments(t, v2, V2).PlaceOrder(t.Context(), v3testOrder(TradeApp))
	wantError(t, err, Developer, CodeNotOffered)
}

// A signed response without pay parameters is not a success.
func TestPrepayRepliesOfAPIv3(t *testing.T) {
	for name, tt := range map[string]struct {
		tradeType TradeType
		status    int
		body      string
	}{
		"nothing":                {TradeJSAPI, 200, ""},
		"no JSON":                {TradeJSAPI, 200, "<html>"},
		"a list":                 {TradeJSAPI, 200, `["wx1"]`},
		"no member":              {TradeJSAPI, 200, `{}`},
		"null":                   {TradeJSAPI, 200, `null`},
		"a number":               {TradeJSAPI, 200, `{"prepay_id":1}`},
		"another kind":           {TradeJSAPI, 200, `{"code_url":"weixin://x"}`},
		"a blank in it":          {TradeJSAPI, 200, `{"prepay_id":"wx 1"}`},
		"an & in it":             {TradeJSAPI, 200, `{"prepay_id":"wx1&x=y"}`},
		"code_url of two lines":  {TradeNative, 200, `{"code_url":"weixin://x\ny"}`},
		"h5_url without a host":  {TradeMWEB, 200, `{"h5_url":"/x"}`},
		"h5_url of a script":     {TradeMWEB, 200, `{"h5_url":"javascript:alert(1)"}`},
		"204":                    {TradeJSAPI, 204, ""},
		"201":                    {TradeJSAPI, 201, `{"prepay_id":"wx1"}`},
		"206":                    {TradeJSAPI, 206, `{"prepay_id":"wx1"}`},
		"longer than a message":  {TradeJSAPI, 200, `{"prepay_id":"wx1","x":"` + strings.Repeat("x", maxMessage) + `"}`},
		"something after the {}": {TradeJSAPI, 200, `{"prepay_id":"wx1"}{"prepay_id":"wx2"}`},
	} {
		_, p, _ := newV3Client(t, answers(tt.status, tt.body))
		got, err := p.PlaceOrder(t.Context(), v3testOrder(tt.tradeType))
		if got != (Prepay{}) {
			t.Errorf("%s: got %+v", name, got)
		}
		e := wantError(t, err, Untrusted, "")
		if t.Failed() {
			t.Fatalf("%s: %v", name, e)
		}
	}
}

// paidV3 is a paid order in a response and in a notification.
func paidV3() object {
	return object{
		"appid": testAppID, "mchid": testMchID, "out_trade_no": testNo, "transaction_id": "4200000000202603010000000001",
		"trade_type": "JSAPI", "trade_state": "SUCCESS", "trade_state_desc": "支付成功", "bank_type": "OTHERS", "attach": "a & b",
		"success_time": "2026-03-01T07:30:15+08:00", "payer": object{"openid": testOpenID}, "promotion_detail": []any{},
		"amount": object{"total": 880, "payer_total": 780, "currency": "CNY", "payer_currency": "CNY"},
	}
}

func paidV3Trade() Trade {
	trade := paidTrade()
	trade.Version = V3
	return trade
}

func TestQueryOrderOfAPIv3(t *testing.T) {
	const id = "4200000000202603010000000001"
	_, p, w := newV3Client(t, answers(http.StatusOK, paidV3().json()))
	got, err := p.QueryOrder(t.Context(), testNo)
	if err != nil || got != paidV3Trade() {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = p.QueryTransaction(t.Context(), id)
	if err != nil || got != paidV3Trade() {
		t.Errorf("%+v, %v", got, err)
	}
	for i, want := range []string{
		"https://api.mch.weixin.qq.com/v3/pay/transactions/out-trade-no/" + testNo + "?mchid=" + testMchID,
		"https://api.mch.weixin.qq.com/v3/pay/transactions/id/" + id + "?mchid=" + testMchID,
	} {
		if w.sent[i].url != want || w.sent[i].method != "GET" || w.sent[i].body != "" {
			t.Errorf("sent %+v", w.sent[i])
		}
	}
	// As live responses have it.
	unpaid := object{
		"amount": object{"payer_currency": "CNY", "total": 880}, "appid": testAppID, "mchid": testMchID, "out_trade_no": testNo,
		"promotion_detail": []any{}, "scene_info": object{"device_id": ""}, "trade_state": "NOTPAY", "trade_state_desc": "订单未支付",
	}
	for _, state := range []TradeState{StateNotPay, StateClosed, StateRevoked, StateUserPaying, StatePayError, StateAccept, "NEW_STATE"} {
		_, p, _ := newV3Client(t, answers(http.StatusOK, unpaid.with("trade_state", string(state)).json()))
		got, err := p.QueryOrder(t.Context(), testNo)
		if want := (Trade{Version: V3, AppID: testAppID, MchID: testMchID, OutTradeNo: testNo, State: state}); err != nil || got != want || got.Paid() {
			t.Errorf("%s: %+v, %v", state, got, err)
		}
	}
	// A refund keeps the payment.
	_, p, _ = newV3Client(t, answers(http.StatusOK, paidV3().with("trade_state", "REFUND").json()))
	want := paidV3Trade()
	want.State = StateRefund
	if got, err := p.QueryOrder(t.Context(), testNo); err != nil || got != want || !got.Paid() {
		t.Errorf("%+v, %v", got, err)
	}
	bare := object{"appid": testAppID, "mchid": testMchID, "out_trade_no": testNo, "trade_state": "REFUND"}
	_, p, _ = newV3Client(t, answers(http.StatusOK, bare.json()))
	if got, err := p.QueryOrder(t.Context(), testNo); err != nil || !got.Paid() || got.TotalFee != 0 || !got.PaidAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

// badV3Trades are trades that no message may have.
func badV3Trades() map[string]object {
	return map[string]object{
		"another appid":         paidV3().with("appid", "wxffffffffffffffff"),
		"another merchant":      paidV3().with("mchid", "1230000110"),
		"no appid":              paidV3().with("appid", "-"),
		"no merchant":           paidV3().with("mchid", "-"),
		"no number":             paidV3().with("out_trade_no", "-"),
		"no transaction":        paidV3().with("transaction_id", "-"),
		"transaction of marks":  paidV3().with("transaction_id", "42<00"),
		"no total":              paidV3().with("amount.total", "-"),
		"null total":            paidV3().with("amount.total", nil),
		"no amount":             paidV3().with("amount", "-"),
		"negative total":        paidV3().with("amount.total", -880),
		"too much":              paidV3().with("amount.total", json.Number("10000000000")),
		"beyond int64":          paidV3().with("amount.total", json.Number("9223372036854775808")),
		"a fraction":            paidV3().with("amount.total", json.Number("880.5")),
		"a power":               paidV3().with("amount.total", json.Number("88e1")),
		"total in quotes":       paidV3().with("amount.total", "880"),
		"no time":               paidV3().with("success_time", "-"),
		"time without a zone":   paidV3().with("success_time", "2026-03-01T07:30:15"),
		"time of APIv2":         paidV3().with("success_time", "20260301073015"),
		"day that is not there": paidV3().with("success_time", "2026-02-30T07:30:15+08:00"),
		"openid of two lines":   paidV3().with("payer.openid", "o\nx"),
	}
}

func TestBadTradesOfAPIv3(t *testing.T) {
	bad := badV3Trades()
	bad["no state"] = paidV3().with("trade_state", "-")
	bad["state of two lines"] = paidV3().with("trade_state", "SUCC\nESS")
	bad["another order"] = paidV3().with("out_trade_no", testNo+"2")
	for name, m := range bad {
		_, p, _ := newV3Client(t, answers(http.StatusOK, m.json()))
		if got, err := p.QueryOrder(t.Context(), testNo); got != (Trade{}) && name != "another order" || err == nil {
			t.Errorf("%s: %+v", name, got)
		} else {
			wantError(t, err, Untrusted, "")
		}
	}
	_, p, _ := newV3Client(t, answers(http.StatusOK, paidV3().json()))
	_, err := p.QueryTransaction(t.Context(), "4200000000202603010000000002")
	wantError(t, err, Untrusted, "")
	_, p, _ = newV3Client(t, silent(t))
	for _, bad := range []string{"", "42", "a/b/cdef", "a?b=cdef", "..........", strings.Repeat("1", 33)} {
		_, err = p.QueryOrder(t.Context(), bad)
		wantError(t, err, Developer, codeParam)
		wantError(t, p.CloseOrder(t.Context(), bad, time.Time{}), Developer, codeParam)
	}
	for _, bad := range []string{"", "4200/", "..", strings.Repeat("1", 33)} {
		_, err = p.QueryTransaction(t.Context(), bad)
		wantError(t, err, Developer, codeParam)
	}
}

func TestCloseOrderOfAPIv3(t *testing.T) {
	_, p, w := newV3Client(t, answers(http.StatusNoContent, ""))
	if err := p.CloseOrder(t.Context(), testNo, testTime.Add(-MinCloseAge)); err != nil {
		t.Error(err)
	}
	if s := w.sent[0]; s.url != "https://api.mch.weixin.qq.com/v3/pay/transactions/out-trade-no/"+testNo+"/close" || s.body != `{"mchid":"1230000109"}` || s.method != "POST" {
		t.Errorf("sent %+v", s)
	}
	err := p.CloseOrder(t.Context(), testNo, testTime.Add(time.Second-MinCloseAge))
	wantError(t, err, Retry, "")
	if len(w.sent) != 1 {
		t.Error("a young order was closed")
	}
	_, p, _ = newV3Client(t, answers(http.StatusForbidden, `{"code":"ORDERPAID","message":"订单已支付"}`))
	wantError(t, p.CloseOrder(t.Context(), testNo, time.Time{}), Declined, CodeOrderPaid)
	// An unsigned response does not close an order.
	_, p, _ = newV3Client(t, says3(v3answer{status: http.StatusNoContent, header: unsigned}))
	wantError(t, p.CloseOrder(t.Context(), testNo, time.Time{}), Untrusted, "")
}

// A call that did not reach WeChat is sent to the backup host with another signature. One that
// WeChat may be busy with does not.
func TestBackupHostOfAPIv3(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		sent int
	}{
		"refused": {&net.OpError{Op: "dial", Err: net.UnknownNetworkError("x")}, 2},
		"reset":   {&net.OpError{Op: "read", Err: net.UnknownNetworkError("reset")}, 2},
		"late":    {context.DeadlineExceeded, 1},
	} {
		_, p, w := newV3Client(t, func(r *http.Request, _ []byte) v3answer {
			if r.URL.Host == "api.mch.weixin.qq.com" {
				return v3answer{err: tt.err}
			}
			return v3answer{status: http.StatusNoContent}
		})
		err := p.CloseOrder(t.Context(), testNo, time.Time{})
		if len(w.sent) != tt.sent || (err == nil) != (tt.sent == 2) {
			t.Fatalf("%s: sent %d times, %v", name, len(w.sent), err)
		}
		if tt.sent == 1 {
			wantError(t, err, Retry, "")
			continue
		}
		first, second := w.sent[0], w.sent[1]
		if !strings.HasPrefix(second.url, "https://api2.mch.weixin.qq.com/v3/") || second.body != first.body || second.authorization == first.authorization {
			t.Errorf("%s: sent %+v, then %+v", name, first, second)
		}
	}
}

// The path of a proxy is not signed: WeChat does not see it.
func TestProxyOfAPIv3(t *testing.T) {
	_, p, w := newV3Client(t, answers(http.StatusNoContent, ""), func(c *Config) { c.MchURL = "https://egress.example/proxy/" })
	if err := p.CloseOrder(t.Context(), testNo, time.Time{}); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(w.sent[0].url, "https://egress.example/proxy/v3/pay/") {
		t.Errorf("sent to %s", w.sent[0].url)
	}
}

// A Client makes the published signatures of pay parameters.
func TestPayParamsOfAPIv3(t *testing.T) {
	for name, app := range map[string]bool{"APIv3 JSAPI paySign (signType RSA)": false, "APIv3 APP sign (fourth line = bare prepay_id)": true} {
		vector := v3vectorNamed(t, name)
		line := strings.Split(vector.Inputs.Message, "\n")
		var want string
		if err := json.Unmarshal(vector.Expected, &want); err != nil {
			t.Fatal(err)
		}
		at := unixTime(t, line[1])
		_, p, _ := newV3Client(t, silent(t), func(c *Config) {
			c.AppID, c.Rand, c.Now = line[0], drawnNonce(line[2]), func() time.Time { return at }
		})
		if app {
			got, err := p.AppParams(t.Context(), line[3])
			if want := (AppParams{AppID: line[0], PartnerID: testMchID, PrepayID: line[3], Package: "Sign=WXPay", NonceStr: line[2], TimeStamp: line[1], Sign: want}); err != nil || got != want {
				t.Errorf("%+v, %v", got, err)
			}
			continue
		}
		got, err := p.PayParams(t.Context(), strings.TrimPrefix(line[3], "prepay_id="))
		if want := (PayParams{line[0], line[1], line[2], line[3], "RSA", want}); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
	_, p, _ := newV3Client(t, silent(t))
	for _, bad := range []string{"", "a b", "a&b", "a\n", strings.Repeat("x", 129)} {
		_, err := p.PayParams(t.Context(), bad)
		wantError(t, err, Developer, codeParam)
		_, err = p.AppParams(t.Context(), bad)
		wantError(t, err, Developer, codeParam)
	}
}
