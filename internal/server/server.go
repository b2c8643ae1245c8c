// Package server is the signer's HTTP side: the calls of [h5pay/internal/api]
// over the store of [h5pay/internal/store] and WeChat.
//
// It imports nothing of a platform and no http.Client, so that the same code
// runs in a Worker and natively. Requests reach it whole; the client's address
// is http.Request.RemoteAddr, which the Worker's entry fills from
// CF-Connecting-IP. Natively Config.Addresses may name a header of a proxy.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/wechat"
)

// Deadlines of calls to WeChat. The page waits for these.
const (
	signInTimeout = 8 * time.Second
	prepayTimeout = 8 * time.Second
	queryTimeout  = 5 * time.Second
	refundTimeout = 10 * time.Second

	// resendWindow is the least time between two sends of one refund, longer than
	// one can take, so that two never overlap and one is refused for the other.
	resendWindow = refundTimeout + 2*time.Second
)

// MinStatements is the smallest Config.Statements: Cloudflare's free plan has 50.
const MinStatements = 50

// DefaultKeepUnpaid is how long orders that were never paid are kept. WeChat closes an
// order after a day; the rest of a month is for questions of customers.
const DefaultKeepUnpaid = 30 * 24 * time.Hour

// Payments is what the server needs of WeChat. *wechat.Client is one.
type Payments interface {
	AuthorizeURL(redirectURI string, scope wechat.Scope, state string) (string, error)
	ExchangeCode(ctx context.Context, code string) (wechat.Token, error)
	UserInfo(ctx context.Context, token wechat.Token, lang string) (wechat.User, error)
	UnifiedOrder(ctx context.Context, o wechat.Order) (wechat.Prepay, error)
	QueryOrder(ctx context.Context, outTradeNo string) (wechat.Trade, error)
	CloseOrder(ctx context.Context, outTradeNo string, taken time.Time) error
	PayParams(prepayID string) (wechat.PayParams, error)
	ParsePayment(body []byte) (wechat.Trade, error)
	CanRefund() bool
	Refund(ctx context.Context, r wechat.RefundRequest) (wechat.Refund, error)
	QueryRefund(ctx context.Context, outRefundNo string) (wechat.Refund, error)
	QueryRefunds(ctx context.Context, outTradeNo string) ([]wechat.Refund, error)
	ParseRefund(body []byte) (wechat.Refund, error)
	DownloadBill(ctx context.Context, day time.Time) (wechat.Bill, error)
}

// Config is what a Server is made of.
type Config struct {
	ShopName string    // shown on the page and on the payment sheet
	ShopURL  string    // the shop's public origin, "https://shop.example.com"; http is for this machine
	Scope    api.Scope // what a sign-in asks for; snsapi_base when empty
	// TradeTypes are what orders may have; JSAPI alone when empty.
	TradeTypes []api.TradeType
	AppID      string // of the service account
	MchID      string // of the merchant
	// Simulated says that WeChat is a simulator. Orders that are made or paid then,
	// and events that are delivered then, say so.
	Simulated  bool
	SessionKey wechat.Secret // at least 32 characters; seals the cookies
	// SessionKeyOld, optional, is the SessionKey before: cookies that it sealed
	// still open.
	SessionKeyOld wechat.Secret
	// AdminToken, at least 32 characters, opens the operator's calls. They are off
	// when it is empty.
	AdminToken wechat.Secret
	// ManualBalance leaves it to the operator whether a refund takes its money from
	// the available balance. Otherwise it does so after WeChat has declined it because
	// unsettled takings do not suffice.
	ManualBalance bool
	// SellingOff takes no order and begins no payment, whatever the operator's call
	// says. A payment that WeChat reports is settled.
	SellingOff bool
	// PayerDays are the days after which an event that is delivered or dead loses its
	// payer; 30 when 0.
	PayerDays int
	Store     *store.Store
	WeChat    Payments
	Webhook   *Webhook // the merchant's back end; without one events are kept and not sent
	// Announce, if not nil, is told that there is an event to deliver. It must
	// not wait, and may do nothing: a timer delivers what it leaves.
	Announce func()
	// Statements is how many SQL statements one run of Reconcile or Deliver may make,
	// and how many calls: D1 and Workers limit both for one invocation. At least
	// MinStatements; 0 is no limit.
	Statements int
	// KeepUnpaid is how long an order that was never paid is kept; DefaultKeepUnpaid
	// when 0, order.MinKeepUnpaid at least.
	KeepUnpaid time.Duration
	// Size, if not nil, returns the size of the database. From 90 % of its capacity on
	// new orders are rejected.
	Size func(ctx context.Context) (store.Size, error)
	// CatalogueHint tells the operator how to put products in, when there are none.
	CatalogueHint string
	// Checks is what the wiring has to say on the health page: of bindings, say.
	Checks []api.HealthCheck
	// Addresses says where the client's address is; http.Request.RemoteAddr has it
	// when it is zero.
	Addresses Addresses
	// AddressLimit and OwnerLimit, optional, bound how often one address, and
	// one who is known, may sign in and order.
	AddressLimit, OwnerLimit Limiter

	Log  *slog.Logger     // slog.Default when nil
	Now  func() time.Time // time.Now when nil
	Rand io.Reader        // crypto/rand when nil
}

// Server answers the calls of package api.
type Server struct {
	cfg     Config
	origin  string // of ShopURL, as a browser sends it
	state   sealer
	states  stateSigner
	session sealer
	log     *slog.Logger
	now     func() time.Time
	rand    io.Reader

	operator  adminToken
	sightings sightings
	seldom    seldom
}

// New checks cfg and returns its server. The error names the field that is
// wrong and never holds its value.
func New(cfg Config) (*Server, error) {
	if cfg.Scope == "" {
		cfg.Scope = api.ScopeBase
	}
	if cfg.PayerDays == 0 {
		cfg.PayerDays = payerDays
	}
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
	webhookProblem := cfg.Webhook.check()
	for _, rule := range []struct {
		ok      bool
		problem string
	}{
		{cfg.ShopName != "", "ShopName is empty"},
		{err == nil, "ShopURL is not an origin like https://shop.example.com"},
		{len(cfg.ShopURL) <= 200, "ShopURL is too long"},
		{validScope(cfg.Scope), "Scope is neither snsapi_base nor snsapi_userinfo"},
		{!slices.ContainsFunc(cfg.TradeTypes, unknownTradeType), "TradeTypes has one that is not JSAPI, NATIVE or MWEB"},
		// WeChat takes 256 bytes of JSON with both in it.
		{!slices.Contains(cfg.TradeTypes, api.TradeMWEB) || len(cfg.ShopURL)+len(cfg.ShopName) <= 160, "ShopName is too long for MWEB"},
		{cfg.AppID != "", "AppID is empty"},
		{cfg.MchID != "", "MchID is empty"},
		{len(cfg.SessionKey) >= 32, "SessionKey has less than 32 characters"},
		{cfg.SessionKeyOld == "" || len(cfg.SessionKeyOld) >= 32, "SessionKeyOld has less than 32 characters"},
		{cfg.AdminToken == "" || len(cfg.AdminToken) >= 32, "AdminToken has less than 32 characters"},
		{cfg.PayerDays > 0, "PayerDays is negative"},
		{cfg.Store != nil, "Store is nil"},
		{cfg.WeChat != nil, "WeChat is nil"},
		{webhookProblem == "", webhookProblem},
		{cfg.Statements == 0 || cfg.Statements >= MinStatements, "Statements is less than 50"},
		{cfg.KeepUnpaid >= order.MinKeepUnpaid, "KeepUnpaid is less than 10 days"},
	} {
		if !rule.ok {
			return nil, errors.New("server: " + rule.problem)
		}
	}
	s := &Server{cfg: cfg, origin: origin, log: cfg.Log, now: cfg.Now, rand: cfg.Rand, operator: newAdminToken(cfg.AdminToken)}
	secure := s.secure()
	// The keys depend on the appid: an openid means nothing under another one.
	if s.state, err = newSealer(cfg, stateCookie, secure); err != nil {
		return nil, err
	}
	if s.states, err = newStateSigner(cfg); err != nil {
		return nil, err
	}
	if s.session, err = newSealer(cfg, sessionCookie, secure); err != nil {
		return nil, err
	}
	return s, nil
}

// Handler returns the handler of everything under /api. It can be used for any
// number of requests at once.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range s.routes() {
		mux.Handle(pattern, s.handle(h))
	}
	mux.Handle("/", s.handle(unknownPath(mux)))
	return s.edge(mux)
}

// routes returns the handler of every call. What all of them pass is in edge.
func (s *Server) routes() map[string]handlerFunc {
	return map[string]handlerFunc{
		"GET " + api.PathHealth:     s.getHealth,
		"GET " + api.PathConfig:     s.getConfig,
		"POST " + api.PathAuthorize: s.authorize,
		"POST " + api.PathToken:     s.token,
		"GET " + api.PathSession:    s.getSession,
		"POST " + api.PathSession:   s.postSession,
		"DELETE " + api.PathSession: s.deleteSession,
		"GET " + api.PathProducts:   s.listProducts,
		"POST " + api.PathOrders:    s.createOrder,
		"GET " + api.PathOrders:     s.listOrders,
		"GET " + api.PathOrder:      s.getOrder,
		"POST " + api.PathOrderPay:  s.payOrder,
		"POST " + api.PathNotifyPay: s.notifyPay,

		"POST " + api.PathOrderClose: s.closeOrder,

		"POST " + api.PathNotifyRefund: s.notifyRefund,
		"GET " + api.PathAdminOrders:   s.admin(s.adminOrders),
		"GET " + api.PathAdminOrder:    s.admin(s.adminOrder),
		"POST " + api.PathAdminRefund:  s.admin(s.adminRefund),
		"POST " + api.PathAdminClose:   s.admin(s.adminClose),
		"POST " + api.PathAdminCloses:  s.admin(s.adminCloseOrders),
		"GET " + api.PathAdminSelling:  s.admin(s.adminSelling),
		"POST " + api.PathAdminSelling: s.admin(s.adminSetSelling),
		"POST " + api.PathAdminExport:  s.admin(s.adminExportPerson),
		"POST " + api.PathAdminErase:   s.admin(s.adminErasePerson),
		"GET " + api.PathAdminCounter:  s.admin(s.getCounters),
		"GET " + api.PathAdminEvents:   s.admin(s.adminEvents),
		"POST " + api.PathAdminReplay:  s.admin(s.replayEvent),
		"GET " + api.PathAdminBills:    s.admin(s.adminBills),
		"POST " + api.PathAdminBills:   s.admin(s.adminCheckBill),
	}
}

// Unavailable returns the handler of a signer whose settings are wrong: every
// call is answered by CodeMisconfigured. The log and the operator's health page say
// what is wrong: err, and all that is joined in it, must name settings and not hold
// their values. The operator is whoever sends token, nobody when it is empty.
func Unavailable(err error, token wechat.Secret, log *slog.Logger) http.Handler {
	s := &Server{log: log, now: time.Now, rand: rand.Reader, operator: newAdminToken(token)}
	return s.edge(s.handle(func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.Path == api.PathHealth && r.Method == http.MethodGet {
			return s.writeHealth(w, r, misconfigured(err))
		}
		s.logSeldom(r.Context(), slog.LevelError, "the shop is misconfigured", "error", err)
		return refuse(api.CodeMisconfigured, "the shop is not set up, its log says what is missing")
	}))
}

func unknownTradeType(t api.TradeType) bool {
	return t != api.TradeJSAPI && t != api.TradeNative && t != api.TradeMWEB
}

func validScope(s api.Scope) bool { return s == api.ScopeBase || s == api.ScopeUserInfo }

// parseOrigin returns the origin of an absolute http or https URL that has
// nothing after it, in the form of an Origin header.
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
