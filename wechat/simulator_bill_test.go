package wechat_test

import (
	"testing"
	"time"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// nextMorning moves the clock to when the bill of the day is ready: ten o'clock
// in Beijing, 2:00 UTC.
func (w *world) nextMorning() {
	now := w.Now().UTC()
	ready := time.Date(now.Year(), now.Month(), now.Day()+1, 2, 0, 1, 0, time.UTC)
	w.Advance(ready.Sub(now))
}

func TestTheBillOfADay(t *testing.T) {
	each(t, 4, func(t *testing.T, w *world) {
		day := w.Now()
		w.pay("tea-000001")
		w.pay("tea-000002")
		if _, err := w.client.UnifiedOrder(t.Context(), w.order("tea-000003")); err != nil {
			t.Fatal(err)
		}
		refund := refundOf("tea-000001", "r-1", 300)
		refund.NotifyURL = ""
		if _, err := w.client.Refund(t.Context(), refund); err != nil {
			t.Fatal(err)
		}
		w.Advance(refundTime)
		_, err := w.client.DownloadBill(t.Context(), day)
		if kind, code := kindOf(err); kind != wechat.Retry || code != "" {
			t.Errorf("the same day: %v", err)
		}
		w.nextMorning()
		bill, err := w.client.DownloadBill(t.Context(), day)
		if err != nil {
			t.Fatal(err)
		}
		if len(bill.Rows) != 3 || bill.Total != 1760 || bill.Refund != 300 {
			t.Fatalf("%+v", bill)
		}
		trades := map[string]string{}
		for _, o := range w.Ledger().Trades {
			trades[o.OutTradeNo] = o.TransactionID
		}
		for _, r := range bill.Rows {
			if r.AppID != wechattest.DefaultAppID || r.TransactionID != trades[r.OutTradeNo] || r.Currency != "CNY" || r.OpenID != w.User().OpenID ||
				r.TradeType != wechat.TradeJSAPI || r.Time.Before(day.Truncate(time.Second)) || r.Attach != "a=1&b=2]]>🍵" {
				t.Errorf("%+v", r)
			}
			switch r.State {
			case wechat.StateSuccess:
				if r.Total != 880 || r.Refund != 0 || r.RefundID != "" || r.OutRefundNo != "" || r.Body == "" {
					t.Errorf("%+v", r)
				}
			case wechat.StateRefund:
				if r.Total != 0 || r.Refund != 300 || r.OutRefundNo != "r-1" || r.RefundID != w.Ledger().Refunds[0].RefundID || r.RefundState == "" {
					t.Errorf("%+v", r)
				}
			default:
				t.Errorf("state %q", r.State)
			}
		}
		// The day before has none.
		if bill, err := w.client.DownloadBill(t.Context(), day.Add(-24*time.Hour)); err != nil || len(bill.Rows) != 0 {
			t.Errorf("%+v, %v", bill, err)
		}
	})
}

// The totals of a bill that differs from the shop's books are right. The caller has to find the
// difference.
func TestBillsThatDiffer(t *testing.T) {
	for fault, rows := range map[string]int{
		wechattest.FaultBillRowLost: 1, wechattest.FaultBillRowChanged: 2, wechattest.FaultBillRowAdded: 3,
	} {
		w := newWorld(t, 3, "")
		day := w.Now()
		w.pay("tea-000001")
		w.pay("tea-000002")
		w.nextMorning()
		w.fault(fault, "")
		bill, err := w.client.DownloadBill(t.Context(), day)
		if err != nil || len(bill.Rows) != rows || (bill.Total == 1760) {
			t.Errorf("%s: %+v, %v", fault, bill, err)
		}
	}
}

func TestBillFaults(t *testing.T) {
	for fault, want := range map[string]wechat.Kind{
		wechattest.FaultBillCreating: wechat.Retry, wechattest.FaultSystemError: wechat.Retry, wechattest.FaultBadGateway: wechat.Retry,
	} {
		w := newWorld(t, 3, "")
		day := w.Now()
		w.pay("tea-000001")
		w.nextMorning()
		path := "/pay/downloadbill"
		if fault == wechattest.FaultBillCreating {
			path = ""
		}
		w.fault(fault, path)
		bill, err := w.client.DownloadBill(t.Context(), day)
		if kind, _ := kindOf(err); kind != want || bill.Rows != nil {
			t.Errorf("%s: %+v, %v", fault, bill, err)
		}
		if bill, err = w.client.DownloadBill(t.Context(), day); err != nil || len(bill.Rows) != 1 {
			t.Errorf("after %s: %+v, %v", fault, bill, err)
		}
	}
	w := newWorld(t, 3, "")
	w.nextMorning()
	bad, err := wechat.New(wechat.Config{
		AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret, MchID: wechattest.DefaultMchID,
		APIKey: "00000000000000000000000000000000", Doer: wire{w.Handler()}, Now: w.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = bad.DownloadBill(t.Context(), w.Now().Add(-24*time.Hour))
	if kind, _ := kindOf(err); kind != wechat.Operator {
		t.Errorf("API key: %v", err)
	}
}
