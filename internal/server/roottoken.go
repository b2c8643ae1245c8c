package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

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
