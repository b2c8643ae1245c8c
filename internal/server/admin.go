package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"h5pay/internal/api"
)

// admin lets the operator through: whoever sends the token of Config.AdminToken.
// No cookie opens these calls, so that no page can make a browser call them.
func (s *Server) admin(h handlerFunc) handlerFunc {
	want := sha256.Sum256([]byte(s.cfg.AdminToken))
	off := s.cfg.AdminToken == ""
	return func(w http.ResponseWriter, r *http.Request) error {
		if off {
			return refuse(api.CodeMisconfigured, "the operator's calls are off: ADMIN_TOKEN is not set")
		}
		header := r.Header.Values("Authorization")
		if len(header) == 1 {
			scheme, token, _ := strings.Cut(header[0], " ")
			// Of equal length, so that the time tells nothing of the token.
			got := sha256.Sum256([]byte(strings.TrimSpace(token)))
			if strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
				return h(w, r)
			}
		}
		if len(header) > 0 {
			s.logger(r.Context()).Warn("operator refused", "reason", "wrong token", "path", r.URL.Path)
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		return refuse(api.CodeUnauthenticated, "send the operator's token: Authorization: Bearer ...")
	}
}
