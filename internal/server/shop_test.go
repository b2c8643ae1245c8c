package server_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/certificate"
	"h5pay/internal/outbox"
	"h5pay/internal/payment"
	"h5pay/internal/paytest"
	"h5pay/internal/server"
	"h5pay/internal/store"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

const (
	ShopURL       = "https://shop.example.com"
	sessionKey    = "a session key of thirty-two bytes"
	oldSessionKey = "the session key that came before this"
	AdminToken    = "an operator's token of 34 letters."
)

// Shop is a signer and a simulated WeChat, joined without a network.
type Shop struct {
	T          testing.TB
	DB         *sql.DB
	Sim        *wechattest.WeChat
	ToWeChat   *Wire               // to WeChat
	FromWeChat *Wire               // from WeChat
	Keeper     *certificate.Keeper // of platform certificates, nil without
	WeChat     *wechat.Client
	Signer     *Signer
	Ahead      time.Duration // of the shop's clock, before WeChat's
	Handler    http.Handler
	Log        *paytest.Log
	Change     func(*Settings, *wechat.Config) // of the settings, as newShop was told
}

// NewShop opens a shop. change, if not nil, bends its settings.
func NewShop(t testing.TB, change func(*Settings, *wechat.Config)) *Shop {
	t.Helper()
	return NewShopAt(t, wechattest.Config{}, change)
}

// NewShopAt opens a shop at a WeChat with some settings of its own.
func NewShopAt(t testing.TB, at wechattest.Config, change func(*Settings, *wechat.Config)) *Shop {
	t.Helper()
	s := &Shop{T: t, DB: storetest.Open(t), Log: &paytest.Log{}, Change: change}
	s.FromWeChat = &Wire{}
	at.Hostile, at.PlainRefunds = true, true
	at.PublicURL, at.WeChatURL, at.Doer = ShopURL, "https://wechat.example", s.FromWeChat
	at.Epoch = time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	var err error
	s.Sim, err = wechattest.New(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Sim.Close)
	s.ToWeChat = &Wire{Handler: s.Sim.Handler()}
	s.Handler = s.Open(change)
	s.FromWeChat.Handler = s.Handler
	return s
}

// Open makes a signer over the shop's database and WeChat.
func (s *Shop) Open(change func(*Settings, *wechat.Config)) http.Handler {
	s.T.Helper()
	cfg := DefaultSettings(s, nil)
	wx := wechat.Config{
		AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret,
		MchID: wechattest.DefaultMchID, APIKey: wechattest.DefaultAPIKey,
		OpenURL: "https://wechat.example", APIURL: "https://wechat.example", MchURL: "https://wechat.example",
		Doer: s.ToWeChat, CertDoer: s.ToWeChat, Now: s.Now,
	}
	if change != nil {
		change(&cfg, &wx)
	}
	if wx.V3 != nil && wx.V3.Certificates {
		wx.V3.Refresh = func(ctx context.Context) error { return s.Keeper.Refresh(ctx) }
	}
	client, err := wechat.New(wx)
	if err != nil {
		s.T.Fatal(err)
	}
	if wx.V3 != nil && wx.V3.Certificates {
		s.Keeper, err = certificate.New(certificate.Config{Store: cfg.Store, WeChat: client, Log: cfg.Log, Now: s.Now})
		if err != nil {
			s.T.Fatal(err)
		}
		cfg.Certificates = s.Keeper.Problem
	}
	cfg.WeChat, s.WeChat = client, client
	if s.Signer, err = NewSigner(cfg); err != nil {
		s.T.Fatal(err)
	}
	return s.Signer.Handler()
}

// Signer is everything that the product makes of settings.
type Signer struct {
	*server.Server
	*payment.Service
	*outbox.Sender
}

// CheckBills does what the product's timer does.
func (s *Signer) CheckBills(ctx context.Context) error {
	if err := s.ForgetPayers(ctx); err != nil {
		return err
	}
	return s.Service.CheckBills(ctx)
}

// Settings are those of the rules, of the outbox and of HTTP.
type Settings struct {
	server.Config
	ShopName, ShopURL, AppID, MchID      string
	TradeTypes                           []api.TradeType
	Simulated, ManualBalance, SellingOff bool
	WeChat                               WeChat
	Webhook                              *outbox.Webhook
	Announce                             func()
	PayerDays, Statements                int
	KeepUnpaid                           time.Duration
	Size                                 func(context.Context) (store.Size, error)
}

// WeChat is all that the signer needs of WeChat.
type WeChat interface {
	server.WeChat
	payment.WeChat
}

// NewSigner wires a signer as the product does.
func NewSigner(c Settings) (s *Signer, err error) {
	s = &Signer{}
	s.Service, err = payment.New(payment.Config{
		ShopName: c.ShopName, ShopURL: c.ShopURL, TradeTypes: c.TradeTypes, AppID: c.AppID, MchID: c.MchID,
		Simulated: c.Simulated, ManualBalance: c.ManualBalance, SellingOff: c.SellingOff, Store: c.Store, WeChat: c.WeChat,
		Announce: c.Announce, Statements: c.Statements, KeepUnpaid: c.KeepUnpaid, Size: c.Size, Log: c.Log, Now: c.Now, Rand: c.Rand,
	})
	if err != nil {
		return nil, err
	}
	s.Sender, err = outbox.New(outbox.Config{
		Store: c.Store, Webhook: c.Webhook, Simulated: c.Simulated, PayerDays: c.PayerDays, Announce: c.Announce,
		Statements: c.Statements, Log: c.Log, Now: c.Now,
	})
	if err != nil {
		return nil, err
	}
	c.Config.Payment, c.Config.Outbox, c.Config.WeChat = s.Service, s.Sender, c.WeChat
	s.Server, err = server.New(c.Config)
	return s, err
}

// DefaultSettings is the signer's settings with everything in order.
func DefaultSettings(s *Shop, wx WeChat) Settings {
	return Settings{
		ShopName: wechattest.DefaultShopName, ShopURL: ShopURL,
		AppID: wechattest.DefaultAppID, MchID: wechattest.DefaultMchID,
		TradeTypes: []api.TradeType{api.TradeJSAPI, api.TradeNative, api.TradeMWEB},
		WeChat:     wx,
		Config: server.Config{
			SessionKey: sessionKey, SessionKeyOld: oldSessionKey, AdminToken: AdminToken, Store: store.New(s.DB), Now: s.Now,
			Log: slog.New(slog.NewTextHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		},
	}
}

// Now is the shop's clock.
func (s *Shop) Now() time.Time { return s.Sim.Now().Add(s.Ahead) }

// AdvanceClock moves the shop's clock alone.
func (s *Shop) AdvanceClock(d time.Duration) { s.Ahead += d }

// Check looks at everything that must hold at any time: the stored orders, that
// none is paid without WeChat having the money, and the log.
func (s *Shop) Check() {
	s.T.Helper()
	storetest.Check(s.T, s.DB)
	rows, err := s.DB.Query(`SELECT out_trade_no, trade_type, COALESCE(payer, ''), payer IS NULL, total, transaction_id FROM orders WHERE transaction_id IS NOT NULL`)
	if err != nil {
		s.T.Fatal(err)
	}
	defer rows.Close()
	trades := s.Sim.Ledger().Trades // after the orders: it only grows
	for rows.Next() {
		var outTradeNo, tradeType, openid, transaction string
		var unknown bool
		var total int64
		if err := rows.Scan(&outTradeNo, &tradeType, &openid, &unknown, &total, &transaction); err != nil {
			s.T.Fatal(err)
		}
		if !slices.ContainsFunc(trades, func(t wechattest.Trade) bool {
			return t.TransactionID == transaction && t.OutTradeNo == outTradeNo && t.TotalFee == total &&
				(t.OpenID == openid || openid == "" && !unknown /* erased */ || unknown && tradeType != "JSAPI" && len(s.Sim.RefundsOf(outTradeNo)) > 0)
		}) {
			s.T.Errorf("order %s is paid with %d by %s, WeChat has %+v", outTradeNo, total, transaction, trades)
		}
	}
	text := s.Log.String()
	for _, secret := range s.secrets() {
		if strings.Contains(text, secret) {
			s.T.Errorf("%q is in the log:\n%s", secret, text)
		}
	}
}

// Secrets are what neither a log line nor an answer may hold.
var Secrets = []string{
	wechattest.DefaultAppSecret, wechattest.DefaultAPIKey, wechattest.DefaultAPIv3Key, sessionKey, oldSessionKey, AdminToken, WebhookSecret, OldWebhookSecret,
}

// A new secret of the settings has to be among keys.
func TestEverySecretIsLookedFor(t *testing.T) {
	t.Parallel()
	s := NewShop(t, nil)
	v := reflect.ValueOf(DefaultSettings(s, nil).Config)
	for i := range v.NumField() {
		if secret, ok := v.Field(i).Interface().(wechat.Secret); ok && !slices.Contains(Secrets, string(secret)) {
			t.Errorf("%s is empty or nobody looks for it", v.Type().Field(i).Name)
		}
	}
}

// secrets are what no log line may hold.
func (s *Shop) secrets() []string {
	all := append(slices.Clone(Secrets), "erp.example.com")
	for _, user := range s.Sim.Users() {
		all = append(all, user.OpenID)
	}
	for _, m := range s.Sim.Messages(0) {
		if m.Kind == "access_token" {
			var reply struct {
				AccessToken string `json:"access_token"`
			}
			if json.Unmarshal([]byte(m.Response), &reply) == nil && reply.AccessToken != "" {
				all = append(all, reply.AccessToken)
			}
		}
	}
	return all
}

// Calls counts the shop's calls of one kind to WeChat.
func (s *Shop) Calls(kind string) int {
	n := 0
	for _, m := range s.Sim.Messages(0) {
		if m.Kind == kind {
			n++
		}
	}
	return n
}

// LastSent returns the shop's last message of one kind to WeChat.
func (s *Shop) LastSent(kind string) string {
	last := ""
	for _, m := range s.Sim.Messages(0) {
		if m.Kind == kind {
			last = m.Request
		}
	}
	return last
}

// Fault makes WeChat misbehave at the next occasion.
func (s *Shop) Fault(kind, path string) {
	s.T.Helper()
	if err := s.Sim.AddFault(wechattest.Fault{Kind: kind, Path: path}); err != nil {
		s.T.Fatal(err)
	}
}

// ErrorLines counts the log's lines of level ERROR.
func (s *Shop) ErrorLines() int { return strings.Count(s.Log.String(), "level=ERROR") }

// Deliver waits until WeChat has sent what is due.
func (s *Shop) Deliver() {
	s.T.Helper()
	s.Sim.Advance(time.Second)
	s.Check()
}

// OutTradeNo looks up the number under which WeChat knows an order.
func (s *Shop) OutTradeNo(id string) string {
	s.T.Helper()
	var no string
	if err := s.DB.QueryRow(`SELECT out_trade_no FROM orders WHERE id = ?`, id).Scan(&no); err != nil {
		s.T.Fatal(err)
	}
	return no
}
