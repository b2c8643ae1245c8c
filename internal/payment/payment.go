// Package payment holds the rules of the shop's payments. It places orders, gets payment parameters
// from WeChat, settles WeChat's reports, closes, refunds, and compares the bills.
//
// It knows nothing of HTTP and imports no http.Client. An error is an *[api.Error] if the caller
// may see it, and a [Mismatch] if WeChat's report differs from the stored payment. Others are the
// database's or WeChat's.
package payment

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// Deadlines of calls to WeChat. The page waits for these.
const (
	prepayTimeout = 8 * time.Second
	queryTimeout  = 5 * time.Second
	refundTimeout = 10 * time.Second

	// resendWindow is the least time between two calls of one refund. It is longer than a call,
	// because WeChat declines one of two concurrent calls.
	resendWindow = refundTimeout + 2*time.Second
)

// MinStatements is the smallest Config.Statements: Cloudflare's free plan has 50.
const MinStatements = 50

// DefaultKeepUnpaid is how long orders that were never paid are kept. WeChat closes an order after
// a day; the remaining time is for customers' questions.
const DefaultKeepUnpaid = 30 * 24 * time.Hour

// WeChat has the calls that the rules make. *wechat.Client implements it.
type WeChat interface {
	Version() wechat.Version // of new payments
	For(v wechat.Version) (wechat.Merchant, error)
}

// Config configures a Service.
type Config struct {
	ShopName string // shown on the page and on the payment sheet
	ShopURL  string // the shop's public origin, "https://shop.example.com"; http only for a shop on this machine
	// TradeTypes are those of the shop. Default JSAPI alone.
	TradeTypes []api.TradeType
	// ReturnHosts are the hosts, with a port if the URL has one, to which the customer's page may
	// return after a payment.
	ReturnHosts []string
	AppID       string // of the service account
	MchID       string // of the merchant
	// Simulated means that WeChat is a simulator. Orders that are made or paid then are marked.
	Simulated bool
	// With ManualBalance the operator decides whether a refund takes its money from the available
	// balance. Otherwise a refund does so after WeChat has declined it because the unsettled
	// takings do not suffice.
	ManualBalance bool
	// With SellingOff the shop accepts no order and begins no payment, whatever the operator's
	// switch is. A payment that WeChat reports is still settled.
	SellingOff bool
	Store      *store.Store
	WeChat     WeChat
	// Announce, if not nil, is called when there is an event to deliver. It must not block. It may
	// do nothing, because a timer delivers the events too.
	Announce func()
	// Statements is the largest number of SQL statements, and of calls, of one Reconcile: D1 and
	// Workers limit both for one invocation. At least MinStatements; 0 means no limit.
	Statements int
	// KeepUnpaid is how long an unpaid order is kept, at least order.MinKeepUnpaid. Default
	// DefaultKeepUnpaid.
	KeepUnpaid time.Duration
	// Size, if not nil, returns the size of the database. New orders are rejected from 90 % of its
	// capacity on.
	Size func(ctx context.Context) (store.Size, error)

	Log  *slog.Logger     // slog.Default when nil
	Now  func() time.Time // time.Now when nil
	Rand io.Reader        // crypto/rand when nil
}

// Service holds the rules of orders, payments, refunds and bills. It is safe for concurrent use.
type Service struct {
	cfg    Config
	origin string // of ShopURL, as a browser sends it
	log    *slog.Logger
	now    func() time.Time
	rand   io.Reader

	catalogue catalogue
}

const (
	MaxShopURL   = 200 // bytes of Config.ShopURL
	MaxMWEBScene = 160 // bytes of ShopURL and ShopName together, for MWEB: WeChat accepts 256 bytes of JSON that has both
)

// FitsMWEB reports whether a shop's address and name fit into an MWEB order, if the shop offers MWEB.
func FitsMWEB(types []api.TradeType, shopURL, shopName string) bool {
	return !slices.Contains(types, api.TradeMWEB) || len(shopURL)+len(shopName) <= MaxMWEBScene
}

// New returns a Service. An error names the wrong field of cfg.
func New(cfg Config) (*Service, error) {
	if len(cfg.TradeTypes) == 0 {
		cfg.TradeTypes = []api.TradeType{api.TradeJSAPI}
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.KeepUnpaid == 0 {
		cfg.KeepUnpaid = DefaultKeepUnpaid
	}
	if cfg.Announce == nil {
		cfg.Announce = func() {}
	}
	origin, err := parseOrigin(cfg.ShopURL)
	for _, rule := range []struct {
		ok      bool
		problem string
	}{
		{cfg.ShopName != "", "ShopName is empty"},
		{!strings.ContainsFunc(cfg.ShopName, unicode.IsControl), "ShopName has a control character"}, // MWEB sends it as it is
		{err == nil, "ShopURL: want an origin like https://shop.example.com"},
		{len(cfg.ShopURL) <= MaxShopURL, "ShopURL is too long"},
		{!slices.ContainsFunc(cfg.TradeTypes, unknownTradeType), "TradeTypes: want JSAPI, NATIVE or MWEB"},
		{FitsMWEB(cfg.TradeTypes, cfg.ShopURL, cfg.ShopName), "ShopName is too long for MWEB"},
		{cfg.AppID != "", "AppID is empty"},
		{cfg.MchID != "", "MchID is empty"},
		{cfg.Store != nil, "Store is nil"},
		{cfg.WeChat != nil, "WeChat is nil"},
		{cfg.Statements == 0 || cfg.Statements >= MinStatements, "Statements: want 0 or at least 50"},
		{cfg.KeepUnpaid >= order.MinKeepUnpaid, "KeepUnpaid: want at least 10 days"},
	} {
		if !rule.ok {
			return nil, errors.New("payment: " + rule.problem)
		}
	}
	return &Service{cfg: cfg, origin: origin, log: cfg.Log, now: cfg.Now, rand: cfg.Rand}, nil
}

// Shop is public information about the shop.
type Shop struct {
	Name       string
	Origin     string // "https://shop.example.com", as a browser sends it
	AppID      string
	MchID      string
	TradeTypes []api.TradeType
	Simulated  bool // WeChat is a simulator
}

// Shop returns public information about the shop.
func (s *Service) Shop() Shop {
	return Shop{s.cfg.ShopName, s.origin, s.cfg.AppID, s.cfg.MchID, s.cfg.TradeTypes, s.cfg.Simulated}
}

// api returns WeChat's API in the version of a payment or a refund. A payment keeps the version
// with which it began, whatever new payments use.
func (s *Service) api(version string) (wechat.Merchant, error) {
	return s.cfg.WeChat.For(wechat.Version(version))
}

// logger returns the log of the request of ctx.
func (s *Service) logger(ctx context.Context) *slog.Logger { return reqlog.From(ctx, s.log) }

// caught turns a panic into an error. Every goroutine of this package defers it, because net/http
// catches only panics of its own goroutines.
func (s *Service) caught(ctx context.Context, err *error) {
	if p := recover(); p != nil {
		reqlog.Panic(s.logger(ctx), p)
		*err = errors.New("a panic, see the log")
	}
}

func unknownTradeType(t api.TradeType) bool {
	return t != api.TradeJSAPI && t != api.TradeNative && t != api.TradeMWEB
}

// parseOrigin returns the origin of an absolute http or https URL without path and query, in the
// form of an Origin header.
func parseOrigin(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("not a URL")
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return "", errors.New("not an origin")
	}
	host := strings.ToLower(u.Host)
	switch {
	case u.Scheme == "https":
		host = strings.TrimSuffix(host, ":443")
	case u.Scheme == "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host, nil
}

// reject returns an error that the caller may see.
func reject(code api.Code, message string) error {
	return &api.Error{Code: code, Message: message}
}
