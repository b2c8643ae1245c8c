package phone

import (
	"net/http"
	"strconv"
	"strings"

	"h5pay/wechat/wechattest"
)

// Everybody has programs of their own, and each of those has cookies of its own:
// whoever is handed the phone is not signed in as the one before, nor is a
// browser as WeChat. All of them live in one real browser, though, so all
// cookies there but those of the first person in WeChat on Android carry a mark
// in front of their names. The shop never sees it.

const jarPrefix = "wechat-phone-"

// jarMark is the mark of one jar: of a person, by their index in Users, in one
// environment, in the web view of a number. The number grows when a web view loses
// what it kept.
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

// jar is the mark of the cookies in use.
func (p *Phone) jar() string {
	v := p.wechat.WebView()
	return jarMark(v.User, v.Environment, v.Cookies)
}

// storageJar names the storage in use.
func (p *Phone) storageJar() string {
	v := p.wechat.WebView()
	return jarMark(v.User, v.Environment, v.Storage)
}

// pickCookies leaves in a request the cookies of one jar, by the names that
// the shop gave them.
func pickCookies(h http.Header, mark string) {
	var kept []string
	for _, value := range h.Values("Cookie") {
		for cookie := range strings.SplitSeq(value, ";") {
			cookie = strings.TrimSpace(cookie)
			name, marked := strings.CutPrefix(cookie, mark)
			if cookie == "" || !marked || strings.HasPrefix(name, jarPrefix) {
				continue // of another jar
			}
			kept = append(kept, name)
		}
	}
	h.Del("Cookie")
	if len(kept) > 0 {
		h.Set("Cookie", strings.Join(kept, "; "))
	}
}

// markCookies puts the mark on the cookies that an answer sets.
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
