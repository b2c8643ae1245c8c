package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"

	"h5pay/internal/api"
	"h5pay/wechat"
)

// adminToken is the operator's token, as its hash.
type adminToken struct {
	set  bool
	hash [sha256.Size]byte
}

func newAdminToken(token wechat.Secret) adminToken {
	return adminToken{token != "", sha256.Sum256([]byte(token))}
}

// isSent reports whether a request has the token. Hashes of equal length are compared, so
// that the time depends on no character of the token.
func (t adminToken) isSent(r *http.Request) bool {
	header := r.Header.Values("Authorization")
	if !t.set || len(header) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(header[0], " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(got[:], t.hash[:]) == 1
}

// admin accepts only calls of the operator, who sends the token of Config.AdminToken. Cookies do
// not count, so no page can make a browser call them. Calls without the token are limited by
// address, calls with it are not.
func (s *Server) admin(h handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !s.operator.set {
			return reject(api.CodeMisconfigured, "the operator's calls are off: ADMIN_TOKEN is not set")
		}
		if s.operator.isSent(r) {
			return h(w, r)
		}
		if len(r.Header.Values("Authorization")) > 0 {
			s.logSeldom(r.Context(), slog.LevelWarn, "operator rejected", "reason", "wrong token", "path", r.URL.Path)
		}
		if !s.allow(r.Context(), s.cfg.AddressLimit, "token "+limitedAddress(r)) {
			w.Header().Set("Retry-After", retryAfter)
			return reject(api.CodeRateLimited, "too many calls without the operator's token, wait a minute")
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		return reject(api.CodeUnauthenticated, "send the operator's token: Authorization: Bearer ...")
	}
}
