// Package address tells the addresses of the internet from private and special ones.
package address

import "net/netip"

// IsPublic reports whether an address can be that of a host on the internet. An IPv6 address in
// which NAT64, Teredo or 6to4 put an IPv4 address is not public. One in the form ::ffff:192.0.2.1 is
// judged as its IPv4 address. An address with a zone is not public.
func IsPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Zone() != "" {
		return false
	}
	b := addr.AsSlice()
	if addr.Is4() {
		return !(b[0] == 0 || b[0] >= 240 ||
			b[0] == 100 && b[1]&0xc0 == 64 || // carriers (RFC 6598), and metadata of some clouds
			b[0] == 192 && b[1] == 0 && b[2] == 0 || // protocols
			b[0] == 198 && b[1]&0xfe == 18) // benchmarks
	}
	return b[0]&0xe0 == 0x20 && // 2000::/3
		!(b[0] == 0x20 && b[1] == 0x01 && b[2]&0xfe == 0) && // 2001::/23: protocols, Teredo
		!(b[0] == 0x20 && b[1] == 0x02) // 6to4
}
