package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/reqlog"
)

// handlerFunc is a handler that leaves its error to the one writer of errors.
type handlerFunc func(http.ResponseWriter, *http.Request) error

// logger returns the log, with the request's ID on every line when there is a
// request.
func (s *Server) logger(ctx context.Context) *slog.Logger {
	return reqlog.From(ctx, s.log)
}

// edge is what every request passes: it gets an ID, an answer that nobody may
// store, the check of its origin, its place under the rate limits, and an end
// to its panics.
func (s *Server) edge(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := s.newRequestID()
		r = r.WithContext(reqlog.With(r.Context(), id, s.log))
		s.locate(r)
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin") // no other site's page gets to embed an answer
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		w.Header().Set("Strict-Transport-Security", "max-age=31536000") // a browser ignores it on plain HTTP
		defer func() {
			if p := recover(); p != nil {
				reqlog.Panic(s.logger(r.Context()), p)
				s.writeError(w, r, refuse(api.CodeInternal, "the signer failed"))
			}
		}()
		if err := s.checkOrigin(r); err != nil {
			s.writeError(w, r, err)
			return
		}
		// The mux would redirect these, and a redirected POST is lost.
		if !isClean(r.URL.Path) {
			s.writeError(w, r, refuse(api.CodeNotFound, "no such path"))
			return
		}
		if err := s.limit(w, r); err != nil {
			s.writeError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// newRequestID returns 16 random letters and digits, 80 bits.
func (s *Server) newRequestID() string {
	id, err := alphabet.Lower32.Random(s.rand, 16)
	if err != nil {
		return "unknown"
	}
	return id
}

// handle makes an http.Handler of h. Only complete answers are written by
// handlers, so an error always finds the answer unwritten.
func (s *Server) handle(h handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.writeError(w, r, err)
		}
	})
}

// refuse returns the error that a caller gets to see.
func refuse(code api.Code, message string) error {
	return &api.Error{Code: code, Message: message}
}

// writeError answers with an error. What is not an *api.Error is our fault: the
// caller learns nothing, the log all of it. Who makes an *api.Error of a trouble
// has logged the trouble.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	log := s.logger(r.Context())
	var e *api.Error
	if !errors.As(err, &e) {
		log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		e = &api.Error{Code: api.CodeInternal, Message: "the signer failed"}
	}
	answer := *e
	answer.RequestID = reqlog.ID(r.Context())
	log.Debug("request refused", "method", r.Method, "path", r.URL.Path, "code", string(answer.Code), "reason", answer.Message)
	switch answer.Code {
	case api.CodeBusy:
		w.Header().Set("Retry-After", "1")
	case api.CodeForbiddenOrigin:
		s.logSeldom(r.Context(), slog.LevelWarn, "a call of another site's page is rejected", "path", r.URL.Path)
	case api.CodeAddressUnknown:
		s.logSeldom(r.Context(), slog.LevelError, "no H5 order is sent: the payer's address is private or not known",
			"problem", "natively, set CLIENT_IP_HEADER and TRUSTED_PROXIES; see the check addresses of the health page")
	case api.CodeRateLimited:
		s.logSeldom(r.Context(), slog.LevelWarn, "a call over the rate limit is rejected", "path", r.URL.Path)
	}
	if err := writeJSON(w, answer.Code.Status(), &answer); err != nil {
		log.Error("writing an error failed", "error", err)
	}
}

// writeJSON writes a whole answer, or nothing when v cannot be encoded.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes()) // an error means that nobody listens any more
	return nil
}

// unknownPath answers what no route took: a path that exists under another
// method, or nothing.
func unknownPath(mux *http.ServeMux) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		var allow []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
			if _, pattern := mux.Handler(probe); pattern != "/" && pattern != "" {
				allow = append(allow, method)
			}
		}
		if allow == nil {
			return refuse(api.CodeNotFound, "no such path")
		}
		w.Header().Set("Allow", strings.Join(allow, ", "))
		return refuse(api.CodeMethodNotAllowed, "use "+strings.Join(allow, " or "))
	}
}

// checkOrigin refuses changing calls that another site's page makes. The page
// itself always sends Origin with them; programs send neither header, and have
// no cookies of anybody's to abuse. WeChat's notifications are proved by their
// signature instead.
func (s *Server) checkOrigin(r *http.Request) error {
	switch {
	case s.shop.Origin == "": // Unavailable changes nothing
		return nil
	case r.Method == http.MethodGet, r.Method == http.MethodHead, r.Method == http.MethodOptions:
		return nil
	case r.URL.Path == api.PathNotifyPay, r.URL.Path == api.PathNotifyRefund:
		return nil
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		if site := r.Header.Get("Sec-Fetch-Site"); site == "" || site == "same-origin" || site == "none" {
			return nil
		}
	} else if len(origins) == 1 && origins[0] == s.shop.Origin {
		return nil
	}
	return refuse(api.CodeForbiddenOrigin, "the Origin is not this shop's")
}
