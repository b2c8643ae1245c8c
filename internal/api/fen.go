package api

import "strconv"

// Fen is an amount in fen, a hundredth of a yuan. h5pay stores, compares and transports money only
// in this unit.
type Fen int64

// String returns the amount in yuan with two decimals, for example "12.30", for display.
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
