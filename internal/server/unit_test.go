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
