package wechattest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// mwebLife is the life of a mweb_url: 5 minutes (docs/wechat.md 4.4).
const mwebLife = 5 * time.Minute

// The texts of the page (docs/wechat.md 14.4).
const (
	mwebNoReferer = "商家参数格式有误,请联系商家解决"
	mwebDomain    = "商家存在未配置的参数,请联系商家解决"
	mwebTooOld    = "支付请求已失效,请重新发起支付"
	mwebNetwork   = "网络环境未能通过安全验证,请稍后再试"
	mwebInside    = "请在微信外打开订单,进行支付"
)

// checkMWEB serves mweb_url, the page between a browser and WeChat. Without
// an error the payment sheet is open for the person who holds the phone.
func (w *WeChat) checkMWEB(x *exchange) {
	s, back, declined := w.openMWEB(x.r)
	if declined != nil {
		x.note("%s", declined.Hint)
		x.html(http.StatusOK, errorPage(linkError{text: declined.Text, hint: declined.Hint}))
		x.msg.Response = declined.Text
		return
	}
	view := s
	w.publish(Event{Kind: EventSheet, Sheet: &view})
	x.note("sheet %s is open", s.ID)
	_, early := w.takeFault(FaultReturnEarly, "")
	if early {
		x.note("fault return_early: the browser goes back at once")
	}
	payer, _ := w.user(s.OpenID)
	x.html(http.StatusOK, mwebPage(s, payer, back, early))
	x.msg.Response = "(the page that calls WeChat, then goes back to " + cmp.Or(back, "the page before") + ")"
}

// openMWEB makes the checks and opens the sheet; back is redirect_url.
func (w *WeChat) openMWEB(r *http.Request) (s Sheet, back string, declined *DeclineError) {
	deny := func(text, hint string) (Sheet, string, *DeclineError) { return Sheet{}, "", &DeclineError{text, hint} }
	if w.insideWeChat(r) {
		return deny(mwebInside, "mweb_url was opened inside WeChat: there JSAPI pays")
	}
	referer := r.Referer()
	if referer == "" {
		return deny(mwebNoReferer, "there is no Referer: mweb_url has to be opened by navigation from the shop's page, under no policy of no-referrer")
	}
	if hint := w.checkH5Domain("Referer", referer); hint != "" {
		return deny(mwebDomain, hint)
	}
	q, problem := readMWEB(r.URL.RawQuery)
	redirectHint := ""
	if q.redirect != "" {
		redirectHint = w.checkH5Domain("redirect_url", q.redirect)
	}
	_, moved := w.takeFault(FaultMWEBAddress, "")
	w.mu.Lock()
	defer w.mu.Unlock()
	pre := w.prepays[q.prepayID]
	now, holder := w.Now(), w.users[w.holder]
	switch {
	case pre == nil || pre.secret == "" || pre.secret != q.secret:
		return deny(mwebNoReferer, "prepay_id or package is not that of a mweb_url: it may not be changed, but for redirect_url at its end")
	case now.Sub(pre.made) > mwebLife:
		return deny(mwebTooOld, "the mweb_url is older than 5 minutes")
	case problem != "":
		return deny(w.mwebSign(), problem)
	case moved:
		return deny(mwebNetwork, "fault mweb_address: spbill_create_ip is "+pre.order.ClientIP+", WeChat sees the browser under another address")
	case !samePlace(r.RemoteAddr, pre.order.ClientIP):
		return deny(mwebNetwork, "spbill_create_ip is "+pre.order.ClientIP+", the browser comes from "+r.RemoteAddr)
	case pre.openID != "" && pre.openID != holder.OpenID:
		return deny(w.mwebSign(), "another person opened this mweb_url before: each needs an order of their own")
	case redirectHint != "":
		return deny(mwebDomain, redirectHint)
	}
	if bad := pre.order.payable(now); bad != nil {
		return deny(bad.ErrDesc, bad.note)
	}
	pre.openID = holder.OpenID
	// A reload finds the sheet that is open.
	if pre.sheet == nil || pre.sheet.State != SheetOpen {
		pre.sheet = w.addSheet(pre.order, holder)
	}
	return pre.sheet.Sheet, q.redirect, nil
}

// insideWeChat reports whether a page of WeChat's was opened from within WeChat. The real browser
// sends its own name to hosts other than the shop's. For a request from the desk's frame or a page
// at the phone's address, the environment decides.
func (w *WeChat) insideWeChat(r *http.Request) bool {
	public := w.Config().PublicURL
	if r.Header.Get("Sec-Fetch-Dest") == "iframe" || public != "" && strings.HasPrefix(r.Referer(), public+"/") {
		return w.Place().Bridge
	}
	return strings.Contains(r.UserAgent(), "MicroMessenger")
}

// mwebSign returns the text of the two kinds of phone for a changed parameter. The caller holds
// w.mu.
func (w *WeChat) mwebSign() string {
	if w.place.Apple {
		return "签名验证失败"
	}
	return "系统繁忙,请稍后再试"
}

// mwebQuery is the query of a mweb_url.
type mwebQuery struct{ prepayID, secret, redirect string }

// readMWEB reads the query: prepay_id and package as WeChat issued them, then at most redirect_url,
// percent-encoded. problem names any other parameter.
func readMWEB(rawQuery string) (q mwebQuery, problem string) {
	for i, part := range strings.Split(rawQuery, "&") {
		name, raw, _ := strings.Cut(part, "=")
		switch {
		case i == 0 && name == "prepay_id":
			q.prepayID = raw
		case i == 1 && name == "package":
			q.secret = raw
		case i == 2 && name == "redirect_url":
			value, err := url.QueryUnescape(raw)
			if err != nil || strings.ContainsAny(raw, ":/?") {
				return q, "redirect_url is not percent-encoded"
			}
			q.redirect = value
		default:
			return q, "the mweb_url was changed at " + name + ": redirect_url alone, percent-encoded, may follow it"
		}
	}
	return q, ""
}

// checkH5Domain checks the host of a URL; the result is empty when it is one of the
// merchant's.
func (w *WeChat) checkH5Domain(what, raw string) string {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return what + " is no absolute http or https URL"
	}
	domains := w.h5Domains()
	if len(domains) == 0 || contains(domains, u.Hostname()) {
		return ""
	}
	return "the host of " + what + " is " + u.Hostname() + "; the H5 domain is " + strings.Join(domains, " or ")
}

// h5Domains returns the configured domains, or the hosts of the phone's and the
// shop's origins; none means any.
func (w *WeChat) h5Domains() []string {
	if len(w.cfg.H5Domains) > 0 {
		return w.cfg.H5Domains
	}
	return w.shopHosts()
}

// samePlace reports whether the browser's address is the one that the shop sent. A
// browser on this machine has no public address, so the addresses cannot be compared.
func samePlace(remote, sent string) bool {
	host, _, err := net.SplitHostPort(remote)
	ip := net.ParseIP(host)
	return err != nil || ip == nil || ip.IsLoopback() || ip.Equal(net.ParseIP(sent))
}

// sheetPoll is how long one poll of a payment sheet waits, in real time: below
// the 30 s after which common proxies give up.
const sheetPoll = 25 * time.Second

// mwebSheet reports the state of the sheet to the page (GET) and takes its two buttons
// (POST with do=pay or do=cancel). Both respond with {"state"}. A GET waits until the sheet
// is paid or cancelled, 25 s at most.
func (w *WeChat) mwebSheet(rw http.ResponseWriter, r *http.Request) {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host {
		answerSheet(rw, http.StatusForbidden, map[string]string{"error": "this answers only its own page"})
		return
	}
	id := r.URL.Query().Get("id")
	s, err := w.Sheet(id)
	switch {
	case err == nil && s.TradeType != "MWEB":
		err = ErrUnknownSheet
	case err != nil:
	case r.Method == http.MethodGet:
		ctx, cancel := context.WithTimeout(r.Context(), sheetPoll)
		defer cancel()
		if s, err = w.WaitSheet(ctx, id); !errors.Is(err, ErrUnknownSheet) {
			err = nil // nobody touched it so far: the page polls again
		}
	case r.URL.Query().Get("do") == "pay":
		s, err = w.PaySheet(id)
	default:
		s, err = w.CancelSheet(id)
	}
	switch {
	case errors.Is(err, ErrUnknownSheet):
		answerSheet(rw, http.StatusNotFound, map[string]string{"error": err.Error()})
	case err != nil:
		answerSheet(rw, http.StatusConflict, map[string]string{"error": err.Error()})
	default:
		answerSheet(rw, http.StatusOK, map[string]string{"state": s.State, "err_desc": s.ErrDesc})
	}
}

// answerSheet writes a JSON object for the script of the page.
func answerSheet(rw http.ResponseWriter, status int, object map[string]string) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(object) // fails only when the browser went away
}
