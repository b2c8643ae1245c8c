// Package checkout is the server of a shop that uses h5pay's packages from a
// module of its own. It sells one thing. Its tests pay for it at a WeChat that
// runs in the test.
package checkout

import (
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

// Order is POST /order?no=...&openid=...: it places an order and answers with the six
// fields that the page hands to WeixinJSBridge.
func (s *Shop) Order(w http.ResponseWriter, r *http.Request) {
	prepay, err := s.WeChat.UnifiedOrder(r.Context(), wechat.Order{
		OutTradeNo: r.FormValue("no"), Body: "茶", TotalFee: 880, TradeType: wechat.TradeJSAPI, OpenID: r.FormValue("openid"),
		ClientIP: "203.0.113.7", NotifyURL: s.NotifyURL,
	})
	if err != nil {
		log.Print(err)
		http.Error(w, "WeChat did not take the order", http.StatusBadGateway)
		return
	}
	p, err := s.WeChat.PayParams(prepay.PrepayID)
	if err != nil {
		log.Print(err)
		http.Error(w, "signing failed", http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{
		"appId": p.AppID, "timeStamp": p.TimeStamp, "nonceStr": p.NonceStr, "package": p.Package, "signType": string(p.SignType), "paySign": p.PaySign,
	})
}

// Notify is WeChat's notification of a payment. It verifies the message, asks WeChat,
// and compares the amount before it believes it.
func (s *Shop) Notify(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return // the connection broke; WeChat sends it again
	}
	claimed, err := s.WeChat.ParsePayment(body)
	if err != nil {
		_, _ = w.Write(wechat.Answer(false, "not verified"))
		return
	}
	trade, err := s.WeChat.QueryOrder(r.Context(), claimed.OutTradeNo)
	if err != nil || !trade.Paid() || trade.TotalFee != 880 || trade.Currency != "CNY" {
		_, _ = w.Write(wechat.Answer(false, "not confirmed")) // WeChat sends it again
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paid == nil {
		s.paid = map[string]bool{}
	}
	s.paid[trade.OutTradeNo] = true
	_, _ = w.Write(wechat.Answer(true, "OK"))
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
