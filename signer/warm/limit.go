package warm

import "context"

// RateLimit is a binding of Cloudflare's that counts calls. How many it allows,
// and in what time, is in wrangler.toml.
type RateLimit struct {
	calls   caller
	binding string
}

// Allow counts a call under key and reports whether there may be one more.
func (l RateLimit) Allow(ctx context.Context, key string) (bool, error) {
	r, err := l.calls.call(ctx, opLimit, newMessage().add(l.binding).add(key))
	if err != nil {
		return false, err
	}
	return r.int() == 1, r.err
}
