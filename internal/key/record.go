package key

import (
	"slices"
	"time"
)

// Record is what the shop stores of a key.
type Record struct {
	ID        string
	Hash      string // of the secret
	Name      string
	Scopes    []string
	CreatedAt time.Time
	// LastUsedAt is exact to UsePeriod.
	LastUsedAt time.Time // zero if the key was never used
	ExpiresAt  time.Time // zero if the key does not expire
	RevokedAt  time.Time // zero if the key is not revoked

	// SignOuts is how often every session of the console under this key was ended.
	SignOuts int64

	// The request that made the key.
	MadeBy         string // the ID of the key that made this one, or Root
	IdempotencyKey string
	Fingerprint    string // of the request's body
}

// Root is the ID of the caller that has the root token instead of a key.
const Root = "root"

// UsePeriod is the precision of the stored last use of a key: at most one write in this time.
const UsePeriod = time.Hour

// Has reports whether the key has a scope.
func (r *Record) Has(scope string) bool { return slices.Contains(r.Scopes, scope) }

// Ended says why the key is not valid at a time: "revoked", "expired", or "" if it is valid.
func (r *Record) Ended(now time.Time) string {
	switch {
	case !r.RevokedAt.IsZero():
		return "revoked"
	case !r.ExpiresAt.IsZero() && !now.Before(r.ExpiresAt):
		return "expired"
	}
	return ""
}
