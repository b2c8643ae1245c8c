package server

import (
	"net/http"
	"net/netip"
)

// unknownIP stands in when the client's address is not known, which happens in
// local runs only: WeChat asks for some address.
const unknownIP = "127.0.0.1"

// clientIP returns the payer's address for spbill_create_ip.
func clientIP(r *http.Request) string {
	addr, ok := remoteAddr(r)
	if !ok {
		return unknownIP
	}
	return addr.String()
}

// remoteAddr reads http.Request.RemoteAddr: a bare address from the Worker's
// entry, with a port from net/http.
func remoteAddr(r *http.Request) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(r.RemoteAddr)
	if err != nil {
		withPort, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}
