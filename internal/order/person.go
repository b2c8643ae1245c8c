package order

import (
	"strings"
)

// ErasedPrefix begins the owner of an order of which the person was erased. No openid
// and no guest id has it.
const ErasedPrefix = "erased:"

// IsErased reports whether the person who owned an order was erased.
func IsErased(owner string) bool { return strings.HasPrefix(owner, ErasedPrefix) }
