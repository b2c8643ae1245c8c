package order

import (
	"strings"
)

// ErasedPrefix begins the owner of an order whose person was erased. No openid and no
// guest id begins with it.
const ErasedPrefix = "erased:"

// IsErased reports whether the person who owned an order was erased.
func IsErased(owner string) bool { return strings.HasPrefix(owner, ErasedPrefix) }
