package main

import (
	"strings"

	"h5pay/wasm/ui"
)

// keyPrefix begins every storage key of the page.
const keyPrefix = "h5pay."

// personal reports whether a storage key holds data of the current user. Only the language is not
// personal.
func personal(key string) bool { return strings.HasPrefix(key, keyPrefix) && key != ui.KeyLang }
