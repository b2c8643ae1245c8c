package server

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"h5pay/internal/address"
	"h5pay/internal/api"
	"h5pay/internal/cause"
)

// unknownIP is sent to WeChat when the client's address is not known: WeChat
// wants an address for every order. It compares that of an H5 order with the
// phone's, so that no H5 order is sent with unknownIP.
const unknownIP = "127.0.0.1"

// Addresses determines where the client's address is in a request.
type Addresses struct {
	// Header is the header in which a proxy in front of the server sends the
	// client's address, like X-Real-IP or X-Forwarded-For. When it is empty
	// http.Request.RemoteAddr has the address. Never set it without a proxy that
	// replaces or extends it: a client could name any address.
	Header string
	// Proxies is the number of proxies that may be trusted, 1 when zero. Each
	// appends one address to Header, so that the client's address is the Proxies-th
	// from the right. Entries to the left of it come from the client.
	Proxies int
	// Connection means that RemoteAddr is the peer of a TCP connection. If requests have headers of
	// a proxy then and Header is empty, all clients share one address.
	Connection bool
}

// proxyHeaders are headers that a proxy adds and browsers do not send.
var proxyHeaders = []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "X-Forwarded-Proto", "Via"}

// sighting is what a request shows about the client's address.
type sighting int

const (
	addressKnown   sighting = iota
	addressUnknown          // none, or one that cannot be read
	addressShared           // it is that of a proxy, which Addresses does not name
	addressDoubted          // it is public, but the request has headers of a proxy
)

// find returns the client's address, the zero Addr when it is not known.
func (a Addresses) find(r *http.Request) (netip.Addr, sighting) {
	if a.Header != "" {
		addr, ok := forwardedAddr(r.Header.Values(a.Header), max(a.Proxies, 1))
		if !ok {
			return netip.Addr{}, addressUnknown
		}
		return addr, addressKnown
	}
	addr, ok := parseAddr(r.RemoteAddr)
	switch {
	case !ok:
		return netip.Addr{}, addressUnknown
	case !a.Connection || !hasProxyHeader(r):
		return addr, addressKnown
	case !address.IsPublic(addr):
		return addr, addressShared
	}
	return addr, addressDoubted
}

func hasProxyHeader(r *http.Request) bool {
	for _, name := range proxyHeaders {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return false
}

// forwardedAddr returns the n-th entry from the right of a list of addresses. The
// list may be spread over several headers of one name.
func forwardedAddr(values []string, n int) (netip.Addr, bool) {
	for i := len(values) - 1; i >= 0; i-- {
		rest := values[i]
		for {
			comma := strings.LastIndexByte(rest, ',')
			if n--; n == 0 {
				return parseAddr(strings.TrimSpace(rest[comma+1:]))
			}
			if comma < 0 {
				break
			}
			rest = rest[:comma]
		}
	}
	return netip.Addr{}, false
}

// nat64 is the prefix of IPv4 addresses that a translator in front of a server
// without IPv4 shows (RFC 6052, section 2.1; RFC 7755).
var nat64 = netip.PrefixFrom(netip.AddrFrom16([16]byte{1: 0x64, 2: 0xff, 3: 0x9b}), 96)

// parseAddr reads an address with or without a port, and IPv6 with or without
// brackets. An IPv4 address in IPv6 form becomes IPv4; a zone is dropped. Names
// such as "unknown" and "_hidden" (RFC 7239, section 6) are no addresses.
func parseAddr(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	addr = addr.Unmap().WithZone("")
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	return addr, !addr.IsUnspecified()
}

// addressProblem returns the problem of the addresses of requests, "" if there is none.
func addressProblem(seen sighting) string {
	switch seen {
	case addressUnknown:
		return "requests come without the caller's address: natively CLIENT_IP_HEADER has to name a header that the proxy sends, " +
			"and TRUSTED_PROXIES the number of proxies; at Cloudflare CF-Connecting-IP is missing, another Worker may call this one"
	case addressShared:
		return "requests come through a proxy and CLIENT_IP_HEADER is not set: all buyers count as one caller"
	case addressDoubted:
		return "requests have headers of a proxy and CLIENT_IP_HEADER is not set: if there is a proxy, its callers count as one"
	}
	return ""
}

// sightingPeriod is how long the health page remembers addresses.
const sightingPeriod = 10 * time.Minute

// sightings counts the sightings of calls, in this period and the previous one.
type sightings struct {
	mu     sync.Mutex
	began  time.Time
	counts [2][addressDoubted + 1]int
	warned [addressDoubted + 1]bool
}

// note counts a sighting. It reports whether the operator must be warned, once for each problem.
func (c *sightings) note(seen sighting, now time.Time) (warn bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	c.counts[0][seen]++
	warn = seen != addressKnown && !c.warned[seen]
	c.warned[seen] = true
	return warn
}

// turn ends periods that are over.
func (c *sightings) turn(now time.Time) {
	switch age := now.Sub(c.began); {
	case age >= 2*sightingPeriod:
		c.began, c.counts = now, [2][addressDoubted + 1]int{}
	case age >= sightingPeriod:
		c.began, c.counts[1], c.counts[0] = now, c.counts[0], [addressDoubted + 1]int{}
	}
}

// check is the health check of the addresses. A stranger who bypasses the proxy must not make the
// shop unhealthy. So it fails only if half of the calls lack an address of their own.
func (c *sightings) check(now time.Time) api.HealthCheck {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	var n [addressDoubted + 1]int
	for i := range n {
		n[i] = c.counts[0][i] + c.counts[1][i]
	}
	check := api.HealthCheck{Name: "addresses", OK: n[addressUnknown]+n[addressShared] <= n[addressKnown]+n[addressDoubted]}
	for _, seen := range []sighting{addressUnknown, addressShared, addressDoubted} {
		if n[seen] > 0 {
			check.Problem, check.Cause = addressProblem(seen), string(cause.AddressesUnknown)
			return check
		}
	}
	return check
}

// clientIP returns the payer's address for spbill_create_ip.
func clientIP(r *http.Request) string {
	addr, ok := parseAddr(r.RemoteAddr)
	if !ok {
		return unknownIP
	}
	return addr.String()
}
