package checkout

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

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

// Nobody but the h5pay shop can make an event.
func TestEventNeedsASignature(t *testing.T) {
	handler := Event(webhook.Receiver{Secrets: []string{strings.Repeat("a secret ", 8)}}, func(webhook.Event) { t.Error("handled") })
	rec := httptest.NewRecorder()
	handler(rec, httptest.NewRequest("POST", "/h5pay", strings.NewReader(`{"type":"order.paid"}`)))
	if rec.Code != http.StatusBadRequest {
		t.Errorf("status %d", rec.Code)
	}
}
