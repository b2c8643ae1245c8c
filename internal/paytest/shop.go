package paytest

import (
	"context"
	"database/sql"
	"net/http"
	"testing"
	"time"

	"h5pay/internal/certificate"
	"h5pay/internal/store/storetest"
	"h5pay/wechat"
	"h5pay/wechat/wechattest"
)

// Settings that every shop of the tests has.
const (
	ShopURL       = "https://shop.example.com"
	sessionKey    = "a session key of thirty-two bytes"
	oldSessionKey = "the session key that came before this"
	AdminToken    = "an operator's token of 34 letters."
)

// Shop is a signer with its own database and its own simulated WeChat, joined without a network.
// Both share one clock, which runs in real time from 2026-11-23 10:00 in Beijing. Sim.Advance advances
// it.
type Shop struct {
	T          testing.TB
	DB         *sql.DB
	Sim        *wechattest.WeChat
	ToWeChat   *Wire               // carries the shop's calls
	FromWeChat *Wire               // carries notifications
	Keeper     *certificate.Keeper // of platform certificates; nil without them
	WeChat     *wechat.Client
	Signer     *Signer
	Ahead      time.Duration // how far the shop's clock is ahead of WeChat's
	Handler    http.Handler
	Log        *Log
	Change     func(*Settings, *wechat.Config) // changes the default settings; may be nil
}

// NewShop opens a shop that ends with the test. change, if not nil, changes its settings.
func NewShop(t testing.TB, change func(*Settings, *wechat.Config)) *Shop {
	t.Helper()
	return NewShopAt(t, wechattest.Config{}, change)
}

// NewShopAt is NewShop with settings of the simulated WeChat. Its addresses are set here. Its clock starts
// at NewShop's time if at.Epoch is zero.
func NewShopAt(t testing.TB, at wechattest.Config, change func(*Settings, *wechat.Config)) *Shop {
	t.Helper()
	s := &Shop{T: t, DB: storetest.Open(t), Log: &Log{}, Change: change}
	s.FromWeChat = &Wire{}
	at.Hostile, at.PlainRefunds = true, true
	at.PublicURL, at.WeChatURL, at.Doer = ShopURL, "https://wechat.example", s.FromWeChat
	if at.Epoch.IsZero() {
		at.Epoch = time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	}
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

// Open makes a signer over the shop's database and WeChat, and returns its handler. WeChat still
// notifies the handler before it. If change sets Settings.WeChat, the signer calls that in place of the
// simulator.
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
	s.WeChat = client
	if cfg.WeChat == nil {
		cfg.WeChat = client
	}
	if s.Signer, err = NewSigner(cfg); err != nil {
		s.T.Fatal(err)
	}
	return s.Signer.Handler()
}

// Reopen replaces the signer by one with other settings, over the same database.
func (s *Shop) Reopen(change func(*Settings, *wechat.Config)) {
	s.T.Helper()
	s.Change = change
	s.Handler = s.Open(change)
	s.FromWeChat.Handler = s.Handler
}

// Now returns the time of the shop's clock.
func (s *Shop) Now() time.Time { return s.Sim.Now().Add(s.Ahead) }

// AdvanceClock advances the shop's clock, and not WeChat's.
func (s *Shop) AdvanceClock(d time.Duration) { s.Ahead += d }

// Fault adds a fault for the next call of path. An empty path means any call.
func (s *Shop) Fault(kind, path string) {
	s.T.Helper()
	if err := s.Sim.AddFault(wechattest.Fault{Kind: kind, Path: path}); err != nil {
		s.T.Fatal(err)
	}
}

// Deliver delivers the notifications that are due within a second.
func (s *Shop) Deliver() {
	s.T.Helper()
	s.Sim.Advance(time.Second)
	s.Check()
}

// Reconcile makes the call that the timer makes each minute.
func (s *Shop) Reconcile() {
	s.T.Helper()
	if err := s.Signer.Reconcile(context.Background()); err != nil {
		s.T.Error(err)
	}
	s.Check()
}

// CheckBills makes the call that the timer makes for the bills.
func (s *Shop) CheckBills() {
	s.T.Helper()
	if err := s.Signer.CheckBills(s.T.Context()); err != nil {
		s.T.Error(err)
	}
	s.Check()
}

// AdvanceTo advances the clocks to a time of day in Beijing, such as "20:00:00". Day 0 is the day on
// which the shop opened.
func (s *Shop) AdvanceTo(day int, clock string) {
	s.T.Helper()
	at, err := time.Parse("2006-01-02 15:04:05 -0700", "2026-11-23 "+clock+" +0800")
	if err != nil {
		s.T.Fatal(err)
	}
	s.Sim.Advance(at.AddDate(0, 0, day).Sub(s.Sim.Now()))
}

// QueryPause is the least time between two queries of one order or refund.
const QueryPause = 3 * time.Second
