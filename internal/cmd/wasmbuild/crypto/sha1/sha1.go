// Package sha1 replaces crypto/sha1 in the page, which hashes nothing. It declares what go-app and
// its UUID module refer to. Its functions panic.
package sha1

import "hash"

// New panics.
func New() hash.Hash {
	panic("crypto/sha1: omitted from this build, see wasmbuild")
}

// Sum panics.
func Sum([]byte) [20]byte {
	panic("crypto/sha1: omitted from this build, see wasmbuild")
}
