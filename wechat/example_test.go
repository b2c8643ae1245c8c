package wechat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// exampleShop is a merchant's server in front of WeChat for tests. With a real
// account the base URLs stay empty, and APIKey and the rest are the merchant's.
func exampleShop() (*wechat.Client, wechat.Merchant, *wechattest.Server) {
	wx, err := wechattest.Listen(wechattest.Config{TLSAddr: "localhost:0", Doer: notified{}, Epoch: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)}, "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	withCertificate, err := wx.Client() // presents the merchant's certificate
	if err != nil {
		log.Fatal(err)
	}
	client, err := wechat.New(wechat.Config{
		AppID:     wechattest.DefaultAppID,
		AppSecret: wechattest.DefaultAppSecret,
		MchID:     wechattest.DefaultMchID,
		APIKey:    wechattest.DefaultAPIKey,
		OpenURL:   wx.URL, APIURL: wx.URL, MchURL: wx.TLSURL,
		Doer:     withCertificate,
		CertDoer: withCertificate,
		Now:      wx.Now,
	})
	if err != nil {
		log.Fatal(err)
	}
	pay, err := client.For(wechat.V2)
	if err != nil {
		log.Fatal(err)
	}
	return client, pay, wx
}

// notified is where WeChat's notifications arrive.
type notified struct{}

func (notified) Do(r *http.Request) (*http.Response, error) {
	status, _, body := wechat.Acknowledgement(wechat.V2, true, "OK")
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// tea is an order of 8.80 yuan.
func tea(wx *wechattest.Server) wechat.Order {
	return wechat.Order{
		OutTradeNo: "20260301A1", Body: "山岚小铺-茶", TotalFee: 880, TradeType: wechat.TradeJSAPI, OpenID: wx.User().OpenID,
		ClientIP: "203.0.113.7", NotifyURL: "https://shop.example/notify", TimeExpire: wx.Now().Add(time.Hour),
	}
}

// Place an order: WeChat responds with a prepay_id, which lives for two hours.
func ExampleMerchant_PlaceOrder() {
	_, pay, wx := exampleShop()
	defer wx.Close()
	order := tea(wx)
	prepay, err := pay.PlaceOrder(context.Background(), order)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(prepay.PrepayID), "characters")

	// The same number with another amount is another order. WeChat declines it.
	order.TotalFee = 1
	_, err = pay.PlaceOrder(context.Background(), order)
	var declined *wechat.Error
	if errors.As(err, &declined) {
		fmt.Println(declined.Code, declined.Kind)
	}
	// Output:
	// 36 characters
	// OUT_TRADE_NO_USED developer
}

// Sign what the page hands to WeixinJSBridge, and query WeChat whether the person
// has paid.
func ExampleMerchant_PayParams() {
	_, pay, wx := exampleShop()
	defer wx.Close()
	prepay, err := pay.PlaceOrder(context.Background(), tea(wx))
	if err != nil {
		log.Fatal(err)
	}
	p, err := pay.PayParams(context.Background(), prepay.PrepayID)
	if err != nil {
		log.Fatal(err)
	}
	// In the page: WeixinJSBridge.invoke("getBrandWCPayRequest", {appId: ...}).
	_, err = wx.Pay("https://shop.example/pay", map[string]string{
		"appId": p.AppID, "timeStamp": p.TimeStamp, "nonceStr": p.NonceStr, "package": p.Package, "signType": string(p.SignType), "paySign": p.PaySign,
	})
	if err != nil {
		log.Fatal(err)
	}
	trade, err := pay.QueryOrder(context.Background(), "20260301A1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(trade.State, int64(trade.TotalFee), "fen", trade.Currency)
	// Output: SUCCESS 880 fen CNY
}

// Verify a notification, query WeChat, and respond.
func ExampleClient_PaymentNotification_v2() {
	client, pay, wx := exampleShop()
	defer wx.Close()
	handle := func(body []byte) (status int, contentType string, response []byte) {
		claimed, err := client.PaymentNotification(context.Background(), http.Header{}.Get, body)
		if err != nil {
			return wechat.Acknowledgement(wechat.V2, false, "not verified")
		}
		trade, err := pay.QueryOrder(context.Background(), claimed.OutTradeNo)
		if err != nil || !trade.Paid() || trade.TotalFee != 880 || trade.Currency != "CNY" {
			return wechat.Acknowledgement(wechat.V2, false, "not confirmed") // WeChat sends it again
		}
		return wechat.Acknowledgement(wechat.V2, true, "OK")
	}
	_, _, response := handle([]byte("<xml><return_code>SUCCESS</return_code><out_trade_no>20260301A1</out_trade_no></xml>"))
	fmt.Printf("%s\n", response)
	// Output: <xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[not verified]]></return_msg></xml>
}

// Refund a part of a payment. WeChat accepts the request at once and returns the money later.
func ExampleMerchant_Refund() {
	_, pay, wx := exampleShop()
	defer wx.Close()
	prepay, err := pay.PlaceOrder(context.Background(), tea(wx))
	if err != nil {
		log.Fatal(err)
	}
	p, err := pay.PayParams(context.Background(), prepay.PrepayID)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := wx.Pay("https://shop.example/pay", map[string]string{
		"appId": p.AppID, "timeStamp": p.TimeStamp, "nonceStr": p.NonceStr, "package": p.Package, "signType": string(p.SignType), "paySign": p.PaySign,
	}); err != nil {
		log.Fatal(err)
	}
	request := wechat.RefundRequest{OutTradeNo: "20260301A1", OutRefundNo: "rma-1", Total: 880, Amount: 80, Reason: "少了一包"}
	// A retry is the same request with the same OutRefundNo: it is paid once.
	for range 2 {
		refund, err := pay.Refund(context.Background(), request)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(refund.State, int64(refund.Amount), "fen")
	}
	wx.Advance(wx.Config().RefundTime)
	refund, err := pay.QueryRefund(context.Background(), "rma-1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(refund.State, refund.RefundedAt.Sub(wx.Now()) <= 0)
	// Output:
	// PROCESSING 80 fen
	// PROCESSING 80 fen
	// SUCCESS true
}
