package wechattest

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
)

// avatarURL is the user's headimgurl; its last part is the size.
func (w *WeChat) avatarURL(r *http.Request, u User) string {
	if !strings.HasPrefix(u.Avatar, "data:") {
		return u.Avatar
	}
	base := w.cfg.WeChatURL
	if base == "" {
		base = "http://" + r.Host
	}
	for i, known := range w.users {
		if known.OpenID == u.OpenID {
			return base + pathAvatar + "vi_32/u" + strconv.Itoa(i) + "/132"
		}
	}
	return ""
}

// serveAvatar serves the users' data: avatars under /mmopen/vi_32/u{n}/132.
func (w *WeChat) serveAvatar(rw http.ResponseWriter, r *http.Request) {
	for _, u := range w.users {
		if !strings.HasSuffix(w.avatarURL(r, u), r.URL.Path) {
			continue
		}
		mime, data, ok := strings.Cut(strings.TrimPrefix(u.Avatar, "data:"), ";base64,")
		raw, err := base64.StdEncoding.DecodeString(data)
		if !ok || err != nil {
			break
		}
		rw.Header().Set("Content-Type", mime)
		rw.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_, _ = rw.Write(raw) // a page that went away needs no picture
		return
	}
	http.NotFound(rw, r)
}

// avatar draws a square portrait as a data: URI, so that nothing is loaded
// from another host.
func avatar(initial, colour string) string {
	svg := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 132 132"><rect width="132" height="132" fill="%s"/>`+
		`<text x="66" y="70" font-family="sans-serif" font-size="64" fill="#fff" text-anchor="middle" dominant-baseline="middle">%s</text></svg>`,
		colour, html.EscapeString(initial))
	return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(svg))
}
