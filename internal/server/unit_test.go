package server

import (
	"crypto/rand"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestClientIP(t *testing.T) {
	for remote, want := range map[string]string{
		"203.0.113.7":           "203.0.113.7", // from the Worker's entry
		"203.0.113.7:4711":      "203.0.113.7", // from net/http
		"2001:db8::7":           "2001:db8::7",
		"[2001:db8::7]:80":      "2001:db8::7",
		"::ffff:203.0.113.7":    "203.0.113.7",
		"[fe80::1%eth0]:80":     "fe80::1",
		"":                      unknownIP,
		"localhost":             unknownIP,
		"203.0.113.7, 10.0.0.1": unknownIP,
	} {
		r := httptest.NewRequest("POST", "/api/orders", nil)
		r.RemoteAddr = remote
		// Anybody can write these.
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		r.Header.Set("CF-Connecting-IP", "198.51.100.2")
		if got := clientIP(r); got != want {
			t.Errorf("%q: %q, want %q", remote, got, want)
		}
	}
}

func TestState(t *testing.T) {
	form := regexp.MustCompile(`^[0-9A-Za-z]{32}$`)
	count := map[rune]int{}
	for range 1000 {
		state, err := newNonce(rand.Reader)
		if err != nil || !form.MatchString(state) {
			t.Fatalf("%q, %v", state, err)
		}
		for _, c := range state {
			count[c]++
		}
	}
	// 32000 characters, 516 of each of 62 on average: 300 is 9 sigma off.
	for c, n := range count {
		if n < 300 || n > 750 {
			t.Errorf("%q drawn %d times", c, n)
		}
	}
	if len(count) != 62 {
		t.Errorf("%d different characters", len(count))
	}
	if _, err := newNonce(strings.NewReader("too short")); err == nil {
		t.Error("a state was made without randomness")
	}
}

func TestMask(t *testing.T) {
	for openid, want := range map[string]string{
		"oUpF8uMuAJO_M2pxb1Q9zNjWMg3I": "oUpF…Mg3I",
		"short":                        "…",
		"":                             "…",
	} {
		if got := mask(openid); got != want {
			t.Errorf("%q: %q, want %q", openid, got, want)
		}
	}
}

func TestParseOrigin(t *testing.T) {
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
