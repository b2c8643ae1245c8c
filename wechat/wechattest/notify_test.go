package wechattest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// notified parses and verifies what the shop got.
func (w *world) notified(body, alg string) []pair {
	w.t.Helper()
	fields, err := parseXML(body)
	if err != nil {
		w.t.Fatalf("%v in %s", err, body)
	}
	if want := digest(alg, canonical(fields, w.cfg.APIKey), w.cfg.APIKey); valueOf(fields, "sign") != want {
		w.t.Errorf("sign %s, want %s", valueOf(fields, "sign"), want)
	}
	return fields
}

func TestNotificationFollowsThePayment(t *testing.T) {
	w := newWorld(t)
	w.paid("notify1")
	w.Advance(0)
	got := w.notified(w.shop.bodies()[0], signHMAC)
	trade := w.Ledger().Trades[0]
	for name, want := range map[string]string{
		"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": w.cfg.AppID, "mch_id": w.cfg.MchID, "out_trade_no": "notify1",
		"transaction_id": trade.TransactionID, "total_fee": "880", "openid": w.User().OpenID, "attach": "a & b", "trade_type": "JSAPI",
		"time_end": trade.Paid.In(beijing).Format(payTime), "cash_fee": itoa(trade.CashFee), "is_subscribe": "Y",
	} {
		if v := valueOf(got, name); v != want {
			t.Errorf("%s = %q, want %q", name, v, want)
		}
	}
	n := w.notification()
	if n.State != NotifyAcknowledged || len(n.Attempts) != 1 || !n.Attempts[0].OK || n.Attempts[0].Status != 200 {
		t.Errorf("%+v", n)
	}
	w.Advance(48 * time.Hour)
	if len(w.shop.bodies()) != 1 {
		t.Error("an acknowledged notification was repeated")
	}
}

// Coupons of both types, none to three, now and then without a type: cash_fee is
// total_fee without them, settlement_total_fee without those that are not settled.
func TestCouponsMakeCashFeeLess(t *testing.T) {
	w := newWorld(t)
	const payments = 600
	for i := range payments {
		w.paid("coupon" + itoa(int64(i)))
	}
	w.Advance(0)
	seen := map[string]int{}
	for _, b := range w.shop.bodies() {
		f := w.notified(b, signHMAC)
		count := valueOf(f, "coupon_count")
		seen["count "+count]++
		trade, _ := w.Trade(valueOf(f, "transaction_id"))
		var fee, lost int64
		for i, c := range trade.Coupons {
			n := "_" + itoa(int64(i))
			if valueOf(f, "coupon_id"+n) != c.ID || valueOf(f, "coupon_fee"+n) != itoa(c.Fee) || c.Fee < 1 {
				t.Errorf("coupon %d of %s", i, b)
			}
			kind := valueOf(f, "coupon_type"+n)
			seen["type "+kind]++
			if kind != c.Type && kind != "" {
				t.Errorf("coupon %d of %s", i, b)
			}
			fee += c.Fee
			if c.Type == CouponNoCash {
				lost += c.Fee
			}
		}
		want := map[string]string{"total_fee": "880", "cash_fee": itoa(880 - fee), "settlement_total_fee": "", "coupon_fee": ""}
		if count != "" {
			want["coupon_fee"] = itoa(fee)
		}
		if lost > 0 {
			want["settlement_total_fee"] = itoa(880 - lost)
		}
		for name, v := range want {
			if got := valueOf(f, name); got != v {
				t.Errorf("%s = %q, want %q in %s", name, got, v, b)
			}
		}
	}
	for _, what := range []string{"count ", "count 0", "count 1", "count 2", "count 3", "type ", "type CASH", "type NO_CASH"} {
		if seen[what] == 0 || seen[what] == payments {
			t.Errorf("%s: %d of %d payments; %v", what, seen[what], payments, seen)
		}
	}
}

// The fault makes them in a simulator that is not hostile too.
func TestFaultOfCoupons(t *testing.T) {
	w := newWorld(t, tame)
	if err := w.AddFault(Fault{Kind: FaultCoupons}); err != nil {
		t.Fatal(err)
	}
	w.paid("coupon1")
	w.Advance(0)
	w.paid("coupon2")
	w.Advance(0)
	for i, want := range []string{"3", ""} {
		f := w.notified(w.shop.bodies()[i], signHMAC)
		if valueOf(f, "coupon_count") != want || (valueOf(f, "cash_fee") == "880") != (want == "") {
			t.Errorf("%v", f)
		}
		if want == "3" && (valueOf(f, "coupon_type_0") == "" || valueOf(f, "coupon_type_1") != "" || valueOf(f, "coupon_id_2") == "") {
			t.Errorf("%v", f)
		}
	}
}

// sign_type is often absent, in a simulator that is not hostile too.
func TestNotificationsWithAndWithoutSignType(t *testing.T) {
	w := newWorld(t, tame)
	const payments = 40
	for i := range payments {
		w.paid("signed" + itoa(int64(i)))
	}
	w.Advance(0)
	with := 0
	for _, b := range w.shop.bodies() {
		switch valueOf(w.notified(b, signHMAC), "sign_type") {
		case signHMAC:
			with++
		case "":
		default:
			t.Errorf("sign_type in %s", b)
		}
	}
	if with == 0 || with == payments {
		t.Errorf("%d of %d notifications have sign_type", with, payments)
	}
}

// A notification may be repeated although it was acknowledged, twice at once.
func TestNotificationIsRepeated(t *testing.T) {
	w := newWorld(t)
	if err := w.AddFault(Fault{Kind: FaultNotifyAgain}); err != nil {
		t.Fatal(err)
	}
	w.shop.answer = func(n int) (int, string, error) {
		if n == 1 {
			return 500, "", nil // not this one: it was not acknowledged
		}
		return 200, ackBody, nil
	}
	w.paid("again01")
	w.Advance(16 * time.Second)
	if n := w.notification(); n.State != NotifyAcknowledged || len(n.Attempts) != 2 {
		t.Errorf("%+v", n)
	}
	w.Advance(48 * time.Hour)
	n := w.notification()
	if n.State != NotifyAcknowledged || len(n.Attempts) != 4 || !n.Attempts[3].OK || n.Attempts[3].Time.Sub(n.Attempts[1].Time) < againAfter {
		t.Errorf("%+v", n)
	}
	for _, b := range w.shop.bodies() {
		w.notified(b, signHMAC)
	}
}

func TestRetryListIsWeChats(t *testing.T) {
	w := newWorld(t)
	w.shop.answer = func(int) (int, string, error) { return 500, "oops", nil }
	w.paid("retry01")
	w.Advance(25 * time.Hour)
	n := w.notification()
	var got []time.Duration
	for i := 1; i < len(n.Attempts); i++ {
		got = append(got, n.Attempts[i].Time.Sub(n.Attempts[i-1].Time).Round(time.Second))
	}
	if d := cmp.Diff(notifyIntervals(), got); d != "" {
		t.Error(d)
	}
	if whole := n.Attempts[len(n.Attempts)-1].Time.Sub(n.Attempts[0].Time).Round(time.Minute); whole != 24*time.Hour+4*time.Minute {
		t.Errorf("the list takes %v", whole)
	}
	if n.State != NotifyAbandoned || n.Attempts[0].Reason != "HTTP status 500" {
		t.Errorf("%+v", n)
	}
}

func TestOnlySUCCESSAcknowledges(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		err    error
	}{
		{"FAIL", 200, "<xml><return_code>FAIL</return_code><return_msg>no</return_msg></xml>", nil},
		{"text", 200, "success", nil},
		{"empty", 200, "", nil},
		{"JSON", 200, `{"code":"SUCCESS"}`, nil},
		{"lower case", 200, "<xml><return_code>success</return_code></xml>", nil},
		{"201", 201, ackBody, nil},
		{"204", 204, "", nil},
		{"redirect", 302, ackBody, nil},
		{"error page", 500, ackBody, nil},
		{"no connection", 0, "", errShopDown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.shop.answer = func(n int) (int, string, error) {
				if n > 1 {
					return 200, ackBody, nil
				}
				return tt.status, tt.body, tt.err
			}
			w.paid("answer1")
			w.Advance(0)
			if n := w.notification(); n.State != NotifyWaiting || n.Attempts[0].OK || n.Attempts[0].Reason == "" || n.Next.IsZero() {
				t.Errorf("%+v", n)
			}
			w.Advance(16 * time.Second)
			if n := w.notification(); n.State != NotifyAcknowledged || len(n.Attempts) != 2 {
				t.Errorf("%+v", n)
			}
		})
	}
}

func TestRealShopRedirectAndSilenceAreFailures(t *testing.T) {
	release := make(chan bool)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-release
			return
		}
		if r.URL.Path == "/moved" {
			http.Redirect(rw, r, "/ok", http.StatusFound)
			return
		}
		_, _ = rw.Write([]byte(ackBody))
	}))
	defer srv.Close()
	defer close(release)
	w := newWorld(t, func(c *Config) { c.Doer = nil; c.NotifyTimeout = 500 * time.Millisecond })
	for path, want := range map[string]string{"/ok": "", "/moved": "HTTP status 302", "/slow": "no response within 500ms"} {
		s, bad := w.Invoke(w.call(w.payArgs(valueOf(w.pay(pathUnifiedOrder, with(w.order("real"+path[1:]+"1"), "notify_url", srv.URL+path)), "prepay_id"))))
		if bad != nil {
			t.Fatal(bad)
		}
		if _, err := w.PaySheet(s.ID); err != nil {
			t.Fatal(err)
		}
		w.Advance(0)
		if a := w.notification().Attempts[0]; a.Reason != want || a.OK != (want == "") {
			t.Errorf("%s: %+v", path, a)
		}
	}
}

func TestForgedNotifications(t *testing.T) {
	w := newWorld(t)
	w.prepay("forged1") // unpaid
	w.shop.answer = func(int) (int, string, error) {
		return 200, "<xml><return_code>FAIL</return_code></xml>", nil
	}
	if _, err := w.Notify("forged1", ""); err == nil {
		t.Error("a genuine notification of an unpaid order was sent")
	}
	if _, err := w.Notify("forged1", ForgeReplay); err == nil {
		t.Error("a replay of nothing was sent")
	}
	if _, err := w.Notify("forged1", "nonsense"); err == nil || !strings.Contains(err.Error(), ForgeOtherKey) {
		t.Error(err)
	}
	if _, err := w.Notify("nobody1", ForgeNoSign); err != ErrUnknownOrder {
		t.Error(err)
	}
	send := func(forge string) string {
		t.Helper()
		a, err := w.Notify("forged1", forge)
		if err != nil || a.OK {
			t.Fatalf("%s: %+v %v", forge, a, err)
		}
		b := w.shop.bodies()
		return b[len(b)-1]
	}
	verified := func(body string) bool {
		f, err := parseXML(body)
		return err == nil && checkSign(f, signHMAC, w.cfg.APIKey, valueOf(f, "sign")).OK
	}
	for _, forge := range []string{ForgeBadSign, ForgeNoSign, ForgeOtherKey, ForgeDoctype} {
		body := send(forge)
		if verified(body) {
			t.Errorf("%s verifies", forge)
		}
		if !strings.Contains(body, "<return_code><![CDATA[SUCCESS]]>") {
			t.Errorf("%s claims nothing", forge)
		}
		if n := w.notification(); n.Forge != forge || n.State != NotifyAbandoned || n.Attempts[0].Message == 0 {
			t.Errorf("%+v", n)
		}
	}
	body := send(ForgeWrongAmount)
	if f, _ := parseXML(body); !verified(body) || valueOf(f, "total_fee") != "881" {
		t.Errorf("wrong_amount: %s", body)
	}
	body = send(ForgeLeakedKey)
	if f, _ := parseXML(body); !verified(body) || valueOf(f, "total_fee") != "880" || valueOf(f, "transaction_id") == "" {
		t.Errorf("leaked_key: %s", body)
	}
	if l := w.Ledger(); len(l.Trades) != 0 || l.Orders[0].State != StateNotPay {
		t.Error("a forgery changed the books")
	}
	if _, err := w.Notify("forged1", ForgeOtherTrade); err == nil {
		t.Error("there is no other payment to take the transaction from")
	}
	w.shop.answer = nil
	w.paid("forged2")
	w.Advance(0)
	bodies := w.shop.bodies()
	if a, err := w.Notify("forged2", ForgeReplay); err != nil || !a.OK {
		t.Fatalf("%+v %v", a, err)
	}
	if again := w.shop.bodies(); again[len(again)-1] != bodies[len(bodies)-1] {
		t.Error("a replay differs")
	}
	if a, err := w.Notify("forged2", ""); err != nil || !a.OK {
		t.Fatalf("%+v %v", a, err)
	}
	w.notified(w.shop.bodies()[len(w.shop.bodies())-1], signHMAC)

	if _, err := w.Notify("forged1", ForgeOtherTrade); err != nil {
		t.Fatal(err)
	}
	bodies = w.shop.bodies()
	body = bodies[len(bodies)-1]
	f, _ := parseXML(body)
	paid := w.Ledger().Trades[0].TransactionID
	if !verified(body) || valueOf(f, "out_trade_no") != "forged1" || valueOf(f, "transaction_id") != paid {
		t.Errorf("other_trade: %s", body)
	}
	if trade, ok := w.Trade(paid); !ok || trade.OutTradeNo != "forged2" {
		t.Errorf("%+v", trade)
	}
	if _, ok := w.Trade(""); ok {
		t.Error("no number is a payment's")
	}
}

func TestNotificationFaults(t *testing.T) {
	add := func(w *world, f Fault) {
		t.Helper()
		if err := w.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("lost", func(t *testing.T) {
		w := newWorld(t)
		add(w, Fault{Kind: FaultNotifyLost})
		w.paid("fault01")
		w.Advance(25 * time.Hour)
		if n := w.notification(); n.State != NotifyLost || len(w.shop.bodies()) != 0 {
			t.Errorf("%+v", n)
		}
	})
	t.Run("dropped", func(t *testing.T) {
		w := newWorld(t)
		add(w, Fault{Kind: FaultNotifyDropped, Count: 2})
		w.paid("fault01")
		w.Advance(31 * time.Second)
		if n := w.notification(); n.State != NotifyAcknowledged || len(n.Attempts) != 3 || len(w.shop.bodies()) != 1 {
			t.Errorf("%+v", n)
		}
	})
	t.Run("doubled", func(t *testing.T) {
		w := newWorld(t)
		add(w, Fault{Kind: FaultNotifyDoubled})
		w.paid("fault01")
		w.Advance(0)
		if b := w.shop.bodies(); len(b) != 2 || b[0] != b[1] {
			t.Errorf("%d sends", len(b))
		}
	})
	t.Run("delayed", func(t *testing.T) {
		w := newWorld(t)
		add(w, Fault{Kind: FaultNotifyDelayed, DelayMS: 60000})
		w.paid("fault01")
		w.Advance(50 * time.Second)
		if len(w.shop.bodies()) != 0 {
			t.Error("not delayed")
		}
		w.Advance(11 * time.Second)
		if len(w.shop.bodies()) != 1 {
			t.Error("never sent")
		}
	})
	t.Run("reordered", func(t *testing.T) {
		w := newWorld(t)
		add(w, Fault{Kind: FaultNotifyReordered})
		w.paid("fault01")
		w.Advance(time.Minute)
		w.paid("fault02")
		w.Advance(2 * time.Second)
		var got []string
		for _, b := range w.shop.bodies() {
			got = append(got, valueOf(w.notified(b, signHMAC), "out_trade_no"))
		}
		if d := cmp.Diff([]string{"fault02", "fault01"}, got); d != "" {
			t.Error(d)
		}
	})
	t.Run("signed with MD5", func(t *testing.T) {
		w := newWorld(t)
		add(w, Fault{Kind: FaultNotifyMD5})
		w.paid("fault01")
		w.Advance(0)
		if n := len(valueOf(w.notified(w.shop.bodies()[0], signMD5), "sign")); n != 32 {
			t.Errorf("%d digits", n)
		}
	})
}
