package wechattest

import (
	"errors"
	"strings"
	"testing"
)

func TestPayIsABuyer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	params := w.payArgs(w.prepay("buyer01"))
	sheet, err := w.Pay(shopOrigin+"/pay", params)
	if err != nil || sheet.State != SheetPaid || sheet.ErrMsg != payOK || len(w.Ledger().Trades) != 1 {
		t.Fatalf("%+v, %v", sheet, err)
	}
	var declined *BridgeError
	if _, err := w.Pay(shopOrigin+"/pay", params); !errors.As(err, &declined) || declined.ErrDesc != "该订单已支付" || !strings.Contains(err.Error(), "the order is paid") {
		t.Errorf("paying twice: %v", err)
	}
	if _, err := w.Pay("https://elsewhere.example/", w.payArgs(w.prepay("buyer02"))); !errors.As(err, &declined) || !strings.Contains(err.Error(), "payment directories") {
		t.Errorf("on another page: %v", err)
	}
	w.fault(FaultSheetFail)
	if sheet, err := w.Pay(shopOrigin+"/pay", w.payArgs(w.prepay("buyer03"))); !errors.As(err, &declined) || sheet.State != SheetFailed {
		t.Errorf("a payment that fails: %+v, %v", sheet, err)
	}
	for _, params := range []any{nil, "text", []string{"a"}, func() {}} {
		if _, err := w.Pay(shopOrigin+"/pay", params); err == nil {
			t.Errorf("params %T were accepted", params)
		}
	}
	if n := len(w.Ledger().Trades); n != 1 {
		t.Errorf("%d trades", n)
	}
}
