package wechattest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// WeChat is one simulated WeChat with its phone. Make it with New or Start;
// its methods may be called from any goroutine.
type WeChat struct {
	cfg     Config
	ids     *ids
	clock   *clock
	users   []User
	history *history
	doer    Doer
	own     *http.Client // closed with the simulator; nil when Config gave a Doer

	ctx  context.Context // ends with Close: calls that hang, sheets that wait
	stop context.CancelFunc

	certMu sync.Mutex
	certs  *identities // made when first needed

	v3 *v3State // the keys of APIv3

	faultMu sync.Mutex
	faults  []Fault

	// mu guards what follows. It is never held during a call to the shop.
	mu            sync.Mutex
	shopURL       string
	holder        int // index in users of who holds the phone
	place         Place
	views         int // web views that were closed with all that they kept: see applyReturnFaults
	cookieJars    int // cookies that were lost, with a web view or alone
	grants        map[string]*grant
	tokens        map[string]*token
	refreshTokens map[string]*token
	consents      []*consent
	orders        map[string]*order
	orderList     []*order
	refunds       []*refund
	claims        map[string]claim  // by out_refund_no
	shortOf       map[string]string // the fault by which a refund lacks money, by out_refund_no
	prepays       map[string]*prepay
	sheets        []*sheet
	notifications []*notification
	bills         map[string]v3Bill // by the token of their download_url
	held          *notification     // waits for the next one, see notify_reordered
}

// New makes a simulator. The error names every field of cfg that cannot be.
func New(cfg Config) (*WeChat, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("wechattest config: %w", err)
	}
	w := &WeChat{
		cfg: cfg, ids: newIDs(cfg.Seed, cfg.Epoch), history: newHistory(cfg.History), doer: cfg.Doer, shopURL: cfg.ShopURL,
		grants: map[string]*grant{}, tokens: map[string]*token{}, refreshTokens: map[string]*token{},
		orders: map[string]*order{}, prepays: map[string]*prepay{}, claims: map[string]claim{}, shortOf: map[string]string{}, bills: map[string]v3Bill{},
	}
	w.v3 = newV3State(cfg)
	w.place, _ = cfg.Environment.place() // validate knows it
	w.users = append(w.users, cfg.Users...)
	if len(w.users) == 0 {
		w.users = defaultUsers(newIDs(cfg.Seed, time.Unix(0, 0)))
	}
	if w.doer == nil {
		w.own = &http.Client{
			Transport: &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second},
			// docs/wechat.md 6.3: a redirect counts as failure.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		w.doer = w.own
	}
	w.ctx, w.stop = context.WithCancel(context.Background())
	w.clock = newClock(cfg.Epoch, cfg.TimeScale)
	return w, nil
}

// Close ends the simulator: planned notifications are dropped, running ones are interrupted, and
// waiting calls return. All goroutines end.
func (w *WeChat) Close() {
	w.stop()
	w.clock.close()
	w.history.close()
	if w.own != nil {
		w.own.CloseIdleConnections()
	}
}

// The paths of the three hosts.
const (
	pathAuthorize    = "/connect/oauth2/authorize"
	pathConsent      = "/connect/oauth2/consent" // the consent page's own
	pathAccessToken  = "/sns/oauth2/access_token"
	pathRefreshToken = "/sns/oauth2/refresh_token"
	pathUserInfo     = "/sns/userinfo"
	pathAuth         = "/sns/auth"
	pathUnifiedOrder = "/pay/unifiedorder"
	pathOrderQuery   = "/pay/orderquery"
	pathCloseOrder   = "/pay/closeorder"
	pathRefund       = "/secapi/pay/refund"
	pathRefundQuery  = "/pay/refundquery"
	pathDownloadBill = "/pay/downloadbill"
	pathCheckMWEB    = "/cgi-bin/mmpayweb-bin/checkmweb" // of wx.tenpay.com
	pathMWEBSheet    = "/cgi-bin/mmpayweb-bin/sheet"     // the page's own
	pathAvatar       = "/mmopen/"
)

// Handler serves open.weixin.qq.com, api.weixin.qq.com, api.mch.weixin.qq.com
// and wx.tenpay.com on one origin, and the avatars.
func (w *WeChat) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(pathAuthorize, w.exchange("authorize", PartyPhone, w.authorize))
	mux.HandleFunc("GET "+pathConsent, w.waitConsent)
	mux.HandleFunc("POST "+pathConsent, w.exchange("consent", PartyPhone, w.answerConsent))
	mux.HandleFunc(pathAccessToken, w.exchange("access_token", PartyShop, w.accessToken))
	mux.HandleFunc(pathRefreshToken, w.exchange("refresh_token", PartyShop, w.refreshToken))
	mux.HandleFunc(pathUserInfo, w.exchange("userinfo", PartyShop, w.userInfo))
	mux.HandleFunc(pathAuth, w.exchange("auth", PartyShop, w.auth))
	mux.HandleFunc(pathUnifiedOrder, w.exchange("unifiedorder", PartyShop, w.payCall(w.unifiedOrder)))
	mux.HandleFunc(pathOrderQuery, w.exchange("orderquery", PartyShop, w.payCall(w.orderQuery)))
	mux.HandleFunc(pathCloseOrder, w.exchange("closeorder", PartyShop, w.payCall(w.closeOrder)))
	mux.HandleFunc(pathRefund, w.exchange("refund", PartyShop, w.certified(w.payCall(w.refundOrder))))
	mux.HandleFunc(pathRefundQuery, w.exchange("refundquery", PartyShop, w.payCall(w.refundQuery)))
	mux.HandleFunc(pathDownloadBill, w.exchange("downloadbill", PartyShop, w.payMessage(w.downloadBill)))
	mux.HandleFunc("/v3/", w.serveV3)
	mux.HandleFunc("GET "+pathCheckMWEB, w.exchange("mweb", PartyPhone, w.checkMWEB))
	mux.HandleFunc("GET "+pathMWEBSheet, w.mwebSheet)
	mux.HandleFunc("POST "+pathMWEBSheet, w.mwebSheet)
	mux.HandleFunc("GET "+pathAvatar, w.serveAvatar)
	mux.HandleFunc("GET /favicon.ico", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/", w.exchange("unknown", PartyShop, func(x *exchange) {
		x.note("WeChat's simulator has no such path")
		x.html(http.StatusNotFound, nginxPage("404 Not Found"))
	}))
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		// A base URL that ends in a slash is no reason for a redirect, which
		// would lose a POST.
		if strings.HasPrefix(r.URL.Path, "//") {
			r.URL.Path = "/" + strings.TrimLeft(r.URL.Path, "/")
		}
		mux.ServeHTTP(rw, r)
	})
}

// Advance advances the clock by d. When it returns, everything that became due has happened,
// including notifications and their responses.
func (w *WeChat) Advance(d time.Duration) {
	w.clock.advance(d)
	w.publish(Event{Kind: EventClock})
}
