package server

import (
	"crypto/rand"
	"regexp"
	"strings"
	"testing"
)

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
