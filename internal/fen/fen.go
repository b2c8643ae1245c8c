// Package fen holds the one type of an amount of money.
package fen

import (
	"strconv"
	"strings"
)

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

// Split returns the sign of the amount, "-" or "", and its String without the sign. A currency sign
// stands between them.
func (f Fen) Split() (sign, amount string) {
	amount, minus := strings.CutPrefix(f.String(), "-")
	if minus {
		return "-", amount
	}
	return "", amount
}

// Parse reads an amount in whole fen: 1 to 10 digits and nothing else, as WeChat
// writes amounts in messages (docs/wechat.md 2.7).
func Parse(s string) (Fen, bool) {
	if len(s) > 10 || !digits(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return Fen(n), err == nil
}

// maxDecimals is how many decimals ParseYuan takes: bills have up to five.
const maxDecimals = 5

// ParseYuan reads an amount in yuan: "0.01", "12" or "0.50000", up to 11 digits and 5
// decimals. It takes no sign and no fraction of a fen.
func ParseYuan(s string) (Fen, bool) {
	yuan, decimals, point := strings.Cut(s, ".")
	if len(yuan) > 11 || len(decimals) > maxDecimals || !digits(yuan) || point && !digits(decimals) {
		return 0, false
	}
	decimals = (decimals + "00000")[:maxDecimals]
	if decimals[2:] != "000" {
		return 0, false
	}
	n, err := strconv.ParseInt(yuan+decimals[:2], 10, 64)
	return Fen(n), err == nil
}

// digits reports whether s is decimal digits, at least one.
func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
