// Package alphabet has the sets of characters of ids, keys and settings. It draws random text from
// them, and checks text against them.
package alphabet

import (
	"fmt"
	"io"
	"strings"
)

// Alphabet is a set of ASCII characters, each of which it has once.
type Alphabet string

// The alphabets. A character of Lower32 or Upper32 has five bits.
const (
	Digits       Alphabet = "0123456789"
	Lower32      Alphabet = "0123456789abcdefghijklmnopqrstuv"
	Upper32      Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
	Alphanumeric Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	URLSafe      Alphabet = Alphanumeric + "_-"
	Visible      Alphabet = URLSafe + "!\"#$%&'()*+,./:;<=>?@[\\]^`{|}~" // ASCII but the space and control characters
)

// Random returns n characters, each as likely as any other. It fails only when rand
// does.
func (a Alphabet) Random(rand io.Reader, n int) (string, error) {
	text := make([]byte, 0, n)
	// Bytes above the largest multiple of the alphabet's size would favour its first characters, so
	// they are skipped. Half of the length more bytes are drawn, so a second draw is rare.
	whole := 256 / len(a) * len(a)
	more := 0
	if whole < 256 {
		more = n / 2
	}
	b := make([]byte, n+more)
	for len(text) < n {
		if _, err := io.ReadFull(rand, b); err != nil {
			return "", fmt.Errorf("drawing random text: %w", err)
		}
		for _, c := range b {
			if int(c) < whole && len(text) < n {
				text = append(text, a[int(c)%len(a)])
			}
		}
	}
	return string(text), nil
}

// Valid reports whether s has min to max characters, all of the alphabet.
func (a Alphabet) Valid(s string, min, max int) bool {
	return len(s) >= min && len(s) <= max && strings.Trim(s, string(a)) == ""
}
