package main

import (
	"strings"

	"h5pay/internal/fen"
)

// entry is an amount as the user types it: yuan, with at most two decimals.
type entry string

// maxYuan is the number of digits before the decimal point. The product's bounds limit the amount.
const maxYuan = 7

// press returns the entry after a key: a digit, "." or "Backspace". An invalid key changes nothing.
func (e entry) press(key string) entry {
	yuan, fen, point := strings.Cut(string(e), ".")
	switch {
	case key == "Backspace":
		return e[:max(len(e)-1, 0)]
	case key == ".":
		if point {
			return e
		}
		if yuan == "" {
			yuan = "0"
		}
		return entry(yuan + ".")
	case len(key) != 1 || key < "0" || key > "9":
		return e
	case point && len(fen) == 2, !point && len(yuan) == maxYuan:
		return e
	case e == "0":
		return entry(key) // no leading zero
	}
	return e + entry(key)
}

// fen returns the amount, 0 for an empty entry.
func (e entry) fen() fen.Fen {
	n, _ := fen.ParseYuan(strings.TrimSuffix(string(e), "."))
	return n
}
