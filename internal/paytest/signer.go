package paytest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/outbox"
	"h5pay/internal/payment"
	"h5pay/internal/server"
	"h5pay/internal/store"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// Signer is the HTTP server, the payment rules and the outbox, wired as in the product.
type Signer struct {
	*server.Server
	*payment.Service
	*outbox.Sender
}

// CheckBills forgets payers, seals secrets again and checks bills, as the product's timer does.
func (s *Signer) CheckBills(ctx context.Context) error {
	if err := errors.Join(s.RemovePayers(ctx), s.SealAgain(ctx)); err != nil {
		return err
	}
	return s.Service.CheckBills(ctx)
}

// Settings configures a Signer. See server.Config, payment.Config and outbox.Config.
type Settings struct {
	server.Config
	ShopName, ShopURL, AppID, MchID      string
	TradeTypes                           []api.TradeType
	ReturnHosts                          []string
	Simulated, ManualBalance, SellingOff bool
	WeChat                               WeChat
	Webhook                              *outbox.Webhook
	EndpointDoer                         wechat.Doer
	Announce                             func()
	PayerDays, Statements                int
	KeepUnpaid                           time.Duration
	Size                                 func(context.Context) (store.Size, error)
}

// WeChat has the calls that a Signer makes.
type WeChat interface {
	server.WeChat
	payment.WeChat
}

// NewSigner makes a Signer. An error names the field that is wrong.
func NewSigner(c Settings) (s *Signer, err error) {
	s = &Signer{}
	s.Service, err = payment.New(payment.Config{
		ShopName: c.ShopName, ShopURL: c.ShopURL, TradeTypes: c.TradeTypes, ReturnHosts: c.ReturnHosts, AppID: c.AppID, MchID: c.MchID,
		Simulated: c.Simulated, ManualBalance: c.ManualBalance, SellingOff: c.SellingOff, Store: c.Store, WeChat: c.WeChat,
		Announce: c.Announce, Statements: c.Statements, KeepUnpaid: c.KeepUnpaid, Size: c.Size, Log: c.Log, Now: c.Now, Rand: c.Rand,
	})
	if err != nil {
		return nil, err
	}
	s.Sender, err = outbox.New(outbox.Config{
		Store: c.Store, Webhook: c.Webhook, Simulated: c.Simulated, PayerDays: c.PayerDays, Announce: c.Announce,
		Statements: c.Statements, Log: c.Log, Now: c.Now, Rand: c.Rand,
		EndpointDoer: c.EndpointDoer, SessionKey: c.SessionKey, SessionKeyOld: c.SessionKeyOld,
		Origin: outbox.Origin{Shop: c.ShopURL, AppID: c.AppID, MchID: c.MchID},
	})
	if err != nil {
		return nil, err
	}
	c.Config.Payment, c.Config.Outbox, c.Config.WeChat = s.Service, s.Sender, c.WeChat
	s.Server, err = server.New(c.Config)
	return s, err
}

// DefaultSettings returns valid settings for a shop, with wx as its WeChat.
func DefaultSettings(s *Shop, wx WeChat) Settings {
	return Settings{
		ShopName: wechattest.DefaultShopName, ShopURL: ShopURL,
		AppID: wechattest.DefaultAppID, MchID: wechattest.DefaultMchID,
		TradeTypes:   []api.TradeType{api.TradeJSAPI, api.TradeNative, api.TradeMWEB},
		ReturnHosts:  []string{"www.example.com", "localhost:3000"},
		WeChat:       wx,
		EndpointDoer: &Endpoints{},
		Config: server.Config{
			SessionKey: sessionKey, SessionKeyOld: oldSessionKey, AdminToken: AdminToken, Store: store.New(s.DB), Now: s.Now,
			Log: slog.New(slog.NewTextHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		},
	}
}
