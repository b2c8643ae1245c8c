package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/reqlog"
)

// handlerFunc is a handler that returns its error, which handle writes.
type handlerFunc func(http.ResponseWriter, *http.Request) error

// handle makes an http.Handler of h. A handler writes only complete responses, so nothing is
// written if it returns an error.
func (s *Server) handle(h handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.writeError(w, r, err)
		}
	})
}

// reject returns an error that the caller may see.
func reject(code api.Code, message string) error {
	return &api.Error{Code: code, Message: message}
}

// writeError writes an error as the response. An error that is no *api.Error is the server's fault:
// it is logged, and the caller gets CodeInternal. Code that turns another error into an *api.Error
// logs it first.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	log := s.logger(r.Context())
	var e *api.Error
	if !errors.As(err, &e) {
		log.Error("request failed", "method", r.Method, "path", logPath(r), "error", err)
		e = &api.Error{Code: api.CodeInternal, Message: "the signer failed"}
	}
	response := *e
	response.RequestID = reqlog.ID(r.Context())
	log.Debug("request rejected", "method", r.Method, "path", logPath(r), "code", string(response.Code), "reason", response.Message)
	switch response.Code {
	case api.CodeBusy:
		w.Header().Set("Retry-After", "1")
	case api.CodeForbiddenOrigin:
		s.logSeldom(r.Context(), slog.LevelWarn, "a call of another site's page is rejected", "path", logPath(r))
	case api.CodeAddressUnknown:
		s.logSeldom(r.Context(), slog.LevelError, "no H5 order is sent: the payer's address is private or not known",
			"problem", "natively, set CLIENT_IP_HEADER and TRUSTED_PROXIES; see the check addresses of the health page")
	case api.CodeRateLimited:
		s.logSeldom(r.Context(), slog.LevelWarn, "a call over the rate limit is rejected", "path", logPath(r))
	}
	if err := writeJSON(w, response.Code.Status(), &response); err != nil {
		log.Error("writing an error failed", "error", err)
	}
}

// writeJSON writes a complete response, or nothing if v cannot be encoded.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return fmt.Errorf("encoding the response: %w", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes()) // an error means that the client disconnected
	return nil
}
