package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"h5pay/signer/warm"
	"h5pay/wechat"
	"h5pay/wechat/apiv3"
)

// platformRSA is what the signer has: the platform's RSA for APIv3.
type platformRSA struct{ rsa warm.RSA }

func (p platformRSA) Signer(pkcs8 []byte) (apiv3.Signer, error)    { return p.rsa.Signer(pkcs8) }
func (p platformRSA) Verifier(spki []byte) (apiv3.Verifier, error) { return p.rsa.Verifier(spki) }

// trade makes the calls of APIv3 about one order with the keys of the request. It responds with the
// state of the order before and after it is closed, or with the error.
func (p *program) trade(w http.ResponseWriter, r *http.Request) {
	var m struct {
		AppID, MchID, URL, No                               string
		AppSecret, PrivateKey, APIv3Key                     wechat.Secret
		Serial, Certificate, PublicKeyID, PublicKey, OpenID string
		Certificates                                        bool
		Notification                                        []byte
		Header                                              http.Header
	}
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	states, err := func() (states []string, err error) {
		var c *wechat.Client
		c, err = wechat.New(wechat.Config{
			AppID: m.AppID, AppSecret: m.AppSecret, MchID: m.MchID, MchURL: m.URL, Doer: p.fetch,
			V3: &wechat.V3Config{
				Serial: m.Serial, PrivateKey: m.PrivateKey, Certificate: m.Certificate, APIv3Key: m.APIv3Key,
				PublicKeyID: m.PublicKeyID, PublicKey: m.PublicKey, Certificates: m.Certificates, RSA: platformRSA{p.rsa},
				Refresh: func(ctx context.Context) error {
					list, err := c.DownloadCertificates(ctx)
					if err != nil {
						return err
					}
					var pems []string
					for _, certificate := range list {
						pems = append(pems, certificate.PEM)
					}
					return c.SetCertificates(pems)
				},
			},
		})
		if err != nil {
			return nil, err
		}
		if err := c.CheckPrivateKey(r.Context()); err != nil {
			return nil, err
		}
		if m.Notification != nil {
			trade, err := c.PaymentNotification(r.Context(), m.Header.Get, m.Notification)
			return []string{string(trade.State), trade.OutTradeNo}, err
		}
		pay, err := c.For(wechat.V3)
		if err != nil {
			return nil, err
		}
		prepay, err := pay.PlaceOrder(r.Context(), wechat.Order{
			OutTradeNo: m.No, Body: "茶", TotalFee: 880, TradeType: wechat.TradeJSAPI, OpenID: m.OpenID, ClientIP: "192.0.2.1",
			NotifyURL: "https://shop.example/api/notify/pay",
		})
		if err != nil {
			return nil, err
		}
		params, err := pay.PayParams(r.Context(), prepay.PrepayID)
		if err != nil {
			return nil, err
		}
		before, err := pay.QueryOrder(r.Context(), m.No)
		if err != nil {
			return nil, err
		}
		if err := pay.CloseOrder(r.Context(), m.No, time.Time{}); err != nil {
			return nil, err
		}
		after, err := pay.QueryOrder(r.Context(), m.No)
		return []string{string(params.SignType), fmt.Sprint(len(params.PaySign)), string(before.State), string(after.State)}, err
	}()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	json.NewEncoder(w).Encode(states)
}
