// Package server is the signer's HTTP side: the calls of [h5pay/internal/api]
// over the store of [h5pay/internal/store] and WeChat.
//
// It imports no platform and no http.Client, so the same code runs in a Worker and natively. The
// client's address is http.Request.RemoteAddr, which the Worker's entry sets from CF-Connecting-IP.
// In the native server Config.Addresses may name a header of a proxy.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/internal/fen"
	"h5pay/internal/outbox"
	"h5pay/internal/payment"
	"h5pay/internal/probe"
	"h5pay/internal/store"
	"h5pay/internal/v1"
	"h5pay/wechat"
	"h5pay/wechat/apiv3"
)

// signInTimeout bounds the calls of a sign-in to WeChat.
const signInTimeout = 8 * time.Second

// WeChat has the calls that the server makes. *wechat.Client implements it.
type WeChat interface {
	AuthorizeURL(redirectURI string, scope wechat.Scope, state string) (string, error)
	ExchangeCode(ctx context.Context, code string) (wechat.Token, error)
	UserInfo(ctx context.Context, token wechat.Token, lang string) (wechat.User, error)
	PaymentNotification(ctx context.Context, header apiv3.Header, body []byte) (wechat.Trade, error)
	RefundNotification(ctx context.Context, header apiv3.Header, body []byte) (wechat.Refund, error)
	For(v wechat.Version) (wechat.Merchant, error)
}

// Doctor runs checks that make calls. *doctor.Doctor implements it.
type Doctor interface {
	// Run returns the results. token is for a probe of the notify URL.
	Run(ctx context.Context, token string) []v1.CheckResult
}

// Config configures a Server.
type Config struct {
	Payment    *payment.Service // the rules
	Outbox     *outbox.Sender   // of events
	Store      *store.Store
	WeChat     WeChat
	Scope      api.Scope     // of a sign-in; snsapi_base when empty
	SessionKey wechat.Secret // at least 32 characters; seals the cookies
	// SessionKeyOld, optional, is the former SessionKey: its cookies are still accepted.
	SessionKeyOld wechat.Secret
	// AdminToken, at least 32 characters, authorizes the operator's calls. They are off if it is
	// empty.
	AdminToken wechat.Secret
	// CatalogueHint tells the operator how to insert products if there are none.
	CatalogueHint string
	// Checks are checks of the wiring for the health page, of bindings for example.
	Checks []api.HealthCheck
	// Database, optional, names the database for the health page, without a password.
	Database string
	// Nodes, optional, checks the nodes that share the database.
	Nodes func(ctx context.Context) api.HealthCheck
	// Certificates, optional, returns what is wrong with WeChat's platform certificates,
	// "" if nothing is.
	Certificates func(ctx context.Context) string
	// Addresses determines where the client's address is. Default http.Request.RemoteAddr.
	Addresses Addresses
	// AddressLimit and OwnerLimit, optional, bound how often one address, and one
	// person or guest, may sign in and order.
	AddressLimit, OwnerLimit Limiter
	// KeyLimit, optional, bounds the calls of one API key: KeyLimitCalls a minute.
	KeyLimit      Limiter
	KeyLimitCalls int
	// RefundConfirm, optional, is the amount from which on refunds of an order by /v1 need a
	// second person.
	RefundConfirm fen.Fen
	// Findings, optional, returns the results of the platform's own checks, which make no call.
	Findings func() []v1.CheckResult
	// Doctor, optional, runs the checks that make calls.
	Doctor Doctor
	// Explain, optional, returns the texts of a cause. setting may be "".
	Explain func(id cause.ID, setting string) (zh, en *v1.CauseText)
	// Notified, optional, is called once for each message to the notification paths, with its
	// v1.NotificationKind and v1.NotificationResult.
	Notified func(kind, verdict string)

	Log  *slog.Logger     // slog.Default when nil
	Now  func() time.Time // time.Now when nil
	Rand io.Reader        // crypto/rand when nil
}

// Server serves the calls of package api.
type Server struct {
	cfg     Config
	payment *payment.Service
	outbox  *outbox.Sender
	shop    payment.Shop
	state   sealer
	states  stateSigner
	session sealer
	probes  probe.Key
	console sealer // of an operator
	log     *slog.Logger
	now     func() time.Time
	rand    io.Reader

	operator  adminToken
	sightings sightings
	seldom    seldom
	known     knownKeys

	unverified seldom // of messages that are not WeChat's, those that are stored
}

// New returns a Server. An error names the wrong field of cfg, without its value.
func New(cfg Config) (*Server, error) {
	if cfg.Scope == "" {
		cfg.Scope = api.ScopeBase
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
	if cfg.Notified == nil {
		cfg.Notified = func(kind, verdict string) {}
	}
	for _, rule := range []struct {
		ok      bool
		problem string
	}{
		{validScope(cfg.Scope), "Scope: want snsapi_base or snsapi_userinfo"},
		{cfg.Payment != nil, "Payment is nil"},
		{cfg.Outbox != nil, "Outbox is nil"},
		{cfg.Store != nil, "Store is nil"},
		{cfg.WeChat != nil, "WeChat is nil"},
		{len(cfg.SessionKey) >= 32, "SessionKey: want at least 32 characters"},
		{cfg.SessionKeyOld == "" || len(cfg.SessionKeyOld) >= 32, "SessionKeyOld: want at least 32 characters"},
		{cfg.AdminToken == "" || len(cfg.AdminToken) >= 32, "AdminToken: want at least 32 characters"},
	} {
		if !rule.ok {
			return nil, errors.New("server: " + rule.problem)
		}
	}
	s := &Server{
		cfg: cfg, payment: cfg.Payment, outbox: cfg.Outbox, shop: cfg.Payment.Shop(),
		log: cfg.Log, now: cfg.Now, rand: cfg.Rand, operator: newAdminToken(cfg.AdminToken),
	}
	var err error
	secure := strings.HasPrefix(s.shop.Origin, "https:")
	// The keys depend on the appid, because an openid is valid only for one appid.
	if s.state, err = newSealer(cfg, s.shop.AppID, stateCookie, secure); err != nil {
		return nil, err
	}
	if s.states, err = newStateSigner(cfg, s.shop.AppID); err != nil {
		return nil, err
	}
	if s.probes, err = probe.NewKey(string(cfg.SessionKey)); err != nil {
		return nil, err
	}
	if s.session, err = newSealer(cfg, s.shop.AppID, sessionCookie, secure); err != nil {
		return nil, err
	}
	if s.console, err = newSealer(cfg, s.shop.AppID, consoleCookie, secure); err != nil {
		return nil, err
	}
	s.console.strict = true
	return s, nil
}

// Handler returns the handler of all paths under /api and /v1. It is safe for concurrent use.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range s.routes() {
		mux.Handle(pattern, s.handle(h))
	}
	backend{s}.register(mux)
	mux.Handle("/", s.handle(unknownPath(mux)))
	return s.middleware(mux)
}

// routes returns the handler of every call. All calls pass middleware first.
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
		"GET " + api.PathStartPage:  s.getStartPage,
		"POST " + api.PathOrders:    s.createOrder,
		"GET " + api.PathOrders:     s.listOrders,
		"GET " + api.PathOrder:      s.getOrder,
		"POST " + api.PathOrderPay:  s.payOrder,
		"POST " + api.PathNotifyPay: s.notifyPay,

		"GET " + api.PathCustomerOrder: s.getCustomerOrder,
		"POST " + api.PathCustomerPay:  s.payCustomerOrder,

		"GET " + api.PathLinkView:    s.viewLink,
		"POST " + api.PathLinkOrders: s.orderByLink,

		"POST " + api.PathOrderClose: s.closeOrder,

		"POST " + api.PathNotifyRefund: s.notifyRefund,
		"GET " + pathPhotos + "{hash}": s.getPhoto,

		"POST " + v1.PathSession:   s.signInConsole,
		"GET " + v1.PathSession:    s.getConsoleSession,
		"DELETE " + v1.PathSession: s.signOutConsole,
	}
}

// Unavailable returns the handler of a signer whose settings are wrong: every call gets
// CodeMisconfigured. The log, the operator's health page and the operator's checks have err. The
// joined errors must name settings without their values. The operator sends token; with an empty
// token there is no operator. The second result makes the checks, see Check.
func Unavailable(err error, token wechat.Secret, log *slog.Logger) (http.Handler, func(ctx context.Context, network bool) v1.Checks) {
	s := &Server{log: log, now: time.Now, rand: rand.Reader, operator: newAdminToken(token)}
	check := func(context.Context, bool) v1.Checks {
		return s.complete(v1.Checks{Checks: resultsOf(misconfigured(err))}, s.now())
	}
	return s.middleware(s.handle(func(w http.ResponseWriter, r *http.Request) error {
		switch {
		case r.Method != http.MethodGet:
		case r.URL.Path == api.PathHealth:
			return s.writeHealth(w, r, misconfigured(err))
		case r.URL.Path == pathChecks && s.operator.isSent(r):
			return writeJSON(w, http.StatusOK, check(r.Context(), false))
		}
		s.logSeldom(r.Context(), slog.LevelError, "the shop is misconfigured", "error", err)
		return reject(api.CodeMisconfigured, "the shop is not set up, its log says what is missing")
	})), check
}

func validScope(s api.Scope) bool { return s == api.ScopeBase || s == api.ScopeUserInfo }
