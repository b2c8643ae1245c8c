package wechattest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// writeJSON answers with v.
func writeJSON(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	rw.WriteHeader(status)
	enc := json.NewEncoder(rw)
	enc.SetEscapeHTML(false)
	// An error here is a reader that went away.
	_ = enc.Encode(v)
}

// writeError answers with {"error": message}.
func writeError(rw http.ResponseWriter, status int, message string) {
	writeJSON(rw, status, map[string]string{"error": message})
}

// writeFailure answers with an error of the simulator and the status that goes
// with it: 404 for what does not exist, 409 for what is over or what the phone
// refuses, 400 for the rest.
func writeFailure(rw http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		status = http.StatusConflict
	case errors.Is(err, ErrUnknownSheet), errors.Is(err, ErrUnknownConsent),
		errors.Is(err, ErrUnknownOrder), errors.Is(err, ErrUnknownRefund), errors.Is(err, ErrUnknownUser):
		status = http.StatusNotFound
	case errors.Is(err, ErrSheetGone), errors.Is(err, ErrConsentGone):
		status = http.StatusConflict
	}
	writeError(rw, status, err.Error())
}

// readJSON decodes the body into v: one object, no unknown fields, nothing
// behind it. It answers and returns false when that fails.
func readJSON(rw http.ResponseWriter, r *http.Request, limit int64, v any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(rw, r.Body, limit))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, next := dec.Token(); next != io.EOF {
			err = errors.New("want one JSON object and nothing behind it")
		}
	}
	if err == nil {
		return true
	}
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		writeError(rw, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", limit))
	case errors.Is(err, io.EOF):
		writeError(rw, http.StatusBadRequest, "the body is empty: want a JSON object")
	default:
		writeError(rw, http.StatusBadRequest, strings.TrimPrefix(err.Error(), "json: "))
	}
	return false
}

// sameOrigin reports whether a request comes from a page of the host it asks,
// or from no page at all. Browsers name the origin of every POST.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || origin == "http://"+r.Host || origin == "https://"+r.Host
}

// localHost reports whether the request was addressed to this machine by name.
// A page elsewhere whose name was pointed at 127.0.0.1 (DNS rebinding) is of one
// origin with the desk in every other respect.
func localHost(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	return strings.EqualFold(host, "localhost") || host == "127.0.0.1" || host == "::1"
}

// contextWithin is the request's context, ended after d.
func contextWithin(r *http.Request, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), d)
}
