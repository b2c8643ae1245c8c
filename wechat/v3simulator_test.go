package wechat_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

func TestAPaymentOfAPIv3(t *testing.T) {
	inModes(t, func(t *testing.T, mode wechattest.V3Mode) {
		for seed := range int64(6) {
			w := newV3World(t, seed+1, mode)
			ctx := t.Context()
			_, err := w.pay.QueryOrder(ctx, "tea-000001")
			wantKindOf(t, err, wechat.Declined, wechat.CodeOrderNotExist)
			order := w.order("tea-000001", wechat.TradeJSAPI)
			w.place(order)
			again := w.place(order)
			dearer := order
			dearer.TotalFee++
			_, err = w.pay.PlaceOrder(ctx, dearer)
			wantKindOf(t, err, wechat.Developer, "OUT_TRADE_NO_USED")
			trade, err := w.pay.QueryOrder(ctx, order.OutTradeNo)
			if err != nil || trade.State != wechat.StateNotPay || trade.Paid() || trade.Version != wechat.V3 {
				t.Fatalf("before: %+v, %v", trade, err)
			}
			w.paySheet(w.invoke(again.PrepayID))
			notified := w.next(w.shop.payments)
			if notified.err != nil {
				t.Fatal(notified.err)
			}
			queried, err := w.pay.QueryOrder(ctx, order.OutTradeNo)
			if err != nil || notified.trade != queried {
				t.Errorf("notified %+v\nqueried %+v, %v", notified.trade, queried, err)
			}
			byID, err := w.pay.QueryTransaction(ctx, queried.TransactionID)
			if err != nil || byID != queried {
				t.Errorf("by transaction: %+v, %v", byID, err)
			}
			ledger := w.Ledger().Trades[0]
			if queried.State != wechat.StateSuccess || queried.TotalFee != 880 || queried.Currency != "CNY" || queried.TradeType != wechat.TradeJSAPI ||
				queried.TransactionID != ledger.TransactionID || queried.OpenID != order.OpenID || queried.Attach != "a=1&b=2]]>茶" {
				t.Errorf("trade is %+v, the ledger has %+v", queried, ledger)
			}
			wantKindOf(t, w.pay.CloseOrder(ctx, order.OutTradeNo, time.Time{}), wechat.Declined, wechat.CodeOrderPaid)
			_, err = w.pay.QueryTransaction(ctx, "4200000000202603010000000009")
			wantKindOf(t, err, wechat.Declined, wechat.CodeOrderNotExist)
			if mode == wechattest.V3PublicKey && w.refreshed != 0 {
				t.Errorf("%d refreshes with the public key", w.refreshed)
			}
			if mode == wechattest.V3Certificates && w.refreshed != 1 {
				t.Errorf("%d refreshes, want the first one alone", w.refreshed)
			}
		}
	})
}

func TestTradeTypesOfAPIv3(t *testing.T) {
	inModes(t, func(t *testing.T, mode wechattest.V3Mode) {
		w := newV3World(t, 1, mode)
		native := w.place(w.order("tea-000001", wechat.TradeNative))
		sheet, err := w.Scan(native.CodeURL)
		if err != nil {
			t.Fatal(err)
		}
		w.paySheet(sheet)
		if n := w.next(w.shop.payments); n.err != nil || n.trade.OutTradeNo != "tea-000001" || n.trade.TradeType != wechat.TradeNative {
			t.Errorf("%+v", n)
		}
		if h5 := w.place(w.order("tea-000002", wechat.TradeMWEB)); !strings.HasPrefix(h5.PageURL(shopURL+"/result"), h5.MwebURL+"&redirect_url=https%3A%2F%2F") {
			t.Errorf("%+v", h5)
		}
		app := w.place(w.order("tea-000003", wechat.TradeApp))
		p, err := w.pay.AppParams(t.Context(), app.PrepayID)
		if err != nil {
			t.Fatal(err)
		}
		sheet, declined := w.InvokeApp(wechattest.AppCall{
			AppID: p.AppID, PartnerID: p.PartnerID, PrepayID: p.PrepayID, Package: p.Package, NonceStr: p.NonceStr, TimeStamp: p.TimeStamp, Sign: p.Sign,
		})
		if declined != nil {
			t.Fatalf("the phone declined: %+v", declined)
		}
		w.paySheet(sheet)
		if n := w.next(w.shop.payments); n.err != nil || n.trade.OutTradeNo != "tea-000003" || n.trade.TradeType != wechat.TradeApp {
			t.Errorf("%+v", n)
		}
	})
}

func TestClosingByAPIv3(t *testing.T) {
	inModes(t, func(t *testing.T, mode wechattest.V3Mode) {
		w := newV3World(t, 1, mode)
		ctx := t.Context()
		taken := w.Now()
		prepay := w.place(w.order("tea-000001", wechat.TradeJSAPI))
		wantKindOf(t, w.pay.CloseOrder(ctx, "tea-000001", taken), wechat.Retry, "")
		w.Advance(wechat.MinCloseAge)
		for range 2 { // may be repeated
			if err := w.pay.CloseOrder(ctx, "tea-000001", taken); err != nil {
				t.Error(err)
			}
		}
		if trade, err := w.pay.QueryOrder(ctx, "tea-000001"); err != nil || trade.State != wechat.StateClosed {
			t.Errorf("%+v, %v", trade, err)
		}
		_, err := w.pay.PlaceOrder(ctx, w.order("tea-000001", wechat.TradeJSAPI))
		if kind, _ := kindOf(err); kind != wechat.Declined && kind != wechat.Developer {
			t.Errorf("a closed order: %v", err)
		}
		if s, declined := w.Invoke(wechattest.InvokeCall{API: "getBrandWCPayRequest", URL: shopURL + "/", Landing: shopURL + "/"}); declined == nil {
			t.Errorf("%s: %+v", prepay.PrepayID, s)
		}
	})
}

func TestARefundOfAPIv3(t *testing.T) {
	inModes(t, func(t *testing.T, mode wechattest.V3Mode) {
		w := newV3World(t, 1, mode)
		ctx := t.Context()
		w.paid("tea-000001")
		request := refundOf("tea-000001", "r|1*@_-", 300)
		_, err := w.pay.QueryRefund(ctx, request.OutRefundNo)
		wantKindOf(t, err, wechat.Declined, wechat.CodeRefundNotExist)
		taken, err := w.pay.Refund(ctx, request)
		if err != nil || taken.State != wechat.RefundProcessing || taken.Version != wechat.V3 {
			t.Fatalf("%+v, %v", taken, err)
		}
		if again, err := w.pay.Refund(ctx, request); err != nil || again != taken {
			t.Errorf("the same again: %+v, %v", again, err)
		}
		dearer := request
		dearer.Amount++
		_, err = w.pay.Refund(ctx, dearer)
		if kind, _ := kindOf(err); kind != wechat.Developer {
			t.Errorf("another amount: %v", err)
		}
		w.Advance(refundTime)
		notified := w.next(w.shop.refunds)
		queried, err := w.pay.QueryRefund(ctx, request.OutRefundNo)
		if notified.err != nil || err != nil || notified.refund != queried || queried.State != wechat.RefundSuccess || queried.RefundedAt.IsZero() {
			t.Errorf("notified %+v, %v\nqueried %+v, %v", notified.refund, notified.err, queried, err)
		}
		if trade, err := w.pay.QueryOrder(ctx, "tea-000001"); err != nil || trade.State != wechat.StateRefund || !trade.Paid() || trade.TotalFee != 880 || trade.TransactionID == "" || trade.PaidAt.IsZero() {
			t.Errorf("%+v, %v", trade, err)
		}
		w.place(w.order("tea-000002", wechat.TradeJSAPI))
		_, err = w.pay.Refund(ctx, refundOf("tea-000002", "r-2", 1))
		wantKindOf(t, err, wechat.Developer, "RESOURCE_NOT_EXISTS")
		// The merchant's balance.
		w.paid("tea-000003")
		w.fault(wechattest.FaultUnsettledShort, "")
		short := refundOf("tea-000003", "r-3", 300)
		_, err = w.pay.Refund(ctx, short)
		wantKindOf(t, err, wechat.Operator, wechat.CodeNotEnough)
		short.FromBalance = true
		if _, err := w.pay.Refund(ctx, short); err != nil {
			t.Errorf("from the balance: %v", err)
		}
	})
}

func TestBillsOfAPIv3AtTheSimulator(t *testing.T) {
	inModes(t, func(t *testing.T, mode wechattest.V3Mode) {
		w := newV3World(t, 1, mode)
		ctx, day := t.Context(), w.Now()
		w.paid("tea-000001")
		w.paid("tea-000002")
		refund := refundOf("tea-000001", "r-1", 300)
		refund.NotifyURL = ""
		if _, err := w.pay.Refund(ctx, refund); err != nil {
			t.Fatal(err)
		}
		_, err := w.pay.DownloadBill(ctx, day)
		wantKindOf(t, err, wechat.Retry, "")
		now := w.Now().UTC()
		w.Advance(time.Date(now.Year(), now.Month(), now.Day()+1, 2, 0, 1, 0, time.UTC).Sub(now))
		bill, err := w.pay.DownloadBill(ctx, day)
		if err != nil || len(bill.Rows) != 3 || bill.Total != 1760 || bill.Refund != 300 {
			t.Fatalf("%+v, %v", bill, err)
		}
		r, err := w.pay.TradeBill(ctx, day)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if parsed, err := w.client.ParseBill(text); err != nil || len(parsed.Rows) != 3 || parsed.Total != bill.Total {
			t.Errorf("%+v, %v", parsed, err)
		}
		flow, err := w.pay.FundFlowBill(ctx, day)
		if err != nil {
			t.Fatal(err)
		}
		sums, err := wechat.ReadFundFlow(flow)
		want := wechat.FundFlow{Rows: 6, Payments: bill.Settled, Refunds: bill.SettledBack, Fees: bill.Fee.Fen(), Balance: 1_000_000 + bill.Settlement()}
		if err != nil || sums != want || sums.Fees != 8 || sums.Settlement() != bill.Settlement() {
			t.Errorf("%+v, %v; want %+v", sums, err, want)
		}
		if bill, err := w.pay.DownloadBill(ctx, day.Add(-24*time.Hour)); err != nil || len(bill.Rows) != 0 {
			t.Errorf("the day before: %+v, %v", bill, err)
		}
		w.fault(wechattest.FaultBillDamaged, "")
		_, err = w.pay.DownloadBill(ctx, day)
		wantKindOf(t, err, wechat.Untrusted, "")
	})
}

func TestEchoAtTheSimulator(t *testing.T) {
	inModes(t, func(t *testing.T, mode wechattest.V3Mode) {
		w := newV3World(t, 1, mode)
		if mode == wechattest.V3Certificates {
			wantKindOf(t, w.client.Echo(t.Context(), ""), wechat.Retry, "")
			if err := w.refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.client.Echo(t.Context(), shopURL+"/api/notify/pay"); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Minute)
		wantKindOf(t, w.next(w.shop.payments).err, wechat.Declined, wechat.CodeEcho)
		if err := w.client.Echo(t.Context(), ""); err != nil {
			t.Error(err)
		}
	})
}

// The errors that faults of WeChat's cause in a query, which changes nothing, and in an order.
func TestFaultsOfAPIv3(t *testing.T) {
	inModes(t, func(t *testing.T, mode wechattest.V3Mode) {
		for fault, want := range map[string]struct {
			kind wechat.Kind
			code string
			done bool // WeChat accepted the order
		}{
			wechattest.FaultV3Probe:       {wechat.Retry, "", true},
			wechattest.FaultV3ClockAhead:  {wechat.Untrusted, "", true},
			wechattest.FaultV3ClockBehind: {wechat.Untrusted, "", true},
			wechattest.FaultV3EmptyBody:   {wechat.Untrusted, "", true},
			wechattest.FaultV3Accepted:    {wechat.Retry, "", false},
			wechattest.FaultV3Unsigned:    {wechat.Retry, "", false},
			wechattest.FaultV3TooMany:     {wechat.Retry, "FREQUENCY_LIMITED", false},
			wechattest.FaultSystemError:   {wechat.Retry, "SYSTEM_ERROR", false},
			wechattest.FaultBadReplySign:  {wechat.Untrusted, "", true},
			wechattest.FaultNoReplySign:   {wechat.Untrusted, "", true},
			wechattest.FaultBadGateway:    {wechat.Retry, "", false},
		} {
			w := newV3World(t, 1, mode)
			if _, err := w.pay.QueryOrder(t.Context(), "tea-000000"); err == nil {
				t.Fatal("an order that was never placed")
			}
			order := w.order("tea-000001", wechat.TradeJSAPI)
			w.fault(fault, wechattest.PathV3JSAPI)
			_, err := w.pay.PlaceOrder(t.Context(), order)
			if kind, code := kindOf(err); kind != want.kind || code != want.code {
				t.Errorf("%s: %v", fault, err)
			}
			if taken := len(w.Ledger().Orders) == 1; taken != want.done {
				t.Errorf("%s: the order was accepted: %t", fault, taken)
			}
			if wechat.IsProbe(err) != (fault == wechattest.FaultV3Probe) {
				t.Errorf("%s: probe: %v", fault, err)
			}
			// The right retry is the same order.
			if _, err := w.pay.PlaceOrder(t.Context(), order); err != nil {
				t.Errorf("%s, again: %v", fault, err)
			}
		}
	})
}

func TestOldCodesOfAPIv3(t *testing.T) {
	w := newV3World(t, 1, wechattest.V3PublicKey)
	w.fault(wechattest.FaultV3OldCodes, "")
	_, err := w.pay.QueryOrder(t.Context(), "tea-000001")
	wantKindOf(t, err, wechat.Declined, wechat.CodeOrderNotExist)
}

// Forged notifications are rejected, and the genuine one after them is accepted.
func TestForgeriesOfAPIv3(t *testing.T) {
	inModes(t, func(t *testing.T, mode wechattest.V3Mode) {
		w := newV3World(t, 1, mode)
		w.paid("tea-000001")
		forges := 0
		for _, forge := range append(wechattest.Forgeries(), wechattest.V3Forgeries()...) {
			if _, err := w.Notify("tea-000001", forge); err != nil {
				continue // not one of this order's
			}
			n := w.next(w.shop.payments)
			if n.err == nil && (n.trade.Version != wechat.V3 || n.trade.TotalFee != 880 || n.trade.OutTradeNo != "tea-000001" || n.trade.Currency != "CNY") {
				continue // signed by WeChat, and the caller's comparison finds it
			}
			forges++
			// A replay is WeChat's own message, and a leaked private key of WeChat's cannot be
			// distinguished from WeChat.
			if n.err == nil && forge != wechattest.ForgeReplay && forge != wechattest.ForgeLeakedKey {
				t.Errorf("%s: %+v is accepted", forge, n.trade)
			}
		}
		if forges < 8 {
			t.Errorf("%d forgeries only", forges)
		}
		if a, err := w.Notify("tea-000001", ""); err != nil || !a.OK {
			t.Errorf("%+v, %v", a, err)
		}
		if n := w.next(w.shop.payments); n.err != nil {
			t.Error(n.err)
		}
	})
}

// A probe is rejected, and the notification is repeated.
func TestProbesOfNotifications(t *testing.T) {
	w := newV3World(t, 1, wechattest.V3PublicKey)
	w.fault(wechattest.FaultV3Probe, wechattest.V3Callback)
	w.paySheet(w.invoke(w.place(w.order("tea-000001", wechat.TradeJSAPI)).PrepayID))
	if n := w.next(w.shop.payments); !wechat.IsProbe(n.err) {
		t.Errorf("%v", n.err)
	}
	w.Advance(time.Minute)
	if n := w.next(w.shop.payments); n.err != nil || n.trade.State != wechat.StateSuccess {
		t.Errorf("%+v", n)
	}
}

// The keys change at any moment: nothing is lost.
func TestKeyChangesOfAPIv3(t *testing.T) {
	t.Run("a certificate that was announced", func(t *testing.T) {
		w := newV3World(t, 1, wechattest.V3Certificates)
		w.paid("tea-000001")
		w.AnnounceV3Certificate()
		w.RotateV3Certificate()
		w.paid("tea-000002")
		if w.refreshed != 2 || len(w.client.WeChatKeys()) != 2 {
			t.Errorf("%d refreshes, %d keys", w.refreshed, len(w.client.WeChatKeys()))
		}
	})
	t.Run("certificates that change at once", func(t *testing.T) {
		w := newV3World(t, 1, wechattest.V3Certificates)
		w.fault(wechattest.FaultV3Rotate, wechattest.PathV3JSAPI)
		w.paid("tea-000001")
	})
	t.Run("certificates to the public key", func(t *testing.T) {
		w := newV3World(t, 1, wechattest.V3Certificates)
		w.paid("tea-000001")
		if err := w.SetV3Mode(wechattest.V3Both); err != nil {
			t.Fatal(err)
		}
		w.connect(w.V3())
		for i, share := range []float64{0.1, 50, 100} {
			if err := w.SetV3Share(share); err != nil {
				t.Fatal(err)
			}
			w.paid("tea-00000" + string(rune('2'+i)))
		}
		if err := w.SetV3Mode(wechattest.V3PublicKey); err != nil {
			t.Fatal(err)
		}
		w.paid("tea-000009")
		if trade, err := w.pay.QueryOrder(t.Context(), "tea-000001"); err != nil || !trade.Paid() {
			t.Errorf("%+v, %v", trade, err)
		}
	})
	t.Run("the merchant's key", func(t *testing.T) {
		w := newV3World(t, 1, wechattest.V3PublicKey)
		prepay := w.place(w.order("tea-000001", wechat.TradeJSAPI))
		w.RotateV3MerchantKey()
		// The one before is valid until it is revoked.
		w.paySheet(w.invoke(prepay.PrepayID))
		if n := w.next(w.shop.payments); n.err != nil {
			t.Error(n.err)
		}
		w.RevokeV3MerchantKeys()
		_, err := w.pay.QueryOrder(t.Context(), "tea-000001")
		wantKindOf(t, err, wechat.Operator, "")
		w.connect(w.V3())
		if trade, err := w.pay.QueryOrder(t.Context(), "tea-000001"); err != nil || !trade.Paid() {
			t.Errorf("%+v, %v", trade, err)
		}
	})
	t.Run("the APIv3 key", func(t *testing.T) {
		w := newV3World(t, 1, wechattest.V3PublicKey)
		old := w.V3().APIv3Key
		w.paid("tea-000001")
		if err := w.SetAPIv3Key("newnewnewnewnewnewnewnewnewnew32"); err != nil {
			t.Fatal(err)
		}
		w.connect(w.V3(), func(c *wechat.Config) { c.V3.APIv3KeyOld = wechat.Secret(old) })
		w.paid("tea-000002")
		if err := w.SetAPIv3Key(old); err != nil {
			t.Fatal(err)
		}
		if a, err := w.Notify("tea-000002", ""); err != nil || !a.OK {
			t.Errorf("with the old key: %+v, %v", a, err)
		}
	})
}

// A merchant with both versions ends each payment in the version in which it began.
func TestBothVersionsAtTheSimulator(t *testing.T) {
	w := newV3World(t, 1, wechattest.V3PublicKey)
	w.connect(w.V3(), func(c *wechat.Config) {
		c.APIKey, c.CertDoer = wechattest.DefaultAPIKey, certified{w.WeChat}
	})
	ctx := t.Context()
	v2, err := w.client.For(wechat.V2)
	if err != nil {
		t.Fatal(err)
	}
	old, err := v2.PlaceOrder(ctx, w.order("tea-000001", wechat.TradeNative))
	if err != nil {
		t.Fatal(err)
	}
	w.paid("tea-000002")
	sheet, err := w.Scan(old.CodeURL)
	if err != nil {
		t.Fatal(err)
	}
	w.paySheet(sheet)
	if n := w.next(w.shop.payments); n.err != nil || n.trade.Version != wechat.V2 || n.trade.OutTradeNo != "tea-000001" {
		t.Errorf("%+v", n)
	}
	if trade, err := v2.QueryOrder(ctx, "tea-000001"); err != nil || !trade.Paid() || trade.Version != wechat.V2 {
		t.Errorf("%+v, %v", trade, err)
	}
	if _, err := v2.Refund(ctx, refundOf("tea-000001", "r-1", 300)); err != nil {
		t.Fatal(err)
	}
	w.Advance(refundTime)
	if n := w.next(w.shop.refunds); n.err != nil || n.refund.Version != wechat.V2 {
		t.Errorf("%+v", n)
	}
}

// A clock that is wrong is declined by WeChat before the signature.
func TestWrongClockAtTheSimulator(t *testing.T) {
	w := newV3World(t, 1, wechattest.V3PublicKey)
	w.connect(w.V3(), func(c *wechat.Config) { c.Now = func() time.Time { return w.Now().Add(-6 * time.Minute) } })
	_, err := w.pay.PlaceOrder(t.Context(), w.order("tea-000001", wechat.TradeJSAPI))
	wantKindOf(t, err, wechat.Operator, "")
	if !strings.Contains(err.Error(), "timestamp") {
		t.Errorf("%v", err)
	}
}
