package wechat_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// A merchant with WeChat Pay's public key places an order and signs what the page pays
// with. In a test WeChat is the simulator.
func ExampleClient_For() {
	sim, err := wechattest.New(wechattest.Config{RSAKeys: rsaKeys(), ShopURL: "https://shop.example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Close()
	keys := sim.V3() // of the merchant platform
	client, err := wechat.New(wechat.Config{
		AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret, MchID: keys.MchID,
		V3: &wechat.V3Config{
			Serial: keys.Serial, PrivateKey: wechat.Secret(keys.PrivateKey), APIv3Key: wechat.Secret(keys.APIv3Key),
			PublicKeyID: keys.PublicKeyID, PublicKey: keys.PublicKey,
		},
		Doer: v3wire{sim.Handler()}, Now: sim.Now,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	pay, err := client.For(wechat.V3)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	prepay, err := pay.PlaceOrder(ctx, wechat.Order{
		OutTradeNo: "tea-000001", Body: "Tea", TotalFee: 880, TradeType: wechat.TradeJSAPI, OpenID: sim.User().OpenID,
		ClientIP: "192.0.2.1", NotifyURL: "https://shop.example/notify", TimeExpire: sim.Now().Add(time.Hour),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	params, err := pay.PayParams(ctx, prepay.PrepayID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(params.SignType, len(params.PaySign))
	trade, err := pay.QueryOrder(ctx, "tea-000001")
	fmt.Println(trade.State, err)
	// Output:
	// RSA 344
	// NOTPAY <nil>
}

// A notify URL accepts notifications of both versions.
func ExampleClient_PaymentNotification() {
	var client *wechat.Client // of the shop
	http.HandleFunc("POST /notify", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2<<20))
		if err != nil {
			return
		}
		trade, err := client.PaymentNotification(r.Context(), r.Header.Get, body)
		if err == nil {
			err = settle(trade) // compares order, amount, currency and version; the same twice
		}
		status, contentType, answer := wechat.Acknowledgement(wechat.NotificationVersion(body), err == nil, "OK")
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(status)
		w.Write(answer)
	})
}

func settle(wechat.Trade) error { return nil }
