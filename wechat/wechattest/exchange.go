package wechattest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// exchange is one request to WeChat, from which a response and a Message are made.
type exchange struct {
	w    *WeChat
	r    *http.Request
	body string
	over bool // the body was longer than maxBody

	msg    Message
	header http.Header
	out    string
	skew   time.Duration // how wrong WeChat's clock is
}

// exchange wraps a handler. It applies the faults that any call can have, reads the body, and
// records the message.
func (w *WeChat) exchange(kind, from string, h func(x *exchange)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		x := &exchange{
			w: w, r: r, body: string(body), over: len(body) > maxBody, header: http.Header{},
			msg: Message{From: from, To: PartyWeChat, Kind: kind, Method: r.Method, URL: "http://" + r.Host + r.URL.RequestURI(), Request: string(body)},
		}
		if r.TLS != nil {
			x.msg.URL = "https" + strings.TrimPrefix(x.msg.URL, "http")
		}
		if err != nil {
			x.note("the request is incomplete")
			x.html(http.StatusBadRequest, nginxPage("400 Bad Request"))
			x.finish(rw)
			return
		}
		path := faultPath(r)
		if _, ok := w.takeFault(FaultTimeoutBefore, path); ok {
			x.note("fault timeout_before: nothing was done, no answer")
			x.hang()
			return
		}
		if _, ok := w.takeFault(FaultBadGateway, path); ok {
			x.note("fault bad_gateway: nothing was done")
			x.html(http.StatusBadGateway, nginxPage("502 Bad Gateway"))
			x.finish(rw)
			return
		}
		if _, ok := w.takeFault(FaultIntercepted, path); ok {
			x.note("fault intercepted: nothing was done")
			x.html(http.StatusOK, "<!DOCTYPE html><title>Sign in to the network</title>")
			x.finish(rw)
			return
		}
		if x.trusted() {
			h(x)
		}
		if _, ok := w.takeFault(FaultTimeoutAfter, path); ok {
			x.note("fault timeout_after: the work was done, no answer")
			x.hang()
			return
		}
		x.finish(rw)
	}
}

// note adds a remark for the developer.
func (x *exchange) note(format string, args ...any) {
	x.msg.Note = joinNotes(x.msg.Note, fmt.Sprintf(format, args...))
}

// reply sets the response.
func (x *exchange) reply(status int, contentType, body string) {
	x.msg.Status, x.out = status, body
	x.header.Set("Content-Type", contentType)
}

func (x *exchange) html(status int, page string) {
	x.reply(status, "text/html; charset=utf-8", page)
}

// redirect responds with 302.
func (x *exchange) redirect(location string) {
	x.header.Set("Location", location)
	x.reply(http.StatusFound, "text/html; charset=utf-8", "")
	x.msg.Response = "Location: " + location
}

// finish sends the response and records the message. The record comes first, so that
// a caller that has the response finds the message.
func (x *exchange) finish(rw http.ResponseWriter) {
	if x.msg.Response == "" {
		x.msg.Response = x.out
	}
	m := x.w.record(x.msg)
	if m.Note != "" {
		x.w.cfg.Log.Info("wechat call", "seq", m.Seq, "kind", m.Kind, "status", m.Status, "note", m.Note)
	}
	for k, v := range x.header {
		rw.Header()[k] = v
	}
	rw.Header().Set("Cache-Control", "no-store")
	rw.Header().Set("Date", x.date().UTC().Format(http.TimeFormat))
	rw.WriteHeader(m.Status)
	_, _ = io.WriteString(rw, x.out) // a client that went away misses it, as from WeChat
}

// date is the time of the response. A fault of the clock changes it too.
func (x *exchange) date() time.Time { return x.w.shopNow().Add(x.skew) }

// hang never responds. It waits until the client closes the connection or the simulator ends, and
// then closes the connection.
func (x *exchange) hang() {
	x.msg.Status, x.msg.Response = 0, ""
	x.w.record(x.msg)
	select {
	case <-x.r.Context().Done():
	case <-x.w.ctx.Done():
	}
	panic(http.ErrAbortHandler) // net/http closes the connection, unlogged
}

// chunked reports whether the request has no length.
func (x *exchange) chunked() bool {
	return slices.Contains(x.r.TransferEncoding, "chunked") || x.r.ContentLength < 0
}

// nginxPage is the page of the proxies in front of WeChat.
func nginxPage(title string) string {
	return strings.ReplaceAll("<html>\r\n<head><title>$</title></head>\r\n<body>\r\n<center><h1>$</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n", "$", title)
}
