package phone

import (
	"net/http"
	"strconv"
	"strings"

	"h5pay/wechat/wechattest"
)

// Each person has separate cookies in each environment. So the next person who holds the phone is
// not signed in, and a browser does not have the session of WeChat. One real browser keeps all
// these cookies. The phone puts a mark before their names, except for the first person in WeChat on
// Android. The shop does not see the mark.

const jarPrefix = "wechat-phone-"

// jarMark returns the mark of the cookies of a person, by their index in Users, in an
// environment. view counts how often the web view lost its cookies.
func jarMark(person int, e wechattest.Environment, view int) string {
	if person == 0 && e == wechattest.Android && view == 0 {
		return ""
	}
	mark := jarPrefix + strconv.Itoa(person) + "-" + string(e)
	if view > 0 {
		mark += "-" + strconv.Itoa(view)
	}
	return mark + "."
}

// jar returns the mark of the cookies in use.
func (p *Phone) jar() string {
	v := p.wechat.WebView()
	return jarMark(v.User, v.Environment, v.Cookies)
}

// storageJar returns the name of the storage in use.
func (p *Phone) storageJar() string {
	v := p.wechat.WebView()
	return jarMark(v.User, v.Environment, v.Storage)
}

// pickCookies keeps the cookies with a mark in a request and removes the mark.
func pickCookies(h http.Header, mark string) {
	var kept []string
	for _, value := range h.Values("Cookie") {
		for cookie := range strings.SplitSeq(value, ";") {
			cookie = strings.TrimSpace(cookie)
			name, marked := strings.CutPrefix(cookie, mark)
			if cookie == "" || !marked || strings.HasPrefix(name, jarPrefix) {
				continue // another mark
			}
			kept = append(kept, name)
		}
	}
	h.Del("Cookie")
	if len(kept) > 0 {
		h.Set("Cookie", strings.Join(kept, "; "))
	}
}

// markCookies adds the mark to the cookies that a response sets.
func markCookies(h http.Header, mark string) {
	if mark == "" {
		return
	}
	values := h.Values("Set-Cookie")
	h.Del("Set-Cookie")
	for _, value := range values {
		h.Add("Set-Cookie", mark+strings.TrimSpace(value))
	}
}
