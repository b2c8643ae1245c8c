// Package fen holds the one type of an amount of money.
package fen

import "strconv"

// Fen is an amount of money in fen, a hundredth of a yuan. It is the only unit
// in which h5pay stores, compares and transports money.
type Fen int64

// String returns the amount in yuan with two decimals, "12.30", for people.
func (f Fen) String() string {
	sign := ""
	u := uint64(f)
	if f < 0 {
		sign, u = "-", -u
	}
	cents := u % 100
	pad := ""
	if cents < 10 {
		pad = "0"
	}
	return sign + strconv.FormatUint(u/100, 10) + "." + pad + strconv.FormatUint(cents, 10)
}
