package wechat_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestAPayment(t *testing.T) {
	each(t, 12, func(t *testing.T, w *world) {
		ctx := t.Context()
		code := w.signIn(wechat.ScopeUserInfo)
		token, err := w.client.ExchangeCode(ctx, code)
		if err != nil || token.OpenID != w.User().OpenID || token.ExpiresIn != 2*time.Hour || token.Snapshot || token.Scope != "snsapi_userinfo" {
			t.Fatalf("%+v, %v", token, err)
		}
		user, err := w.client.UserInfo(ctx, token, "zh_CN")
		if err != nil || user.OpenID != token.OpenID || user.Nickname != w.User().Nickname {
			t.Fatalf("%+v, %v", user, err)
		}
		_, err = w.client.ExchangeCode(ctx, code)
		if kind, c := kindOf(err); kind != wechat.Restart || c != wechat.CodeUsed {
			t.Errorf("a code twice: %v", err)
		}

		_, err = w.client.QueryOrder(ctx, "tea-000001")
		if kind, c := kindOf(err); kind != wechat.Declined || c != wechat.CodeOrderNotExist {
			t.Errorf("an order that WeChat never saw: %v", err)
		}
		order := w.order("tea-000001")
		prepay, err := w.client.UnifiedOrder(ctx, order)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.client.UnifiedOrder(ctx, order)
		if err != nil {
			t.Fatalf("the same order again: %v", err)
		}
		dearer := order
		dearer.TotalFee++
		_, err = w.client.UnifiedOrder(ctx, dearer)
		if kind, c := kindOf(err); kind != wechat.Developer || c != "OUT_TRADE_NO_USED" {
			t.Errorf("another price: %v", err)
		}
		trade, err := w.client.QueryOrder(ctx, order.OutTradeNo)
		if err != nil || trade.State != wechat.StateNotPay || trade.Paid() || trade.OutTradeNo != order.OutTradeNo {
			t.Fatalf("before: %+v, %v", trade, err)
		}

		w.invoke(prepay.PrepayID)
		before := w.Now()
		if s, err := w.PaySheet(w.invoke(again.PrepayID).ID); err != nil || s.State != wechattest.SheetPaid {
			t.Fatalf("%+v, %v", s, err)
		}
		notified, err := w.shop.last(t)
		if err != nil {
			t.Fatal(err)
		}
		queried, err := w.client.QueryOrder(ctx, order.OutTradeNo)
		if err != nil || notified != queried {
			t.Errorf("notified %+v\nqueried %+v, %v", notified, queried, err)
		}
		ledger := w.Ledger().Trades[0]
		if queried.State != wechat.StateSuccess || !queried.Paid() || queried.TotalFee != 880 || queried.Currency != "CNY" || queried.TradeType != wechat.TradeJSAPI ||
			queried.TransactionID != ledger.TransactionID || queried.OpenID != order.OpenID || queried.Attach != "a=1&b=2]]>🍵" {
			t.Errorf("trade is %+v, the ledger has %+v", queried, ledger)
		}
		if d := queried.PaidAt.Sub(before); d < -time.Second || d > time.Minute {
			t.Errorf("paid at %v, %v after the tap", queried.PaidAt, d)
		}
		_, err = w.client.UnifiedOrder(ctx, order)
		if kind, c := kindOf(err); kind != wechat.Declined || c != wechat.CodeOrderPaid {
			t.Errorf("a paid order: %v", err)
		}
	})
}

func TestASilentSignIn(t *testing.T) {
	w := newWorld(t, 1, "")
	token, err := w.client.ExchangeCode(t.Context(), w.signIn(wechat.ScopeBase))
	if err != nil || token.OpenID != w.User().OpenID || token.Scope != "snsapi_base" {
		t.Fatalf("%+v, %v", token, err)
	}
	_, err = w.client.UserInfo(t.Context(), token, "en")
	if kind, code := kindOf(err); kind != wechat.Restart || code != "48001" {
		t.Errorf("a profile without the scope: %v", err)
	}
	_, err = w.client.ExchangeCode(t.Context(), "never-given-out")
	if kind, code := kindOf(err); kind != wechat.Restart || code != wechat.CodeInvalid {
		t.Errorf("a made-up code: %v", err)
	}
}

func TestSignInFaults(t *testing.T) {
	for fault, want := range map[string]struct {
		kind wechat.Kind
		code string
	}{
		wechattest.FaultCodeUsed: {wechat.Restart, wechat.CodeUsed}, wechattest.FaultCodeExpired: {wechat.Restart, wechat.CodeExpired},
		wechattest.FaultSystemError: {wechat.Retry, "-1"}, wechattest.FaultBadGateway: {wechat.Retry, ""},
	} {
		w := newWorld(t, 1, "")
		code := w.signIn(wechat.ScopeBase)
		w.fault(fault, "")
		_, err := w.client.ExchangeCode(t.Context(), code)
		if kind, c := kindOf(err); kind != want.kind || c != want.code {
			t.Errorf("%s: %v", fault, err)
		}
	}
	w := newWorld(t, 1, "")
	code := w.signIn(wechat.ScopeBase)
	w.fault(wechattest.FaultSnapshotUser, "")
	if token, err := w.client.ExchangeCode(t.Context(), code); err != nil || !token.Snapshot {
		t.Errorf("the virtual user: %+v, %v", token, err)
	}
}

func TestOrderFaults(t *testing.T) {
	const taken, path = true, "/pay/unifiedorder"
	for fault, want := range map[string]struct {
		kind  wechat.Kind
		code  string
		taken bool
	}{
		wechattest.FaultBadReplySign:  {wechat.Untrusted, "", taken},
		wechattest.FaultNoReplySign:   {wechat.Untrusted, "", taken},
		wechattest.FaultSystemError:   {wechat.Retry, "SYSTEM_ERROR", false},
		wechattest.FaultBadGateway:    {wechat.Retry, "", false},
		wechattest.FaultTimeoutAfter:  {wechat.Retry, "", taken},
		wechattest.FaultTimeoutBefore: {wechat.Retry, "", false},
	} {
		t.Run(fault, func(t *testing.T) {
			each(t, 2, func(t *testing.T, w *world) {
				order := w.order("tea-000001")
				w.fault(fault, path)
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				timeout := strings.HasPrefix(fault, "timeout")
				if timeout {
					ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
				}
				defer cancel()
				got, err := w.client.UnifiedOrder(ctx, order)
				if kind, code := kindOf(err); kind != want.kind || code != want.code || got != (wechat.Prepay{}) {
					t.Errorf("%+v, %v", got, err)
				}
				if timeout && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the cause is not the deadline: %v", err)
				}
				if n := len(w.Ledger().Orders); !timeout && (n == 1) != want.taken {
					t.Errorf("WeChat has %d orders", n)
				}
				// After any result the same call again is right.
				w.ClearFaults()
				prepay, err := w.client.UnifiedOrder(t.Context(), order)
				if err != nil {
					t.Fatal(err)
				}
				w.invoke(prepay.PrepayID)
			})
		})
	}
}

func TestQueryFaultsNeverShowAPaidOrder(t *testing.T) {
	for fault, want := range map[string]wechat.Kind{
		wechattest.FaultBadReplySign: wechat.Untrusted, wechattest.FaultNoReplySign: wechat.Untrusted,
		wechattest.FaultSystemError: wechat.Retry, wechattest.FaultBadGateway: wechat.Retry,
	} {
		w := newWorld(t, 3, "")
		w.pay("tea-000001")
		w.fault(fault, "/pay/orderquery")
		trade, err := w.client.QueryOrder(t.Context(), "tea-000001")
		if kind, _ := kindOf(err); kind != want || trade != (wechat.Trade{}) {
			t.Errorf("%s: %+v, %v", fault, trade, err)
		}
		if trade, err = w.client.QueryOrder(t.Context(), "tea-000001"); err != nil || !trade.Paid() {
			t.Errorf("after %s: %+v, %v", fault, trade, err)
		}
	}
}

func TestForgedNotifications(t *testing.T) {
	each(t, 2, func(t *testing.T, w *world) {
		if _, err := w.client.UnifiedOrder(t.Context(), w.order("tea-000001")); err != nil {
			t.Fatal(err)
		}
		for _, forge := range wechattest.Forgeries() {
			if forge == wechattest.ForgeReplay || forge == wechattest.ForgeOtherTrade {
				continue // of a genuine one: below; well signed, so for the order to compare
			}
			attempt, err := w.Notify("tea-000001", forge)
			if err != nil {
				t.Fatal(err)
			}
			trade, err := w.shop.last(t)
			if want, signed := map[string]wechat.Fen{wechattest.ForgeWrongAmount: 881, wechattest.ForgeLeakedKey: 880}[forge]; signed {
				// Well signed: the amount is for the order to compare, the payment for a query.
				if err != nil || trade.TotalFee != want {
					t.Errorf("%s: %+v, %v", forge, trade, err)
				}
				continue
			}
			if kind, _ := kindOf(err); kind != wechat.Untrusted || trade != (wechat.Trade{}) || attempt.OK {
				t.Errorf("%s: %+v, %v", forge, trade, err)
			}
		}
	})
	w := newWorld(t, 5, "")
	w.fault(wechattest.FaultNotifyMD5, "")
	w.pay("tea-000001")
	first, err := w.shop.last(t)
	if err != nil {
		t.Fatalf("signed with MD5 for an HMAC order: %v", err)
	}
	if _, err := w.Notify("tea-000001", wechattest.ForgeReplay); err != nil {
		t.Fatal(err)
	}
	if second, err := w.shop.last(t); err != nil || second != first {
		t.Errorf("the replay: %+v, %v", second, err)
	}
}

func TestClosedAndForeignOrders(t *testing.T) {
	w := newWorld(t, 1, "")
	order := w.order("tea-000001")
	if _, err := w.client.UnifiedOrder(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	if err := w.CloseOrder(order.OutTradeNo); err != nil {
		t.Fatal(err)
	}
	_, err := w.client.UnifiedOrder(t.Context(), order)
	if kind, code := kindOf(err); kind != wechat.Declined || code != wechat.CodeOrderClosed {
		t.Errorf("a closed order: %v", err)
	}
	if trade, err := w.client.QueryOrder(t.Context(), order.OutTradeNo); err != nil || trade.State != wechat.StateClosed || trade.Paid() {
		t.Errorf("%+v, %v", trade, err)
	}
	stranger := w.order("tea-000002")
	stranger.OpenID = "oOfAnotherAppid-0123456_abcd"
	_, err = w.client.UnifiedOrder(t.Context(), stranger)
	if kind, code := kindOf(err); kind != wechat.Developer || code != "INVALID_REQUEST" || strings.Contains(err.Error(), stranger.OpenID) {
		t.Errorf("another account's openid: %v", err)
	}
}

func TestWrongKeysAreTheOperators(t *testing.T) {
	w := newWorld(t, 1, "")
	code := w.signIn(wechat.ScopeBase)
	cfg := wechat.Config{
		AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret, MchID: wechattest.DefaultMchID,
		APIKey: "00000000000000000000000000000000", Doer: wire{w.Handler()}, Now: w.Now,
	}
	bad, err := wechat.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = bad.UnifiedOrder(t.Context(), w.order("tea-000001"))
	if kind, _ := kindOf(err); kind != wechat.Operator {
		t.Errorf("API key: %v", err)
	}
	cfg.AppSecret, cfg.MchID = "00000000000000000000000000000000", "1900000000"
	if bad, err = wechat.New(cfg); err != nil {
		t.Fatal(err)
	}
	_, err = bad.UnifiedOrder(t.Context(), w.order("tea-000001"))
	if kind, _ := kindOf(err); kind != wechat.Operator {
		t.Errorf("mch_id: %v", err)
	}
	_, err = bad.ExchangeCode(t.Context(), code)
	if kind, c := kindOf(err); kind != wechat.Operator || c != "40125" {
		t.Errorf("AppSecret: %v", err)
	}
}

// The same over TCP, with the standard library's client.
func TestOverHTTP(t *testing.T) {
	srv := wechattest.Start(t, wechattest.Config{Hostile: true, ShopURL: shopURL, Doer: &shop{}})
	client, err := wechat.New(wechat.Config{
		AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret, MchID: wechattest.DefaultMchID, APIKey: wechattest.DefaultAPIKey,
		OpenURL: srv.URL, APIURL: srv.URL, MchURL: srv.URL, Now: srv.Now,
		Doer: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{WeChat: srv.WeChat, t: t, client: client}
	prepay, err := client.UnifiedOrder(t.Context(), w.order("tea-000001"))
	if err != nil {
		t.Fatal(err)
	}
	w.invoke(prepay.PrepayID)
	if trade, err := client.QueryOrder(t.Context(), "tea-000001"); err != nil || trade.State != wechat.StateNotPay {
		t.Errorf("%+v, %v", trade, err)
	}
	if token, err := client.ExchangeCode(t.Context(), w.signIn(wechat.ScopeBase)); err != nil || token.OpenID != srv.User().OpenID {
		t.Errorf("%+v, %v", token, err)
	}
	srv.Close()
	_, err = client.QueryOrder(t.Context(), "tea-000001")
	if kind, _ := kindOf(err); kind != wechat.Retry || strings.Contains(err.Error(), srv.URL) {
		t.Errorf("WeChat does not respond: %v", err)
	}
}
