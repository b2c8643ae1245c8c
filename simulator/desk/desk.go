package desk

import (
	"embed"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"

	"h5pay/simulator/web"
	"h5pay/wechat/wechattest"
)

// Desk is the page around the phone and, under /control/, the API that it
// and everybody else steers the simulator with. The API is JSON both ways;
// errors are {"error": "..."} with a 4xx status. Every call with an example body
// is in the table of controls; GET /control/info returns it as "api", and the
// desk shows it as curl lines.
//
// The desk answers only requests addressed to localhost, and no page but its
// own: what it steers pays.
type Desk struct {
	wechat  *wechattest.WeChat
	cfg     Config
	handler http.Handler
}

// Config says where things listen. The zero value is a desk without a phone.
type Config struct {
	DeskURL string // of the desk; opened under another name of this machine, the page goes there
	TLSURL  string // of WeChat over TLS; "" when it does not listen there
}

// New returns the desk of a simulated WeChat.
func New(wechat *wechattest.WeChat, cfg Config) *Desk {
	d := &Desk{wechat: wechat, cfg: cfg}
	mux := http.NewServeMux()
	for _, c := range d.controls() {
		mux.HandleFunc(c.Method+" "+c.Path, c.serve)
	}
	mux.HandleFunc("/control/", func(rw http.ResponseWriter, r *http.Request) {
		web.WriteError(rw, http.StatusNotFound, "no such call: GET /control/info lists them")
	})
	mux.HandleFunc("GET /{$}", d.deskPage)
	mux.HandleFunc("GET /strings.js", serveStrings)
	mux.HandleFunc("GET /{name}", d.deskAsset)
	d.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		// The phone inside may be sent anywhere by the shop; the desk itself
		// loads nothing from another host and is nobody's frame.
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"img-src 'self' data: http: https:; frame-src http: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		switch {
		case !web.LocalHost(r):
			web.WriteError(rw, http.StatusForbidden, "the desk answers only at localhost")
		case !web.SameOrigin(r) || r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate":
			web.WriteError(rw, http.StatusForbidden, "the desk answers only its own page")
		default:
			mux.ServeHTTP(rw, r)
		}
	})
	return d
}

// ServeHTTP answers as the page and the control API do.
func (d *Desk) ServeHTTP(rw http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(rw, r) }

// deskPage is GET /.
func (d *Desk) deskPage(rw http.ResponseWriter, r *http.Request) {
	// Opened as 127.0.0.1 the phone, at localhost, would be on another site, and
	// the browser would keep the shop's cookies from it.
	if u, err := url.Parse(d.cfg.DeskURL); err == nil && u.Host != "" && r.Host != u.Host {
		http.Redirect(rw, r, u.String()+"/", http.StatusFound)
		return
	}
	serveIndex(rw, r)
}

//go:embed web
var webFiles embed.FS

// deskAsset serves the desk's scripts and styles.
func (d *Desk) deskAsset(rw http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if _, err := fs.Stat(webFiles, "web/"+name); err != nil || name == "index.html" {
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
	text, err := fs.ReadFile(webFiles, "web/"+name)
	if err != nil {
		panic(err) // the name is a constant, or was found
	}
	_, _ = rw.Write(text) // fails only when the browser went away
}
