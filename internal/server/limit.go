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

// retryAfter is the Retry-After of a caller over its limit, in seconds: the period of the
// limits.
const retryAfter = "60"

// limit rejects a caller that signs in or orders more often than a person would. Callers who share
// an address share its limit, which is wide. The limit of one session is narrow. If a limiter fails
// the request is allowed.
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

// limitedKind returns the kind under which a call is counted, "" for a call that is not
// counted. Every POST is counted except WeChat's, which is signed, the operator's,
// which has a token, and those of package v1, which authenticate counts. The health page is counted, since anyone may request it.
func limitedKind(r *http.Request) string {
	path := r.URL.Path
	switch {
	case path == api.PathHealth:
		return "health"
	case r.Method != http.MethodPost, strings.HasPrefix(path, "/v1/"), strings.HasPrefix(path, "/api/notify/"):
		return ""
	case strings.HasPrefix(path, api.PathOrders), strings.HasPrefix(path, "/api"+api.PathCustomer), strings.HasPrefix(path, "/api"+api.PathLink):
		return "order"
	}
	return "sign-in"
}

// limitedAddress returns the caller's address to count calls by. All callers without a known
// address are counted as one. A network assigns an IPv6 /64 to one customer, so a /64 is one
// caller.
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
