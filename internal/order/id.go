package order

import (
	"io"
	"strings"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/cst"
)

// NewID returns a public order ID: 24 random lower-case letters and digits.
func NewID(rand io.Reader) (string, error) {
	return alphabet.Lower32.Random(rand, 24)
}

// ValidID reports whether id has the form of NewID.
func ValidID(id string) bool {
	return alphabet.Lower32.Valid(id, 24, 24)
}

// guestPrefix begins the id of a guest. An openid has no colon.
const guestPrefix = "guest:"

// NewGuestID returns an owner for the orders of a visitor without a sign-in. It has 130
// random bits, because knowing it gives access to the orders.
func NewGuestID(rand io.Reader) (string, error) {
	id, err := alphabet.Lower32.Random(rand, 26)
	return guestPrefix + id, err
}

// IsGuest reports whether an owner is a guest, not a user of WeChat.
func IsGuest(owner string) bool { return strings.HasPrefix(owner, guestPrefix) }

// NewOutTradeNo returns a number for WeChat: the day in Beijing and 24 random
// characters, 32 in all. Letters are upper case only, since merchant tools
// disagree on whether case counts.
func NewOutTradeNo(rand io.Reader, now time.Time) (string, error) {
	tail, err := alphabet.Upper32.Random(rand, 24)
	if err != nil {
		return "", err
	}
	return cst.In(now).Format("20060102") + tail, nil
}
