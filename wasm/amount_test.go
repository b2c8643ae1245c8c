package main

import (
	"testing"

	"h5pay/internal/fen"
)

func TestEntry(t *testing.T) {
	for _, test := range []struct {
		keys   string // "<" is Backspace
		canPay entry
		fen    fen.Fen
	}{
		{"", "", 0},
		{"1", "1", 100},
		{"12.5", "12.5", 1250},
		{"12.50", "12.50", 1250},
		{"12.345", "12.34", 1234},
		{"1.2.3", "1.23", 123},
		{".5", "0.5", 50},
		{"0.01", "0.01", 1},
		{"007", "7", 700},
		{"00", "0", 0},
		{"0.", "0.", 0},
		{"123456789", "1234567", 123456700},
		{"1234567.89", "1234567.89", 123456789},
		{"12<3", "13", 1300},
		{"1.5<<", "1", 100},
		{"<<1", "1", 100},
		{"1e5x-,", "15", 1500},
		{"0.29", "0.29", 29}, // 28.999999999999996 in floating point
	} {
		var e entry
		for _, key := range test.keys {
			name := string(key)
			if key == '<' {
				name = "Backspace"
			}
			e = e.press(name)
		}
		if e != test.canPay || e.fen() != test.fen {
			t.Errorf("%s: %q, %d fen, want %q, %d", test.keys, e, e.fen(), test.canPay, test.fen)
		}
	}
	for _, key := range []string{"Enter", "Tab", "F1", "ArrowLeft", ""} {
		if e := entry("1").press(key); e != "1" {
			t.Errorf("%q makes %q", key, e)
		}
	}
}
