package remote_test

import (
	"strings"
	"testing"

	"h5pay/internal/remote"
)

// The API key is sent over https, or to this machine.
func TestParseShop(t *testing.T) {
	for text, want := range map[string]string{
		"https://shop.example.com": "https://shop.example.com", "https://shop.example.com:8443/": "https://shop.example.com:8443",
		"http://localhost:8802": "http://localhost:8802", "http://127.0.0.1:8802/": "http://127.0.0.1:8802", "http://[::1]": "http://[::1]",

		"http://shop.example.com": "without encryption", "http://203.0.113.7:8802/": "without encryption", "http://10.0.0.5": "without encryption",
		"http://localhost.example.com": "without encryption", "http://0.0.0.0:8802": "without encryption",
		"": "is no address of a shop", "shop.example.com": "is no address of a shop", "localhost:8802": "is no address of a shop", "ftp://localhost": "is no address of a shop",
		"https://": "is no address of a shop", "https://:443": "is no address of a shop", "https://user:pw@shop.example.com": "is no address of a shop",
		"http://localhost@shop.example.com": "is no address of a shop", "https://shop.example.com#f": "is no address of a shop", "https://a b": "is no address of a shop",
		"https://shop.example.com/v1": "has a path", "https://shop.example.com?": "has a path", "http://localhost/?q": "has a path",
	} {
		got, err := remote.ParseShop(text)
		if err != nil {
			got = err.Error()
		}
		if ok := strings.HasPrefix(want, "http"); ok != (err == nil) || ok && got != want || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
