package phone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"mime"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"h5pay/simulator/web"
	"h5pay/wechat/wechattest"
)

// maxForwarded is the longest request body without a Content-Length, in bytes. Such
// a body is held in memory.
const maxForwarded = 32 << 20

// The kinds of the messages that the phone records.
const (
	kindShop = "shop" // a request to the shop, by a page or for a page
	kindPage = "page" // an error in the page
)

type upstreamKey struct{}

// shopProxy forwards to the shop. A request of the browser gets the environment's
// User-Agent and is recorded. A notification is forwarded unchanged, and not recorded,
// because WeChat has recorded it.
func (p *Phone) shopProxy() http.Handler {
	p.transport = http.DefaultTransport.(*http.Transport).Clone()
	p.transport.Proxy = nil               // the shop is on this machine
	p.transport.DisableCompression = true // responses keep the browser's encoding
	var down atomic.Bool                  // the last request found no shop
	proxy := &httputil.ReverseProxy{
		Transport: p.transport,
		Rewrite:   p.rewriteRequest,
		ModifyResponse: func(res *http.Response) error {
			down.Store(false)
			return p.rewriteResponse(res)
		},
		ErrorHandler: func(rw http.ResponseWriter, r *http.Request, err error) {
			p.shopDown(rw, r, err, down.Swap(true))
		},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // ErrorHandler records it
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		shop := p.wechat.ShopURL()
		upstream, err := url.Parse(shop)
		if shop == "" || err != nil {
			p.shopDown(rw, r, errors.New("no shop is set"), true)
			return
		}
		if r.ContentLength < 0 && !measureBody(rw, r) {
			return
		}
		mark := p.jar()
		if fromBrowser(r) {
			r.Header = r.Header.Clone()
			pickCookies(r.Header, mark)
		}
		trace := newTrace(r, mark)
		ctx := context.WithValue(r.Context(), upstreamKey{}, upstream)
		ctx = context.WithValue(ctx, traceKey{}, trace)
		proxy.ServeHTTP(rw, r.WithContext(ctx))
	})
}

// measureBody reads a chunked body, so that it is forwarded with a Content-Length:
// WeChat sends no chunked body, and some servers reject one.
func measureBody(rw http.ResponseWriter, r *http.Request) bool {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxForwarded))
	if err != nil {
		web.WriteError(rw, http.StatusRequestEntityTooLarge, fmt.Sprintf("reading the body: %v", err))
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.TransferEncoding = nil
	return true
}

// fromBrowser reports whether the browser sent a request. A POST of XML is a notification of APIv2,
// and one with WeChat's signature of APIv3. A forged one may have no signature, but it has WeChat's
// User-Agent, which is no browser's.
func fromBrowser(r *http.Request) bool {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	notification := mediaType == "text/xml" || mediaType == "application/xml" ||
		r.Header.Get("Wechatpay-Signature") != "" || r.Header.Get("User-Agent") == "Mozilla/4.0"
	return r.Method != http.MethodPost || !notification
}

// rewriteRequest addresses a request to the shop.
func (p *Phone) rewriteRequest(pr *httputil.ProxyRequest) {
	pr.SetURL(pr.In.Context().Value(upstreamKey{}).(*url.URL)) // Host becomes the shop's
	pr.Out.URL.RawQuery = pr.In.URL.RawQuery                   // unchanged, with semicolons
	if !fromBrowser(pr.In) {
		return
	}
	pr.SetXForwarded()
	pr.Out.Header.Set("User-Agent", p.wechat.Place().UserAgent)
	for name := range pr.Out.Header {
		// Client hints name the real browser.
		if strings.HasPrefix(name, "Sec-Ch-Ua") {
			pr.Out.Header.Del(name)
		}
	}
	if isAPI(pr.In) || p.wechat.Place().Old {
		pr.Out.Header.Set("Accept-Encoding", "identity") // for the log, or to read scripts
	}
	if mayBeHTML(pr.In) {
		pr.Out.Header.Set("Accept-Encoding", "identity")
		// A cached page may have no bridge, or an older one.
		for _, name := range []string{"If-None-Match", "If-Modified-Since", "If-Range", "Range"} {
			pr.Out.Header.Del(name)
		}
	}
}

// rewriteResponse changes a response of the shop for the phone and records it.
func (p *Phone) rewriteResponse(res *http.Response) error {
	in := res.Request
	upstream := in.Context().Value(upstreamKey{}).(*url.URL)
	trace := in.Context().Value(traceKey{}).(*trace)
	public := "http://" + trace.in.Host
	if trace.in.TLS != nil {
		public = "https://" + trace.in.Host
	}
	// A redirect to the shop's inner address must stay in the phone.
	if rest, ok := strings.CutPrefix(res.Header.Get("Location"), upstream.Scheme+"://"+upstream.Host); ok &&
		(rest == "" || strings.ContainsRune("/?#", rune(rest[0]))) {
		res.Header.Set("Location", public+rest)
	}
	if !fromBrowser(trace.in) {
		return nil
	}
	size := res.ContentLength
	old := p.wechat.Place().Old
	if old && isScript(res) {
		if err := replaceScript(res); err != nil {
			return err
		}
	}
	if err := injectBridge(res, public+phonePrefix, old); err != nil {
		return err
	}
	p.watch(trace, res, size)
	markCookies(res.Header, trace.mark)
	return nil
}

// shopDown responds when the shop does not. Only the first failure is recorded until the
// shop responds again.
func (p *Phone) shopDown(rw http.ResponseWriter, r *http.Request, err error, again bool) {
	if r.Context().Err() != nil {
		return // the browser disconnected, so the state of the shop is unknown
	}
	shop := p.wechat.ShopURL()
	if !again && fromBrowser(r) {
		p.wechat.Record(wechattest.Message{
			From: wechattest.PartyPhone, To: wechattest.PartyShop, Kind: kindShop, Method: r.Method, URL: r.URL.RequestURI(),
			Note: "the shop does not answer at " + shop + ": " + err.Error(),
		})
	}
	if !mayBeHTML(r) || !fromBrowser(r) {
		web.WriteError(rw, http.StatusBadGateway, "the shop does not answer at "+shop)
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	rw.WriteHeader(http.StatusBadGateway)
	// An error means that the browser disconnected.
	_ = shopDownPage.Execute(rw, map[string]any{
		"Bridge": bridgePath, "Shop": shop, "Error": err.Error(), "Retry": int(shopRetry / time.Second),
	})
}

// shopRetry is how often the page of a missing shop reloads.
const shopRetry = 3 * time.Second

var shopDownPage = template.Must(template.New("down").Parse(webFile("down.html")))
