package origin_test

import (
	"testing"

	"h5pay/internal/origin"
)

func TestValid(t *testing.T) {
	for s, want := range map[string]bool{
		"https://shop.example.com": true, "https://shop.example.com:8443": true, "https://203.0.113.7": true,
		"http://localhost": true, "http://localhost:8802": true, "http://127.0.0.1:8802": true, "http://127.8.8.8": true, "http://[::1]:8802": true,

		"http://shop.example.com": false, "http://203.0.113.7": false, "http://10.0.0.5": false, "http://[::]": false, "http://0.0.0.0": false,
		"http://localhost.example.com": false, "http://127.0.0.1.example.com": false, "http://localhost@shop.example.com": false,
		"https://shop.example.com/": false, "https://shop.example.com/path": false, "https://shop.example.com?q": false, "https://shop.example.com#f": false,
		"https://user@shop.example.com": false, "https://": false, "https://:443": false, "ftp://localhost": false, "//localhost": false, "localhost": false, "": false,
	} {
		if got := origin.Valid(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}
