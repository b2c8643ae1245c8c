package wechat_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// refundTime is the duration of a refund in the simulator.
const refundTime = 5 * time.Second

func refundOf(no, refundNo string, amount wechat.Fen) wechat.RefundRequest {
	return wechat.RefundRequest{
		OutTradeNo: no, OutRefundNo: refundNo, Total: 880, Amount: amount,
		Reason: "少了一包🍵 & <茶> ]]>" + strings.Repeat("茶", 40), NotifyURL: shopURL + "/api/notify/refund",
	}
}

func TestARefund(t *testing.T) {
	each(t, 8, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.pay("tea-000001")
		request := refundOf("tea-000001", "r|1*@_-", 300)
		_, err := w.client.QueryRefund(ctx, request.OutRefundNo)
		if kind, code := kindOf(err); kind != wechat.Declined || code != wechat.CodeRefundNotExist {
			t.Errorf("a refund that WeChat never saw: %v", err)
		}
		if all, err := w.client.QueryRefunds(ctx, "tea-000001"); err != nil || all != nil {
			t.Errorf("none yet: %v, %v", all, err)
		}
		taken, err := w.client.Refund(ctx, request)
		if err != nil || taken.State != wechat.RefundProcessing {
			t.Fatalf("%+v, %v", taken, err)
		}
		if again, err := w.client.Refund(ctx, request); err != nil || again != taken {
			t.Errorf("the same again: %+v, %v", again, err)
		}
		dearer := request
		dearer.Amount++
		_, err = w.client.Refund(ctx, dearer)
		if kind, _ := kindOf(err); kind != wechat.Developer {
			t.Errorf("another amount: %v", err)
		}
		hasty := refundOf("tea-000001", "r-2", 1)
		_, err = w.client.Refund(ctx, hasty)
		if kind, code := kindOf(err); kind != wechat.Retry || code != "FREQUENCY_LIMITED" {
			t.Errorf("within a minute: %v", err)
		}
		queried, err := w.client.QueryRefund(ctx, request.OutRefundNo)
		if err != nil || queried != taken {
			t.Errorf("meanwhile: %+v, %v", queried, err)
		}
		w.Advance(refundTime)
		notified, err := w.shop.lastRefund(t)
		if err != nil {
			t.Fatal(err)
		}
		queried, err = w.client.QueryRefund(ctx, request.OutRefundNo)
		if err != nil || notified != queried {
			t.Errorf("notified %+v\nqueried %+v, %v", notified, queried, err)
		}
		ledger := w.Ledger().Refunds[0]
		want := wechat.Refund{
			Version:    wechat.V2,
			OutTradeNo: "tea-000001", OutRefundNo: request.OutRefundNo, TransactionID: ledger.TransactionID, RefundID: ledger.RefundID,
			Total: 880, Amount: 300, State: wechat.RefundSuccess, RefundedAt: ledger.Done.UTC().Truncate(time.Second),
		}
		if diff := cmp.Diff(want, queried); diff != "" {
			t.Errorf("refund (-want +got):\n%s", diff)
		}
		if trade, err := w.client.QueryOrder(ctx, "tea-000001"); err != nil || trade.State != wechat.StateRefund || !trade.Paid() || trade.TotalFee != 880 && trade.TotalFee != 0 {
			t.Errorf("%+v, %v", trade, err)
		}
		if len(w.Ledger().Refunds) != 1 {
			t.Errorf("%d refunds", len(w.Ledger().Refunds))
		}
	})
}

func TestManyRefundsOfAnOrder(t *testing.T) {
	w := newWorld(t, 7, "")
	w.pay("tea-000001")
	const n = 23
	for i := range n {
		r := refundOf("tea-000001", fmt.Sprintf("r-%d", i), wechat.Fen(i+1))
		r.NotifyURL = ""
		if _, err := w.client.Refund(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Minute)
	}
	all, err := w.client.QueryRefunds(t.Context(), "tea-000001")
	if err != nil || len(all) != n {
		t.Fatalf("%d refunds, %v", len(all), err)
	}
	numbers := map[string]wechat.Refund{}
	for _, r := range all {
		numbers[r.OutRefundNo] = r
	}
	for i := range n {
		no := fmt.Sprintf("r-%d", i)
		one, err := w.client.QueryRefund(t.Context(), no)
		if err != nil || one != numbers[no] || one.Amount != wechat.Fen(i+1) || one.State != wechat.RefundSuccess {
			t.Errorf("%s: %+v, %+v, %v", no, one, numbers[no], err)
		}
	}
	// A refund by hand is found too.
	if _, err := w.Refund("tea-000001", 5); err != nil {
		t.Fatal(err)
	}
	if all, err = w.client.QueryRefunds(t.Context(), "tea-000001"); err != nil || len(all) != n+1 {
		t.Errorf("%d refunds, %v", len(all), err)
	}
}

func TestRefundsThatFail(t *testing.T) {
	for fault, want := range map[string]wechat.RefundState{
		wechattest.FaultRefundClosed: wechat.RefundClosed, wechattest.FaultRefundChange: wechat.RefundAbnormal,
	} {
		w := newWorld(t, 1, "")
		w.pay("tea-000001")
		w.fault(fault, "")
		if _, err := w.client.Refund(t.Context(), refundOf("tea-000001", "r-1", 300)); err != nil {
			t.Fatal(err)
		}
		w.Advance(refundTime)
		notified, err := w.shop.lastRefund(t)
		if err != nil || notified.State != want || !notified.RefundedAt.IsZero() {
			t.Errorf("%s: notified %+v, %v", fault, notified, err)
		}
		if queried, err := w.client.QueryRefund(t.Context(), "r-1"); err != nil || queried != notified {
			t.Errorf("%s: queried %+v, %v", fault, queried, err)
		}
	}
}

func TestRefundFaults(t *testing.T) {
	for fault, want := range map[string]struct {
		kind  wechat.Kind
		code  string
		taken bool
	}{
		wechattest.FaultNotEnough:      {wechat.Operator, wechat.CodeNotEnough, false},
		wechattest.FaultUnsettledShort: {wechat.Operator, wechat.CodeNotEnough, false},
		wechattest.FaultSystemError:    {wechat.Retry, "SYSTEM_ERROR", false},
		wechattest.FaultBadGateway:     {wechat.Retry, "", false},
		wechattest.FaultBadReplySign:   {wechat.Untrusted, "", true},
		wechattest.FaultNoReplySign:    {wechat.Untrusted, "", true},
		wechattest.FaultTimeoutAfter:   {wechat.Retry, "", true},
	} {
		t.Run(fault, func(t *testing.T) {
			each(t, 2, func(t *testing.T, w *world) {
				w.pay("tea-000001")
				path := "/secapi/pay/refund"
				if want.code == wechat.CodeNotEnough {
					path = ""
				}
				w.fault(fault, path)
				request := refundOf("tea-000001", "r-1", 300)
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				got, err := w.client.Refund(ctx, request)
				if kind, code := kindOf(err); kind != want.kind || code != want.code || got != (wechat.Refund{}) {
					t.Errorf("%+v, %v", got, err)
				}
				if n := len(w.Ledger().Refunds); (n == 1) != want.taken {
					t.Errorf("WeChat has %d refunds", n)
				}
				w.ClearFaults()
				if want.code == wechat.CodeNotEnough {
					// Only the other source has the money, or no source has before the merchant pays in.
					if _, err := w.client.Refund(t.Context(), request); err == nil {
						t.Error("the repeated request was accepted")
					}
					request.FromBalance = true
					if _, err := w.client.Refund(t.Context(), request); (err != nil) != (fault == wechattest.FaultNotEnough) {
						t.Errorf("from the balance: %v", err)
					}
					w.PayIn()
				}
				// After any result the same call again is right, and WeChat pays the refund once.
				if got, err = w.client.Refund(t.Context(), request); err != nil || got.State != wechat.RefundProcessing {
					t.Fatalf("%+v, %v", got, err)
				}
				if n := len(w.Ledger().Refunds); n != 1 {
					t.Errorf("WeChat has %d refunds", n)
				}
			})
		})
	}
}

func TestForgedRefundNotifications(t *testing.T) {
	each(t, 3, func(t *testing.T, w *world) {
		w.pay("tea-000001")
		if _, err := w.client.Refund(t.Context(), refundOf("tea-000001", "r-1", 300)); err != nil {
			t.Fatal(err)
		}
		w.Advance(refundTime)
		genuine, err := w.shop.lastRefund(t)
		if err != nil {
			t.Fatal(err)
		}
		for _, forge := range wechattest.RefundForgeries() {
			attempt, err := w.NotifyRefund("r-1", forge)
			if err != nil {
				t.Fatal(err)
			}
			notified, err := w.shop.lastRefund(t)
			switch forge {
			case wechattest.ForgeWrongAmount, wechattest.ForgeTooEarly, wechattest.ForgeReplay:
				// Correctly encrypted: only QueryRefund gives the correct result.
				queried, err2 := w.client.QueryRefund(t.Context(), "r-1")
				if err != nil || err2 != nil || queried != genuine || (notified == genuine) == (forge == wechattest.ForgeWrongAmount) {
					t.Errorf("%s: notified %+v, queried %+v, %v, %v", forge, notified, queried, err, err2)
				}
			default:
				if kind, _ := kindOf(err); kind != wechat.Untrusted || notified != (wechat.Refund{}) || attempt.OK {
					t.Errorf("%s: %+v, %v", forge, notified, err)
				}
			}
		}
	})
}

func TestARefundWithoutTheCertificate(t *testing.T) {
	// Over a real connection, and with one that the simulator did not issue.
	srv := wechattest.Start(t, wechattest.Config{Hostile: true, ShopURL: shopURL, Doer: &shop{}})
	cert, err := srv.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cert.CloseIdleConnections)
	transport := cert.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.Certificates = nil
	t.Cleanup(transport.CloseIdleConnections)
	for name, tt := range map[string]struct {
		doer wechat.Doer
		url  string
		kind wechat.Kind
		code string
	}{
		// The certificate is valid, so WeChat checks the order.
		"with":          {cert, srv.TLSURL, wechat.Developer, wechat.CodeOrderNotExist},
		"without":       {&http.Client{Transport: transport}, srv.TLSURL, wechat.Operator, ""},
		"without TLS":   {cert, srv.URL, wechat.Operator, ""},
		"not set":       {nil, srv.TLSURL, wechat.Operator, ""},
		"another's CA":  {http.DefaultClient, srv.TLSURL, wechat.Retry, ""},
		"not listening": {cert, "https://localhost:1", wechat.Retry, ""},
	} {
		client, err := wechat.New(wechat.Config{
			AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret, MchID: wechattest.DefaultMchID, APIKey: wechattest.DefaultAPIKey,
			MchURL: tt.url, Doer: cert, CertDoer: tt.doer, Now: srv.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Refund(t.Context(), refundOf("tea-000001", "r-1", 1))
		if kind, code := kindOf(err); kind != tt.kind || code != tt.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}
