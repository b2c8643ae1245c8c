package payment

import (
	"net/netip"
	"strings"

	"h5pay/internal/address"
	"h5pay/internal/api"
)

// checkPayerAddress rejects an H5 payment that WeChat would decline. WeChat compares the address of
// the payment with the phone's, and no phone on the internet has a private one. The check is off
// for a shop on this machine, which uses a simulator.
func (s *Service) checkPayerAddress(trade api.TradeType, ip string) error {
	addr, err := netip.ParseAddr(ip)
	if trade != api.TradeMWEB || !s.secure() || err == nil && address.IsPublic(addr) {
		return nil
	}
	return reject(api.CodeAddressUnknown, "the caller's address is private or not known, and WeChat's H5 payment needs it; use JSAPI or NATIVE")
}

// secure reports whether the shop is on the internet: only a shop on this machine has an http
// address.
func (s *Service) secure() bool { return strings.HasPrefix(s.origin, "https:") }
