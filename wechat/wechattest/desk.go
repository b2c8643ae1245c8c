package wechattest

import (
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// Desk returns the page around the phone and, under /control/, the API that it
// and everybody else steers the simulator with. The API is JSON both ways;
// errors are {"error": "..."} with a 4xx status. Every call with an example body
// is in the table of controls; GET /control/info returns it as "api", and the
// desk shows it as curl lines.
//
// The desk answers only requests addressed to localhost, and no page but its
// own: what it steers pays.
func (w *WeChat) Desk() http.Handler {
	mux := http.NewServeMux()
	for _, c := range w.controls() {
		mux.HandleFunc(c.Method+" "+c.Path, c.serve)
	}
	mux.HandleFunc("/control/", func(rw http.ResponseWriter, r *http.Request) {
		writeError(rw, http.StatusNotFound, "no such call: GET /control/info lists them")
	})
	mux.HandleFunc("GET /{$}", w.deskPage)
	mux.HandleFunc("GET /{name}", w.deskAsset)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		// The phone inside may be sent anywhere by the shop; the desk itself
		// loads nothing from another host and is nobody's frame.
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"img-src 'self' data: http: https:; frame-src http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		switch {
		case !localHost(r):
			writeError(rw, http.StatusForbidden, "the desk answers only at localhost")
		case !sameOrigin(r) || r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate":
			writeError(rw, http.StatusForbidden, "the desk answers only its own page")
		default:
			mux.ServeHTTP(rw, r)
		}
	})
}

// deskPage is GET /.
func (w *WeChat) deskPage(rw http.ResponseWriter, r *http.Request) {
	// Opened as 127.0.0.1 the phone, at localhost, would be on another site, and
	// the browser would keep the shop's cookies from it.
	if u, err := url.Parse(w.Config().DeskURL); err == nil && u.Host != "" && r.Host != u.Host {
		http.Redirect(rw, r, u.String()+"/", http.StatusFound)
		return
	}
	serveWeb(rw, "desk/index.html")
}

// deskAsset serves the desk's scripts and styles.
func (w *WeChat) deskAsset(rw http.ResponseWriter, r *http.Request) {
	name := "desk/" + r.PathValue("name")
	if _, err := fs.Stat(webFiles, "web/"+name); err != nil {
		http.NotFound(rw, r)
		return
	}
	serveWeb(rw, name)
}

func serveWeb(rw http.ResponseWriter, name string) {
	contentType := mime.TypeByExtension(path.Ext(name))
	if strings.HasSuffix(name, ".js") {
		contentType = "text/javascript; charset=utf-8" // whatever the machine's own table says
	}
	rw.Header().Set("Content-Type", contentType)
	rw.Header().Set("Cache-Control", "no-cache")
	_, _ = rw.Write([]byte(webFile(name))) // fails only when the browser went away
}
