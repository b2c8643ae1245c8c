package warm

import "context"

// RateLimit is a rate limit binding of Cloudflare's. wrangler.toml sets the limit and the period.
type RateLimit struct {
	calls   caller
	binding string
}

// Allow counts a call of key and reports whether it is within the limit.
func (l RateLimit) Allow(ctx context.Context, key string) (bool, error) {
	r, err := l.calls.call(ctx, opLimit, newMessage().add(l.binding).add(key))
	if err != nil {
		return false, err
	}
	return r.int() == 1, r.err
}
