package wechattest

import (
	"net/http"
	"strconv"
	"strings"
)

// Everybody has a phone of their own, and with it cookies of their own: whoever
// is handed the phone is not signed in as the one before. All of them live in
// one browser, though, so the cookies of all but the first person carry a mark
// in front of their names there. The shop never sees it.

// jarMark is the mark of one person's cookies, by their index in Users; empty
// for the first.
func jarMark(person int) string {
	if person == 0 {
		return ""
	}
	return jarPrefix + strconv.Itoa(person) + "."
}

const jarPrefix = "wechat-phone-"

// holderIndex is the index in Users of who holds the phone.
func (w *WeChat) holderIndex() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.holder
}

// pickCookies leaves in a request the cookies of one person, by the names that
// the shop gave them.
func pickCookies(h http.Header, mark string) {
	var kept []string
	for _, value := range h.Values("Cookie") {
		for cookie := range strings.SplitSeq(value, ";") {
			cookie = strings.TrimSpace(cookie)
			name, marked := strings.CutPrefix(cookie, mark)
			if cookie == "" || !marked || strings.HasPrefix(name, jarPrefix) {
				continue // another person's
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
