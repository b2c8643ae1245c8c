// Package web has the JSON responses and the checks of origin that desk and phone share.
package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"h5pay/wechat/wechattest"
)

// WriteJSON responds with v as JSON.
func WriteJSON(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	rw.WriteHeader(status)
	enc := json.NewEncoder(rw)
	enc.SetEscapeHTML(false)
	// An error means that the client disconnected.
	_ = enc.Encode(v)
}

// WriteError responds with {"error": message}.
func WriteError(rw http.ResponseWriter, status int, message string) {
	WriteJSON(rw, status, map[string]string{"error": message})
}

// WriteFailure responds with an error of the simulator. The status is 404 if something does not
// exist, 409 if it has ended or the phone declines it, else 400.
func WriteFailure(rw http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	var declined *wechattest.DeclineError
	switch {
	case errors.As(err, &declined):
		status = http.StatusConflict
	case errors.Is(err, wechattest.ErrUnknownSheet), errors.Is(err, wechattest.ErrUnknownConsent),
		errors.Is(err, wechattest.ErrUnknownOrder), errors.Is(err, wechattest.ErrUnknownRefund), errors.Is(err, wechattest.ErrUnknownUser):
		status = http.StatusNotFound
	case errors.Is(err, wechattest.ErrSheetClosed), errors.Is(err, wechattest.ErrConsentDecided):
		status = http.StatusConflict
	}
	WriteError(rw, status, err.Error())
}

// WriteResult responds with v, or with err as WriteFailure does.
func WriteResult(rw http.ResponseWriter, v any, err error) {
	if err != nil {
		WriteFailure(rw, err)
		return
	}
	WriteJSON(rw, http.StatusOK, v)
}

// ReadJSON decodes the body into v: one JSON object of known fields and nothing after
// it. On an error it writes the response and returns false. limit is in bytes.
func ReadJSON(rw http.ResponseWriter, r *http.Request, limit int64, v any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(rw, r.Body, limit))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, next := dec.Token(); next != io.EOF {
			err = errors.New("want one JSON object and nothing after it")
		}
	}
	if err == nil {
		return true
	}
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		WriteError(rw, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", limit))
	case errors.Is(err, io.EOF):
		WriteError(rw, http.StatusBadRequest, "the body is empty: want a JSON object")
	default:
		WriteError(rw, http.StatusBadRequest, strings.TrimPrefix(err.Error(), "json: "))
	}
	return false
}

// PressSheet returns a handler that presses a button of the payment sheet {id}. It reads no body:
// sendBeacon, which cancels the sheet when the user leaves the page, sends none.
func PressSheet(press func(id string) (wechattest.Sheet, error)) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		sheet, err := press(r.PathValue("id"))
		WriteResult(rw, sheet, err)
	}
}

// SameOrigin reports whether a request comes from a page of its own host, or from no
// page. Browsers send the origin with every POST.
func SameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || origin == "http://"+r.Host || origin == "https://"+r.Host
}

// LocalHost reports whether the Host of a request is a name of this machine. Without
// this check a page elsewhere, whose name resolves to 127.0.0.1 (DNS rebinding), would
// have the origin of the desk.
func LocalHost(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	return strings.EqualFold(host, "localhost") || host == "127.0.0.1" || host == "::1"
}
