package order

import (
	"fmt"
	"io"
	"strings"
	"time"

	"h5pay/internal/cst"
)

// NewID returns a public order ID: 24 random lower-case letters and digits.
func NewID(rand io.Reader) (string, error) {
	return randomText(rand, "0123456789abcdefghijklmnopqrstuv", 24)
}

// ValidID reports whether id can be one of NewID's.
func ValidID(id string) bool {
	return len(id) == 24 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuv") == ""
}

// guestPrefix tells the id of a guest from an openid, which has no colon.
const guestPrefix = "guest:"

// NewGuestID returns an owner for the orders of somebody who has not signed in:
// 130 random bits, since whoever knows it is its guest.
func NewGuestID(rand io.Reader) (string, error) {
	id, err := randomText(rand, "0123456789abcdefghijklmnopqrstuv", 26)
	return guestPrefix + id, err
}

// IsGuest reports whether an owner is a guest and not a user of WeChat.
func IsGuest(owner string) bool { return strings.HasPrefix(owner, guestPrefix) }

// NewOutTradeNo returns a number for WeChat: the day in Beijing and 24 random
// characters, 32 in all. Letters are upper case only, since merchant tools
// disagree on whether case counts.
func NewOutTradeNo(rand io.Reader, now time.Time) (string, error) {
	tail, err := randomText(rand, "0123456789ABCDEFGHIJKLMNOPQRSTUV", 24)
	if err != nil {
		return "", err
	}
	return cst.In(now).Format("20060102") + tail, nil
}

// randomText returns n characters of an alphabet of 32: five bits each.
func randomText(rand io.Reader, alphabet string, n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(rand, b); err != nil {
		return "", fmt.Errorf("drawing a random id: %w", err)
	}
	for i, c := range b {
		b[i] = alphabet[c&31]
	}
	return string(b), nil
}
