package main

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"h5pay/internal/api"
	"h5pay/internal/cause"
	"h5pay/internal/v1"
)

// findings returns what is wrong with settings that are well formed.
func (s *settings) findings() (all []v1.CheckResult) {
	needsDomain := slices.Contains(s.TradeTypes, api.TradeJSAPI) || slices.Contains(s.TradeTypes, api.TradeMWEB)
	if problem := unregistrable(s.ShopURL); problem != "" && s.public() && needsDomain && s.BaseURL == "" {
		all = append(all, v1.CheckResult{ID: string(cause.Settings), Status: v1.CheckFail, Cause: string(cause.ShopURLUnregistrable), Setting: "SHOP_URL", Detail: problem})
	}
	return all
}

// unregistrable returns why WeChat does not accept the host of an origin, "" if it may.
func unregistrable(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return "SHOP_URL is malformed"
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case net.ParseIP(host) != nil:
		return "the host of SHOP_URL is an IP address"
	case u.Port() != "" && u.Port() != "443":
		return "SHOP_URL has a port"
	case !strings.Contains(host, "."):
		return "the host of SHOP_URL has no domain"
	}
	for _, shared := range []string{"workers.dev", "pages.dev", "localhost", "local", "internal", "test", "example", "invalid"} {
		if host == shared || strings.HasSuffix(host, "."+shared) {
			return "the host of SHOP_URL ends with " + shared + ", which nobody can register"
		}
	}
	return ""
}
