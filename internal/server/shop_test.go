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
	shopURL       = "https://shop.example.com"
	sessionKey    = "a session key of thirty-two bytes"
	oldSessionKey = "the session key that came before this"
	adminToken    = "an operator's token of 34 letters."
)

// shop is a signer and a simulated WeChat, joined without a network.
type shop struct {
	t       testing.TB
	db      *sql.DB
	sim     *wechattest.WeChat
	wire    *wire               // to WeChat
	back    *wire               // from WeChat
	keeper  *certificate.Keeper // of platform certificates, nil without
	wechat  *wechat.Client
	signer  *signer
	ahead   time.Duration // of the shop's clock, before WeChat's
	handler http.Handler
	log     *paytest.Log
	change  func(*settings, *wechat.Config) // of the settings, as newShop was told
}

// newShop opens a shop. change, if not nil, bends its settings.
func newShop(t testing.TB, change func(*settings, *wechat.Config)) *shop {
	t.Helper()
	return newShopAt(t, wechattest.Config{}, change)
}

// newShopAt opens a shop at a WeChat with some settings of its own.
func newShopAt(t testing.TB, at wechattest.Config, change func(*settings, *wechat.Config)) *shop {
	t.Helper()
	s := &shop{t: t, db: storetest.Open(t), log: &paytest.Log{}, change: change}
	s.back = &wire{}
	at.Hostile, at.PlainRefunds = true, true
	at.PublicURL, at.WeChatURL, at.Doer = shopURL, "https://wechat.example", s.back
	at.Epoch = time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	var err error
	s.sim, err = wechattest.New(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.sim.Close)
	s.wire = &wire{handler: s.sim.Handler()}
	s.handler = s.open(change)
	s.back.handler = s.handler
	return s
}

// open makes a signer over the shop's database and WeChat.
func (s *shop) open(change func(*settings, *wechat.Config)) http.Handler {
	s.t.Helper()
	cfg := goodConfig(s, nil)
	wx := wechat.Config{
		AppID: wechattest.DefaultAppID, AppSecret: wechattest.DefaultAppSecret,
		MchID: wechattest.DefaultMchID, APIKey: wechattest.DefaultAPIKey,
		OpenURL: "https://wechat.example", APIURL: "https://wechat.example", MchURL: "https://wechat.example",
		Doer: s.wire, CertDoer: s.wire, Now: s.now,
	}
	if change != nil {
		change(&cfg, &wx)
	}
	if wx.V3 != nil && wx.V3.Certificates {
		wx.V3.Refresh = func(ctx context.Context) error { return s.keeper.Refresh(ctx) }
	}
	client, err := wechat.New(wx)
	if err != nil {
		s.t.Fatal(err)
	}
	if wx.V3 != nil && wx.V3.Certificates {
		s.keeper, err = certificate.New(certificate.Config{Store: cfg.Store, WeChat: client, Log: cfg.Log, Now: s.now})
		if err != nil {
			s.t.Fatal(err)
		}
		cfg.Certificates = s.keeper.Problem
	}
	cfg.WeChat, s.wechat = client, client
	if s.signer, err = newSigner(cfg); err != nil {
		s.t.Fatal(err)
	}
	return s.signer.Handler()
}

// signer is everything that the product makes of settings.
type signer struct {
	*server.Server
	*payment.Service
	*outbox.Sender
}

// CheckBills does what the product's timer does.
func (s *signer) CheckBills(ctx context.Context) error {
	if err := s.ForgetPayers(ctx); err != nil {
		return err
	}
	return s.Service.CheckBills(ctx)
}

// settings are those of the rules, of the outbox and of HTTP.
type settings struct {
	server.Config
	ShopName, ShopURL, AppID, MchID      string
	TradeTypes                           []api.TradeType
	Simulated, ManualBalance, SellingOff bool
	WeChat                               weChat
	Webhook                              *outbox.Webhook
	Announce                             func()
	PayerDays, Statements                int
	KeepUnpaid                           time.Duration
	Size                                 func(context.Context) (store.Size, error)
}

// weChat is all that the signer needs of WeChat.
type weChat interface {
	server.WeChat
	payment.WeChat
}

// newSigner wires a signer as the product does.
func newSigner(c settings) (s *signer, err error) {
	s = &signer{}
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

// goodConfig is the signer's settings with everything in order.
func goodConfig(s *shop, wx weChat) settings {
	return settings{
		ShopName: wechattest.DefaultShopName, ShopURL: shopURL,
		AppID: wechattest.DefaultAppID, MchID: wechattest.DefaultMchID,
		TradeTypes: []api.TradeType{api.TradeJSAPI, api.TradeNative, api.TradeMWEB},
		WeChat:     wx,
		Config: server.Config{
			SessionKey: sessionKey, SessionKeyOld: oldSessionKey, AdminToken: adminToken, Store: store.New(s.db), Now: s.now,
			Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		},
	}
}

// now is the shop's clock.
func (s *shop) now() time.Time { return s.sim.Now().Add(s.ahead) }

// advanceShop moves the shop's clock alone.
func (s *shop) advanceShop(d time.Duration) { s.ahead += d }

// check looks at everything that must hold at any time: the stored orders, that
// none is paid without WeChat having the money, and the log.
func (s *shop) check() {
	s.t.Helper()
	storetest.Check(s.t, s.db)
	rows, err := s.db.Query(`SELECT out_trade_no, trade_type, COALESCE(payer, ''), payer IS NULL, total, transaction_id FROM orders WHERE transaction_id IS NOT NULL`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	trades := s.sim.Ledger().Trades // after the orders: it only grows
	for rows.Next() {
		var outTradeNo, tradeType, openid, transaction string
		var unknown bool
		var total int64
		if err := rows.Scan(&outTradeNo, &tradeType, &openid, &unknown, &total, &transaction); err != nil {
			s.t.Fatal(err)
		}
		if !slices.ContainsFunc(trades, func(t wechattest.Trade) bool {
			return t.TransactionID == transaction && t.OutTradeNo == outTradeNo && t.TotalFee == total &&
				(t.OpenID == openid || openid == "" && !unknown /* erased */ || unknown && tradeType != "JSAPI" && len(s.sim.RefundsOf(outTradeNo)) > 0)
		}) {
			s.t.Errorf("order %s is paid with %d by %s, WeChat has %+v", outTradeNo, total, transaction, trades)
		}
	}
	text := s.log.String()
	for _, secret := range s.secrets() {
		if strings.Contains(text, secret) {
			s.t.Errorf("%q is in the log:\n%s", secret, text)
		}
	}
}

// keys are what neither a log line nor an answer may hold.
var keys = []string{
	wechattest.DefaultAppSecret, wechattest.DefaultAPIKey, wechattest.DefaultAPIv3Key, sessionKey, oldSessionKey, adminToken, webhookSecret, oldWebhookSecret,
}

// A new secret of the settings has to be among keys.
func TestEverySecretIsLookedFor(t *testing.T) {
	t.Parallel()
	s := newShop(t, nil)
	v := reflect.ValueOf(goodConfig(s, nil).Config)
	for i := range v.NumField() {
		if secret, ok := v.Field(i).Interface().(wechat.Secret); ok && !slices.Contains(keys, string(secret)) {
			t.Errorf("%s is empty or nobody looks for it", v.Type().Field(i).Name)
		}
	}
}

// secrets are what no log line may hold.
func (s *shop) secrets() []string {
	all := append(slices.Clone(keys), "erp.example.com")
	for _, user := range s.sim.Users() {
		all = append(all, user.OpenID)
	}
	for _, m := range s.sim.Messages(0) {
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

// calls counts the shop's calls of one kind to WeChat.
func (s *shop) calls(kind string) int {
	n := 0
	for _, m := range s.sim.Messages(0) {
		if m.Kind == kind {
			n++
		}
	}
	return n
}

// sent returns the shop's last message of one kind to WeChat.
func (s *shop) sent(kind string) string {
	last := ""
	for _, m := range s.sim.Messages(0) {
		if m.Kind == kind {
			last = m.Request
		}
	}
	return last
}

// fault makes WeChat misbehave at the next occasion.
func (s *shop) fault(kind, path string) {
	s.t.Helper()
	if err := s.sim.AddFault(wechattest.Fault{Kind: kind, Path: path}); err != nil {
		s.t.Fatal(err)
	}
}

// loud counts the log's lines of level ERROR.
func (s *shop) loud() int { return strings.Count(s.log.String(), "level=ERROR") }

// deliver waits until WeChat has sent what is due.
func (s *shop) deliver() {
	s.t.Helper()
	s.sim.Advance(time.Second)
	s.check()
}

// outTradeNo looks up the number under which WeChat knows an order.
func (s *shop) outTradeNo(id string) string {
	s.t.Helper()
	var no string
	if err := s.db.QueryRow(`SELECT out_trade_no FROM orders WHERE id = ?`, id).Scan(&no); err != nil {
		s.t.Fatal(err)
	}
	return no
}
