package payment

import (
	"strings"
	"testing"
)

func TestParseOrigin(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://shop.example.com":      "https://shop.example.com",
		"https://Shop.Example.com/":     "https://shop.example.com",
		"https://shop.example.com:443":  "https://shop.example.com",
		"https://shop.example.com:8443": "https://shop.example.com:8443",
		"http://localhost:8802":         "http://localhost:8802",
		"http://localhost:80":           "http://localhost",
		"":                              "",
		"shop.example.com":              "",
		"ftp://shop.example.com":        "",
		"https://":                      "",
		"https://u@shop.example.com":    "",
		"https://shop.example.com/shop": "",
		"https://shop.example.com?":     "",
		"https://shop.example.com#x":    "",
	} {
		got, err := parseOrigin(raw)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", raw, got, err)
		}
	}
}

// The name of the shop goes to WeChat and onto the page as it is.
func TestShopNameHasOneLine(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]bool{"茶": false, "茶\n": true, "\x00茶": true} {
		if _, err := New(Config{ShopName: name}); err == nil || strings.Contains(err.Error(), "control character") != wrong {
			t.Errorf("%q: %v", name, err)
		}
	}
}
