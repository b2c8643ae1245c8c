// Package key makes and reads the API keys of back ends.
//
// A key is written "h5pay_" ID "_" secret, both in lower-case letters and digits. The ID is public:
// it finds the key. Only the SHA-256 of the secret is stored.
package key

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

const (
	prefix       = "h5pay_"
	idLength     = 16
	secretLength = 32
)

// encoding writes bytes in lower-case letters and digits.
var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Key is an API key as its holder has it. It prints itself without its secret.
type Key struct {
	ID     string
	secret string
}

// Derive returns the key of a request. The same master key, maker, idempotency key and millisecond
// give the same key. So a repeated request returns the same text although the text is not stored.
// Because of the time, a key that was deleted does not reappear when its idempotency key is used
// again. master is secret, 32 bytes at least.
func Derive(master []byte, maker, idempotencyKey string, at time.Time) Key {
	draw := func(what string, n int) string {
		mac := hmac.New(sha256.New, master)
		for _, part := range []string{"api key", what, maker, idempotencyKey, strconv.FormatInt(at.UnixMilli(), 10)} {
			mac.Write([]byte{byte(len(part) >> 8), byte(len(part))})
			mac.Write([]byte(part))
		}
		return encoding.EncodeToString(mac.Sum(nil))[:n]
	}
	return Key{ID: draw("id", idLength), secret: draw("secret", secretLength)}
}

// Parse reads a key as it is sent. It reports whether the text has the form of a key.
func Parse(text string) (Key, bool) {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok || len(rest) != idLength+1+secretLength || rest[idLength] != '_' {
		return Key{}, false
	}
	k := Key{ID: rest[:idLength], secret: rest[idLength+1:]}
	return k, written(k.ID) && written(k.secret)
}

// ValidID reports whether id can be the ID of a key.
func ValidID(id string) bool { return len(id) == idLength && written(id) }

func written(text string) bool {
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// Text returns the key as its holder sends it.
func (k Key) Text() string { return prefix + k.ID + "_" + k.secret }

// String returns the ID, for logs.
func (k Key) String() string { return prefix + k.ID }

// GoString returns the ID too.
func (k Key) GoString() string { return k.String() }

// Hash returns what is stored of the secret, in hex.
func (k Key) Hash() string {
	sum := sha256.Sum256([]byte(k.secret))
	return hex.EncodeToString(sum[:])
}

// Has reports whether hash is of the key's secret, in constant time.
func (k Key) Has(hash string) bool {
	return subtle.ConstantTimeCompare([]byte(k.Hash()), []byte(hash)) == 1
}
