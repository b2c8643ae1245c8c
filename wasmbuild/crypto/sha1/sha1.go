// Package sha1 stands in for crypto/sha1 in the page, where nothing is hashed. It
// declares what go-app and its module for UUIDs refer to, and ends the program
// when one of them comes to need it.
package sha1

import "hash"

// New panics.
func New() hash.Hash {
	panic("crypto/sha1: left out of this build, see wasmbuild")
}

// Sum panics.
func Sum([]byte) [20]byte {
	panic("crypto/sha1: left out of this build, see wasmbuild")
}
