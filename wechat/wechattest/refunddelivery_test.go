package wechattest

import (
	"crypto/aes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// decrypted returns the text of req_info, decrypted with the key by other code.
func decrypted(t *testing.T, info, key string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(info)
	if err != nil || len(b) == 0 || len(b)%aes.BlockSize != 0 {
		t.Fatalf("req_info has %d bytes, %v", len(b), err)
	}
	sum := md5.Sum([]byte(key))
	block, err := aes.NewCipher([]byte(hex.EncodeToString(sum[:])))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(b); i += aes.BlockSize {
		block.Decrypt(b[i:], b[i:])
	}
	pad := int(b[len(b)-1])
	if pad < 1 || pad > aes.BlockSize || strings.Count(string(b[len(b)-pad:]), string(rune(pad))) != pad {
		return "" // not encrypted with this key
	}
	return string(b[:len(b)-pad])
}

// readRefund reads a refund notification.
func (w *world) readRefund(body string) (outer, inner []pair) {
	w.t.Helper()
	outer, err := parseXML(body)
	if err != nil {
		w.t.Fatalf("%v in %s", err, body)
	}
	text := decrypted(w.t, valueOf(outer, "req_info"), w.cfg.APIKey)
	inner, err = parseXML(strings.NewReplacer("<root>", "<xml>", "</root>", "</xml>").Replace(text))
	if err != nil {
		w.t.Fatalf("%v in %s", err, text)
	}
	return outer, inner
}

// The plain text of the published message is encrypted to the published req_info.
func TestReqInfoIsThePublishedOne(t *testing.T) {
	raw, err := os.ReadFile("testdata/refund.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Key, Plain, ReqInfo string }
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	if got := base64.StdEncoding.EncodeToString(encryptInfo(v.Plain, v.Key)); got != v.ReqInfo {
		t.Errorf("got %s", got)
	}
}

// No sign, and its content is in req_info (docs/wechat.md 11.1).
func TestRefundNotificationFollowsTheRefund(t *testing.T) {
	w := newWorld(t, plain)
	w.paid("told001")
	w.Advance(0)
	w.refunded("told001", "r-1", "300")
	w.Advance(0)
	if n := len(w.shop.bodies()); n != 1 {
		t.Fatalf("%d notifications while the refund is PROCESSING", n)
	}
	w.Advance(w.cfg.RefundTime)
	outer, inner := w.readRefund(w.shop.bodies()[1])
	if valueOf(outer, "return_code") != "SUCCESS" || valueOf(outer, "appid") != w.cfg.AppID || valueOf(outer, "mch_id") != w.cfg.MchID ||
		valueOf(outer, "nonce_str") == "" || valueOf(outer, "sign") != "" || valueOf(outer, "out_trade_no") != "" {
		t.Errorf("%v", outer)
	}
	r := w.Ledger().Refunds[0]
	for name, want := range map[string]string{
		"transaction_id": r.TransactionID, "out_trade_no": "told001", "refund_id": r.RefundID, "out_refund_no": "r-1", "total_fee": "880",
		"refund_fee": "300", "settlement_refund_fee": "300", "refund_status": "SUCCESS", "success_time": r.Done.In(beijing).Format(dateTime),
		"refund_account": accountUnsettled, "refund_request_source": "API", "refund_recv_accout": "支付用户零钱",
	} {
		if v := valueOf(inner, name); v != want {
			t.Errorf("%s = %q, want %q", name, v, want)
		}
	}
	if m := w.last(); m.Kind != "refund_notify" || !strings.Contains(m.Plain, "<out_refund_no><![CDATA[r-1]]>") || m.Signed != nil || m.Status != 200 {
		t.Errorf("%+v", m)
	}
	if n := w.notification(); n.OutRefundNo != "r-1" || n.OutTradeNo != "told001" || n.URL != refundNotifyURL || n.State != NotifyAcknowledged {
		t.Errorf("%+v", n)
	}
}

// Without a notify_url in the request or on the merchant platform WeChat sends no notification of a
// refund.
func TestARefundWithoutNotifyURLIsSilent(t *testing.T) {
	w := newWorld(t, plain)
	w.paid("silent1")
	w.Advance(0)
	if got := w.pay(pathRefund, with(w.refundRequest("silent1", "r-1", "1"), "notify_url", "")); valueOf(got, "refund_id") == "" {
		t.Fatalf("%v", got)
	}
	w.Advance(48 * time.Hour)
	if len(w.shop.bodies()) != 1 || len(w.Ledger().Notifications) != 1 {
		t.Errorf("%+v", w.Ledger().Notifications)
	}
	if _, err := w.NotifyRefund("r-1", ""); err == nil {
		t.Error("sent to nowhere")
	}
}

// The same retry list as for payments (docs/wechat.md 11.1).
func TestRefundNotificationsAreRepeatedAndSpoiled(t *testing.T) {
	begin := func(t *testing.T, faults ...Fault) *world {
		w := newWorld(t, plain)
		w.paid("fault01")
		w.Advance(0)
		for _, f := range faults {
			if err := w.AddFault(f); err != nil {
				t.Fatal(err)
			}
		}
		w.refunded("fault01", "r-1", "300")
		return w
	}
	t.Run("retry list", func(t *testing.T) {
		w := begin(t)
		w.shop.answer = func(int) (int, string, error) { return 500, "oops", nil }
		w.Advance(25 * time.Hour)
		n := w.notification()
		var got []time.Duration
		for i := 1; i < len(n.Attempts); i++ {
			got = append(got, n.Attempts[i].Time.Sub(n.Attempts[i-1].Time).Round(time.Second))
		}
		if diff := cmp.Diff(notifyIntervals(), got); diff != "" || n.State != NotifyAbandoned {
			t.Errorf("%s %s", n.State, diff)
		}
	})
	t.Run("lost", func(t *testing.T) {
		w := begin(t, Fault{Kind: FaultNotifyLost})
		w.Advance(25 * time.Hour)
		if n := w.notification(); n.State != NotifyLost || len(w.shop.bodies()) != 1 {
			t.Errorf("%+v", n)
		}
	})
	t.Run("dropped, then doubled", func(t *testing.T) {
		w := begin(t, Fault{Kind: FaultNotifyDropped}, Fault{Kind: FaultNotifyDoubled})
		w.Advance(time.Minute)
		if b := w.shop.bodies(); len(b) != 3 || b[1] != b[2] || len(w.notification().Attempts) != 3 {
			t.Errorf("%d sends, %+v", len(b), w.notification())
		}
	})
	t.Run("delayed", func(t *testing.T) {
		w := begin(t, Fault{Kind: FaultNotifyDelayed, DelayMS: 60000})
		w.Advance(time.Minute)
		if len(w.shop.bodies()) != 1 {
			t.Error("not delayed")
		}
		w.Advance(time.Minute)
		if len(w.shop.bodies()) != 2 {
			t.Error("never sent")
		}
	})
	t.Run("behind another", func(t *testing.T) {
		w := begin(t, Fault{Kind: FaultNotifyReordered})
		w.Advance(refundPause)
		w.refunded("fault01", "r-2", "300")
		w.Advance(refundPause)
		var got []string
		for _, b := range w.shop.bodies()[1:] {
			_, inner := w.readRefund(b)
			got = append(got, valueOf(inner, "out_refund_no"))
		}
		if diff := cmp.Diff([]string{"r-2", "r-1"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestForgedRefundNotifications(t *testing.T) {
	w := newWorld(t, plain)
	w.paid("forge01")
	w.Advance(0)
	w.refunded("forge01", "r-1", "300")
	for _, tt := range []struct{ no, forge, want string }{
		{"r-1", "", "PROCESSING"}, {"r-1", ForgeReplay, "nothing to replay"}, {"r-1", ForgeNoSign, ForgeBadPadding}, {"r-0", "", "no such refund"},
	} {
		if _, err := w.NotifyRefund(tt.no, tt.forge); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %q: %v", tt.no, tt.forge, err)
		}
	}
	w.shop.answer = func(int) (int, string, error) {
		return 200, "<xml><return_code>FAIL</return_code></xml>", nil
	}
	send := func(forge string) string {
		t.Helper()
		if a, err := w.NotifyRefund("r-1", forge); err != nil || a.OK {
			t.Fatalf("%s: %+v %v", forge, a, err)
		}
		if n := w.notification(); n.Forge != forge || n.State != NotifyAbandoned || n.OutRefundNo != "r-1" {
			t.Errorf("%+v", n)
		}
		b := w.shop.bodies()
		return b[len(b)-1]
	}
	info := func(body string) string {
		fields, err := parseXML(body)
		if err != nil {
			t.Fatal(err)
		}
		return valueOf(fields, "req_info")
	}
	if info(send(ForgeNoInfo)) != "" {
		t.Error("no_info has req_info")
	}
	for forge, key := range map[string]string{ForgeOtherKey: strings.Repeat("0", 32), ForgeBadPadding: ""} {
		body := send(forge)
		if decrypted(t, info(body), w.cfg.APIKey) != "" {
			t.Errorf("%s can be read", forge)
		}
		if key != "" && !strings.Contains(decrypted(t, info(body), key), "SUCCESS") {
			t.Errorf("%s cannot be decrypted with its own key", forge)
		}
	}
	if !strings.Contains(send(ForgeDoctype), "<!DOCTYPE") {
		t.Error("no DOCTYPE")
	}
	if _, inner := w.readRefund(send(ForgeWrongAmount)); valueOf(inner, "refund_fee") != "301" {
		t.Errorf("%v", inner)
	}
	if _, inner := w.readRefund(send(ForgeTooEarly)); valueOf(inner, "refund_status") != RefundSuccess || valueOf(inner, "success_time") == "" {
		t.Errorf("%v", inner)
	}
	if got := w.Ledger().Refunds[0]; got.Status != RefundProcessing || got.Fee != 300 {
		t.Errorf("a forgery changed the books: %+v", got)
	}
	w.shop.answer = nil
	w.Advance(w.cfg.RefundTime)
	bodies := w.shop.bodies()
	if a, err := w.NotifyRefund("r-1", ForgeReplay); err != nil || !a.OK {
		t.Fatalf("%+v %v", a, err)
	}
	if again := w.shop.bodies(); again[len(again)-1] != bodies[len(bodies)-1] {
		t.Error("a replay differs")
	}
	if a, err := w.NotifyRefund("r-1", ""); err != nil || !a.OK {
		t.Fatalf("%+v %v", a, err)
	}
}
