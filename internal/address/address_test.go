package address_test

import (
	"net/netip"
	"testing"

	"h5pay/internal/address"
)

func TestIsPublic(t *testing.T) {
	for text, want := range map[string]bool{
		// The neighbours of each range are public.
		"1.0.0.0": true, "9.255.255.255": true, "11.0.0.0": true, "100.63.255.255": true, "100.128.0.0": true, "126.255.255.255": true,
		"128.0.0.0": true, "169.253.255.255": true, "169.255.0.0": true, "172.15.255.255": true, "172.32.0.1": true,
		"191.255.255.255": true, "192.0.1.0": true, "192.167.255.255": true, "192.169.0.0": true, "198.17.255.255": true, "198.20.0.0": true, "223.255.255.255": true,
		"::ffff:1.0.0.0": true,
		"2000::1":        true, "2001:200::": true, "2001:da8::1": true, "2003::1": true, "2409:8900::1": true, "3fff:ffff::1": true,
		// Those of documents are not excluded, because tests and examples use them.
		"203.0.113.7": true, "2001:db8::1": true,

		"0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "100.64.0.1": false, "100.127.255.255": false, "127.0.0.1": false,
		"169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false, "192.0.0.8": false, "192.168.1.1": false,
		"198.18.0.1": false, "198.19.255.255": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::ffff:10.0.0.1": false, "::10.0.0.1": false,
		"::": false, "::1": false, "fc00::1": false, "fd00::1": false, "fe80::1": false, "fe80::1%eth0": false, "2409:8900::1%eth0": false, "ff02::1": false,
		"64:ff9b::a00:1":      false, // NAT64
		"64:ff9b::808:808":    false,
		"64:ff9b:1::a00:1":    false,
		"100::1":              false, // discard
		"2001:0:a00:1::1":     false, // Teredo
		"2001:0:ffff:ffff::1": false,
		"2001:2::1":           false, // benchmarks
		"2001:1ff:ffff::1":    false,
		"2002:a00:1::":        false, // 6to4
		"2002:808:808::1":     false,
		"4000::1":             false,
		"fec0::1":             false,
	} {
		if got := address.IsPublic(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if address.IsPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}
