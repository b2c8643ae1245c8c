// Package origin checks the addresses of servers to which secrets are sent.
package origin

import (
	"net"
	"net/url"
)

// Valid reports whether s is scheme://host[:port] without a path. http is allowed only for this
// machine.
func Valid(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme+"://"+u.Host == s && IsSecure(u)
}

// IsSecure reports whether the connection cannot be read by others: https, or http to this machine.
func IsSecure(u *url.URL) bool {
	if u.Hostname() == "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip.IsLoopback())
}
