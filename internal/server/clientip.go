package server

import (
	"net/http"
	"net/netip"
)

// unknownIP stands in when the client's address is not known, which happens in
// local runs only: WeChat asks for some address.
const unknownIP = "127.0.0.1"

// clientIP returns the payer's address for spbill_create_ip, from
// http.Request.RemoteAddr: a bare address from the Worker's entry, with a port
// from net/http.
func clientIP(r *http.Request) string {
	addr, err := netip.ParseAddr(r.RemoteAddr)
	if err != nil {
		withPort, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			return unknownIP
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone("").String()
}
