package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"h5pay/internal/api"
)

// Limiter counts calls: a binding of Cloudflare's in the Worker, a map elsewhere.
type Limiter interface {
	// Allow counts a call under key and reports whether it may be served.
	Allow(ctx context.Context, key string) (bool, error)
}

// retryAfter is what a caller over its limit is told to wait, in seconds. It is
// the period of the limits.
const retryAfter = "60"

// limit refuses a caller that signs in or orders more than people do. Whoever
// shares an address shares its limit, so that one is wide; the other, for who
// is known, is narrow. A limiter that fails stops nobody.
func (s *Server) limit(w http.ResponseWriter, r *http.Request) error {
	kind := limitedKind(r)
	if kind == "" || kind == "health" && s.operator.isSent(r) {
		return nil
	}
	if s.within(r, kind) {
		return nil
	}
	w.Header().Set("Retry-After", retryAfter)
	return reject(api.CodeRateLimited, "too many calls, wait a minute")
}

// within counts a call under its kind and reports whether it is within the limits.
func (s *Server) within(r *http.Request, kind string) bool {
	ctx := r.Context()
	if !s.allow(ctx, s.cfg.AddressLimit, kind+" "+limitedAddress(r)) {
		return false
	}
	if s.cfg.OwnerLimit == nil {
		return true
	}
	who, err := s.caller(r)
	return err != nil || s.allow(ctx, s.cfg.OwnerLimit, kind+" "+who.owner())
}

func (s *Server) allow(ctx context.Context, l Limiter, key string) bool {
	if l == nil {
		return true
	}
	ok, err := l.Allow(ctx, key)
	if err != nil {
		s.logSeldom(ctx, slog.LevelError, "a rate limiter failed", "error", err)
		return true
	}
	return ok
}

// limitedKind returns under what a call is counted, "" if it is not. Every POST
// is but those that prove themselves: WeChat's and the operator's. So is the health
// page, which anyone may ask.
func limitedKind(r *http.Request) string {
	path := r.URL.Path
	switch {
	case path == api.PathHealth:
		return "health"
	case r.Method != http.MethodPost, strings.HasPrefix(path, "/api/notify/"), strings.HasPrefix(path, "/api/admin/"):
		return ""
	case strings.HasPrefix(path, api.PathOrders):
		return "order"
	}
	return "sign-in"
}

// limitedAddress returns the caller's address to count calls by. All callers without
// a known address are counted as one. A network hands its customer an IPv6 /64, all
// of which is one caller.
func limitedAddress(r *http.Request) string {
	if network := networkOf(r); network != "" {
		return network
	}
	return "unknown"
}

// networkOf returns the caller's network: an IPv4 address or an IPv6 /64, "" when it is
// not known.
func networkOf(r *http.Request) string {
	addr, ok := parseAddr(r.RemoteAddr)
	if !ok {
		return ""
	}
	if addr.Is6() {
		return netip.PrefixFrom(addr, 64).Masked().String()
	}
	return addr.String()
}
