package wechat_test

import (
	"strings"
	"testing"
	"time"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestClosingAnOrder(t *testing.T) {
	each(t, 3, func(t *testing.T, w *world) {
		ctx := t.Context()
		err := w.client.CloseOrder(ctx, "tea-000001", time.Time{})
		if kind, code := kindOf(err); kind != wechat.Declined || code != wechat.CodeOrderNotExist {
			t.Errorf("an order that WeChat never saw: %v", err)
		}
		order := w.order("tea-000001")
		if _, err := w.client.UnifiedOrder(ctx, order); err != nil {
			t.Fatal(err)
		}
		taken := w.Now()
		err = w.client.CloseOrder(ctx, order.OutTradeNo, taken)
		if kind, code := kindOf(err); kind != wechat.Retry || code != "" {
			t.Errorf("too early, by our clock: %v", err)
		}
		err = w.client.CloseOrder(ctx, order.OutTradeNo, time.Time{})
		if kind, code := kindOf(err); kind != wechat.Declined || code != "TRADE_STATE_ERROR" {
			t.Errorf("too early, by WeChat's: %v", err)
		}
		w.Advance(wechat.MinCloseAge)
		if err := w.client.CloseOrder(ctx, order.OutTradeNo, taken); err != nil {
			t.Fatal(err)
		}
		err = w.client.CloseOrder(ctx, order.OutTradeNo, taken)
		if kind, code := kindOf(err); kind != wechat.Declined || code != wechat.CodeOrderClosed {
			t.Errorf("a second time: %v", err)
		}
		if trade, err := w.client.QueryOrder(ctx, order.OutTradeNo); err != nil || trade.State != wechat.StateClosed {
			t.Errorf("%+v, %v", trade, err)
		}
		_, err = w.client.UnifiedOrder(ctx, order)
		if kind, code := kindOf(err); kind != wechat.Declined || code != wechat.CodeOrderClosed {
			t.Errorf("the number is used up: %v", err)
		}
	})
}

func TestClosingAPaidOrder(t *testing.T) {
	w := newWorld(t, 1, "")
	w.pay("tea-000001")
	w.Advance(wechat.MinCloseAge)
	err := w.client.CloseOrder(t.Context(), "tea-000001", time.Time{})
	if kind, code := kindOf(err); kind != wechat.Declined || code != wechat.CodeOrderPaid {
		t.Errorf("%v", err)
	}
}

func TestCloseFaults(t *testing.T) {
	for fault, want := range map[string]struct {
		kind   wechat.Kind
		closed bool
	}{
		wechattest.FaultBadReplySign: {wechat.Untrusted, true}, wechattest.FaultNoReplySign: {wechat.Untrusted, true},
		wechattest.FaultSystemError: {wechat.Retry, false}, wechattest.FaultBadGateway: {wechat.Retry, false},
	} {
		w := newWorld(t, 2, "")
		if _, err := w.client.UnifiedOrder(t.Context(), w.order("tea-000001")); err != nil {
			t.Fatal(err)
		}
		w.Advance(wechat.MinCloseAge)
		w.fault(fault, "/pay/closeorder")
		err := w.client.CloseOrder(t.Context(), "tea-000001", time.Time{})
		if kind, _ := kindOf(err); kind != want.kind {
			t.Errorf("%s: %v", fault, err)
		}
		// The same call again is right, whatever the result of the first one was.
		w.ClearFaults()
		err = w.client.CloseOrder(t.Context(), "tea-000001", time.Time{})
		if _, code := kindOf(err); err != nil && code != wechat.CodeOrderClosed || (err != nil) != want.closed {
			t.Errorf("after %s: %v", fault, err)
		}
	}
}

func TestOrdersForQRCodesAndBrowsers(t *testing.T) {
	each(t, 3, func(t *testing.T, w *world) {
		native := w.order("tea-000001")
		native.TradeType, native.OpenID, native.ClientIP = wechat.TradeNative, "", "203.0.113.7"
		first, err := w.client.UnifiedOrder(t.Context(), native)
		if err != nil || !strings.HasPrefix(first.CodeURL, "weixin://") || first.MwebURL != "" {
			t.Fatalf("%+v, %v", first, err)
		}
		second, err := w.client.UnifiedOrder(t.Context(), native)
		if err != nil || second.CodeURL == first.CodeURL {
			t.Errorf("the same again: %+v, %v", second, err)
		}
		mweb := w.order("tea-000002")
		mweb.TradeType, mweb.OpenID, mweb.WapURL, mweb.WapName = wechat.TradeMWEB, "", shopURL, "山岚小铺"
		prepay, err := w.client.UnifiedOrder(t.Context(), mweb)
		if err != nil || prepay.CodeURL != "" || !strings.Contains(prepay.PageURL(shopURL+"/?a=1"), "&redirect_url=https%3A%2F%2Fshop.example%2F%3Fa%3D1") {
			t.Fatalf("%+v, %v", prepay, err)
		}
		other := native
		other.TradeType, other.OpenID = wechat.TradeJSAPI, w.User().OpenID
		_, err = w.client.UnifiedOrder(t.Context(), other)
		if kind, code := kindOf(err); kind != wechat.Developer || code != "OUT_TRADE_NO_USED" {
			t.Errorf("another trade_type: %v", err)
		}
	})
}
