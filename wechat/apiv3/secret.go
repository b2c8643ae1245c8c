package apiv3

import (
	"fmt"
	"log/slog"
)

// Secret is a text that must not be shown. Printed, logged and encoded it is "[redacted]";
// string(s) returns the text. An unexported field of a printed struct and the key of a printed map
// are not protected.
type Secret string

const redacted = "[redacted]"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }

// Format covers the verbs that String does not, %x and %d among them.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// Plaintext is a decrypted resource. It names the payer, so it is "[redacted]" wherever it is
// printed, logged or encoded.
type Plaintext struct {
	text func() []byte // a function, which fmt does not print
}

func newPlaintext(b []byte) Plaintext { return Plaintext{func() []byte { return b }} }

// Bytes returns the text, JSON in UTF-8.
func (p Plaintext) Bytes() []byte {
	if p.text == nil {
		return nil
	}
	return p.text()
}

func (Plaintext) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Plaintext) LogValue() slog.Value         { return slog.StringValue(redacted) }

// Format covers all verbs.
func (Plaintext) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }
