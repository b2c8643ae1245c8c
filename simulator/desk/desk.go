// Package desk is the simulator's web page, and the API that controls the simulator.
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

// Desk is the page around the phone, and the API under /control/ that controls the simulator. The
// API is JSON both ways. An error is {"error": "..."} with a 4xx status. GET /control/info returns
// a table of the calls with example bodies as "api". The page shows it as curl lines.
//
// Desk serves only requests to localhost that come from its own page or from no page,
// because its calls pay.
type Desk struct {
	wechat  *wechattest.WeChat
	cfg     Config
	handler http.Handler
}

// Config has the addresses of the simulator's parts. The zero value is a desk without a phone.
type Config struct {
	DeskURL string // of the desk: the page redirects here from another name of this machine
	TLSURL  string // of WeChat over TLS; "" when it does not listen there
	V3Dir   string // where WriteV3 has written the keys of APIv3, and writes changed ones; "" for nowhere
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
		// The shop may send the phone to any address. The desk itself loads nothing from another host,
		// and no page may show it in a frame.
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

// ServeHTTP serves the page and the control API.
func (d *Desk) ServeHTTP(rw http.ResponseWriter, r *http.Request) { d.handler.ServeHTTP(rw, r) }

// deskPage is GET /.
func (d *Desk) deskPage(rw http.ResponseWriter, r *http.Request) {
	// For a page at 127.0.0.1 the phone at localhost is another site, and the
	// browser does not send the shop's cookies.
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
		contentType = "text/javascript; charset=utf-8" // the machine's table may differ
	}
	rw.Header().Set("Content-Type", contentType)
	rw.Header().Set("Cache-Control", "no-cache")
	text, err := fs.ReadFile(webFiles, "web/"+name)
	if err != nil {
		panic(err) // the name is a constant, or was found
	}
	_, _ = rw.Write(text) // an error means that the browser disconnected
}
