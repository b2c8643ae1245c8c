package main

import (
	"strings"

	"h5pay/internal/fen"
)

// entry is an amount as it is typed on the pad: yuan, with two decimals at most.
type entry string

// maxYuan is how many digits fit in front of the point; the bounds of a product
// say how much it may be.
const maxYuan = 7

// press returns the entry after a key: a digit, "." or "Backspace". A key that
// makes no sense changes nothing.
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

// fen returns the amount, 0 while there is none.
func (e entry) fen() fen.Fen {
	n, _ := fen.ParseYuan(strings.TrimSuffix(string(e), "."))
	return n
}
