package wechattest

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	scopeBase     = "snsapi_base"
	scopeUserInfo = "snsapi_userinfo"
)

// stateForm is the rule of state: letters and digits, at most 128 bytes.
var stateForm = regexp.MustCompile(`^[a-zA-Z0-9]{1,128}$`)

// linkParams is the order of the authorize link's parameters, which WeChat
// matches with a strict pattern; linkExtras may follow.
var (
	linkParams = []string{"appid", "redirect_uri", "response_type", "scope", "state"}
	linkExtras = []string{"forcePopup", "forceSnapShot", "connect_redirect"}
)

// link is a checked authorize link.
type link struct {
	redirectURI, scope, state string
	snapshot                  bool
}

// linkError is the error page that the person with the phone sees.
type linkError struct {
	code int    // of the table of the authorize page, 0 when it shows none
	text string // WeChat's text
	hint string // ours, for the developer
}

// authorize serves GET /connect/oauth2/authorize.
func (w *WeChat) authorize(x *exchange) {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		x.html(http.StatusMethodNotAllowed, nginxPage("405 Not Allowed"))
		return
	}
	l, bad := link{}, signInPlace(w.Place())
	if bad == nil {
		l, bad = w.checkLink(x.r.URL.RawQuery)
	}
	if bad != nil {
		x.note("%s", bad.hint)
		x.html(http.StatusOK, errorPage(*bad))
		return
	}
	if strings.Contains(l.redirectURI, "#") {
		x.note("redirect_uri carries a fragment: code and state come before it, where a page that reads its fragment alone does not find them")
	}
	user := w.User()
	if _, ok := w.takeFault(FaultLandingCopied, ""); ok {
		// A user copied another user's return link: the code is that user's, and the shop gave the
		// state to that user's browser.
		x.note("fault landing_copied: the code and the state are another person's")
		l.state = w.ids.text(alnum, len(l.state))
		x.redirect(l.answer(w.newCode(w.otherUser(user), l)))
		return
	}
	if l.scope == scopeBase {
		target := l.answer(w.newCode(user, l))
		w.mu.Lock()
		w.applyReturnFaults()
		w.mu.Unlock()
		// The fragment #wechat_redirect never reaches a server. A browser, which sends
		// Sec-Fetch-Dest, gets a page that checks it and continues. Other clients cannot be checked
		// and get WeChat's 302.
		if x.r.Header.Get("Sec-Fetch-Dest") != "" {
			x.html(http.StatusOK, silentPage(target))
			x.msg.Response = "(a page that checks #wechat_redirect, then goes to)\n" + target
			return
		}
		x.redirect(target)
		return
	}
	c := w.openConsent(user, l)
	x.note("consent page %s is open", c.ID)
	x.html(http.StatusOK, consentPage(c, w.avatarURL(x.r, user)))
	x.msg.Response = "(the consent page)"
}

// signInPlace returns the error page of an authorize link where sign-in does not work, else nil.
// The link opens in the place where the shop is open, because the server cannot distinguish
// browsers.
func signInPlace(place Place) *linkError {
	switch {
	case place.SignsIn:
		return nil
	case place.Bridge:
		return &linkError{text: "该链接无法访问", hint: "Enterprise WeChat has a sign-in of its own: the Official Account's does not work there"}
	}
	return &linkError{text: "请在微信客户端打开链接", hint: "the authorize link was opened in a browser: offer QR or H5 payment there"}
}

// checkLink checks the raw query of an authorize link.
func (w *WeChat) checkLink(rawQuery string) (link, *linkError) {
	const broken = "该链接无法访问"
	values := map[string]string{}
	var names []string
	for part := range strings.SplitSeq(rawQuery, "&") {
		name, raw, _ := strings.Cut(part, "=")
		value, err := url.QueryUnescape(raw)
		if err != nil {
			return link{}, &linkError{text: broken, hint: "the parameter " + name + " is not percent-encoded correctly"}
		}
		if slices.Contains(names, name) {
			return link{}, &linkError{text: broken, hint: "the parameter " + name + " is repeated"}
		}
		names = append(names, name)
		values[name] = value
	}
	// docs/wechat.md 13.2: empty parameters come first.
	for _, e := range []struct {
		name string
		code int
	}{{"appid", 10012}, {"redirect_uri", 10011}, {"scope", 10010}, {"state", 10013}} {
		if values[e.name] == "" {
			return link{}, &linkError{e.code, e.name + "不能为空", "the parameter " + e.name + " is missing or empty"}
		}
	}
	if len(names) < len(linkParams) || !slices.Equal(names[:len(linkParams)], linkParams) {
		return link{}, &linkError{text: broken, hint: "the parameters must come in this order: " + strings.Join(linkParams, ", ") + "; they came as " + strings.Join(names, ", ")}
	}
	for _, name := range names[len(linkParams):] {
		if !slices.Contains(linkExtras, name) {
			return link{}, &linkError{text: broken, hint: "unknown parameter " + name + " after state; known: " + strings.Join(linkExtras, ", ")}
		}
	}
	l := link{values["redirect_uri"], values["scope"], values["state"], values["forceSnapShot"] == "true"}
	switch {
	case values["appid"] != w.cfg.AppID:
		return link{}, &linkError{text: "AppID 参数错误", hint: "the appid is not the simulator's, " + w.cfg.AppID}
	case values["response_type"] != "code":
		return link{}, &linkError{text: broken, hint: "response_type must be code"}
	case l.scope != scopeBase && l.scope != scopeUserInfo:
		return link{}, &linkError{10005, "Scope 参数错误或没有 Scope 权限", "scope must be snsapi_base or snsapi_userinfo"}
	case !stateForm.MatchString(l.state):
		return link{}, &linkError{text: "state 参数错误", hint: "state must be 1 to 128 letters and digits"}
	}
	if hint := w.checkRedirect(l.redirectURI); hint != "" {
		return link{}, &linkError{10003, "redirect_uri域名与后台配置不一致", hint}
	}
	return l, nil
}

// checkRedirect checks redirect_uri; the result is empty when it may be used.
func (w *WeChat) checkRedirect(raw string) string {
	if l := strings.ToLower(raw); strings.HasPrefix(l, "http%3a") || strings.HasPrefix(l, "https%3a") {
		return "redirect_uri is percent-encoded twice"
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "redirect_uri must be an absolute http or https URL"
	}
	domains := w.oauthDomains()
	if len(domains) == 0 {
		return ""
	}
	// docs/wechat.md 1.5: the exact host; an entry with a path covers that
	// prefix.
	for _, d := range domains {
		host, dir, hasDir := strings.Cut(d, "/")
		if u.Hostname() == host && (!hasDir || strings.HasPrefix(u.Path, "/"+dir)) {
			return ""
		}
	}
	return "the host of redirect_uri is " + u.Hostname() + "; the web-authorization domain is " + strings.Join(domains, " or ")
}

// oauthDomains returns the configured domain, or the hosts of the phone's and
// the shop's origins; none means any.
func (w *WeChat) oauthDomains() []string {
	if w.cfg.OAuthDomain != "" {
		return []string{w.cfg.OAuthDomain}
	}
	return w.shopHosts()
}

// shopHosts are the hosts of the phone's and the shop's origins.
func (w *WeChat) shopHosts() []string {
	var hosts []string
	for _, origin := range []string{w.cfg.PublicURL, w.ShopURL()} {
		if u, err := url.Parse(origin); err == nil && u.Host != "" && !slices.Contains(hosts, u.Hostname()) {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}

// answer is the address of the shop with code and state. After a decline there is no code, and the
// address has only the state. The fragment of redirect_uri follows them.
func (l link) answer(code string) string {
	q := "state=" + l.state
	if code != "" {
		q = "code=" + code + "&" + q
	}
	address, fragment, split := strings.Cut(l.redirectURI, "#")
	if strings.Contains(address, "?") {
		address += "&" + q
	} else {
		address += "?" + q
	}
	if split {
		address += "#" + fragment
	}
	return address
}

// grant is the sign-in that a code stands for.
type grant struct {
	user     User
	scope    string
	snapshot bool
	made     time.Time
	used     bool
}

// codeLife is how long a code is valid: 5 minutes (docs/wechat.md 1.4).
const codeLife = 5 * time.Minute

// newCode makes the code of a link for a person.
func (w *WeChat) newCode(user User, l link) string {
	code := "0" + w.ids.text(alnum, 31)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.grants[code] = &grant{user: user, scope: l.scope, snapshot: l.snapshot, made: w.Now()}
	return code
}
