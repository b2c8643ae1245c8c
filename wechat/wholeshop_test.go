package wechat_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// teaShop is a merchant's server. A real shop keeps its orders in a database.
type teaShop struct {
	client *wechat.Client
	paid   chan wechat.Trade
}

// ServeHTTP is the address of NotifyURL. It verifies the notification, queries WeChat,
// and compares the response with the order before it counts the order as paid.
func (s *teaShop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		return // WeChat sends the notification again
	}
	trade, err := s.confirm(r.Context(), r.Header, body)
	status, contentType, acknowledgement := wechat.Acknowledgement(wechat.NotificationVersion(body), err == nil, "OK")
	if contentType != "" {
		w.Header().Set("Content-Type", contentType)
	}
	w.WriteHeader(status)
	_, _ = w.Write(acknowledgement)
	if err == nil {
		s.paid <- trade
	}
}

func (s *teaShop) confirm(ctx context.Context, header http.Header, body []byte) (wechat.Trade, error) {
	claimed, err := s.client.PaymentNotification(ctx, header.Get, body)
	if err != nil {
		return wechat.Trade{}, err
	}
	pay, err := s.client.For(claimed.Version)
	if err != nil {
		return wechat.Trade{}, err
	}
	trade, err := pay.QueryOrder(ctx, claimed.OutTradeNo)
	if err != nil {
		return wechat.Trade{}, err
	}
	if !trade.Paid() || trade.OutTradeNo != "20260301A1" || trade.TotalFee != 880 || trade.Currency != "CNY" {
		return wechat.Trade{}, fmt.Errorf("order %s is not paid as it was ordered", trade.OutTradeNo)
	}
	return trade, nil
}

// A shop places an order, signs what the page pays with, and confirms the notification
// of the payment. WeChat is a simulator here. With a real account the base URLs stay
// empty, and Config has the keys of the merchant platform.
func Example() {
	shop := &teaShop{paid: make(chan wechat.Trade, 1)}
	server := httptest.NewServer(shop)
	defer server.Close()
	wx, err := wechattest.Listen(wechattest.Config{Epoch: time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)}, "localhost:0")
	if err != nil {
		log.Fatal(err)
	}
	defer wx.Close()

	shop.client, err = wechat.New(wechat.Config{
		AppID:     wechattest.DefaultAppID,
		AppSecret: wechattest.DefaultAppSecret,
		MchID:     wechattest.DefaultMchID,
		APIKey:    wechattest.DefaultAPIKey,
		OpenURL:   wx.URL, APIURL: wx.URL, MchURL: wx.URL,
		Doer: &http.Client{
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Now: wx.Now,
	})
	if err != nil {
		log.Fatal(err)
	}
	pay, err := shop.client.For(shop.client.Version())
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	prepay, err := pay.PlaceOrder(ctx, wechat.Order{
		OutTradeNo: "20260301A1",
		Body:       "山岚小铺-茶",
		TotalFee:   880, // fen
		TradeType:  wechat.TradeJSAPI,
		OpenID:     wx.User().OpenID, // of ExchangeCode
		ClientIP:   "203.0.113.7",
		NotifyURL:  server.URL + "/notify",
		TimeExpire: wx.Now().Add(time.Hour),
	})
	if err != nil {
		log.Fatal(err)
	}
	params, err := pay.PayParams(ctx, prepay.PrepayID)
	if err != nil {
		log.Fatal(err)
	}

	// The page calls WeixinJSBridge.invoke("getBrandWCPayRequest", {appId: ...}), and the
	// person pays.
	_, err = wx.Pay("https://shop.example/pay", map[string]string{
		"appId": params.AppID, "timeStamp": params.TimeStamp, "nonceStr": params.NonceStr,
		"package": params.Package, "signType": string(params.SignType), "paySign": params.PaySign,
	})
	if err != nil {
		log.Fatal(err)
	}
	trade := <-shop.paid
	fmt.Println(trade.OutTradeNo, trade.State, int64(trade.TotalFee), "fen")
	// Output: 20260301A1 SUCCESS 880 fen
}
