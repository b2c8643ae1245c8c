// Package checkout is the server of a shop that uses h5pay's packages from a
// module of its own. It sells one thing. Its tests pay for it at a WeChat that
// runs in the test.
package checkout

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	"h5pay/webhook"
	"h5pay/wechat"
)

// Shop sells tea for 8.80 yuan.
type Shop struct {
	WeChat    *wechat.Client
	NotifyURL string // where WeChat reaches Notify

	mu   sync.Mutex
	paid map[string]bool // by out_trade_no; a real shop has a database
}

// Order is POST /order?no=...&openid=...: it places an order and responds with the six
// fields that the page hands to WeixinJSBridge.
func (s *Shop) Order(w http.ResponseWriter, r *http.Request) {
	pay, err := s.WeChat.For(s.WeChat.Version())
	if err != nil {
		log.Print(err)
		http.Error(w, "there are no keys", http.StatusInternalServerError)
		return
	}
	prepay, err := pay.PlaceOrder(r.Context(), wechat.Order{
		OutTradeNo: r.FormValue("no"), Body: "茶", TotalFee: 880, TradeType: wechat.TradeJSAPI, OpenID: r.FormValue("openid"),
		ClientIP: "203.0.113.7", NotifyURL: s.NotifyURL,
	})
	if err != nil {
		log.Print(err)
		http.Error(w, "WeChat did not accept the order", http.StatusBadGateway)
		return
	}
	p, err := pay.PayParams(r.Context(), prepay.PrepayID)
	if err != nil {
		log.Print(err)
		http.Error(w, "signing failed", http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{
		"appId": p.AppID, "timeStamp": p.TimeStamp, "nonceStr": p.NonceStr, "package": p.Package, "signType": string(p.SignType), "paySign": p.PaySign,
	})
}

// Notify is WeChat's notification of a payment. It verifies the message, queries WeChat,
// and compares the amount before it counts the order as paid.
func (s *Shop) Notify(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return // the connection broke; WeChat sends it again
	}
	claimed, err := s.WeChat.PaymentNotification(r.Context(), r.Header.Get, body)
	if err != nil {
		acknowledge(w, body, false, "not verified")
		return
	}
	trade, err := s.query(r.Context(), claimed)
	if err != nil || !trade.Paid() || trade.TotalFee != 880 || trade.Currency != "CNY" {
		acknowledge(w, body, false, "not confirmed") // WeChat sends it again
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paid == nil {
		s.paid = map[string]bool{}
	}
	s.paid[trade.OutTradeNo] = true
	acknowledge(w, body, true, "OK")
}

// query queries a payment in the version of its notification.
func (s *Shop) query(ctx context.Context, claimed wechat.Trade) (wechat.Trade, error) {
	pay, err := s.WeChat.For(claimed.Version)
	if err != nil {
		return wechat.Trade{}, err
	}
	return pay.QueryOrder(ctx, claimed.OutTradeNo)
}

// acknowledge responds to a notification in its own version.
func acknowledge(w http.ResponseWriter, body []byte, ok bool, message string) {
	status, contentType, text := wechat.Acknowledgement(wechat.NotificationVersion(body), ok, message)
	if contentType != "" {
		w.Header().Set("Content-Type", contentType)
	}
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// Paid reports whether an order is paid.
func (s *Shop) Paid(no string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paid[no]
}

// Event receives an event of an h5pay shop. receiver has its secrets.
func Event(receiver webhook.Receiver, handle func(webhook.Event)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		event, err := receiver.Receive(r, time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		handle(event)
		w.WriteHeader(http.StatusNoContent)
	}
}
