package wechattest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// backEnd is the merchant's server of the examples: it acknowledges every
// notification. Without Config.Doer, WeChat posts to the order's notify_url.
type backEnd struct{}

func (backEnd) Do(r *http.Request) (*http.Response, error) {
	status, _, acknowledgement := wechat.Acknowledgement(wechat.V2, true, "OK")
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(acknowledgement))}, nil
}

// start runs a WeChat. In a test it is wechattest.Start(t, cfg), which ends with
// the test.
func start() *wechattest.Server {
	wx, err := wechattest.Listen(wechattest.Config{Doer: backEnd{}, Epoch: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)}, "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	return wx
}

// order places an order of 8.80 yuan as the shop does and returns what its page
// hands to WeixinJSBridge. Any client will do: this one is package wechat.
func order(wx *wechattest.Server, no string) map[string]string {
	client, err := wechat.New(wechat.Config{
		AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret,
		MchID: wechattest.DefaultMchID, APIKey: wechattest.DefaultAPIKey,
		OpenURL: wx.URL, APIURL: wx.URL, MchURL: wx.URL, Doer: http.DefaultClient, Now: wx.Now,
	})
	if err != nil {
		log.Fatal(err)
	}
	pay, err := client.For(client.Version())
	if err != nil {
		log.Fatal(err)
	}
	prepay, err := pay.PlaceOrder(context.Background(), wechat.Order{
		OutTradeNo: no, Body: "山岚小铺-茶", TotalFee: 880, TradeType: wechat.TradeJSAPI, OpenID: wx.User().OpenID,
		ClientIP: "203.0.113.7", NotifyURL: "https://shop.example/notify",
	})
	if err != nil {
		log.Fatal(err)
	}
	p, err := pay.PayParams(context.Background(), prepay.PrepayID)
	if err != nil {
		log.Fatal(err)
	}
	return map[string]string{
		"appId": p.AppID, "timeStamp": p.TimeStamp, "nonceStr": p.NonceStr, "package": p.Package, "signType": string(p.SignType), "paySign": p.PaySign,
	}
}

// Pay an order as its buyer, and read the ledger.
func Example() {
	wx := start()
	defer wx.Close()
	params := order(wx, "20260301A1")

	sheet, err := wx.Pay("https://shop.example/pay", params)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sheet.State, sheet.Amount, "fen")

	wx.Advance(0) // the notification has arrived
	ledger := wx.Ledger()
	fmt.Println(ledger.Orders[0].State, len(ledger.Trades), "trade")
	fmt.Println(ledger.Notifications[0].State)
	// Output:
	// paid 880 fen
	// SUCCESS 1 trade
	// acknowledged
}

// A decline has WeChat's text for the user, and the cause.
func ExampleWeChat_Pay() {
	wx := start()
	defer wx.Close()
	params := order(wx, "20260301A1")
	params["timeStamp"] = "1772330400000" // milliseconds
	_, err := wx.Pay("https://shop.example/pay", params)
	fmt.Println(err)
	// Output: get_brand_wcpay_request:fail: 调用支付JSAPI缺少参数: timeStamp: timeStamp must be whole seconds, ten digits; milliseconds are a common mistake
}

// The next notification is lost: the shop has to query.
func ExampleWeChat_AddFault() {
	wx := start()
	defer wx.Close()
	if err := wx.AddFault(wechattest.Fault{Kind: wechattest.FaultNotifyLost}); err != nil {
		log.Fatal(err)
	}
	if _, err := wx.Pay("https://shop.example/pay", order(wx, "20260301A1")); err != nil {
		log.Fatal(err)
	}
	wx.Advance(48 * time.Hour)
	n := wx.Ledger().Notifications[0]
	fmt.Println(n.State, len(n.Attempts), "attempts;", len(wx.Faults()), "faults are left")
	// Output: lost 0 attempts; 0 faults are left
}

// The test advances the clock, and everything that becomes due happens.
func ExampleWeChat_Advance() {
	wx := start()
	defer wx.Close()
	for range 3 { // three sends do not arrive
		if err := wx.AddFault(wechattest.Fault{Kind: wechattest.FaultNotifyDropped}); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := wx.Pay("https://shop.example/pay", order(wx, "20260301A1")); err != nil {
		log.Fatal(err)
	}
	for _, d := range []time.Duration{0, 15 * time.Second, 15 * time.Second, 30 * time.Second} {
		wx.Advance(d)
		n := wx.Ledger().Notifications[0]
		fmt.Println(len(n.Attempts), n.State)
	}
	// Output:
	// 1 waiting
	// 2 waiting
	// 3 waiting
	// 4 acknowledged
}

// Every message is kept with the string that was signed.
func ExampleWeChat_Messages() {
	wx := start()
	defer wx.Close()
	order(wx, "20260301A1")
	m := wx.Messages(0)[0]
	fmt.Println(m.Kind, m.Status, m.Signed.Algorithm, m.Signed.OK)
	fmt.Println(strings.HasSuffix(m.Signed.String, "&key=<APIv2 key>"))
	// Output:
	// unifiedorder 200 HMAC-SHA256 true
	// true
}
