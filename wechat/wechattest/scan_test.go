package wechattest

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// nativeOrder is a good unifiedorder for a QR code, without its sign.
func (w *world) nativeOrder(no string) []pair {
	return with(with(with(w.order(no), "trade_type", "NATIVE"), "openid", ""), "product_id", "tea")
}

// code makes a NATIVE order and returns its code_url.
func (w *world) codeURL(no string) string {
	w.t.Helper()
	got := w.pay(pathUnifiedOrder, w.nativeOrder(no))
	url := valueOf(got, "code_url")
	if !strings.HasPrefix(url, "weixin://wxpay/bizpayurl?pr=") || len(url) > 64 || valueOf(got, "prepay_id") == "" || valueOf(got, "mweb_url") != "" {
		w.t.Fatalf("%v", got)
	}
	return url
}

// The user who holds the phone pays the code that it scans.
func TestAScannedCodeIsPaid(t *testing.T) {
	w := newWorld(t)
	url := w.codeURL("scan001")
	if got := w.Ledger().Orders[0].CodeURL; got != url {
		t.Errorf("the ledger has %q", got)
	}
	buyer := w.Users()[1]
	if err := w.SetUser(buyer.OpenID); err != nil {
		t.Fatal(err)
	}
	s, err := w.Scan(url)
	if err != nil || s.State != SheetOpen || s.TradeType != "NATIVE" || s.Amount != 880 || s.OpenID != buyer.OpenID {
		t.Fatalf("%+v, %v", s, err)
	}
	if s, err = w.CancelSheet(s.ID); err != nil || s.State != SheetCancelled || s.ErrMsg != "" {
		t.Fatalf("%+v, %v", s, err)
	}
	if s, err = w.Scan(url); err != nil {
		t.Fatal(err)
	}
	if s, err = w.PaySheet(s.ID); err != nil || s.State != SheetPaid || s.ErrMsg != "" {
		t.Fatalf("%+v, %v", s, err)
	}
	w.Advance(0)
	got := w.notified(w.shop.bodies()[0], signHMAC)
	if valueOf(got, "trade_type") != "NATIVE" || valueOf(got, "openid") != buyer.OpenID || valueOf(got, "is_subscribe") != "N" {
		t.Errorf("%v", got)
	}
	if got := w.pay(pathOrderQuery, w.closing("scan001")); valueOf(got, "trade_state") != StateSuccess || valueOf(got, "trade_type") != "NATIVE" {
		t.Errorf("%v", got)
	}
}

// code_url lives 2 hours; placing the order again voids it (docs/wechat.md 4.4,
// 4.5).
func TestScanDeclinesOtherCodes(t *testing.T) {
	w := newWorld(t)
	declined := func(url, want string) {
		t.Helper()
		_, err := w.Scan(url)
		var r *DeclineError
		if !errors.As(err, &r) || r.Text != want || r.Hint == "" {
			t.Errorf("%v, want %s", err, want)
		}
		if m := w.last(); m.Kind != "scan" || m.Response != want || m.Note != r.Hint {
			t.Errorf("%+v", m)
		}
	}
	declined("weixin://wxpay/bizpayurl?pr=unknown", "二维码无效")
	declined("", "二维码无效")
	old := w.codeURL("scan002")
	fresh := w.codeURL("scan002")
	if old == fresh {
		t.Fatal("the same code_url again")
	}
	declined(old, "二维码已过期")
	w.Advance(codeURLLife)
	declined(fresh, "二维码已过期")
	paid := w.codeURL("scan003")
	s, err := w.Scan(paid)
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.Scan(paid) // a second phone
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.PaySheet(s.ID); err != nil {
		t.Fatal(err)
	}
	declined(paid, "该订单已支付")
	if other, err = w.PaySheet(other.ID); err != nil || other.State != SheetFailed || other.ErrDesc != "该订单已支付" {
		t.Errorf("paid twice: %+v, %v", other, err)
	}
	closed := w.codeURL("scan004")
	w.Advance(closeWait)
	w.pay(pathCloseOrder, w.closing("scan004"))
	declined(closed, "该订单已关闭")
	late := w.pay(pathUnifiedOrder, with(w.nativeOrder("scan005"), "time_expire", w.Now().Add(6*time.Minute).In(beijing).Format(payTime)))
	w.Advance(7 * time.Minute)
	declined(valueOf(late, "code_url"), "该订单已超过商户设置的最晚支付成功时间")
	// A NATIVE order is not the bridge's.
	native := w.pay(pathUnifiedOrder, w.nativeOrder("scan006"))
	if _, bad := w.Invoke(w.call(w.payArgs(valueOf(native, "prepay_id")))); bad == nil || bad.ErrDesc != "商家暂时没有此类交易权限" {
		t.Errorf("%+v", bad)
	}
}
