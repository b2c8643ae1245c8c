// Package phone is the browser in which the simulator opens the shop: WeChat's, or
// another.
package phone

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"h5pay/simulator/web"
	"h5pay/wechat/wechattest"
)

// The phone's own paths. Everything else belongs to the shop.
const (
	phonePrefix = "/__wechat/"
	bridgePath  = phonePrefix + "bridge.js"
)

// sheetPoll is how long one poll of a payment sheet waits, in real time: less than
// the 30 s of common proxies.
const sheetPoll = 25 * time.Second

// maxPhoneBody is the longest body of a call to the phone, in bytes.
const maxPhoneBody = 64 << 10

//go:embed web
var webFiles embed.FS

// Phone is the browser in which the shop is open, as a handler. The environment of the simulated
// WeChat determines the kind of browser. The handler is also the shop's public domain. It forwards
// every path to the shop with the environment's User-Agent. It adds WeixinJSBridge to pages if the
// environment has one, and forwards notifications unchanged. Only paths under /__wechat/ are the
// phone's own:
//
//	GET  /__wechat/bridge.js           the script in every page
//	POST /__wechat/invoke              WeixinJSBridge.invoke: a sheet or an err_msg
//	GET  /__wechat/sheets/{id}         waits until the sheet is answered, 25 s at most
//	POST /__wechat/sheets/{id}/pay     the sheet's button
//	POST /__wechat/sheets/{id}/cancel  its close button, and leaving the page
//	GET  /__wechat/pay                 the sheet of a scanned code, ?sheet={id}
//	POST /__wechat/log                 an uncaught error of the page, for the desk
type Phone struct {
	wechat    *wechattest.WeChat
	cfg       Config
	handler   http.Handler
	transport *http.Transport // to the shop
}

// Config describes a Phone. The zero value is complete.
type Config struct {
	// DeskURL is the origin whose pages may steer the page in the phone. Default
	// none.
	DeskURL string
	// BridgeDelay is the time from DOMContentLoaded to WeixinJSBridge, in real time, at most a
	// minute. Default 300 ms; negative means at once.
	BridgeDelay time.Duration
}

// New returns the phone of a simulated WeChat. The error names the field of cfg
// that is wrong.
func New(wechat *wechattest.WeChat, cfg Config) (*Phone, error) {
	if cfg.BridgeDelay == 0 {
		cfg.BridgeDelay = 300 * time.Millisecond
	}
	cfg.BridgeDelay = max(cfg.BridgeDelay, 0)
	if cfg.BridgeDelay > time.Minute {
		return nil, fmt.Errorf("phone config: BridgeDelay: want at most a minute, got %v", cfg.BridgeDelay)
	}
	p := &Phone{wechat: wechat, cfg: cfg}
	own := http.NewServeMux()
	own.HandleFunc("GET "+bridgePath, p.bridge)
	own.HandleFunc("POST "+phonePrefix+"invoke", p.invoke)
	own.HandleFunc("GET "+phonePrefix+"sheets/{id}", p.pollSheet)
	own.HandleFunc("POST "+phonePrefix+"sheets/{id}/pay", web.PressSheet(p.wechat.PaySheet))
	own.HandleFunc("POST "+phonePrefix+"sheets/{id}/cancel", web.PressSheet(p.wechat.CancelSheet))
	own.HandleFunc("GET "+phonePrefix+"pay", p.payPage)
	own.HandleFunc("POST "+phonePrefix+"log", p.pageLog)
	shop := p.wechat.Edge(p.shopProxy())
	p.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !p.phoneHost(r) {
			web.WriteError(rw, http.StatusForbidden, "the phone answers only under its own name")
			return
		}
		if !strings.HasPrefix(r.URL.Path, phonePrefix) {
			// Not by the mux: it redirects paths that are not clean.
			shop.ServeHTTP(rw, r)
			return
		}
		if !web.SameOrigin(r) {
			web.WriteError(rw, http.StatusForbidden, "the phone answers only its own pages")
			return
		}
		own.ServeHTTP(rw, r)
	})
	return p, nil
}

// ServeHTTP serves the phone's own paths and forwards all others to the shop.
func (p *Phone) ServeHTTP(rw http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(rw, r) }

// Close closes the idle connections to the shop.
func (p *Phone) Close() { p.transport.CloseIdleConnections() }

// phoneHost reports whether the Host of a request is this machine or PublicURL.
func (p *Phone) phoneHost(r *http.Request) bool {
	if web.LocalHost(r) {
		return true
	}
	u, err := url.Parse(p.wechat.Config().PublicURL)
	return err == nil && u.Host != "" && strings.EqualFold(r.Host, u.Host)
}

// bridgeConfig configures the scripts of the folder web.
type bridgeConfig struct {
	Place       wechattest.Place `json:"place"`
	Bridge      bool             `json:"bridge"`      // whether WeixinJSBridge appears
	MiniProgram bool             `json:"miniProgram"` // whether it sets __wxjs_environment
	BridgeDelay int64            `json:"bridgeDelay"` // ms after DOMContentLoaded
	Thanks      int64            `json:"thanks"`      // ms for which "paid" stays on the sheet
	Desk        string           `json:"desk"`        // origin that may steer the page
	Own         bool             `json:"own"`         // the page belongs to the client and not to the shop: it stores nothing
	Jar         string           `json:"jar"`         // whose storage the page sees
	Worker      string           `json:"worker"`      // how the service worker fails: see oddWorker
	CSS         string           `json:"css"`
}

// thanksTime is how long the sheet shows "paid" before it calls the callback of the page.
const thanksTime = 900 * time.Millisecond

// bridge serves the script of every page: the files of the folder web in one
// function. A browser gets only client.js. The client's own page (?pay) gets pay.js.
func (p *Phone) bridge(rw http.ResponseWriter, r *http.Request) {
	place := p.wechat.Place()
	files := []string{"client.js"}
	own := r.URL.Query().Has("pay")
	bridge := place.Bridge
	switch {
	case own:
		place, bridge = p.wechat.Camera(), false
		files = append(files, "sheet.js", "pay.js")
	case bridge:
		if p.wechat.TakeFault(wechattest.FaultNoBridge) {
			bridge = false
			break
		}
		files = append(files, "sheet.js", "bridge.js")
	}
	worker := ""
	if !own {
		worker = p.oddWorker()
	}
	settings, err := json.Marshal(bridgeConfig{
		Worker:      worker,
		Place:       place,
		Bridge:      bridge,
		MiniProgram: place.Environment.InMiniProgram(),
		BridgeDelay: p.cfg.BridgeDelay.Milliseconds(),
		Thanks:      thanksTime.Milliseconds(),
		// Without a desk: an origin that no page has.
		Desk: cmp.Or(p.cfg.DeskURL, "null"),
		Own:  own,
		Jar:  p.storageJar(),
		CSS:  webFile("sheet.css"),
	})
	if err != nil {
		web.WriteError(rw, http.StatusInternalServerError, err.Error())
		return
	}
	rw.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	fmt.Fprint(rw, "(function (config) {\n\"use strict\";\nif (window.__wechatClient) return;\n"+
		"Object.defineProperty(window, \"__wechatClient\", { value: true });\n")
	for _, name := range files {
		fmt.Fprintf(rw, "\n// ---- %s\n%s", name, webFile(name))
	}
	fmt.Fprintf(rw, "})(%s);\n", settings)
}

// oddWorker returns how serviceWorker.register of the page fails, or "".
func (p *Phone) oddWorker() string {
	if p.wechat.TakeFault(wechattest.FaultWorkerUndefined) {
		return "undefined"
	}
	if p.wechat.TakeFault(wechattest.FaultWorkerThrows) {
		return "throws"
	}
	return ""
}

// webFile returns a file of the folder web.
func webFile(name string) string {
	b, err := fs.ReadFile(webFiles, "web/"+name)
	if err != nil {
		panic(err) // the names are constants of this package
	}
	return string(b)
}

// sheetView is a sheet as the client draws it.
type sheetView struct {
	wechattest.Sheet
	User wechattest.User `json:"user"`
}

// invoke is POST /__wechat/invoke.
func (p *Phone) invoke(rw http.ResponseWriter, r *http.Request) {
	var call wechattest.InvokeCall
	if !web.ReadJSON(rw, r, maxPhoneBody, &call) {
		return
	}
	sheet, declined := p.wechat.Invoke(call)
	if declined != nil {
		web.WriteJSON(rw, http.StatusOK, declined)
		return
	}
	payer, _ := p.wechat.FindUser(sheet.OpenID)
	web.WriteJSON(rw, http.StatusOK, map[string]sheetView{"sheet": {sheet, payer}})
}

// payPage is GET /__wechat/pay: the phone after it scanned a code.
func (p *Phone) payPage(rw http.ResponseWriter, r *http.Request) {
	sheet, err := p.wechat.Sheet(r.URL.Query().Get("sheet"))
	if err != nil {
		web.WriteFailure(rw, err)
		return
	}
	payer, _ := p.wechat.FindUser(sheet.OpenID)
	view, err := json.Marshal(sheetView{sheet, payer})
	if err != nil {
		web.WriteError(rw, http.StatusInternalServerError, err.Error())
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	// An error means that the browser disconnected.
	_ = payPageHTML.Execute(rw, map[string]string{"Bridge": bridgePath + "?pay", "Sheet": string(view)})
}

var payPageHTML = template.Must(template.New("pay").Parse(webFile("pay.html")))

// pollSheet is GET /__wechat/sheets/{id}.
func (p *Phone) pollSheet(rw http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), sheetPoll)
	defer cancel()
	sheet, err := p.wechat.WaitSheet(ctx, r.PathValue("id"))
	if errors.Is(err, wechattest.ErrUnknownSheet) {
		web.WriteFailure(rw, err)
		return
	}
	// Any other error means that the sheet is still open: the client polls again.
	web.WriteJSON(rw, http.StatusOK, sheet)
}

// pageReport is an error in the page.
type pageReport struct {
	Level string `json:"level"` // uncaught, rejection, console, load, policy, bridge
	Text  string `json:"text"`
	URL   string `json:"url"`
}

// pageLog is POST /__wechat/log. The client sends at most 40 a page.
func (p *Phone) pageLog(rw http.ResponseWriter, r *http.Request) {
	var report pageReport
	if !web.ReadJSON(rw, r, maxPhoneBody, &report) {
		return
	}
	p.wechat.Record(wechattest.Message{
		From: wechattest.PartyPage, To: wechattest.PartyPhone, Kind: kindPage, Method: report.Level,
		URL: report.URL, Request: report.Text, Note: firstLine(report.Text),
	})
	rw.WriteHeader(http.StatusNoContent)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
