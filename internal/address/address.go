// Package address tells the addresses of the internet from private and special ones.
package address

import "net/netip"

// IsPublic reports whether an address is public. An IPv6 address that contains an IPv4
// address is not.
func IsPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Zone() != "" {
		return false
	}
	b := addr.AsSlice()
	if addr.Is4() {
		return !(b[0] == 0 || b[0] >= 240 ||
			b[0] == 100 && b[1]&0xc0 == 64 || // carriers, and metadata of some clouds
			b[0] == 192 && b[1] == 0 && b[2] == 0 ||
			b[0] == 198 && b[1]&0xfe == 18) // benchmarks
	}
	return b[0]&0xe0 == 0x20 && !(b[0] == 0x20 && b[1] == 0x02) // 2000::/3, but 6to4
}
