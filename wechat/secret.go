package wechat

import (
	"fmt"
	"log/slog"
)

// Secret is a text that must not be shown. Printing, logging and encoding it
// gives "[redacted]"; string(s) gives the text. Two places are out of its
// reach: an unexported field of a struct that is printed, and the key of a map.
type Secret string

const redacted = "[redacted]"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }

// Format covers the verbs that String does not, %x and %d among them.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }
