package desk

import (
	"strings"
	"testing"
	"time"

	"h5pay/wechat/wechattest"
)

func TestControlMovesMoney(t *testing.T) {
	w, call := deskOf(t, func(c *wechattest.Config) { c.PlainRefunds = true })
	url := w.CodeURL("desk001")
	if status, a := call("POST", "/control/scan", `{"code_url":"weixin://x"}`); status != 409 || !strings.Contains(a["error"].(string), "二维码无效") {
		t.Errorf("%d %v", status, a)
	}
	status, sheet := call("POST", "/control/scan", `{"code_url":"`+url+`"}`)
	if status != 200 || sheet["trade_type"] != "NATIVE" || sheet["state"] != wechattest.SheetOpen {
		t.Fatalf("%d %v", status, sheet)
	}
	call("POST", "/control/sheets/"+sheet["id"].(string)+"/pay", "")
	for body, want := range map[string]int{
		`{"out_trade_no":"nobody1","refund_fee":1}`: 404, `{"out_trade_no":"desk001","refund_fee":0}`: 400, `{"out_trade_no":"desk001","refund_fee":881}`: 400,
	} {
		if status, a := call("POST", "/control/refunds", body); status != want {
			t.Errorf("%s: %d %v", body, status, a)
		}
	}
	status, refund := call("POST", "/control/refunds", `{"out_trade_no":"desk001","refund_fee":80}`)
	if status != 200 || refund["refund_fee"] != 80.0 || refund["refund_status"] != wechattest.RefundProcessing {
		t.Errorf("%d %v", status, refund)
	}
	w.Advance(time.Minute)
	w.Refund("desk001", "r-1", "800")
	for body, want := range map[string]int{
		`{"out_refund_no":"r-0"}`: 404, `{"out_refund_no":"r-1"}`: 400, `{"out_refund_no":"r-1","forge":"bad_sign"}`: 400, `{"out_refund_no":"r-1","forge":"too_early"}`: 200,
	} {
		if status, a := call("POST", "/control/notifications", body); status != want {
			t.Errorf("%s: %d %v", body, status, a)
		}
	}
	_, ledger := call("GET", "/control/ledger", "")
	if refunds := ledger["refunds"].([]any); len(refunds) != 2 || refunds[1].(map[string]any)["out_refund_no"] != "r-1" {
		t.Errorf("%v", refunds)
	}
	if _, bill := call("GET", "/control/bill?date=20260301", ""); !strings.Contains(bill["bill"].(string), "`desk001,") {
		t.Errorf("%v", bill)
	}
	if _, bill := call("GET", "/control/bill?date=20260228", ""); bill["bill"] != "" {
		t.Errorf("%v", bill)
	}
	if status, a := call("GET", "/control/bill?date=yesterday", ""); status != 400 {
		t.Errorf("%d %v", status, a)
	}
	_, info := call("GET", "/control/info", "")
	if len(info["refund_forgeries"].([]any)) != len(wechattest.RefundForgeries()) || info["plain_refunds"] != true || len(info["h5_domains"].([]any)) != 1 {
		t.Errorf("%v", info)
	}
}
