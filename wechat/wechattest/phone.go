package wechattest

import (
	"cmp"
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
)

// The phone's own paths. Everything else belongs to the shop.
const (
	phonePrefix = "/__wechat/"
	bridgePath  = phonePrefix + "bridge.js"
)

// sheetPoll is how long one poll of a payment sheet waits, in real time: below
// the 30 s after which common proxies give up.
const sheetPoll = 25 * time.Second

// maxPhoneBody bounds a call of the page to the client, in bytes.
const maxPhoneBody = 64 << 10

//go:embed web
var webFiles embed.FS

// Phone returns the browser in which the shop is open as a handler: that of
// WeChat, or another, as the environment says. It plays the shop's public
// domain: every path is forwarded to ShopURL with the environment's User-Agent,
// pages get WeixinJSBridge where there is one, and notifications pass through as
// they are. Only paths under /__wechat/ are the phone's own:
//
//	GET  /__wechat/bridge.js           the script in every page
//	POST /__wechat/invoke              WeixinJSBridge.invoke: a sheet or an err_msg
//	GET  /__wechat/sheets/{id}         waits until the sheet is answered, 25 s at most
//	POST /__wechat/sheets/{id}/pay     the sheet's button
//	POST /__wechat/sheets/{id}/cancel  its close cross, and leaving the page
//	GET  /__wechat/pay                 the sheet of a scanned code, ?sheet={id}
//	POST /__wechat/log                 an uncaught error of the page, for the desk
func (w *WeChat) Phone() http.Handler {
	own := http.NewServeMux()
	own.HandleFunc("GET "+bridgePath, w.bridge)
	own.HandleFunc("POST "+phonePrefix+"invoke", w.invoke)
	own.HandleFunc("GET "+phonePrefix+"sheets/{id}", w.pollSheet)
	own.HandleFunc("POST "+phonePrefix+"sheets/{id}/pay", w.pressSheet(w.PaySheet))
	own.HandleFunc("POST "+phonePrefix+"sheets/{id}/cancel", w.pressSheet(w.CancelSheet))
	own.HandleFunc("GET "+phonePrefix+"pay", w.payPage)
	own.HandleFunc("POST "+phonePrefix+"log", w.pageLog)
	shop := w.shopProxy()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !w.phoneHost(r) {
			writeError(rw, http.StatusForbidden, "the phone answers only under its own name")
			return
		}
		if !strings.HasPrefix(r.URL.Path, phonePrefix) {
			// Not through the mux, which would redirect paths it finds unclean.
			shop.ServeHTTP(rw, r)
			return
		}
		if !sameOrigin(r) {
			writeError(rw, http.StatusForbidden, "the phone answers only its own pages")
			return
		}
		own.ServeHTTP(rw, r)
	})
}

// phoneHost reports whether a request was addressed to this machine, or by the
// name under which the phone is known.
func (w *WeChat) phoneHost(r *http.Request) bool {
	if localHost(r) {
		return true
	}
	u, err := url.Parse(w.Config().PhoneURL)
	return err == nil && u.Host != "" && strings.EqualFold(r.Host, u.Host)
}

// bridgeConfig is what the scripts of web/phone know about the place they run in.
type bridgeConfig struct {
	Place       Place  `json:"place"`
	Bridge      bool   `json:"bridge"`      // whether WeixinJSBridge appears
	MiniProgram bool   `json:"miniProgram"` // whether it says __wxjs_environment
	BridgeDelay int64  `json:"bridgeDelay"` // ms after DOMContentLoaded
	Thanks      int64  `json:"thanks"`      // ms for which "paid" stays on the sheet
	Desk        string `json:"desk"`        // origin that may steer the page
	Own         bool   `json:"own"`         // a page of the client's, not of the shop: it keeps nothing
	Jar         string `json:"jar"`         // whose storage the page sees
	Worker      string `json:"worker"`      // how the service worker fails: see oddWorker
	CSS         string `json:"css"`
}

// thanksTime is how long the sheet shows that it is paid before the page hears.
const thanksTime = 900 * time.Millisecond

// bridge serves the script in every page: the files of web/phone in one
// function. A browser gets the first of them alone, and the client's own page
// (?pay) the one that runs it.
func (w *WeChat) bridge(rw http.ResponseWriter, r *http.Request) {
	cfg, place := w.Config(), w.Place()
	files := []string{"client.js"}
	own := r.URL.Query().Has("pay")
	bridge := place.Bridge
	switch {
	case own:
		place, bridge = w.camera(), false
		files = append(files, "sheet.js", "pay.js")
	case bridge:
		if _, missing := w.takeFault(FaultNoBridge, ""); missing {
			bridge = false
			break
		}
		files = append(files, "sheet.js", "bridge.js")
	}
	worker := ""
	if !own {
		worker = w.oddWorker()
	}
	settings, err := json.Marshal(bridgeConfig{
		Worker:      worker,
		Place:       place,
		Bridge:      bridge,
		MiniProgram: place.Environment.inMiniProgram(),
		BridgeDelay: cfg.BridgeDelay.Milliseconds(),
		Thanks:      thanksTime.Milliseconds(),
		// An origin nobody has, when there is no desk.
		Desk: cmp.Or(cfg.DeskURL, "null"),
		Own:  own,
		Jar:  w.storageJar(),
		CSS:  webFile("phone/sheet.css"),
	})
	if err != nil {
		writeError(rw, http.StatusInternalServerError, err.Error())
		return
	}
	rw.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	fmt.Fprint(rw, "(function (config) {\n\"use strict\";\nif (window.__wechatClient) return;\n"+
		"Object.defineProperty(window, \"__wechatClient\", { value: true });\n")
	for _, name := range files {
		fmt.Fprintf(rw, "\n// ---- %s\n%s", name, webFile("phone/"+name))
	}
	fmt.Fprintf(rw, "})(%s);\n", settings)
}

// webFile returns an embedded asset by its name below web/.
func webFile(name string) string {
	b, err := fs.ReadFile(webFiles, "web/"+name)
	if err != nil {
		panic(err) // the names are constants of this package
	}
	return string(b)
}

// sheetView is a sheet as the client draws it.
type sheetView struct {
	Sheet
	User User `json:"user"`
}

// invoke is POST /__wechat/invoke.
func (w *WeChat) invoke(rw http.ResponseWriter, r *http.Request) {
	var call InvokeCall
	if !readJSON(rw, r, maxPhoneBody, &call) {
		return
	}
	sheet, refused := w.Invoke(call)
	if refused != nil {
		writeJSON(rw, http.StatusOK, refused)
		return
	}
	payer, _ := w.user(sheet.OpenID)
	writeJSON(rw, http.StatusOK, map[string]sheetView{"sheet": {sheet, payer}})
}

// payPage is GET /__wechat/pay: the phone after it scanned a code.
func (w *WeChat) payPage(rw http.ResponseWriter, r *http.Request) {
	sheet, err := w.Sheet(r.URL.Query().Get("sheet"))
	if err != nil {
		writeFailure(rw, err)
		return
	}
	payer, _ := w.user(sheet.OpenID)
	view, err := json.Marshal(sheetView{sheet, payer})
	if err != nil {
		writeError(rw, http.StatusInternalServerError, err.Error())
		return
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	// A failure here is a browser that went away.
	_ = payPageHTML.Execute(rw, map[string]string{"Bridge": bridgePath + "?pay", "Sheet": string(view)})
}

var payPageHTML = template.Must(template.New("pay").Parse(webFile("phone/pay.html")))

// pollSheet is GET /__wechat/sheets/{id}.
func (w *WeChat) pollSheet(rw http.ResponseWriter, r *http.Request) {
	ctx, cancel := contextWithin(r, sheetPoll)
	defer cancel()
	sheet, err := w.WaitSheet(ctx, r.PathValue("id"))
	if errors.Is(err, ErrUnknownSheet) {
		writeFailure(rw, err)
		return
	}
	// Any other error says that nobody touched it so far: the client asks again.
	writeJSON(rw, http.StatusOK, sheet)
}

// pressSheet is the sheet's two buttons. No body is read: sendBeacon, which
// cancels the sheet of a page that goes away, sends none.
func (w *WeChat) pressSheet(press func(id string) (Sheet, error)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		sheet, err := press(r.PathValue("id"))
		if err != nil {
			writeFailure(rw, err)
			return
		}
		writeJSON(rw, http.StatusOK, sheet)
	}
}

// pageReport is an error that the page did not catch.
type pageReport struct {
	Level string `json:"level"` // uncaught, rejection, console, load, policy, bridge
	Text  string `json:"text"`
	URL   string `json:"url"`
}

// pageLog is POST /__wechat/log. The client sends at most 40 a page.
func (w *WeChat) pageLog(rw http.ResponseWriter, r *http.Request) {
	var report pageReport
	if !readJSON(rw, r, maxPhoneBody, &report) {
		return
	}
	w.record(Message{
		From: PartyPage, To: PartyPhone, Kind: kindPage, Method: report.Level,
		URL: report.URL, Request: report.Text, Note: firstLine(report.Text),
	})
	rw.WriteHeader(http.StatusNoContent)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
