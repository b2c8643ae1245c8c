package main

import "strings"

// keyPrefix begins every key that the page keeps something under.
const keyPrefix = "h5pay."

// personal reports whether a key of a storage belongs to the person who uses the
// page. The keys of the basket and of all drafts do, and the language does not.
func personal(key string) bool { return strings.HasPrefix(key, keyPrefix) && key != keyLang }
