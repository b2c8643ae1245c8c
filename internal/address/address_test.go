package address_test

import (
	"net/netip"
	"testing"

	"h5pay/internal/address"
)

func TestIsPublic(t *testing.T) {
	for _, addr := range []string{"198.18.0.1", "240.0.0.1", "255.255.255.255", "224.0.0.1", "192.0.0.8", "64:ff9b::a00:1", "2002:a00:1::", "ff02::1", "::", "fe80::1%eth0"} {
		if address.IsPublic(netip.MustParseAddr(addr)) {
			t.Errorf("%s passes for public", addr)
		}
	}
}
