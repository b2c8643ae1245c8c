package checkout

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"h5pay/webhook"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// The shop takes a payment at a WeChat of the test's own, whose first notification
// is lost on its way.
func TestPayment(t *testing.T) {
	shop := &Shop{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /order", shop.Order)
	mux.HandleFunc("POST /notify", shop.Notify)
	server := httptest.NewServer(mux)
	defer server.Close()

	wx := wechattest.Start(t, wechattest.Config{ShopURL: server.URL})
	var err error
	shop.NotifyURL = server.URL + "/notify"
	shop.WeChat, err = wechat.New(wechat.Config{
		AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret,
		MchID: wechattest.DefaultMchID, APIKey: wechattest.DefaultAPIKey,
		OpenURL: wx.URL, APIURL: wx.URL, MchURL: wx.URL,
		Doer: http.DefaultClient, Now: wx.Now,
	})
	if err != nil {
		t.Fatal(err)
	}

	res, err := http.PostForm(server.URL+"/order", url.Values{"no": {"20260301A1"}, "openid": {wx.User().OpenID}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var params map[string]string
	if err := json.NewDecoder(res.Body).Decode(&params); err != nil {
		t.Fatal(err)
	}
	if err := wx.AddFault(wechattest.Fault{Kind: wechattest.FaultNotifyDropped}); err != nil {
		t.Fatal(err)
	}
	if _, err := wx.Pay(server.URL+"/", params); err != nil {
		t.Fatal(err)
	}
	wx.Advance(0)
	if shop.Paid("20260301A1") {
		t.Error("paid, and no notification arrived")
	}
	wx.Advance(wx.Config().NotifyIntervals[0])
	if !shop.Paid("20260301A1") {
		t.Errorf("not paid: %+v", wx.Ledger().Notifications)
	}
}

// An event that the h5pay shop has signed is handled. Sign makes the delivery. An event
// of another shop, of a simulator, with another body or of an old time is rejected.
func TestSignedEvent(t *testing.T) {
	secret := webhook.NewSecret()
	var handled []webhook.Event
	handler := Event(webhook.Receiver{Secrets: []string{secret}, Shop: "https://shop.example"}, func(e webhook.Event) { handled = append(handled, e) })
	deliver := func(signed, sent string, at time.Time, secret string) int {
		t.Helper()
		header, err := webhook.Sign("evt_paid_1", at, []byte(signed), secret)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/h5pay", strings.NewReader(sent))
		header.Set(r.Header)
		rec := httptest.NewRecorder()
		handler(rec, r)
		return rec.Code
	}

	const event = `{"id":"evt_paid_1","type":"order.paid","shop":"https://shop.example","data":{"order":{"id":"1","total":880}}}`
	now := time.Now()
	if status := deliver(event, event, now, secret); status != http.StatusNoContent {
		t.Fatalf("status %d", status)
	}
	if len(handled) != 1 || handled[0].Type != webhook.OrderPaid || handled[0].Data.Order.ID != "1" || handled[0].Data.Order.Total != 880 {
		t.Fatalf("handled %+v", handled)
	}
	for name, status := range map[string]int{
		"another secret":  deliver(event, event, now, webhook.NewSecret()),
		"another body":    deliver(event, strings.Replace(event, "880", "1", 1), now, secret),
		"ten minutes ago": deliver(event, event, now.Add(-10*time.Minute), secret),
		"another shop":    deliver(strings.Replace(event, "shop.example", "evil.example", 1), strings.Replace(event, "shop.example", "evil.example", 1), now, secret),
		"a simulator":     deliver(strings.Replace(event, `"id"`, `"simulated":true,"id"`, 1), strings.Replace(event, `"id"`, `"simulated":true,"id"`, 1), now, secret),
	} {
		if status != http.StatusBadRequest {
			t.Errorf("%s: status %d", name, status)
		}
	}
	if len(handled) != 1 {
		t.Errorf("%d events were handled, want 1", len(handled))
	}
}

// Nobody but the h5pay shop can make an event.
func TestEventNeedsASignature(t *testing.T) {
	handler := Event(webhook.Receiver{Secrets: []string{strings.Repeat("a secret ", 8)}}, func(webhook.Event) { t.Error("handled") })
	rec := httptest.NewRecorder()
	handler(rec, httptest.NewRequest("POST", "/h5pay", strings.NewReader(`{"type":"order.paid"}`)))
	if rec.Code != http.StatusBadRequest {
		t.Errorf("status %d", rec.Code)
	}
}
